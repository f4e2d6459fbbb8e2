"""The one place that makes detectors."""

from pathlib import Path
from typing import Literal, get_args

from facessl.detection._face import FaceDetector, LandmarksOf
from facessl.detection._haar import HaarDetector
from facessl.detection._middle import MiddleDetector
from facessl.detection._yunet import WHERE_TO_GET_IT, YuNetDetector
from facessl.errors import ModelError, RecipeError

DetectorName = Literal["haar", "yunet", "middle"]
DETECTORS: tuple[str, ...] = get_args(DetectorName)


def open_detector(
    name: str,
    *,
    weights: str = "",
    scale_factor: float = 1.2,
    min_neighbors: int = 5,
    min_size_share: float = 0.2,
    landmarks: LandmarksOf = "every",
    middle: float = 1.0,
) -> FaceDetector:
    """Return the detector called ``name``, ready for any number of threads.

    Args:
        name: One of ``DETECTORS``.
        weights: YuNet's file; Haar needs none.
        scale_factor: Haar's pyramid step, > 1.
        min_neighbors: Windows that must agree for Haar, >= 1.
        min_size_share: Smallest face, as a share of the photo's shorter side; bystanders smaller than this are not
            seen beside a larger face.
        landmarks: Whose landmarks YuNet looks for; Haar has none.
        middle: Side of the square that ``middle`` takes, as a share of the photo's shorter side.

    Raises:
        RecipeError: There is no such detector.
        ModelError: YuNet's file is not given, not there or no such file.
    """
    if name == "haar":
        return HaarDetector(scale_factor, min_neighbors, min_size_share)
    if name == "middle":
        return MiddleDetector(middle)
    if name != "yunet":
        raise RecipeError(f"There is no detector called {name!r}; choose one of {', '.join(DETECTORS)}.")
    if not weights.strip():
        raise ModelError(f"The detector yunet needs its file in weights; {WHERE_TO_GET_IT}.")
    return YuNetDetector(Path(weights).expanduser(), min_size_share, landmarks)
