import math

import numpy as np
import pytest
import torch
from sklearn.metrics import top_k_accuracy_score
from sklearn.neighbors import KNeighborsClassifier

from facessl.metrics import alignment, knn_accuracy, spread, top_k, uniformity, wilson_interval


def unit_rows(n: int, d: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("k", [1, 5, 30])
@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_knn_agrees_with_scikit_learns_weighted_vote(k, temperature):
    labels = np.random.default_rng(0).integers(0, 4, 120)
    rows = unit_rows(120, 6) + 0.8 * np.eye(6)[labels]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    judge = KNeighborsClassifier(k, metric="cosine", weights=lambda distance: np.exp((1 - distance) / temperature))
    wanted = judge.fit(rows[:60], labels[:60]).score(rows[60:], labels[60:])
    assert 0.3 < wanted < 1  # neither chance nor trivial, or the test says nothing
    found = knn_accuracy(rows[:60], labels[:60], rows[60:], labels[60:], k, temperature=temperature)
    assert found == pytest.approx(wanted)


def test_knn_one_near_neighbour_outvotes_two_far_ones():
    train = np.array([[1, 0], [0, 1], [0, 1]], dtype=np.float32)
    probe = np.array([[1, 0]], dtype=np.float32)
    assert knn_accuracy(train, np.array([0, 1, 1]), probe, np.array([0]), 3) == 1.0
    assert knn_accuracy(train, np.array([0, 1, 1]), probe, np.array([0]), 3, temperature=10.0) == 0.0


def test_knn_works_with_one_train_row():
    row = unit_rows(1, 4)
    assert knn_accuracy(row, np.array([2]), row, np.array([2]), 5) == 1.0
    assert knn_accuracy(row, np.array([2]), row, np.array([7]), 5) == 0.0


def test_knn_at_a_tiny_temperature_is_the_nearest_ones_word():
    train, probe = np.array([[0.8, 0.6], [0.6, 0.8]]), np.array([[0.5, np.sqrt(0.75)]])
    assert knn_accuracy(train, np.array([0, 1]), probe, np.array([1]), 2, temperature=1e-4) == 1.0


def test_knn_refuses_to_judge_by_nothing():
    row, label, nothing = unit_rows(1, 4), np.array([0]), np.empty((0, 4), np.float32)
    with pytest.raises(ValueError, match="got 0 and 1"):
        knn_accuracy(nothing, label[:0], row, label, 5)
    with pytest.raises(ValueError, match="got 1 and 0"):
        knn_accuracy(row, label, nothing, label[:0], 5)


def test_spread_is_1_where_every_direction_is_used_and_0_in_one_point():
    assert spread(np.random.default_rng(0).normal(size=(4000, 64))) == pytest.approx(1, abs=0.02)
    assert spread(np.ones((50, 8))) == pytest.approx(0, abs=1e-6)
    line = np.random.default_rng(0).choice([-1.0, 1.0], (1000, 1)) * np.eye(16)[:1]
    assert spread(line) == pytest.approx(math.sqrt(16) / 16, abs=0.01)  # one direction of sixteen


def test_alignment_agrees_with_the_papers_code():
    z0, z1 = torch.from_numpy(unit_rows(20, 8)), torch.from_numpy(unit_rows(20, 8, seed=1))
    wanted = (z0 - z1).norm(dim=1).pow(2).mean().item()
    assert alignment(3 * z0.numpy(), z1.numpy()) == pytest.approx(wanted, rel=1e-5)
    assert alignment(z0.numpy(), z0.numpy()) == 0
    assert alignment(z0.numpy(), -z0.numpy()) == pytest.approx(4)


@pytest.mark.parametrize("n", [2, 50, 1500])
def test_uniformity_agrees_with_the_papers_code(n):
    z = torch.from_numpy(unit_rows(n, 8))
    wanted = torch.pdist(z).pow(2).mul(-2).exp().mean().log().item()
    assert uniformity(z.numpy()) == pytest.approx(wanted, abs=1e-4)


def test_uniformity_of_one_point_is_0():
    assert uniformity(np.ones((10, 4))) == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match="at least 2 rows, got 1"):
        uniformity(np.ones((1, 4)))


def test_top_k_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(200, 7)), rng.integers(0, 7, 200)
    found = top_k(logits, labels, (1, 3, 5, 7, 9))
    for k in (1, 3, 5):
        assert found[k] == pytest.approx(top_k_accuracy_score(labels, logits, k=k, labels=range(7)))
    assert found[7] == found[9] == 1.0


# By hand: (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n); the first as printed in Newcombe 1998, table I.
@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (20, 20, 0.8389, 1.0)],
)
def test_wilson_interval_agrees_with_newcombe(successes, n, low, high):
    assert wilson_interval(successes, n) == pytest.approx((low, high), abs=1e-4)


def test_wilson_interval_of_nothing_is_everything():
    assert wilson_interval(0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="got 3 of 2"):
        wilson_interval(3, 2)
