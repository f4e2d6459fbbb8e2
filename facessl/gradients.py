"""A batch becomes gradients: whole or in parts, in the number format of the device."""

import contextlib
import itertools
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from facessl.batches import Batch
from facessl.config import TrainRecipe
from facessl.devices import Compute
from facessl.distributed import World
from facessl.encoder import autocast
from facessl.methods import Method


class Gradients:
    """Leaves the gradients of a batch's loss in the parameters of a method's modules."""

    def __init__(self, method: Method, recipe: TrainRecipe, compute: Compute, world: World) -> None:
        self.method, self.recipe, self.compute, self.world = method, recipe, compute, world
        device = compute.device.kind
        self.modules = method.modules.to(device)
        if world.size > 1 and device == "cuda":  # on a CPU torch has no batch norm over several processes
            torch.nn.SyncBatchNorm.convert_sync_batchnorm(self.modules)
        self.modules.to(memory_format=torch.channels_last)
        # What is learnt from alone: an epoch's figures come from batches of many sizes, each to be compiled anew.
        self.outputs = torch.compile(method.outputs) if recipe.compile else method.outputs
        self.scaler = torch.amp.GradScaler(device, enabled=compute.precision == "fp16")
        self.before: list[Tensor] | None = None  # batch norm's figures, while a step changes them

    def of(self, batch: Batch, done: int) -> Tensor:
        """Compute the gradients of step ``done`` of the run, counted from 0, and return the loss.

        A batch in several parts has the loss of the whole: the parts pass once to see what the loss wants of each
        row, and a second time to hand that on (Gao et al. 2021, https://arxiv.org/abs/2101.06983). Batch norm sees
        one part at a time, as it does on several GPUs. ``before`` is what batch norm knew until now; whoever has
        taken the step forgets it.
        """
        self.before = [buffer.clone() for buffer in self.modules.buffers()]
        parts = _parts(len(batch), self.recipe.accumulate)
        if len(parts) == 1:
            with self._forward(done, 0):
                loss = self.method.loss(self.outputs(batch.views(parts[0])), batch.labels)
            self.scaler.scale(loss).backward()
            return loss.detach()
        seen = []
        with torch.no_grad():
            for number, part in enumerate(parts):
                with self._forward(done, number):
                    seen.append(self.outputs(batch.views(part)))
        whole = [torch.cat(rows).requires_grad_() for rows in zip(*seen, strict=True)]
        with self._forward(done, 0):
            loss = self.method.loss(whole, batch.labels)
        self.scaler.scale(loss).backward()
        wanted = [rows.grad for rows in whole]
        for buffer, before in zip(self.modules.buffers(), self.before, strict=True):
            buffer.copy_(before)  # the second pass counts
        for number, part in enumerate(parts):
            with self._forward(done, number):
                outputs = self.outputs(batch.views(part))
            torch.autograd.backward(outputs, [rows[part] for rows in wanted if rows is not None])
        return loss.detach()

    @contextlib.contextmanager
    def _forward(self, done: int, part: int) -> Iterator[None]:
        """Set the number format, and the seed."""
        # Dropout draws from here, for the second pass the same as for the first.
        drawn = np.random.default_rng([self.recipe.seed, done, self.world.rank, part])
        torch.manual_seed(int(drawn.integers(2**63)))
        with autocast(self.compute.device, self.compute.precision):
            yield


def _parts(n: int, count: int) -> list[slice]:
    """Return ``count`` parts of n rows, as alike as they can be; none has less than two, which batch norm needs."""
    count = max(1, min(count, n // 2))
    edges = [round(number * n / count) for number in range(count + 1)]
    return [slice(start, stop) for start, stop in itertools.pairwise(edges)]


def set_to_learn(modules: torch.nn.Module) -> None:
    """Let modules behave as in training, but those whose weights all stay as in use.

    Batch norm and dropout of a frozen stage would otherwise change what it says, though nothing in it learns.
    """
    modules.train()
    for module in modules.modules():
        own = list(module.parameters())
        if own and not any(parameter.requires_grad for parameter in own):
            module.eval()
