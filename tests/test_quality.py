"""Sharpness falls with blur, brightness is the mean grey."""

import cv2
import numpy as np
import pytest
from PIL import Image

from facessl.quality import brightness, sharpness


def test_sharpness_falls_with_blur_and_is_zero_when_flat() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    series = [sharpness(cv2.GaussianBlur(noise, (0, 0), sigma)) for sigma in (0.5, 1, 2, 4)]
    assert sharpness(noise) > series[0] > series[1] > series[2] > series[3]
    assert sharpness(np.full((64, 64, 3), 90, np.uint8)) == 0


def test_brightness_is_the_mean_of_pillows_grey() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    assert brightness(noise) == pytest.approx(np.asarray(Image.fromarray(noise).convert("L")).mean(), abs=0.6)
