"""How much of a factor a straight line reads out of vectors: R² on people that the line was not fitted on."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_FOLDS = 5
_DRAWS = 500  # of people, for an interval
_STRENGTHS = tuple(float(10**power) for power in range(-2, 5))  # of the ridge, the best chosen within the fitted faces


@dataclass(frozen=True)
class Readout:
    """How well something was predicted: 0 is as good as always saying the mean, 1 without a mistake."""

    score: float
    low: float  # 95 %
    high: float
    faces: int  # judged


def spanned(fitted: np.ndarray, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows (N, D) and (M, D) about the mean of the first and about 1 large, in at most N directions.

    A ridge or a logistic regression never leaves the directions that its faces span, so nothing is lost, and pixels
    cost no more than embeddings.
    """
    mean = fitted.mean(axis=0)
    spread = float((fitted - mean).std()) or 1.0
    near, far = (fitted - mean) / spread, (asked - mean) / spread
    if fitted.shape[1] > len(fitted):
        directions = np.linalg.qr(near.T)[0]  # (D, N)
        near, far = near @ directions, far @ directions
    return near, far


def folds(groups: np.ndarray, seed: int) -> list[np.ndarray]:
    """Return the groups in five parts, or as many as there are groups, by chance."""
    drawn = np.random.default_rng(seed).permutation(np.unique(groups))
    return [part for part in np.array_split(drawn, min(_FOLDS, len(drawn))) if len(part)]


def read_out(
    vectors: np.ndarray,
    targets: np.ndarray,
    groups: np.ndarray,
    fitted: np.ndarray,
    *,
    seed: int,
    check: Callable[[], None],
) -> list[Readout]:
    """Return R² of a ridge regression for each column of the targets.

    It is fitted on the ``fitted`` faces of some people and judged on the other faces of other people, each person
    being judged once, so that nothing is told by knowing who it is. R² compares with the mean of the fitted faces; the
    interval is a bootstrap over people.

    Args:
        vectors: Shape (N, D).
        targets: Shape (N, T), finite.
        groups: Shape (N,), whose face it is.
        fitted: Shape (N,) bool: may be fitted on; the others are judged.
        seed: Of the folds and the bootstrap.
        check: Called between fits; may raise.

    Raises:
        ValueError: There are fewer than two people, or no face to fit on or to judge.
    """
    from sklearn.linear_model import RidgeCV

    people = np.unique(groups[~fitted])
    if len(np.unique(groups)) < 2 or not len(people) or not fitted.any():
        raise ValueError("a read-out needs two people, faces to fit on and faces to judge")
    wrong, spread = np.zeros((len(people), targets.shape[1])), np.zeros((len(people), targets.shape[1]))
    for part in folds(groups, seed):
        check()
        held_out = np.isin(groups, part)
        near, far = fitted & ~held_out, ~fitted & held_out
        if not near.any() or not far.any():
            continue
        rows, asked = spanned(vectors[near].astype(np.float64), vectors[far].astype(np.float64))
        model = RidgeCV(_STRENGTHS, alpha_per_target=targets.shape[1] > 1).fit(rows, targets[near])
        said = model.predict(asked).reshape(len(asked), -1)
        where = np.searchsorted(people, groups[far])
        np.add.at(wrong, where, (targets[far] - said) ** 2)
        np.add.at(spread, where, (targets[far] - targets[near].mean(axis=0)) ** 2)
    return _over_people(wrong, spread, int((~fitted).sum()), seed)


def _over_people(wrong: np.ndarray, spread: np.ndarray, faces: int, seed: int) -> list[Readout]:
    """Return R² of each target, with an interval, from the squared errors and deviations of each person (P, T)."""
    drawn = np.random.default_rng(seed).integers(len(wrong), size=(_DRAWS, len(wrong)))
    found = []
    for own, total in zip(wrong.T, spread.T, strict=True):
        sums = np.maximum(total[drawn].sum(axis=1), 1e-12)
        low, high = np.quantile(1 - own[drawn].sum(axis=1) / sums, (0.025, 0.975))
        score = 1 - own.sum() / max(total.sum(), 1e-12)
        found.append(Readout(float(score), float(low), float(high), faces))
    return found
