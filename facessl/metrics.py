"""Figures that training and evaluation share: arrays in, plain floats out."""

import math
from collections.abc import Sequence

import numpy as np

from facessl.neighbours import nearest

_BLOCK_ROWS = 1024
KNN_TEMPERATURE = 0.07  # Wu et al. 2018
COLLAPSED = 0.05  # a smaller spread means that all faces became one point; untrained networks have 0.14 and more


def macro_f1(labels: np.ndarray, answers: np.ndarray) -> float:
    """Return the mean F1, 0-1, over the people who have a face here: many photos of one person do not decide it."""
    from sklearn.metrics import f1_score

    return float(f1_score(labels, answers, labels=np.unique(labels), average="macro", zero_division=0.0))


def knn_accuracy(
    train: np.ndarray,
    train_labels: np.ndarray,
    probe: np.ndarray,
    probe_labels: np.ndarray,
    k: int,
    *,
    temperature: float = KNN_TEMPERATURE,
) -> float:
    """Return the share of probes whose nearest neighbours vote for the right label.

    Each of the k most similar train rows votes for its label with weight exp(cosine / temperature).

    Args:
        train: Shape (G, D), unit rows.
        train_labels: Shape (G,), integers >= 0.
        probe: Shape (Q, D), unit rows.
        probe_labels: Shape (Q,), integers.
        k: Voters; all train rows where there are fewer.
        temperature: Lower gives the nearest more say, > 0.

    Raises:
        ValueError: There is no train row, no probe, or temperature <= 0.

    Reference: Wu et al. 2018, section 3.4, https://arxiv.org/abs/1805.01978
    """
    if not len(train) or not len(probe):
        raise ValueError(f"k-NN needs train rows and probes, got {len(train)} and {len(probe)}")
    if not temperature > 0:
        raise ValueError(f"temperature must be > 0, got {temperature}")
    indices, similarities = nearest(probe, train, k)
    # The best similarity is taken off first, so that no temperature overflows.
    weights = np.exp((similarities - similarities[:, :1]) / np.float64(temperature))
    votes = np.zeros((len(probe), int(train_labels.max()) + 1))
    np.add.at(votes, (np.arange(len(probe))[:, None], train_labels[indices]), weights)
    return float(np.mean(votes.argmax(axis=1) == probe_labels))


def spread(embeddings: np.ndarray) -> float:
    """Return how far the embeddings fill their space: 0 when all are one point, 1 when every direction is used alike.

    The mean over dimensions of the standard deviation of unit rows, shape (N, D), times sqrt(D).

    Reference: Chen and He 2021 (SimSiam), section 4.1, https://arxiv.org/abs/2011.10566
    """
    rows = _unit(embeddings)
    return float(rows.std(axis=0).mean() * math.sqrt(rows.shape[1]))


def alignment(z0: np.ndarray, z1: np.ndarray) -> float:
    """Return the mean squared distance of positive pairs, 0 (same) to 4 (opposite); row i of both is a pair.

    Reference: Wang and Isola 2020, https://arxiv.org/abs/2005.10242
    """
    return float(np.mean(np.sum((_unit(z0) - _unit(z1)) ** 2, axis=1)))


def uniformity(z: np.ndarray) -> float:
    """Return ln of the mean of exp(-2 d²) over all pairs of rows: 0 when all are one point; lower is more even.

    Raises:
        ValueError: Fewer than two rows.

    Reference: Wang and Isola 2020, https://arxiv.org/abs/2005.10242
    """
    rows = _unit(z)
    n = len(rows)
    if n < 2:
        raise ValueError(f"uniformity needs at least 2 rows, got {n}")
    total = 0.0
    for start in range(0, n, _BLOCK_ROWS):
        cosine = rows[start : start + _BLOCK_ROWS] @ rows.T
        total += float(np.exp(4 * cosine - 4).sum())  # d² = 2 - 2 cosine
    return math.log((total - n) / (n * (n - 1)))  # a row is no pair with itself


def top_k(logits: np.ndarray, labels: np.ndarray, ks: Sequence[int]) -> dict[int, float]:
    """Return for each k the share of rows whose label is among the k highest logits.

    Args:
        logits: Shape (N, C).
        labels: Shape (N,), integers in 0..C-1.
        ks: Where k >= C the answer is 1.

    Raises:
        ValueError: There is no row.
    """
    if not len(logits):
        raise ValueError("top-k needs at least one row")
    ranked = np.argsort(-logits, axis=1, kind="stable")  # (N, C)
    rank = np.argmax(ranked == np.asarray(labels)[:, None], axis=1)
    return {k: float(np.mean(rank < k)) for k in ks}


def wilson_interval(successes: int, n: int, *, z: float = 1.96) -> tuple[float, float]:
    """Return the interval that a share of ``successes`` in ``n`` is believable in; z = 1.96 for 95 %.

    Nothing tried, nothing known: n = 0 gives (0, 1).

    Raises:
        ValueError: successes is not in 0..n.

    Reference: Wilson 1927; unlike p ± z·sd it stays in 0..1 and is no point at 0 or 100 %.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"successes must be in 0..n, got {successes} of {n}")
    if n == 0:
        return 0.0, 1.0
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def _unit(rows: np.ndarray) -> np.ndarray:
    rows = np.asarray(rows, dtype=np.float64)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
