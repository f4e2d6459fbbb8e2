"""Pre-training as a run does it, beside lightly's example: the same faces, the same network, the same machine."""

import contextlib
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facessl import beginnings, devices, registry, runs, training
from facessl.batches import Batch, Batches, FaceBatches
from facessl.bench import BenchRecipe, _arithmetic, _faces, _peer
from facessl.bench._example import Apart
from facessl.bench._faces import Faces
from facessl.bench._rounds import compared, samples
from facessl.bench._timeline import Stretch, Timeline, synchronise
from facessl.bench._views import PRESET, settings
from facessl.config import PretrainRecipe
from facessl.devices import Compute

SIZES = (112,)


def measure(recipe: BenchRecipe, workspace: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Compare images (faces, two views each) a second of each size, and say where the time goes.

    Beside a fixed batch the peer is our own step on one batch whose views were made beforehand: a ratio of 1 says that
    faces and views cost nothing.
    """
    compute = devices.compute(recipe.device, "auto", recipe.threads)
    if compute.device.kind == "cpu":
        devices.keep_memory()  # as a run does
    on_gpu = compute.device.kind == "cuda"
    batch_size, steps = recipe.batch_size or (512 if on_gpu else 256), recipe.steps or (100 if on_gpu else 3)
    sizes = recipe.size or SIZES
    plans = {
        size: settings(
            recipe, size, batch_size=batch_size, epochs=recipe.repeats, threads=compute.threads, compile=recipe.compile
        )
        for size in sizes
    }
    rows, every, shares, tried = [], [], [], []
    limits = _arithmetic.card_limits() if on_gpu else {}
    work: list[dict[str, Any]] = []
    with _faces.opened(recipe, workspace, sizes) as faces:
        for size, plan in plans.items():
            sides = _Sides(faces[size], plan, compute, steps, recipe.warm_up, _prefixed(say, size))
            ours, peer, fixed = sides.measure()
            name = f"train {size} px"
            for what, other in ((name, peer), (f"{name} beside a fixed batch", fixed)):
                rows.append(compared(what, "images/s", *_speeds(batch_size, ours, other)))
                every.append(samples(what, *_speeds(batch_size, ours, other)))
            shares += sides.shares(ours, peer)
            tried.append({"what": name, "best": sides.workers, "images_per_second": sides.tried})
            work.append(_work(name, plan, rows[-2]["ours"], limits))
        sides_of = {str(size): faces[size].dataset.size for size in sizes}
        counts = min(len(faces[size]) for size in sizes)
    settled = {
        "size": list(sizes), "batch_size": batch_size, "steps": steps, "threads": compute.threads, "preset": PRESET,
        "precision": compute.precision, "faces": counts, "face_sides": sides_of,
    }  # fmt: skip
    found = {"rows": rows, "shares": shares, "workers": tried if _peer.installed() else [], "arithmetic": work}
    return found | {"samples": every, "settings": settled} | ({"gpu": limits} if on_gpu else {})


def _prefixed(say: Callable[[str], None], size: int) -> Callable[[str], None]:
    return lambda text: say(f"{size} px: {text}")


def _work(name: str, plan: PretrainRecipe, speed: float, limits: dict[str, float]) -> dict[str, Any]:
    """Return how much there is to compute, how fast that is done, and which share of the card's limit that is."""
    gflop = _arithmetic.flops_per_image(plan) / 1e9
    tflops = gflop * speed / 1000
    share = tflops / limits["matmul_bf16_tflops"] if limits else None
    return {"what": name, "gflop_per_image": gflop, "ours_tflops": tflops, "share_of_limit": share}


def _speeds(batch_size: int, ours: list[Stretch], peer: list[Stretch] | None) -> tuple[list[float], list[float] | None]:
    own = [batch_size / stretch.seconds for stretch in ours]
    return own, None if peer is None else [batch_size / stretch.seconds for stretch in peer]


class _Sides:
    """Both sides of one size. Ours is a run's own loop: after each of its epochs it asks how that went."""

    def __init__(
        self,
        faces: Faces,
        plan: PretrainRecipe,
        compute: Compute,
        steps: int,
        warm_up: int,
        say: Callable[[str], None],
    ) -> None:
        self._faces, self._plan, self._compute, self._say = faces, plan, compute, say
        self._steps, self._warm_up = steps, warm_up
        self.workers: int | None = None
        self.tried: dict[str, float | None] = {}
        self._example: Apart | None = None
        self._alone: tuple[float, float | None] = (0.0, None)

    def measure(self) -> tuple[list[Stretch], list[Stretch] | None, list[Stretch]]:
        """Return as many stretches of ours, the peer's and ours on a fixed batch as the plan has epochs.

        Seconds are a step's.
        """
        with contextlib.ExitStack() as opened:
            if _peer.installed():
                self._example = opened.enter_context(self._apart())
                self.workers, self.tried = self._example.best_workers(devices.cores(), self._say)
            self._alone = self._views_alone()
            return self._in_turn()

    def _apart(self) -> Apart:
        plan, compute = self._plan, self._compute
        images = self._faces.images()
        return Apart(images, plan.image_size, plan.batch_size, compute.device.kind, plan.seed, compute.threads)

    def _in_turn(self) -> tuple[list[Stretch], list[Stretch] | None, list[Stretch]]:
        plan, device = self._plan, self._compute.device.kind
        ours: list[Stretch] = []
        peer: list[Stretch] = []
        fixed: list[Stretch] = []
        watched = Watched(self._batches(self._warm_up + self._steps + 1), device, self._warm_up, self._steps)

        def on_epoch(epoch: int) -> dict[str, Any]:
            if epoch > 0:
                ours.append(watched.stretches[0])
                fixed.append(watched.stretches[1])
                if self._example is not None and self.workers is not None:
                    peer.append(self._example.stretch(self.workers, self._steps, self._warm_up))
            self._say(f"{epoch} of {plan.epochs}")
            return {}

        with tempfile.TemporaryDirectory(prefix="facessl-bench-") as workspace:
            run = runs.create(Path(workspace), "pretrain", plan, title="a benchmark")
            torch.manual_seed(plan.seed)
            backbone = beginnings.starting_backbone(plan, Path(workspace))
            method = registry.load("methods", plan.method).build(backbone, plan.plugin_options("methods"), 0)
            training.fit(run, method, watched, plan, self._compute, on_epoch)
        return ours, peer if self._example is not None else None, fixed

    def shares(self, ours: list[Stretch], peer: list[Stretch] | None) -> list[dict[str, Any]]:
        """Return which share of a step went where.

        ``waiting`` for what is made elsewhere, ``views`` for what the learning process itself makes of it, ``model``
        for the rest. ``views_alone`` is what the views of a batch take when nothing is learnt meanwhile, in shares
        of a step: what is hidden behind the model where it is more than the other two.
        """
        found = []
        for side, stretches, alone in (("ours", ours, self._alone[0]), ("peer", peer, self._alone[1])):
            if stretches and alone is not None:
                row: dict[str, Any] = {"what": f"{self._plan.image_size} px", "side": side}
                row |= {name: median(s.shares[name] for s in stretches) for name in ("waiting", "views", "model")}
                found.append(row | {"views_alone": alone / median(s.seconds for s in stretches)})
        return found

    def _batches(self, steps: int) -> FaceBatches:
        pool = self._faces.pool(steps * self._plan.batch_size)
        return FaceBatches(pool, np.arange(len(pool)) % len(self._faces), 2, self._plan, self._compute)

    def _views_alone(self) -> tuple[float, float | None]:
        """Return the seconds that our views of a batch take, and the peer's, whose workers share them."""
        batches, device = self._batches(1), self._compute.device.kind
        ours = []
        for epoch in range(3):
            start = time.perf_counter()
            batches(epoch, 0).views(slice(None))
            synchronise(device)
            ours.append(time.perf_counter() - start)
        if self._example is None:
            return median(ours), None
        return median(ours), self._example.views_alone() / max(self.workers or 0, 1)


class Watched:
    """Batches as they are, with a note of when they are asked for; after them, as often, one that stays the same.

    Attributes:
        stretches: How long the steps took in the epoch's two parts, ``seconds`` a step; of the last epoch.
    """

    def __init__(self, batches: Batches, device: str, warm_up: int, steps: int) -> None:
        self.batch_size, self.steps = batches.batch_size, 2 * (warm_up + steps) + 1
        self.faces, self.prelude = batches.faces, batches.prelude
        self.stretches: list[Stretch] = []
        self._batches, self._warm_up, self._part = batches, warm_up, warm_up + steps
        self._timeline = Timeline(device)
        self._fixed: Batch | None = None

    def __call__(self, epoch: int, step: int) -> Batch:
        part, place = divmod(step, self._part)
        if place == 0 and part > 0:
            found = self._timeline.stop()
            self.stretches[part - 1 :] = [Stretch(found.seconds / (self._part - self._warm_up), found.shares)]
        elif place == self._warm_up:
            self._timeline.start()
        self._timeline.mark("waiting")
        batch = self._batches(epoch, step) if part == 0 else self._same()
        self._timeline.mark("model")
        return _WatchedBatch(batch, self._timeline)

    def _same(self) -> Batch:
        if self._fixed is None:
            batch = self._batches(0, 0)
            self._fixed = _Fixed(batch.labels, batch.views(slice(None)))
        return self._fixed


@dataclass
class _Fixed:
    """A batch whose views lie ready on the device."""

    labels: Tensor
    inputs: list[Tensor]

    def __len__(self) -> int:
        return len(self.labels)

    def views(self, part: slice) -> list[Tensor]:
        return [inputs[part] for inputs in self.inputs]


@dataclass
class _WatchedBatch:
    """A batch as it is, with a note of when its views are asked for."""

    batch: Batch
    timeline: Timeline

    @property
    def labels(self) -> Tensor:
        return self.batch.labels

    @labels.setter
    def labels(self, labels: Tensor) -> None:
        self.batch.labels = labels

    def __len__(self) -> int:
        return len(self.batch)

    def views(self, part: slice) -> list[Tensor]:
        self.timeline.mark("views")
        views = self.batch.views(part)
        self.timeline.mark("model")
        return views
