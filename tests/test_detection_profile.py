"""Profiles are the last thing that Haar looks for, on both sides of the head, and a face is told once."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from facessl.detection import Face, HaarDetector
from facessl.detection._haar import _of_both_sides
from facessl.images import read_image

# Photos without a frontal face for Haar, two looking each way, and where the face is.
TURNED_AWAY = {
    "Barbara_Boxer/Barbara_Boxer_0001": (120, 113),
    "Andy_Roddick/Andy_Roddick_0005": (133, 119),
    "Marricia_Tate/Marricia_Tate_0001": (110, 122),
}


def test_a_face_of_the_mirror_image_comes_back_in_the_photo() -> None:
    assert _of_both_sides([], [Face((10, 20, 30, 40), score=7)], 100) == [Face((60, 20, 30, 40), score=7)]


def test_a_face_seen_from_both_sides_is_told_once_by_the_surer_look() -> None:
    sure, unsure, other = Face((10, 10, 40, 40), score=30), Face((52, 12, 40, 40), score=8), Face((5, 60, 30, 30))
    assert _of_both_sides([sure, other], [unsure], 100) == [sure, other]


@pytest.mark.realdata
@pytest.mark.parametrize("name", TURNED_AWAY)
def test_a_face_turned_away_is_found_and_not_aligned(name: str, real_data: Path) -> None:
    with zipfile.ZipFile(real_data / "lfw-deepfunneled.zip") as archive:
        photo = read_image(archive.read(f"lfw-deepfunneled/{name}.jpg"))
    for image, across in ((photo, TURNED_AWAY[name][0]), (photo[:, ::-1], 250 - TURNED_AWAY[name][0])):
        (face,) = HaarDetector().find(np.ascontiguousarray(image))
        assert np.hypot(face.centre[0] - across, face.centre[1] - TURNED_AWAY[name][1]) < 25
        assert face.left_eye is None
        assert face.score >= 5
