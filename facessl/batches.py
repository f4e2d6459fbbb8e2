"""What a step learns from: faces drawn without names in their order, and made into views.

A batch is a function of (seed, epoch, step) alone, whoever asks and however often; of several processes each renders
its own share of it.
"""

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from facessl import views
from facessl.config import TrainRecipe
from facessl.dataset import FaceDataset
from facessl.devices import Compute
from facessl.distributed import ALONE, World
from facessl.views import ViewParameters


class Batch(Protocol):
    """One step's faces; a part of it is rendered when asked for, so that a large batch need not fit at once."""

    labels: Tensor  # (N,) int64, -1 where nobody has said; on the device

    def __len__(self) -> int: ...

    def views(self, part: slice) -> list[Tensor]:
        """Return the network's inputs for these faces, one tensor a view, on the device."""
        ...


class Prelude(Protocol):
    """What happens to the batches before an epoch, in every process; what it left is kept with the run's state."""

    def __call__(self, epoch: int) -> None:
        """Do it; so many epochs are finished."""
        ...

    def state(self) -> Tensor: ...

    def restore(self, state: Tensor) -> None: ...


class Batches(Protocol):
    """All steps of all epochs."""

    faces: int  # to learn from; those that fill no whole batch wait for another epoch
    batch_size: int  # faces a step, of all processes together
    steps: int  # an epoch
    prelude: Prelude | None

    def __call__(self, epoch: int, step: int) -> Batch:
        """Return the batch of a step; both count from 0."""
        ...


class FacePool:
    """The faces to learn from, out of one or several sets, read when they are needed."""

    def __init__(self, parts: Sequence[tuple[FaceDataset, np.ndarray]]) -> None:
        self.size = parts[0][0].size
        self._parts = [(dataset.faces, rows) for dataset, rows in parts]
        self._starts = np.cumsum([0] + [len(rows) for _, rows in parts])

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def nbytes(self) -> int:
        return len(self) * self.size * self.size * 3

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Return these faces, shape (n, S, S, 3) uint8; faces of a set of another size are resized to the first's."""
        if len(self._parts) == 1:  # no need to copy them twice
            (faces, rows), *_ = self._parts
            return np.asarray(faces[rows[indices]])
        out = np.empty((len(indices), self.size, self.size, 3), np.uint8)
        part_of = np.searchsorted(self._starts, indices, side="right") - 1
        for number, (faces, rows) in enumerate(self._parts):
            where = np.flatnonzero(part_of == number)
            if len(where):
                found = np.asarray(faces[rows[indices[where] - self._starts[number]]])
                out[where] = found if found.shape[1] == self.size else views.plain(found, self.size)
        return out


@dataclass
class _Pictures:
    """A batch of the CPU: its views are made already."""

    pictures: list[np.ndarray]  # one (N, H, W, 3) uint8 a view
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def views(self, part: slice) -> list[Tensor]:
        made = (views.to_input(pictures[part]) for pictures in self.pictures)
        return [inputs.contiguous(memory_format=torch.channels_last) for inputs in made]


@dataclass
class _Faces:
    """A batch of a GPU, which renders its views itself."""

    faces: Tensor  # (N, S, S, 3) uint8, on the device
    drawn: list[ViewParameters]  # one a view
    size: int  # pixels of a view
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def views(self, part: slice) -> list[Tensor]:
        drawn = ViewParameters.joined([parameters.take(part) for parameters in self.drawn])
        inputs = views.to_input(views.render_tensor(self.faces[part], drawn, self.size))
        return list(inputs.contiguous(memory_format=torch.channels_last).chunk(len(self.drawn)))


@dataclass
class _Ready:
    """What the host can do for a batch beforehand, while the device is busy with the one before."""

    labels: Tensor
    drawn: list[ViewParameters]
    pictures: list[np.ndarray] | None = None  # CPU: the views
    faces: Tensor | None = None  # GPU: the faces, in memory that a copy need not wait for
    rows: Tensor | None = None  # GPU: where they are among those that lie on the device


@dataclass
class FaceBatches:
    """Batches of freshly drawn views. The next batch is made ready while a step works on this one.

    Attributes:
        kept_in: Where the faces lie, for a person: "GPU memory", or "main memory".
    """

    pool: FacePool
    labels: np.ndarray  # (len(pool),) int, -1 where nobody has said
    count: int  # views of each face
    recipe: TrainRecipe
    compute: Compute
    world: World = ALONE
    prelude: Prelude | None = None
    _order: tuple[int, np.ndarray] | None = field(default=None, init=False, repr=False)  # of this epoch
    _next: tuple[tuple[int, int], "Future[_Ready]"] | None = field(default=None, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        share = min(self.recipe.batch_size, len(self.pool)) // self.world.size
        self.batch_size = max(1, share) * self.world.size
        self.faces = len(self.pool)
        self.steps = self.faces // self.batch_size
        self._helper = ThreadPoolExecutor(1, thread_name_prefix="next-batch")
        self._on_device: Tensor | None = None
        self.kept_in = "main memory"
        # Half of what is free is left to the network.
        if self.compute.device.kind == "cuda" and 2 * self.pool.nbytes < torch.cuda.mem_get_info()[0]:
            self._on_device = torch.from_numpy(self.pool.take(np.arange(len(self.pool)))).to("cuda")
            self.kept_in = "GPU memory"

    def __call__(self, epoch: int, step: int) -> Batch:
        place = (epoch, step)
        if self._next is not None and self._next[0] == place:
            ready = self._next[1].result()
        else:
            ready = self._make_ready(epoch, step)
        self._next = None
        if step + 1 < self.steps:
            self._next = ((epoch, step + 1), self._helper.submit(self._make_ready, epoch, step + 1))
        device = self.compute.device.kind
        labels = ready.labels.to(device, non_blocking=True)
        if ready.pictures is not None:
            return _Pictures(ready.pictures, labels)
        if self._on_device is not None and ready.rows is not None:
            faces = self._on_device[ready.rows.to(device, non_blocking=True)]
        else:
            assert ready.faces is not None
            faces = ready.faces.to(device, non_blocking=True)
        return _Faces(faces, ready.drawn, self.recipe.image_size, labels)

    def _make_ready(self, epoch: int, step: int) -> _Ready:
        everybody = self._order_of(epoch)[step * self.batch_size : (step + 1) * self.batch_size]
        # All processes draw for the whole batch and take their share, so their number changes nothing.
        rng = np.random.default_rng([self.recipe.seed, epoch, step])
        mine = self.world.share(len(everybody))
        chosen = everybody[mine]
        drawn = [views.draw(len(everybody), self.recipe.views, rng).take(mine) for _ in range(self.count)]
        ready = _Ready(torch.from_numpy(self.labels[chosen]), drawn)
        if self.compute.device.kind == "cpu":
            faces, size, threads = self.pool.take(chosen), self.recipe.image_size, self.compute.threads
            pictures = views.render(faces, ViewParameters.joined(drawn), size, threads=threads)
            ready.pictures = np.split(pictures, self.count)
            return ready
        ready.labels = self._for_copying(ready.labels)
        if self._on_device is None:
            ready.faces = self._for_copying(torch.from_numpy(self.pool.take(chosen)))
        else:
            ready.rows = self._for_copying(torch.from_numpy(chosen))
        return ready

    def _for_copying(self, tensor: Tensor) -> Tensor:
        return tensor.pin_memory() if self.compute.device.kind == "cuda" else tensor

    def _order_of(self, epoch: int) -> np.ndarray:
        """Return the epoch's order of the faces; asked from two threads."""
        with self._lock:
            if self._order is None or self._order[0] != epoch:
                shuffled = np.random.default_rng([self.recipe.seed, epoch]).permutation(len(self.pool))
                self._order = (epoch, shuffled)
            return self._order[1]


@dataclass
class _Features:
    """A batch of features that were computed once."""

    features: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def views(self, part: slice) -> list[Tensor]:
        return [self.features[part]]


@dataclass
class FeatureBatches:
    """Batches of features computed once: what a linear probe on a frozen backbone learns from."""

    features: Tensor  # (N, D)
    labels: Tensor  # (N,)
    batch_size: int
    seed: int
    prelude: Prelude | None = None

    def __post_init__(self) -> None:
        self.batch_size = min(self.batch_size, len(self.features))
        self.faces = len(self.features)
        self.steps = self.faces // self.batch_size

    def __call__(self, epoch: int, step: int) -> Batch:
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.features))
        chosen = torch.from_numpy(order[step * self.batch_size : (step + 1) * self.batch_size])
        chosen = chosen.to(self.features.device)
        return _Features(self.features[chosen], self.labels[chosen])
