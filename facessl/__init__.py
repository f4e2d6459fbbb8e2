"""facessl: watch a model learn to tell people apart, from faces most of which have no name."""

__version__ = "0.1.0"
