"""Every error that facessl raises on purpose; each message says what to do next.

FaceSSLError
├── RecipeError          a setting that cannot work, or a plug-in that does not exist
├── SourceError          photos that cannot be taken in as they are
├── ImageError           one picture that cannot be read
├── DatasetError         a prepared set that is missing, unfinished or not fit for what was asked
├── ModelError           weights that are missing, foreign or damaged
├── RunError             a run that does not exist or cannot do what was asked of it now
└── Stopped              not a fault: somebody asked the job to stop, and its state is kept
"""


class FaceSSLError(Exception):
    """Base of all; its text is one or two sentences for a person."""


class RecipeError(FaceSSLError):
    """A setting that cannot work, or a plug-in that does not exist."""


class SourceError(FaceSSLError):
    """Photos that cannot be taken in as they are."""


class ImageError(FaceSSLError):
    """One picture that cannot be read."""


class DatasetError(FaceSSLError):
    """A prepared set that is missing, unfinished or not fit for what was asked."""


class ModelError(FaceSSLError):
    """Weights that are missing, foreign or damaged."""


class RunError(FaceSSLError):
    """A run that does not exist or cannot do what was asked of it now."""


class Stopped(FaceSSLError):
    """Somebody asked the job to stop; what it had is kept."""
