"""Who is taken for whom, against a count by hand."""

import numpy as np
import pytest

from facessl.mistakes import Confusion, confusions, most_confused

#                   Ada Bo Cy Di Ed
MATRIX = np.array([[5, 3, 0, 0, 0],   # Ada, 8 photos
                   [0, 4, 0, 1, 0],   # Bo, 5
                   [0, 0, 2, 0, 0],   # Cy, always right
                   [0, 0, 0, 0, 1],   # Di, 1
                   [0, 0, 1, 0, 9]])  # Ed, 10  # fmt: skip


def test_the_most_frequent_mistake_comes_first_then_the_larger_share() -> None:
    assert confusions(MATRIX) == [
        Confusion(right=0, answer=1, photos=3, of=8),
        Confusion(right=3, answer=4, photos=1, of=1),
        Confusion(right=1, answer=3, photos=1, of=5),
        Confusion(right=4, answer=2, photos=1, of=10),
    ]
    assert sum(one.photos for one in confusions(MATRIX)) == MATRIX.sum() - np.trace(MATRIX)


def test_a_few_people_stay_as_they_are() -> None:
    assert most_confused(MATRIX, 5) == [0, 1, 2, 3, 4]


def test_of_many_the_largest_confusions_are_shown_and_stand_together() -> None:
    assert most_confused(MATRIX, 2) == [0, 1]
    assert most_confused(MATRIX, 4) == [0, 1, 3, 4]  # a chain: Ada, Bo whom she is taken for, Di, Ed
    rng = np.random.default_rng(0)
    many = np.diag(rng.integers(1, 9, 500))
    for right, answer in rng.integers(0, 500, (80, 2)):
        many[right, answer] += 1
    shown = most_confused(many, 24)
    assert len(shown) == len(set(shown)) == 24
    largest = confusions(many)[0]
    assert {largest.right, largest.answer} <= set(shown)
    assert abs(shown.index(largest.right) - shown.index(largest.answer)) == 1


def test_around_a_person_stand_only_those_confused_with_them() -> None:
    assert set(most_confused(MATRIX, 5, around=3)) == {1, 3, 4}
    assert most_confused(MATRIX, 2, around=1) == [1, 0]
    assert most_confused(np.eye(3, dtype=int), 2, around=2) == [2]


def test_where_every_answer_is_right_nobody_is_confused() -> None:
    assert confusions(np.eye(30, dtype=int)) == []
    assert most_confused(np.eye(30, dtype=int), 24) == []


def test_nobody_is_confused_alone() -> None:
    with pytest.raises(ValueError, match="most must be >= 2"):
        most_confused(MATRIX, 1)
