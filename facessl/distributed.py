"""Several processes that train one network: who they are, and how they agree.

``torchrun`` starts them and says in the environment who is who. The first of them (rank 0) writes the run's files and
hears the person; the others follow it. Nothing here is used by a process on its own.
"""

import datetime
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

_PATIENCE = datetime.timedelta(days=2)  # the others wait while the first looks at the result, or a person pauses


@dataclass(frozen=True)
class World:
    """How many processes there are, and which of them this is."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def share(self, n: int) -> slice:
        """Return which of n things are this process's; n is a multiple of the size."""
        each = n // self.size
        return slice(self.rank * each, (self.rank + 1) * each)

    def agree(self, said: Any) -> Any:
        """Return what the first process says here; every process must come to the same place."""
        if self.size == 1:
            return said
        from torch import distributed

        told = [said if self.first else None]
        distributed.broadcast_object_list(told, src=0, group=_control())
        return told[0]

    def mean(self, tensor: "Tensor") -> "Tensor":
        """Return the mean of everybody's tensor, in place."""
        if self.size > 1:
            from torch import distributed

            distributed.all_reduce(tensor)
            tensor /= self.size
        return tensor

    def average_gradients(self, parameters: "Iterable[Tensor]") -> None:
        """Give every process the mean of all processes' gradients, in one message."""
        if self.size == 1:
            return
        import torch

        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        joined = self.mean(torch.cat([gradient.reshape(-1) for gradient in gradients]))
        for gradient, averaged in zip(gradients, joined.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(averaged.view_as(gradient))


ALONE = World()
_groups: dict[str, Any] = {}


def launched() -> World:
    """Return who this process is, as ``torchrun`` says in the environment; ALONE without it. Needs no torch."""
    return World(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))


def join(device: str) -> World:
    """Meet the other processes; return who this one is. ``device`` is cuda or cpu."""
    world = launched()
    if world.size == 1:
        return ALONE
    import torch
    from torch import distributed

    if not distributed.is_initialized():
        if device == "cuda":
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        distributed.init_process_group("nccl" if device == "cuda" else "gloo", timeout=_PATIENCE)
        # What the processes say to each other stays off the GPU, so that it never waits for the steps in its queue.
        _groups["control"] = distributed.new_group(backend="gloo", timeout=_PATIENCE)
    return world


def leave() -> None:
    """Part from the other processes."""
    if _groups:
        from torch import distributed

        _groups.clear()
        distributed.destroy_process_group()


def _control() -> Any:
    return _groups["control"]
