"""What several seeds say together: a mean with its interval, and whether one thing beats another."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from facessl.metrics import wilson_interval
from facessl.significance import ALPHA, mcnemar
from facessl.studying import Done


class Estimate(NamedTuple):
    """A share of right answers, 0-1, with its 95 % interval."""

    mean: float
    low: float
    high: float
    photos: int  # each seed was judged on
    seeds: int


def estimate(shares: Sequence[float], photos: int) -> Estimate:
    """Return the mean over seeds with Student's 95 % interval, cut to 0-1; of one seed Wilson's over its photos.

    Raises:
        ValueError: There is no seed.
    """
    if not len(shares):
        raise ValueError("an estimate needs the result of a seed or more")
    mean = float(np.mean(shares))
    if len(shares) == 1:
        return Estimate(mean, *wilson_interval(round(mean * photos), photos), photos, 1)
    half = _half_width(np.asarray(shares))
    return Estimate(mean, max(0.0, mean - half), min(1.0, mean + half), photos, len(shares))


def beats(first: Mapping[int, Done], second: Mapping[int, Done]) -> int:
    """Return 1 if the first fine-tunings are really better than the second, -1 if worse, 0 if that may be chance.

    Of several seeds, the 95 % interval of the differences, seed by seed, leaves 0 out; of one, McNemar's test does.
    Seeds that only one of the two has do not count; 0 where they share none.
    """
    seeds = sorted(first.keys() & second.keys())
    if not seeds:
        return 0
    gains = np.array([_top1(first[seed]) - _top1(second[seed]) for seed in seeds])
    if len(seeds) > 1:
        mean, half = float(gains.mean()), _half_width(gains)
        return int(mean - half > 0) - int(mean + half < 0)
    if first[seeds[0]].run is None or second[seeds[0]].run is None:
        return 0
    real = mcnemar(_right(first[seeds[0]]), _right(second[seeds[0]])).p < ALPHA
    return int(np.sign(gains[0])) if real else 0


def _top1(done: Done) -> float:
    return float(done.result["metrics"]["top1"])


def _right(done: Done) -> np.ndarray:
    """Return which test faces a fine-tuning named right, in the order of the faces."""
    import pandas as pd

    assert done.run is not None
    table = pd.read_parquet(done.run.path / "predictions.parquet").sort_values("face")
    right: np.ndarray = (table["predicted"] == table["label"]).to_numpy()
    return right


def _half_width(values: np.ndarray) -> float:
    from scipy.stats import t

    return float(t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
