"""Sharpness falls with blur, brightness is the mean grey."""

import cv2
import numpy as np
import pytest
from PIL import Image

from facessl.config import QualityRecipe
from facessl.quality import brightness, contrast, flaws, sharpness, turn


def test_sharpness_falls_with_blur_and_is_zero_when_flat() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    series = [sharpness(cv2.GaussianBlur(noise, (0, 0), sigma)) for sigma in (0.5, 1, 2, 4)]
    assert sharpness(noise) > series[0] > series[1] > series[2] > series[3]
    assert sharpness(np.full((64, 64, 3), 90, np.uint8)) == 0


def test_brightness_is_the_mean_of_pillows_grey() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    assert brightness(noise) == pytest.approx(np.asarray(Image.fromarray(noise).convert("L")).mean(), abs=0.6)


def test_sharpness_of_a_set_of_larger_crops_compares() -> None:
    rng = np.random.default_rng(0)
    small = cv2.resize(rng.integers(0, 256, (28, 28, 3), np.uint8), (112, 112), interpolation=cv2.INTER_CUBIC)
    large = cv2.resize(small, (224, 224), interpolation=cv2.INTER_LINEAR)
    assert sharpness(large) == pytest.approx(sharpness(small), rel=0.25)


def test_contrast_is_the_standard_deviation_of_the_grey() -> None:
    halves = np.zeros((40, 40, 3), np.uint8)
    halves[:20] = 100
    assert contrast(halves) == pytest.approx(50)


def test_a_turned_head_has_its_eyes_to_one_side() -> None:
    box = {"box_x": 100.0, "box_w": 80.0}
    assert turn(box | {"left_eye_x": 120.0, "right_eye_x": 160.0}) == 0
    assert turn(box | {"left_eye_x": 130.0, "right_eye_x": 170.0}) == pytest.approx(0.25)
    assert np.isnan(turn(box))


def test_flaws_are_what_misses_a_limit() -> None:
    limits = QualityRecipe()
    good = {"sharpness": 200.0, "brightness": 120.0, "contrast": 50.0, "box_w": 90.0, "turn": float("nan")}
    assert flaws(good, limits) == []
    assert flaws(good | {"sharpness": 12.0, "turn": -0.4}, limits) == ["blurred", "turned"]
    assert flaws(good | {"brightness": 20.0, "contrast": 5.0, "box_w": 30.0}, limits) == ["dark", "flat", "small"]
    assert flaws(good | {"brightness": 240.0}, limits) == ["bright"]
