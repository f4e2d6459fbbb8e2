"""How many epochs one network needs to reach what another does, as a ratio over seeds; those that never do count too.

A pair that never gets there is censored: its ratio is larger than anything it was watched for, how much so nobody
knows. The median and its interval by order statistics need only the order, so they stand without a made-up number.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Race:
    """One seed: the supervised network's best validation accuracy, and when each of both got there."""

    best: float  # 0-1, of the supervised one
    supervised: int  # the epoch at which it first reached its best
    pretrained: int | None  # the epoch at which the pre-trained one first reached that; None: never
    watched: int  # epochs that the pre-trained one was watched for

    @property
    def ratio(self) -> float | None:
        """Return the pre-trained network's epochs as a share of the supervised one's; None: it never got there."""
        return None if self.pretrained is None else self.pretrained / self.supervised


@dataclass(frozen=True)
class Ratio:
    """The ratio over seeds; a bound is None where censored seeds leave it open."""

    median: float | None  # None: half of the seeds or more never got there
    low: float | None
    high: float | None
    coverage: float  # of the interval, 0-1: with few seeds no interval of order statistics has 95 %
    seeds: int
    censored: int  # seeds that never got there


def race(supervised: Sequence[float], pretrained: Sequence[float]) -> Race:
    """Return when two curves of validation accuracy, a value an epoch from epoch 1, reach the first one's best.

    Raises:
        ValueError: A curve is empty.
    """
    if not supervised or not pretrained:
        raise ValueError(f"a race needs two curves, got {len(supervised)} and {len(pretrained)} epochs")
    best = max(supervised)
    reached = next((epoch for epoch, value in enumerate(pretrained, 1) if value >= best), None)
    return Race(best, supervised.index(best) + 1, reached, len(pretrained))


def over_seeds(races: Sequence[Race]) -> Ratio:
    """Return the median ratio and its interval by order statistics; a censored seed is larger than all others.

    The interval runs from the j-th smallest to the j-th largest, j as large as keeps 95 % (else 1), which covers the
    median with probability 1 - 2 P(X < j), X binomial of n and 1/2, whatever the ratios are distributed like.

    Raises:
        ValueError: There is no race.

    Reference: Conover 1999, Practical nonparametric statistics, section 3.2
    """
    if not races:
        raise ValueError("a ratio needs at least one seed")
    ratios = sorted(math.inf if one.ratio is None else one.ratio for one in races)
    n = len(ratios)
    inner = max((j for j in range(1, n // 2 + 1) if _coverage(n, j) >= CONFIDENCE), default=1)
    middle = (ratios[(n - 1) // 2] + ratios[n // 2]) / 2
    low, high = ratios[inner - 1], ratios[n - inner]
    return Ratio(_known(middle), _known(low), _known(high), max(0.0, _coverage(n, inner)), n,
                 sum(math.isinf(value) for value in ratios))  # fmt: skip


def _coverage(n: int, j: int) -> float:
    """Return the probability that the j-th smallest and the j-th largest of n enclose the median."""
    return 1 - 2 * sum(math.comb(n, i) for i in range(j)) / 2**n


def _known(value: float) -> float | None:
    return None if math.isinf(value) else value
