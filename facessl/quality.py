"""Numbers that tell a poor crop from a good one, and the words for what is wrong with it."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from facessl.config import QualityRecipe

_SIDE = 112  # pixels a side at which sharpness is measured, for it depends on the size


def measure(crop: np.ndarray) -> dict[str, float]:
    """Return ``sharpness``, ``brightness`` and ``contrast`` of a crop (S, S, 3) uint8 RGB."""
    return {"sharpness": sharpness(crop), "brightness": brightness(crop), "contrast": contrast(crop)}


def sharpness(image: np.ndarray) -> float:
    """Return the variance of the Laplacian at 112 px a side: 0 when flat, under about 40 blurred.

    Args:
        image: Shape (S, S, 3) uint8, RGB; scaled to 112 px first, so that sets of different sizes compare.

    Reference: Pech-Pacheco et al. 2000, https://doi.org/10.1109/ICPR.2000.903548
    """
    import cv2

    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if grey.shape != (_SIDE, _SIDE):
        kind = cv2.INTER_AREA if grey.shape[0] > _SIDE else cv2.INTER_LINEAR
        grey = cv2.resize(grey, (_SIDE, _SIDE), interpolation=kind)
    return float(cv2.Laplacian(grey, cv2.CV_64F).var())


def brightness(image: np.ndarray) -> float:
    """Return the mean grey, 0 to 255, of an (H, W, 3) uint8 RGB picture."""
    import cv2

    return float(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).mean())


def contrast(image: np.ndarray) -> float:
    """Return the standard deviation of the grey, 0 to 127.5, of an (H, W, 3) uint8 RGB picture."""
    import cv2

    return float(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).std())


def turn(row: Mapping[str, Any]) -> float:
    """Return about how far a head is turned to the side: 0 towards the camera, towards ±1 in profile.

    The middle between the eyes moves from the middle of the box towards the side that the face looks to; it is
    given in halves of the box's width. A rough figure, and NaN where no eyes were found.

    Args:
        row: ``box_x``, ``box_w``, ``left_eye_x`` and ``right_eye_x`` in photo pixels, as the set's table has them.
    """
    if not {"left_eye_x", "right_eye_x"} <= row.keys():
        return math.nan
    middle = (row["left_eye_x"] + row["right_eye_x"]) / 2
    return float((middle - row["box_x"] - row["box_w"] / 2) / (row["box_w"] / 2))


def flaws(row: Mapping[str, Any], limits: QualityRecipe) -> list[str]:
    """Return what is wrong with a face, in single words; [] where nothing is.

    Args:
        row: ``sharpness``, ``brightness``, ``contrast``, ``box_w`` and ``turn``.
        limits: What a face has to reach.
    """
    wrong = {
        "blurred": row["sharpness"] < limits.min_sharpness,
        "dark": row["brightness"] < limits.min_brightness,
        "bright": row["brightness"] > limits.max_brightness,
        "flat": row["contrast"] < limits.min_contrast,
        "small": row["box_w"] < limits.min_face,
        "turned": abs(row["turn"]) > limits.max_turn,  # never true of NaN
    }
    return [word for word, so in wrong.items() if so]
