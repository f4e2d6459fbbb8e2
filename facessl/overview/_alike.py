"""Are two parts of a set alike? Per quantity, by the test of Kolmogorov and Smirnov, and in words."""

from dataclasses import dataclass

import numpy as np

from facessl.dataset import FaceDataset
from facessl.overview._quality import QUANTITIES, Quantity

_FEWEST = 8  # faces of a part under which nothing can be told
# Bonferroni: of sets split by lot only one in twenty shall be told that anything is different.
_CHANCE = 0.05 / len(QUANTITIES)
_EXACT_UP_TO = 500  # faces; beyond, the asymptotic p agrees to three digits and costs nothing


@dataclass(frozen=True)
class Alike:
    """One quantity in two parts of a set."""

    quantity: Quantity
    first: np.ndarray  # (A,) its values that are known
    second: np.ndarray  # (B,)
    distance: float  # largest gap of the two cumulative shares, 0 to 1
    p: float  # how often a random split would be apart so far; 1 where there is too little to tell

    @property
    def enough(self) -> bool:
        return min(len(self.first), len(self.second)) >= _FEWEST

    @property
    def different(self) -> bool:
        return self.enough and self.p < _CHANCE

    def sentence(self, names: tuple[str, str]) -> str:
        """Return what it means; ``names`` are those of the two parts."""
        if not self.enough:
            few, name = min((len(self.first), names[0]), (len(self.second), names[1]))
            return f"Too few to tell: it is known of {few} {'face' if few == 1 else 'faces'} in {name}."
        if not self.different:
            return f"Alike: of 100 random splits {_of_100(self.p)} would be as far apart or farther."
        medians = f"the middle is {np.median(self.first):.3g} in {names[0]}, {np.median(self.second):.3g} in {names[1]}"
        return f"Different: {medians}. Of 1,000 random splits {_of_1000(self.p)} would be as far apart."


def train_and_test(dataset: FaceDataset) -> list[Alike]:
    """Return how alike the faces in use of train and test are, for each quantity."""
    train, test = (dataset.crops.iloc[dataset.rows(split)] for split in ("train", "test"))
    return [compare(q, train[q.column].to_numpy(), test[q.column].to_numpy()) for q in QUANTITIES]


def compare(quantity: Quantity, first: np.ndarray, second: np.ndarray) -> Alike:
    """Return how alike two samples are; NaN is left out.

    It takes the faces for independent of each other, which photos of one session are not: then p is too small.

    Reference: Hodges 1958, https://doi.org/10.1007/BF02589501
    """
    first, second = (np.asarray(values[np.isfinite(values)], dtype=float) for values in (first, second))
    if not len(first) or not len(second):
        return Alike(quantity, first, second, 0.0, 1.0)
    from scipy.stats import ks_2samp

    exact = max(len(first), len(second)) <= _EXACT_UP_TO
    found = ks_2samp(first, second, method="exact" if exact else "asymp")
    return Alike(quantity, first, second, float(found.statistic), float(found.pvalue))


def _of_100(share: float) -> str:
    return "nearly all" if share > 0.985 else f"{max(1, round(100 * share))}"


def _of_1000(share: float) -> str:
    return "not one" if share < 0.0005 else f"{round(1000 * share)}"
