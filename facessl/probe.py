"""The work of a ``probe`` run: what the epochs of a pre-training would take, out of a few of its steps.

It is the real loop on the real faces; only the end of the epoch comes early, and nothing that was learnt is kept.
"""

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from facessl import pretraining, training
from facessl.batches import Batch, FaceBatches
from facessl.config import ProbeRecipe
from facessl.devices import Compute
from facessl.pretraining import Watch
from facessl.run import Run

_LOOKED_AT = 128  # faces on which the look at the end of an epoch is timed


class _Few:
    """The first batches of a pre-training as one short epoch, with the moments at which each was asked for."""

    def __init__(self, batches: FaceBatches, steps: int, compute: Compute, watch: Watch) -> None:
        self._batches, self._compute, self._watch = batches, compute, watch
        self.batch_size, self.steps, self.prelude = batches.batch_size, steps, batches.prelude
        self.faces = steps * batches.batch_size
        self.asked: list[float] = []
        self.looking = self.looked_at = 0.0  # seconds of a look at the result, and when it ended

    def __call__(self, epoch: int, step: int) -> Batch:
        self.tick()
        return self._batches(*divmod(step, self._batches.steps))

    def end_of_epoch(self, epoch: int) -> dict[str, Any]:
        """Time a look at the result; the untrained network is not looked at."""
        if epoch > 0:
            self.tick()
            self.looking = _seconds_of_a_look(self._watch)
            self.looked_at = time.monotonic()
        return {}

    def tick(self) -> None:
        """Note the time at which everything asked for so far is done."""
        if self._compute.device.kind == "cuda":
            torch.cuda.synchronize()
        self.asked.append(time.monotonic())


def probe(run: Run, workspace: Path) -> dict[str, Any]:
    """Take ``recipe.steps`` steps of a pre-training after one that warms up; return what they took.

    Returns:
        In the first process, seconds of a step (median), of the look at the end of an epoch, of an epoch and of all;
        ``memory_mib``, the most that a process held, of the GPU's memory where there is one; the mean loss.

    Raises:
        DatasetError: There are fewer than two faces to learn from.
        RunError: The memory is full, or the loss is no number.
        Stopped: Somebody asked for it.
    """
    recipe: ProbeRecipe = run.recipe()
    state = run.path / "state.pt"
    state.unlink(missing_ok=True)  # of an attempt that was cut off: its step would count as a measured one
    made = pretraining.set_up(run, workspace)
    compute, world, batches, watch = made.compute, made.world, made.batches, made.watch
    few = _Few(batches, 1 + recipe.steps, compute, watch)
    try:
        training.fit(run, made.method, few, recipe.model_copy(update={"epochs": 1}), compute, few.end_of_epoch, world)
        looking = few.looking + time.monotonic() - few.looked_at  # the state is saved as well
    finally:
        state.unlink(missing_ok=True)
    if not world.first:
        return {}
    step = median(np.diff(few.asked[1:]))
    epoch = batches.steps * step + looking
    return {
        "run": run.id,
        "dataset": recipe.dataset,
        "device": compute.device.name,
        "precision": compute.precision,
        "faces": len(batches.pool),
        "batch_size": batches.batch_size,
        "steps_an_epoch": batches.steps,
        "seconds_a_step": round(step, 5),
        "seconds_of_a_look": round(looking, 3),
        "seconds_an_epoch": round(epoch, 3),
        "seconds_in_all": round(recipe.epochs * epoch + looking, 3),  # the untrained network is looked at too
        "images_per_second": round(batches.batch_size / step, 1),
        "memory_mib": _most_memory(compute),
        "loss": run.metrics()[-1]["loss"],
        "chance": made.method.chance(batches.batch_size),
    }


def _seconds_of_a_look(watch: Watch) -> float:
    """Return how long the figures of an epoch take: descriptors judged by some of the faces, the rest in full."""
    needed = watch.faces
    some = watch.dataset.faces[needed[:_LOOKED_AT]]
    descriptors, computing = _second_time(lambda: watch.encoder.descriptors(some))
    noise = np.random.default_rng(0).standard_normal((len(needed), descriptors.shape[1]), np.float32)
    like_all = np.resize(descriptors, noise.shape) + 1e-3 * noise  # no two alike, or the algebra would be easier
    _, judging = _second_time(lambda: watch.judged(like_all, 1))
    return computing * len(needed) / len(some) + judging


def _second_time(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return what some work gives, and its seconds without those of the first time, as for imports."""
    work()
    start = time.monotonic()
    return work(), time.monotonic() - start


def _most_memory(compute: Compute) -> int:
    """Return the most memory that this process has held so far, MiB."""
    if compute.device.kind == "cuda":
        return round(torch.cuda.max_memory_reserved() / 2**20)
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20)
