"""What several seeds say together: a mean with its interval, and whether one thing beats another."""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from facessl import answers, studying
from facessl.metrics import wilson_interval
from facessl.significance import mcnemar
from facessl.studying import Done

_Z = 1.96  # of 95 %, as in Wilson's interval


class Estimate(NamedTuple):
    """A share of right answers, 0-1, with its 95 % interval."""

    mean: float
    low: float
    high: float
    photos: int  # each seed was judged on
    seeds: int

    @property
    def basis(self) -> str:
        """Return in words what the interval is of, for how an accuracy was measured."""
        if self.seeds == 1:
            return "one seed"
        wide = ", which two leave wide" if self.seeds == 2 else ""  # Student's with a single degree of freedom
        return f"mean of {self.seeds} seeds, interval over seeds and photos{wide}"

    def cell(self, how: str) -> dict[str, Any]:
        """Return it for a report's table, measured on test; ``how``: frozen, fine-tuned, a plain method."""
        interval = (self.low, self.high)
        return studying.accuracy(self.mean, interval, photos=self.photos, split="test", how=f"{how}, {self.basis}")


def estimate(shares: Sequence[float], photos: int) -> Estimate:
    """Return the mean over seeds, all judged on the same photos, with its 95 % interval, cut to 0-1.

    Other seeds and other photos would both have given another figure, and neither knows of the other, so the squares
    of their half widths add up: Student's over the seeds, Wilson's over the photos. It is never narrower than Wilson's:
    seeds that agree say nothing of other photos. Of one seed it is Wilson's alone.

    Raises:
        ValueError: There is no seed.
    """
    if not len(shares):
        raise ValueError("an estimate needs the result of a seed or more")
    mean = float(np.mean(shares))
    # A mean may lie between two counts of photos; each end is that of the count further out.
    right = mean * photos
    low = wilson_interval(max(0, math.floor(right + 1e-6)), photos)[0]
    high = wilson_interval(min(photos, math.ceil(right - 1e-6)), photos)[1]
    if len(shares) > 1:
        half = _half_width(np.asarray(shares))
        low, high = mean - math.hypot(half, mean - low), mean + math.hypot(half, high - mean)
    return Estimate(mean, max(0.0, low), min(1.0, high), photos, len(shares))


def beats(first: Mapping[int, Done], second: Mapping[int, Done]) -> int:
    """Return 1 if the first fine-tunings are really better than the second, -1 if worse, 0 if that may be chance.

    Both have to say so: the 95 % interval of the gain, of seeds and photos together as in ``estimate``, leaves 0 out;
    and McNemar's test, in which a photo counts for whoever names it right with more of the seeds, is below 5 %: where
    few photos differ, the interval alone is too sure. Of one seed McNemar's test decides alone. Seeds that only one of
    the two has do not count; 0 where they share none, or where their answers are not there.
    """
    seeds = [seed for seed in sorted(first.keys() & second.keys()) if first[seed].run and second[seed].run]
    if not seeds:
        return 0
    return _gained(np.stack([right_of(first[seed]).astype(float) - right_of(second[seed]) for seed in seeds]))


def beats_plain(runs: Mapping[int, Done], method: str) -> int | None:
    """Return the same of fine-tunings by seed and a plain method that each was judged beside.

    None where the plain method's answers were not kept, as before there was a place for them.
    """
    pairs = [answers.paired(done.run, method) if done.run else None for done in runs.values()]
    known = [pair for pair in pairs if pair is not None]
    if not known or len(known) < len(pairs):
        return None
    return _gained(np.stack([network.astype(float) - plain for network, plain in known]))


def _gained(gains: np.ndarray) -> int:
    """Return 1, -1 or 0 as ``beats`` says it, from what was gained by seed and photo: (S, N) of 1, 0 and -1."""
    by_photo = gains.mean(axis=0)
    if not mcnemar(by_photo > 0, by_photo < 0).real:
        return 0
    mean = float(by_photo.mean())
    half = 0.0
    if len(gains) > 1:
        half = math.hypot(_half_width(gains.mean(axis=1)), _Z * float(by_photo.std(ddof=1)) / math.sqrt(len(by_photo)))
    return int(mean > half) - int(-mean > half)


def told_apart(first: Mapping[int, Done], second: Mapping[int, Done]) -> str:
    """Return how two ways compare, as the end of a sentence about the first, with how many seeds that rests on."""
    verdict = {1: "better by more than chance", -1: "worse by more than chance", 0: "different by no more than chance"}
    shared = first.keys() & second.keys()
    reached = [[way[seed].result["metrics"]["top1"] for seed in sorted(shared)] for way in (first, second)]
    if shared and reached[0] == reached[1]:
        verdict[0] = "just as good"
    return f"{verdict[beats(first, second)]}, {f'{len(shared)} seeds each' if len(shared) != 1 else 'one seed each'}"


def right_of(done: Done) -> np.ndarray:
    """Return which test faces a fine-tuning named right, in the order of the faces, shape (N,) bool."""
    assert done.run is not None
    path = done.run.path / "predictions.parquet"
    return _right(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=1024)  # a report is written after each step, and reads those of all before
def _right(path: Path, changed: int) -> np.ndarray:
    import pandas as pd

    table = pd.read_parquet(path, columns=["face", "predicted", "label"]).sort_values("face")
    right: np.ndarray = (table["predicted"] == table["label"]).to_numpy()
    return right


def _half_width(values: np.ndarray) -> float:
    """Return half of Student's 95 % interval of the mean of two values or more."""
    from scipy.stats import t

    return float(t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
