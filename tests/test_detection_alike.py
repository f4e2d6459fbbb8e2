"""Photos that somebody brings to a set of aligned ones: their faces are looked for, and cut as the set's lie."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from facessl.dataset import open_dataset
from facessl.detection import AlikeDetector, MiddleDetector, crop

PLACES = [(60, 40, 150), (200, 100, 90), (20, 90, 200)]  # left, top and side of the face's square


@pytest.fixture(scope="module")
def faces(prepared_home: Path) -> list[np.ndarray]:
    return list(np.asarray(open_dataset(prepared_home, "demo").faces[:40]))


@pytest.fixture(scope="module")
def detector(faces: list[np.ndarray]) -> AlikeDetector:
    return AlikeDetector(faces, MiddleDetector(), 0.08)


def photo_with(face: np.ndarray, left: int, top: int, side: int) -> np.ndarray:
    """A grey photo of 320 x 420 with a face's whole square in it, its edges drawn out so that there is no frame."""
    drawn = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
    return cv2.copyMakeBorder(drawn, top, 320 - top - side, left, 420 - left - side, cv2.BORDER_REPLICATE)


@pytest.mark.parametrize(("left", "top", "side"), PLACES)
def test_a_face_anywhere_is_cut_as_the_sets_lie(
    faces: list[np.ndarray], detector: AlikeDetector, left: int, top: int, side: int
) -> None:
    off, larger = [], []
    for face in faces[::4]:
        found = detector.find(photo_with(face, left, top, side))
        if found:
            off.append(np.hypot(found[0].centre[0] - left - side / 2, found[0].centre[1] - top - side / 2) / side)
            larger.append(found[0].side / side)
    assert len(off) >= 8
    assert np.median(off) < 0.1 and 0.85 < np.median(larger) < 1.15
    assert np.max(off) < 0.3


def test_what_is_cut_shows_what_the_sets_face_shows(faces: list[np.ndarray], detector: AlikeDetector) -> None:
    photo = photo_with(faces[0], *PLACES[0])
    seen, _ = crop(photo, detector.find(photo)[0], size=64, margin=0, align=True)
    middle, _ = crop(photo, MiddleDetector().find(photo)[0], size=64, margin=0, align=True)
    alike = [np.corrcoef(faces[0].ravel(), other.ravel())[0, 1] for other in (seen, middle)]
    assert alike[0] > 0.75 and alike[0] > alike[1] + 0.2


def test_a_photo_that_is_aligned_like_the_sets_is_cut_exactly_so(
    faces: list[np.ndarray], detector: AlikeDetector
) -> None:
    exact = [detector.find(cv2.resize(face, (256, 256))) for face in faces[:12]]
    assert sum(found == MiddleDetector().find(np.zeros((256, 256, 3), np.uint8)) for found in exact) >= 10


def test_where_nobody_is_nobody_is_found(detector: AlikeDetector) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    assert detector.find(noise) == [] and detector.find(np.full((240, 320, 3), 90, np.uint8)) == []


def test_a_set_in_which_no_detector_sees_a_face_keeps_to_the_middle() -> None:
    blank = [np.full((64, 64, 3), 90, np.uint8)] * 40
    middle = MiddleDetector(0.5)
    photo = np.zeros((100, 200, 3), np.uint8)
    assert AlikeDetector(blank, middle).find(photo) == middle.find(photo)
