"""Where the faces are, which one is meant, and the square that is cut out of the photo for it."""

from facessl.detection._alike import AlikeDetector
from facessl.detection._crop import crop
from facessl.detection._eyes import MAX_ANGLE, plausible_pair
from facessl.detection._face import Box, Face, FaceDetector, LandmarksOf, Point, choose, overlap
from facessl.detection._haar import HaarDetector
from facessl.detection._middle import MiddleDetector
from facessl.detection._open import DETECTORS, open_detector
from facessl.detection._yunet import YuNetDetector

__all__ = [
    "DETECTORS",
    "MAX_ANGLE",
    "AlikeDetector",
    "Box",
    "Face",
    "FaceDetector",
    "HaarDetector",
    "LandmarksOf",
    "MiddleDetector",
    "Point",
    "YuNetDetector",
    "choose",
    "crop",
    "open_detector",
    "overlap",
    "plausible_pair",
]
