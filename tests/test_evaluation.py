"""The classifier's figures against hand counts and scikit-learn."""

import json

import numpy as np
import pytest
from sklearn.metrics import f1_score

from facessl.errors import DatasetError
from facessl.evaluation import classification

PEOPLE = ["Ada", "Bo", "Cy", "Di", "Eve", "Flo"]


def logits_of(ranked: list[list[int]]) -> np.ndarray:
    """Return logits that rank the people as each list says, best first."""
    logits = np.zeros((len(ranked), len(PEOPLE)))
    for row, order in enumerate(ranked):
        logits[row, order] = np.arange(len(order), 0, -1)
    return logits


def test_counts_by_hand():
    labels = np.array([0, 0, 1, 2])
    logits = logits_of([[0, 1, 2, 3, 4, 5], [1, 2, 0, 3, 4, 5], [2, 3, 4, 1, 0, 5], [0, 1, 3, 4, 5, 2]])
    found = classification(labels, logits, PEOPLE)
    assert (found["top1"], found["top3"], found["top5"], found["photos"]) == (0.25, 0.5, 0.75, 4)
    confusion = np.zeros((6, 6), int)
    confusion[0, 0] = confusion[0, 1] = confusion[1, 2] = confusion[2, 0] = 1
    assert found["confusion"] == confusion.tolist()
    # Ada: precision 1/2, recall 1/2; Bo and Cy were never right; nobody else has a photo.
    assert found["macro_f1"] == pytest.approx((0.5 + 0 + 0) / 3)


def test_intervals_hold_the_share_and_narrow_with_photos():
    labels = np.zeros(10, int)
    right, wrong = [0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 0]
    few = classification(labels, logits_of([right] * 8 + [wrong] * 2), PEOPLE)
    many = classification(np.zeros(1000, int), logits_of([right] * 800 + [wrong] * 200), PEOPLE)
    assert few["top1_interval"] == pytest.approx([0.490, 0.943], abs=0.001)  # a published table's 8 of 10
    assert np.ptp(many["top1_interval"]) < np.ptp(few["top1_interval"]) / 5
    assert few["top3_interval"][0] < 0.8 < few["top3_interval"][1]


def test_macro_f1_agrees_with_scikit_learn_where_everybody_has_photos():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 6
    logits = rng.normal(size=(60, 6)) + 2 * np.eye(6)[labels]
    found = classification(labels, logits, PEOPLE)
    assert found["macro_f1"] == pytest.approx(f1_score(labels, logits.argmax(1), average="macro"))
    assert found["report"]["macro avg"]["f1-score"] == pytest.approx(found["macro_f1"])
    assert found["report"]["accuracy"] == pytest.approx(found["top1"])


def test_it_can_be_written_as_json_and_names_everybody():
    found = classification(np.array([0, 1]), logits_of([[0], [0]]), PEOPLE)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert set(PEOPLE) < set(found["report"])


def test_of_two_people_the_first_three_say_nothing():
    found = classification(np.array([0, 1]), np.array([[0.1, 0.9], [0.8, 0.2]]), ["Ada", "Bo"])
    assert (found["top1"], found["top3"], found["top3_interval"]) == (0, None, None)


def test_somebody_may_be_called_like_a_column_of_the_report():
    found = classification(np.array([0, 1]), np.eye(2), ["accuracy", "macro avg"])
    assert found["macro_f1"] == 1


def test_no_face_is_no_zero():
    with pytest.raises(DatasetError, match="no face"):
        classification(np.zeros(0, int), np.zeros((0, 6)), PEOPLE)
