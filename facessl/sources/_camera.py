"""The camera: white balance, exposure, tone curve, lens blur, grain."""

from collections.abc import Mapping

import cv2
import numpy as np

from facessl.sources._atlas import vector


def develop(scene: np.ndarray, factors: Mapping[str, float], rng: np.random.Generator) -> np.ndarray:
    """Return the photo, uint8 RGB, of a scene in light units, (S, S, 3) float32."""
    size = scene.shape[0]
    warm, tint = 0.14 * factors["warmth"], 0.08 * factors["tint"]
    balance = vector(1 + warm + tint, 1 - tint, 1 - warm + tint) * (2.0 ** factors["exposure"])
    scene = cv2.transform(scene, np.diag(balance))
    scene = cv2.GaussianBlur(scene, (0, 0), 0.45 + factors["blur"] * size / 256)
    scene = np.maximum(scene, 0)
    tone = np.sqrt(scene * (1.25 + scene * 0.15) / (1 + scene * 0.55))
    tone = cv2.transform(tone, _mix(factors["saturation"], factors["contrast"]))
    if factors["noise"] > 0.002:
        tone = tone + rng.standard_normal(tone.shape, dtype=np.float32) * np.float32(factors["noise"])
    return cv2.convertScaleAbs(np.maximum(tone, 0), alpha=255)


def _mix(saturation: float, contrast: float) -> np.ndarray:
    """Return the colour matrix, (3, 4), that fades towards grey and stretches around middle grey."""
    grey = vector(0.299, 0.587, 0.114)
    fade = saturation * np.eye(3, dtype=np.float32) + (1 - saturation) * grey
    return np.hstack([contrast * fade, np.full((3, 1), 0.45 * (1 - contrast))]).astype(np.float32)
