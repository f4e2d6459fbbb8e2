"""Every error that facessl raises on purpose; each message says what to do next.

FaceSSLError
├── RecipeError          a setting that cannot work, or a plug-in that does not exist
├── SourceError          photos that cannot be taken in as they are
├── ImageError           one picture that cannot be read
├── DatasetError         a prepared set that is missing, unfinished or not fit for what was asked
├── ModelError           weights that are missing, foreign or damaged
│   └── NonFiniteError   weights that grew until what comes out is no number
├── RunError             a run that does not exist or cannot do what was asked of it now
│   └── DamagedError     a small file that does not hold any more what was written into it
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


class NonFiniteError(ModelError):
    """A network whose weights grew until what comes out is no number any more."""


class RunError(FaceSSLError):
    """A run that does not exist or cannot do what was asked of it now."""


class DamagedError(RunError):
    """A small file that does not hold any more what was written into it: a disk that was full, or hands."""


class Stopped(FaceSSLError):
    """Somebody asked the job to stop; what it had is kept."""
