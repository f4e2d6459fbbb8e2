"""Where the time of some steps goes."""

import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Stretch:
    """Some steps of one side."""

    seconds: float
    shares: dict[str, float]  # of waiting, views and model; they are clocked apart from ``seconds``


class Timeline:
    """Notes what begins when, between ``start`` and ``stop``.

    On a GPU the notes are events in its queue: what was noted is how long the GPU was at it, or idle before it. The
    host waits for the device at the start and at the stop only.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._marks: list[tuple[str, Any]] = []
        self._began = 0.0

    def start(self) -> None:
        """Forget what was noted before: it was warming up."""
        synchronise(self._device)
        self._marks = []
        self._began = time.perf_counter()

    def mark(self, what: str) -> None:
        """Note that ``what`` begins now, and what was before has ended."""
        self._marks.append((what, self._now()))

    def stop(self) -> Stretch:
        """Return how long it took since the start, and which share of it went where."""
        self.mark("")
        synchronise(self._device)
        seconds = time.perf_counter() - self._began
        spent: dict[str, float] = defaultdict(float)
        for (what, begin), (_, end) in zip(self._marks, self._marks[1:], strict=False):
            spent[what] += self._between(begin, end)
        return Stretch(seconds, {what: spent[what] / seconds for what in ("waiting", "views", "model")})

    def _now(self) -> Any:
        if self._device != "cuda":
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def _between(self, begin: Any, end: Any) -> float:
        return float(begin.elapsed_time(end) / 1000 if self._device == "cuda" else end - begin)


def synchronise(device: str) -> None:
    """Wait until a device has done all that it was given."""
    if device == "cuda":
        torch.cuda.synchronize()
    elif device == "mps":
        torch.mps.synchronize()
