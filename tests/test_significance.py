"""McNemar's test against numbers worked by hand, and recall against scikit-learn's."""

import math

import numpy as np
import pytest

from facessl.significance import mcnemar, recall_per_person


def answers(both: int, only_first: int, only_second: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    """Return who was right on which photo, in an order that means nothing."""
    pairs = [(True, True)] * both + [(True, False)] * only_first + [(False, True)] * only_second
    pairs += [(False, False)] * neither
    shuffled = np.random.default_rng(0).permutation(np.array(pairs))
    return shuffled[:, 0], shuffled[:, 1]


def test_few_disagreements_are_a_row_of_coin_throws():
    found = mcnemar(*answers(90, 7, 3, 20))
    assert (found.both, found.only_first, found.only_second, found.neither) == (90, 7, 3, 20)
    assert found.photos == 120
    # Heads 7 times or more, or 3 times or fewer, in 10: by hand 2 × (1 + 10 + 45 + 120) / 1,024.
    assert found.exact and found.p == pytest.approx(352 / 1024)
    assert not found.real


def test_many_disagreements_follow_the_textbook():
    # Agresti, Categorical Data Analysis, table 10.1: approval of a prime minister, asked twice, 794, 150, 86, 570.
    # Corrected for continuity by hand: (|150 - 86| - 1)² / 236 = 3,969 / 236 = 16.818.
    found = mcnemar(*answers(794, 150, 86, 570))
    assert not found.exact
    assert found.p == pytest.approx(math.erfc(math.sqrt(3969 / 236 / 2)), rel=1e-9)
    assert found.p == pytest.approx(4.1e-5, rel=0.01)
    assert found.real


@pytest.mark.parametrize(("only_first", "only_second", "exact"), [(24, 0, True), (25, 0, False)])
def test_exact_below_25_photos(only_first: int, only_second: int, exact: bool):
    assert mcnemar(*answers(1, only_first, only_second, 0)).exact is exact


def test_no_disagreement_and_an_even_one_say_nothing():
    assert mcnemar(*answers(5, 0, 0, 5)).p == 1
    assert mcnemar(*answers(5, 4, 4, 5)).p == pytest.approx(1)
    assert mcnemar(*answers(5, 20, 20, 5)).p == pytest.approx(1)


def test_who_is_first_does_not_matter():
    first, second = answers(10, 9, 2, 3)
    assert mcnemar(first, second).p == mcnemar(second, first).p


def test_other_photos_are_refused():
    with pytest.raises(ValueError, match="same photos"):
        mcnemar(np.ones(3, bool), np.ones(4, bool))
    with pytest.raises(ValueError, match="same photos"):
        mcnemar(np.ones(0, bool), np.ones(0, bool))


def test_recall_is_scikit_learns():
    from sklearn.metrics import recall_score

    rng = np.random.default_rng(1)
    labels = rng.integers(0, 6, 200)
    said = np.where(rng.random(200) < 0.6, labels, rng.integers(0, 6, 200))
    recall, photos = recall_per_person(labels, said, 7)
    assert recall[:6] == pytest.approx(recall_score(labels, said, average=None))
    assert np.isnan(recall[6]) and photos[6] == 0
    assert photos.tolist() == [*np.bincount(labels, minlength=7)]
