"""How far a training is: its counters, what is summed over an epoch, and what a status says of both."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch

from facessl.batches import Batches

SAVED = ("epoch", "step", "seconds", "loss_sum")  # what every version has saved


class Means(NamedTuple):
    """What an epoch was like, over its steps."""

    loss: float
    gradient_norm: float


class Progress:
    """The counters of one training of ``epochs``."""

    def __init__(self, epochs: int, batches: Batches, device: str) -> None:
        self.epochs, self.batches = epochs, batches
        self.epoch = self.step = 0  # finished epochs, and finished steps of the one after
        self.seconds = 0.0  # of training in this epoch, without looking at the result
        self.looking = 0.0  # seconds that the last look at an epoch's result took, and keeping it; 0: none yet
        # Sums over this epoch; on the device, as nobody waits for them.
        self.loss_sum, self.norm_sum = (torch.zeros((), device=device) for _ in range(2))

    # -- what is saved -------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "step": self.step,
            "steps": self.batches.steps,
            "loss_sum": self.loss_sum.item(),
            "norm_sum": self.norm_sum.item(),
            "seconds": self.seconds,
            "looking": self.looking,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what ``state`` gave, also of an earlier version or of batches of another size."""
        self.epoch, self.step, self.seconds = state["epoch"], state["step"], state["seconds"]
        self.looking = state.get("looking", 0.0)
        self.loss_sum.fill_(state["loss_sum"])
        self.norm_sum.fill_(state.get("norm_sum", 0.0))
        if (before := state.get("steps", self.batches.steps)) != self.batches.steps:
            # Another batch size since: as far into the epoch as it was, its sums weighed alike.
            now = self.step * self.batches.steps // before
            for total in (self.loss_sum, self.norm_sum):
                total.mul_(now / max(self.step, 1))
            self.step = now

    def begin_epoch(self) -> None:
        self.loss_sum.zero_()
        self.norm_sum.zero_()
        self.seconds = 0.0

    # -- what is told --------------------------------------------------------------------------------------------

    def so_far(self) -> dict[str, int]:
        """Return how many steps were made, and of how many."""
        steps = self.batches.steps
        return {"step": self.epoch * steps + self.step, "steps": self.epochs * steps}

    def in_status(self) -> dict[str, Any]:
        """Return what a run's status says: the epoch at work, the steps, the speed and the time that is left."""
        done, total = self.so_far().values()
        speed = self.speed()
        looks = (self.epochs - self.epoch) * self.looking
        left = (total - done) * self.batches.batch_size / speed + looks if speed else None
        return {
            "message": f"Epoch {min(self.epoch + 1, self.epochs)} of {self.epochs}.",
            "epoch": self.epoch,
            "epochs": self.epochs,
            **self.so_far(),
            "images_per_second": round(speed, 1),
            "seconds_left": None if left is None else round(left, 1),
        }

    def means(self) -> Means:
        """Return the means over the epoch just run; waits for the device."""
        steps = self.batches.steps
        return Means(self.loss_sum.item() / steps, self.norm_sum.item() / steps)

    def speed(self) -> float:
        """Return the faces a second of this epoch, 0 before its first step."""
        faces = (self.step or self.batches.steps) * self.batches.batch_size
        return faces / self.seconds if self.seconds else 0.0
