"""Whether one classifier beats another on the same photos or that can be chance, and how each does by person."""

from dataclasses import dataclass

import numpy as np

EXACT_BELOW = 25  # photos on which the two disagree; from here the chi-squared distribution is close enough
ALPHA = 0.05  # a p below is called more than chance


@dataclass(frozen=True)
class McNemar:
    """How two classifiers agree on the same photos, and how likely so uneven a disagreement is by chance."""

    both: int  # photos that both got right
    only_first: int
    only_second: int
    neither: int
    p: float  # 0-1; small: the difference is hardly chance
    exact: bool  # the binomial test, or the chi-squared test with continuity correction

    @property
    def photos(self) -> int:
        return self.both + self.only_first + self.only_second + self.neither

    @property
    def real(self) -> bool:
        """Return whether the difference is more than chance, at 5 %."""
        return self.p < ALPHA


def mcnemar(first_right: np.ndarray, second_right: np.ndarray) -> McNemar:
    """Return McNemar's test of two classifiers judged on the same photos.

    Only photos that just one of the two got right say which is better. Were both equally good, each such photo would
    be the first's or the second's like a coin: exactly binomial below ``EXACT_BELOW`` of them, else chi-squared with
    one degree of freedom and Edwards' continuity correction.

    Args:
        first_right: Shape (N,), bool: whether the first got photo i right.
        second_right: Shape (N,), bool, of the same photos in the same order.

    Raises:
        ValueError: The shapes differ, or there is no photo.

    Reference: McNemar 1947, Psychometrika 12, 153-157; Edwards 1948, Psychometrika 13, 185-187
    """
    first, second = np.asarray(first_right, dtype=bool), np.asarray(second_right, dtype=bool)
    if first.ndim != 1 or first.shape != second.shape or not len(first):
        raise ValueError(f"McNemar's test needs the same photos twice, got shapes {first.shape} and {second.shape}")
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    exact = only_first + only_second < EXACT_BELOW
    p = _binomial(only_first, only_second) if exact else _chi_squared(only_first, only_second)
    return McNemar(int((first & second).sum()), only_first, only_second, int((~first & ~second).sum()), p, exact)


def _binomial(only_first: int, only_second: int) -> float:
    from scipy.stats import binomtest

    n = only_first + only_second
    return float(binomtest(only_first, n).pvalue) if n else 1.0


def _chi_squared(only_first: int, only_second: int) -> float:
    from scipy.stats import chi2

    statistic = max(0, abs(only_first - only_second) - 1) ** 2 / (only_first + only_second)
    return float(chi2.sf(statistic, df=1))


def recall_per_person(labels: np.ndarray, answers: np.ndarray, people: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which share of each person's photos got the right name, and how many photos there are.

    Args:
        labels: Shape (N,), the right person of each photo, 0 <= label < people.
        answers: Shape (N,), who the classifier said it is.
        people: P.

    Returns:
        Recall, shape (P,), 0-1, NaN for a person without a photo; photos, shape (P,).
    """
    labels, answers = np.asarray(labels), np.asarray(answers)
    photos = np.bincount(labels, minlength=people)
    right = np.bincount(labels[labels == answers], minlength=people)
    return np.where(photos > 0, right / np.maximum(photos, 1), np.nan), photos
