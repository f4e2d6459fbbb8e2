"""Detectors are counted against answers that are known beforehand."""

import time
from collections.abc import Sequence

import numpy as np
import pytest

from facessl.comparison import compare
from facessl.detection import Face, HaarDetector
from facessl.errors import DatasetError
from facessl.sources import synthetic

LEFT, RIGHT = Face((10, 10, 40, 40), (22, 26), (38, 26)), Face((42, 42, 40, 40))
PHOTOS = [np.full((100, 100, 3), number, np.uint8) for number in range(4)]


class Scripted:
    """Answers what it was told for the photo whose pixels have that value."""

    def __init__(self, answers: Sequence[list[Face]], seconds: float = 0.0) -> None:
        self.answers = answers
        self.seconds = seconds

    def find(self, image: np.ndarray) -> list[Face]:
        time.sleep(self.seconds)
        return self.answers[int(image[0, 0, 0])]


def test_counts_are_those_of_the_answers() -> None:
    done: list[int] = []
    detector = Scripted([[LEFT], [LEFT, RIGHT], [], [RIGHT]])
    (score,) = compare(iter(PHOTOS), {"a": detector}, done.append)
    assert (score.name, score.photos, score.found, score.one, score.several, score.faces) == ("a", 4, 3, 2, 1, 4)
    assert score.eyes == 1  # of the two in one photo the better centred is chosen, which has none
    assert score.agreement == {}
    assert done == [1, 2, 3, 4]


def test_agreement_is_the_same_face_or_none_at_all() -> None:
    nearly = Face((20, 8, 20, 44))  # a narrow box around the left face
    one = Scripted([[LEFT], [LEFT], [], [RIGHT]])
    other = Scripted([[nearly], [RIGHT], [], []])
    first, second = compare(PHOTOS, {"one": one, "other": other})
    assert first.agreement == {"other": 0.5}
    assert second.agreement == {"one": 0.5}


def test_time_is_the_median_of_a_photo_and_not_of_the_first() -> None:
    class SlowToStart(Scripted):
        def find(self, image: np.ndarray) -> list[Face]:
            time.sleep(0 if hasattr(self, "awake") else 0.5)
            self.awake = True
            return super().find(image)

    quick, slow = compare(PHOTOS, {"quick": SlowToStart([[]] * 4), "slow": Scripted([[]] * 4, 0.02)})
    assert quick.ms_per_photo < 15
    assert 20 <= slow.ms_per_photo < 200


def test_two_settings_of_haar_agree_on_generated_people() -> None:
    photos = [synthetic.render(person, 0, size=160) for person in range(4)]
    first, second = compare(photos, {"1.2": HaarDetector(1.2), "1.1": HaarDetector(1.1)})
    assert first.found == second.found == 4
    assert first.agreement["1.1"] == second.agreement["1.2"] == 1


def test_no_photo_is_refused() -> None:
    with pytest.raises(DatasetError, match="choose a set"):
        compare([], {"a": Scripted([])})
