"""Are two faces one person's? LFW's protocol and the usual figures, from similarities alone.

A pair is accepted, called the same person, when its similarity reaches the threshold. The false-accept rate (FAR) is
the share of different pairs that are accepted, the true-accept rate (TAR) the share of same pairs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

FARS = {"1e-2": 1e-2, "1e-3": 1e-3}  # at which the true-accept rate is told
DRAWS = 1000  # of the bootstrap
FEWEST_PEOPLE = 5  # an interval over fewer says nothing
_TOLERANCE = 1e-12  # of a rate that is a quotient of sums


@dataclass(frozen=True)
class Roc:
    """The rates at every threshold that matters, from the strictest to the laxest; all shape (T,)."""

    far: np.ndarray  # 0 to 1, never falling
    tar: np.ndarray
    thresholds: np.ndarray  # falling; the first accepts nothing


@dataclass(frozen=True)
class Fold:
    """One fold, judged at the threshold that was best on the others."""

    fold: int
    same: int  # pairs of one person
    different: int
    threshold: float | None  # None where the others have not both kinds of pairs
    accuracy: float | None  # share of right answers, 0-1; None without a threshold, or without both kinds here


def roc(similarity: np.ndarray, same: np.ndarray, weights: np.ndarray | None = None) -> Roc:
    """Return the receiver operating characteristic; pairs of one similarity are accepted together.

    Args:
        similarity: Shape (P,), any scale.
        same: Shape (P,) bool.
        weights: Shape (P,), >= 0: how often each pair counts; once if not given.

    Raises:
        ValueError: A similarity is no finite number, or one kind of pairs is missing.
    """
    similarity, same = _checked(similarity, same)
    weight = np.ones(len(same)) if weights is None else np.asarray(weights, dtype=np.float64)
    order = np.argsort(-similarity, kind="stable")
    ordered = similarity[order]
    ends = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)  # the last pair of each similarity
    accepted = [np.append(0, np.cumsum((weight * kind)[order])[ends]) for kind in (same, ~same)]
    if not accepted[0][-1] or not accepted[1][-1]:
        raise ValueError("a ROC needs pairs of one person and pairs of two; one kind is missing")
    tar, far = (counts / counts[-1] for counts in accepted)
    return Roc(far, tar, np.append(np.nextafter(ordered[0], np.inf), ordered[ends]))


def auc(curve: Roc) -> float:
    """Return the area under the curve: the chance that a same pair is more similar than a different one; ties half."""
    return float(np.sum(np.diff(curve.far) * (curve.tar[1:] + curve.tar[:-1]) / 2))


def eer(curve: Roc) -> float:
    """Return the equal error rate, where as many different pairs are accepted as same ones refused.

    Between two thresholds the curve is taken as straight.
    """
    surplus = curve.far + curve.tar - 1  # false accepts less false refusals, -1 to 1
    after = int(np.argmax(surplus >= 0))
    before = after - 1  # the first threshold accepts nothing, where the surplus is -1
    way = -surplus[before] / (surplus[after] - surplus[before])
    return float(curve.far[before] + way * (curve.far[after] - curve.far[before]))


def tar_at_far(curve: Roc, far: float) -> float:
    """Return the highest true-accept rate of a threshold whose false-accept rate is at most ``far``.

    Not interpolated: it is what a threshold that exists reaches, so it errs to the low side.
    """
    return float(curve.tar[curve.far <= far + _TOLERANCE].max())


def thinned(curve: Roc, points: int = 100) -> Roc:
    """Return at most ``points`` of the curve's points, both ends among them, evenly spread along it.

    Half the places go by the rates themselves and half by the logarithm of the false-accept rate, for the left end is
    what verification looks at.
    """
    if len(curve.far) <= points:
        return curve
    least = curve.far[curve.far > 0].min()
    length = curve.far + curve.tar
    decades = np.log(np.maximum(curve.far, least / 2))
    halves = (np.searchsorted(way, np.linspace(way[0], way[-1], points // 2)) for way in (length, decades))
    kept = np.unique(np.concatenate([np.minimum(half, len(curve.far) - 1) for half in halves]))
    return Roc(curve.far[kept], curve.tar[kept], curve.thresholds[kept])


def best_threshold(similarity: np.ndarray, same: np.ndarray) -> float:
    """Return a threshold that answers most pairs rightly.

    It lies midway between two similarities, so that a pair at the border does not decide it; of several equally good
    ones it is the middle one, the lower of two. Where all are as similar the more frequent answer is given to all, and
    of as many same as different everything is accepted.

    Raises:
        ValueError: A similarity is no finite number, or one kind of pairs is missing.
    """
    curve = roc(similarity, same)
    positives = int(np.count_nonzero(same))
    negatives = len(same) - positives
    right = np.rint(curve.tar * positives) + np.rint((1 - curve.far) * negatives)
    best = np.flatnonzero(right == right.max())
    chosen = int(best[len(best) // 2])
    if chosen + 1 == len(curve.thresholds):
        return float(curve.thresholds[chosen])  # everything is accepted
    below, above = curve.thresholds[chosen + 1], curve.thresholds[chosen]
    return float(max((below + above) / 2, np.nextafter(below, np.inf)))  # two neighbouring numbers have no middle


def judge(similarity: np.ndarray, same: np.ndarray, fold: np.ndarray) -> list[Fold]:
    """Judge each fold at the threshold that is best on the pairs of all others: LFW's view 2.

    A fold with one kind of pairs only is not judged, for its accuracy would be that of always saying the same; its
    pairs still help to choose the others' thresholds.

    Args:
        similarity: Shape (P,).
        same: Shape (P,) bool.
        fold: Shape (P,), integers.

    Raises:
        ValueError: A similarity is no finite number.

    Reference: Huang et al. 2007, Labeled Faces in the Wild, section 4, https://vis-www.cs.umass.edu/lfw/lfw.pdf
    """
    similarity, same = _checked(similarity, same)
    folds = []
    for number in np.unique(fold).tolist():
        own = fold == number
        positives = int(same[own].sum())
        negatives = int(own.sum()) - positives
        threshold = accuracy = None
        if 0 < same[~own].sum() < (~own).sum():
            threshold = best_threshold(similarity[~own], same[~own])
            if positives and negatives:
                accuracy = float(np.mean((similarity[own] >= threshold) == same[own]))
        folds.append(Fold(number, positives, negatives, threshold, accuracy))
    return folds


def mean_accuracy(folds: Sequence[Fold]) -> tuple[float | None, float | None]:
    """Return the mean accuracy of the judged folds and its standard error; None without one, or two, of them.

    The standard error is the folds' standard deviation (of F - 1) divided by the root of their number, as LFW asks.
    """
    judged = [fold.accuracy for fold in folds if fold.accuracy is not None]
    error = float(np.std(judged, ddof=1) / math.sqrt(len(judged))) if len(judged) > 1 else None
    return float(np.mean(judged)) if judged else None, error


def figures(similarity: np.ndarray, same: np.ndarray, folds: Sequence[Fold]) -> tuple[dict[str, Any], list[str]]:
    """Return what is said of one model on these pairs, and sentences on what cannot be said.

    Raises:
        ValueError: A similarity is no finite number, or one kind of pairs is missing.
    """
    curve = roc(similarity, same)
    mean, error = mean_accuracy(folds)
    notes = []
    if mean is None:
        notes.append(
            "There is no accuracy: a fold's threshold comes from other folds, and no fold with both kinds of pairs "
            "has such others."
        )
    elif missing := sum(fold.accuracy is None for fold in folds):
        notes.append(f"{missing} of {len(folds)} folds are not judged: they have one kind of pairs only.")
    different = int(np.count_nonzero(~np.asarray(same)))
    found: dict[str, Any] = {
        "accuracy": mean,
        "accuracy_se": error,
        "auc": auc(curve),
        "eer": eer(curve),
    }
    for name, far in FARS.items():
        found[f"tar_at_far_{name}"] = tar_at_far(curve, far) if _can_say(different, far) else None
    if unsaid := [f"{100 * far:g} %" for far in FARS.values() if not _can_say(different, far)]:
        notes.append(f"Too few pairs of two people to say a TAR at a FAR of {' or '.join(unsaid)}: {different:,}.")
    found["threshold"] = best_threshold(similarity, same)
    return found, notes


def intervals(
    similarity: np.ndarray, same: np.ndarray, accepted: np.ndarray | None, people: np.ndarray, *, seed: int
) -> dict[str, list[float] | None]:
    """Return [low, high] of accuracy, AUC, EER and the true-accept rates: a 95 % bootstrap over people.

    Pairs of one person are no independent trials, so people are drawn and not pairs: with replacement, as many as
    there are; a pair counts as often as its person was drawn, one of two people the product of how often each was. The
    thresholds of the folds stay as they were chosen. Of the accuracy both kinds of pairs make up half.

    In simulations of the AUC 93 % of the intervals held the truth with 62 people, 88 % with 12 and 78 % with 6; where
    people hardly come up twice, as in LFW's pairs, 99 %: there they are about 1.4 times as wide as they need be.

    Args:
        similarity: Shape (P,).
        same: Shape (P,) bool.
        accepted: Shape (P,) bool, what the fold's threshold said of each pair; None where there is none.
        people: Shape (P, 2), integers: who is on the two photos.
        seed: Of the draws.

    Returns:
        None for each figure where there are fewer than five people, and where the pairs cannot say it.

    Reference: Owen 2007, The pigeonhole bootstrap, https://doi.org/10.1214/07-AOAS122
    """
    names = ["accuracy", "auc", "eer", *(f"tar_at_far_{name}" for name in FARS)]
    known, numbers = np.unique(people, return_inverse=True)
    numbers = numbers.reshape(people.shape)
    if len(known) < FEWEST_PEOPLE:
        return dict.fromkeys(names)
    order = np.argsort(-np.asarray(similarity, dtype=np.float64), kind="stable")  # sorted once, for all draws
    similarity, same, numbers = np.asarray(similarity)[order], np.asarray(same)[order], numbers[order]
    right = None if accepted is None else np.asarray(accepted)[order] == same
    rng = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(DRAWS):
        times = np.bincount(rng.integers(len(known), size=len(known)), minlength=len(known))
        weights = np.where(same, times[numbers[:, 0]], times[numbers[:, 0]] * times[numbers[:, 1]])
        if not weights[same].any() or not weights[~same].any():
            continue  # one person several times: nothing to tell apart
        for name, value in _figures_of_a_draw(similarity, same, right, weights).items():
            drawn[name].append(value)
    different = int((~same).sum())
    unsaid = {f"tar_at_far_{name}" for name, far in FARS.items() if not _can_say(different, far)}
    return {
        name: [float(bound) for bound in np.quantile(values, [0.025, 0.975])] if values and name not in unsaid else None
        for name, values in drawn.items()
    }


def _figures_of_a_draw(
    similarity: np.ndarray, same: np.ndarray, right: np.ndarray | None, weights: np.ndarray
) -> dict[str, float]:
    curve = roc(similarity, same, weights)
    found = {"auc": auc(curve), "eer": eer(curve)}
    found |= {f"tar_at_far_{name}": tar_at_far(curve, far) for name, far in FARS.items()}
    if right is not None:
        shares = [np.average(right[kind], weights=weights[kind]) for kind in (same, ~same)]
        found["accuracy"] = float(np.mean(shares))
    return found


def _can_say(different: int, far: float) -> bool:
    """Return whether so many different pairs could show the rate: one of them must be allowed to pass."""
    return different * far >= 1 - _TOLERANCE


def _checked(similarity: np.ndarray, same: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    similarity = np.asarray(similarity, dtype=np.float64)
    if bad := int(np.count_nonzero(~np.isfinite(similarity))):
        raise ValueError(f"{bad} of {len(similarity)} similarities are no finite numbers")
    return similarity, np.asarray(same, dtype=bool)
