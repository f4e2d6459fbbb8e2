"""fit(): the only training loop.

Everything random is a function of (seed, epoch, step), so that a resumed run draws what the undisturbed one would
have drawn; on the CPU, with the same threads and number format, it ends with the same weights bit for bit.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facessl import checkpoints, devices, registry, views
from facessl.backbones import _imagenet
from facessl.config import TrainRecipe
from facessl.dataset import FaceDataset
from facessl.devices import Compute
from facessl.encoder import Encoder, autocast, build_backbone
from facessl.errors import RunError
from facessl.methods import Method
from facessl.runs import Run
from facessl.views import ViewParameters

_SAVE_SECONDS = 60.0  # an epoch can be long; a crash shall not cost more than this
_WARM_UP_SHARE = 0.05  # of all steps, with a rising learning rate: Adam's first steps are its wildest


class FacePool:
    """The faces to learn from, out of one or several sets, read when they are needed."""

    def __init__(self, parts: Sequence[tuple[FaceDataset, np.ndarray]]) -> None:
        self.size = parts[0][0].size
        self._parts = [(dataset.faces, rows) for dataset, rows in parts]
        self._starts = np.cumsum([0] + [len(rows) for _, rows in parts])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Return these faces, shape (n, S, S, 3) uint8; faces of a set of another size are resized to the first's."""
        out = np.empty((len(indices), self.size, self.size, 3), np.uint8)
        part_of = np.searchsorted(self._starts, indices, side="right") - 1
        for number, (faces, rows) in enumerate(self._parts):
            where = np.flatnonzero(part_of == number)
            if len(where):
                found = np.asarray(faces[rows[indices[where] - self._starts[number]]])
                out[where] = found if found.shape[1] == self.size else views.plain(found, self.size)
        return out


@dataclass
class FaceBatches:
    """Batches of freshly drawn views; a batch is a function of (epoch, step) alone."""

    pool: FacePool
    labels: np.ndarray  # (len(pool),) int, -1 where nobody has said
    views: int  # per face
    recipe: TrainRecipe
    compute: Compute

    def __post_init__(self) -> None:
        self.batch_size = min(self.recipe.batch_size, len(self.pool))
        self.steps = len(self.pool) // self.batch_size
        self._on_device = None
        if self.compute.device.kind == "cuda":
            everything = self.pool.take(np.arange(len(self.pool)))
            if everything.nbytes < self.compute.device.memory_gib * 2**30 / 4:
                self._on_device = torch.from_numpy(everything).to("cuda")

    def __call__(self, epoch: int, step: int) -> tuple[list[Tensor], Tensor]:
        """Return ([view of shape (N, 3, H, W), …], labels (N,)) of a step, both counted from 0."""
        order = np.random.default_rng([self.recipe.seed, epoch]).permutation(len(self.pool))
        chosen = order[step * self.batch_size : (step + 1) * self.batch_size]
        rng = np.random.default_rng([self.recipe.seed, epoch, step])
        drawn = [views.draw(len(chosen), self.recipe.views, rng) for _ in range(self.views)]
        labels = torch.from_numpy(self.labels[chosen]).to(self.compute.device.kind)
        return [self._render(chosen, parameters) for parameters in drawn], labels

    def _render(self, chosen: np.ndarray, parameters: ViewParameters) -> Tensor:
        device = self.compute.device.kind
        if device == "cpu":
            faces = self.pool.take(chosen)
            pictures = views.render(faces, parameters, self.recipe.image_size)
            batch = views.to_input(pictures)
        else:
            if self._on_device is not None:
                there = self._on_device[torch.from_numpy(chosen).to(device)]
            else:
                there = torch.from_numpy(self.pool.take(chosen)).to(device)
            batch = views.to_input(views.render_tensor(there, parameters, self.recipe.image_size))
        return batch.contiguous(memory_format=torch.channels_last)


@dataclass
class FeatureBatches:
    """Batches of features computed once: what a linear probe on a frozen backbone learns from."""

    features: Tensor  # (N, D)
    labels: Tensor  # (N,)
    batch_size: int
    seed: int

    def __post_init__(self) -> None:
        self.batch_size = min(self.batch_size, len(self.features))
        self.steps = len(self.features) // self.batch_size

    def __call__(self, epoch: int, step: int) -> tuple[list[Tensor], Tensor]:
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.features))
        chosen = torch.from_numpy(order[step * self.batch_size : (step + 1) * self.batch_size])
        chosen = chosen.to(self.features.device)
        return [self.features[chosen]], self.labels[chosen]


def starting_backbone(recipe: TrainRecipe, workspace: Path) -> torch.nn.Module:
    """Return the recipe's backbone from scratch, from ImageNet weights, or out of another run.

    Raises:
        ModelError: The weights cannot be had, or belong to another backbone.
    """
    if recipe.init == "imagenet":
        plugin = registry.load("backbones", recipe.backbone)
        weights = _imagenet.weights_file(plugin.IMAGENET_FILE, workspace)
        return build_backbone(recipe.backbone, recipe.backbone_options, weights)
    backbone = build_backbone(recipe.backbone, recipe.backbone_options)
    if recipe.init != "scratch":
        backbone.load_state_dict(checkpoints.backbone_weights(workspace / "runs" / recipe.init, recipe.backbone))
    return backbone


def imagenet_encoder(backbone: str, options: dict[str, Any], image_size: int, workspace: Path, device: str) -> Encoder:
    """Return torchvision's ImageNet network as an encoder; ModelError says which file to put where."""
    weights = _imagenet.weights_file(registry.load("backbones", backbone).IMAGENET_FILE, workspace)
    info = devices.pick(device)
    return Encoder(build_backbone(backbone, options, weights), image_size, info, info.precision)


def learning_rate_at(step: int, steps: int, base: float, schedule: str) -> float:
    """Return the learning rate of ``step`` (from 0) of ``steps``: a short linear warm-up, then cosine or constant."""
    warm_up = max(1, round(_WARM_UP_SHARE * steps))
    if step < warm_up:
        return base * (step + 1) / warm_up
    if schedule == "constant":
        return base
    return base * 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


def fit(
    run: Run,
    method: Method,
    batches: FaceBatches | FeatureBatches,
    recipe: TrainRecipe,
    compute: Compute,
    on_epoch: Callable[[int], dict[str, Any]],
) -> None:
    """Train ``method`` for ``recipe.epochs``, from the run's saved state if it has one.

    ``on_epoch`` is asked after each epoch (counted from 1) for figures that join the epoch's row in
    ``metrics.jsonl``; with epoch 0 it is asked once before the first.

    Raises:
        Stopped: Somebody asked for it; the state is saved.
        RunError: The loss is no longer a number, or the device's memory is full.
    """
    loop = _Loop(run, method, batches, recipe, compute)
    loop.restore()
    run.update(message="Learning.", epoch=loop.epoch, epochs=recipe.epochs)
    if loop.epoch == 0 and loop.step == 0:
        run.cut_metrics(-1)
        run.update(message="Looking at the untrained network.")
        if first := on_epoch(0):
            run.log_metrics(epoch=0, **first)
    try:
        while loop.epoch < recipe.epochs:
            loop.one_epoch()
            figures = loop.figures()
            run.log_metrics(epoch=loop.epoch, **figures, **on_epoch(loop.epoch))
            loop.save()
    except torch.OutOfMemoryError as error:
        half = recipe.batch_size // 2
        raise RunError(f"The device's memory is full at batch size {recipe.batch_size}; try {half}.") from error


class _Loop:
    """The state of one fit: what is saved, and how a step is made."""

    def __init__(
        self,
        run: Run,
        method: Method,
        batches: FaceBatches | FeatureBatches,
        recipe: TrainRecipe,
        compute: Compute,
    ) -> None:
        self.run, self.method, self.batches, self.recipe = run, method, batches, recipe
        self.compute = compute
        self.modules = method.modules.to(compute.device.kind)
        self.modules.to(memory_format=torch.channels_last)
        decay = recipe.weight_decay
        self.optimizer = torch.optim.Adam(
            self.modules.parameters(), lr=recipe.learning_rate, weight_decay=decay, fused=True
        )
        self.epoch = self.step = 0  # finished epochs, and finished steps of the one after
        self.loss_sum = 0.0
        self.seconds = 0.0  # of training in this epoch, without looking at the result
        self._said = self._saved = time.monotonic()

    def restore(self) -> None:
        state = checkpoints.load_state(self.run.path)
        if state is None:
            return
        self.modules.load_state_dict(state["modules"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.step = state["epoch"], state["step"]
        self.loss_sum, self.seconds = state["loss_sum"], state["seconds"]
        self.run.cut_metrics(self.epoch)

    def save(self) -> None:
        state = {
            "modules": self.modules.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "step": self.step,
            "loss_sum": self.loss_sum,
            "seconds": self.seconds,
        }
        checkpoints.save_state(self.run.path, state)
        self._saved = time.monotonic()

    def one_epoch(self) -> None:
        """Run what is left of the current epoch."""
        self.modules.train()
        if self.step == 0:
            self.loss_sum, self.seconds = 0.0, 0.0
        while self.step < self.batches.steps:
            if self.run.stop_requested():
                self.save()
                self.run.check_stop()
            start = time.monotonic()
            self._one_step()
            self.step += 1
            self.seconds += time.monotonic() - start
            if time.monotonic() - self._said > 0.5:
                self._say()
            if time.monotonic() - self._saved > _SAVE_SECONDS:
                self.save()
        self.epoch, self.step = self.epoch + 1, 0
        self._say()

    def _one_step(self) -> None:
        done = self.epoch * self.batches.steps + self.step
        total = self.recipe.epochs * self.batches.steps
        rate = learning_rate_at(done, total, self.recipe.learning_rate, self.recipe.schedule)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        torch.manual_seed(self.recipe.seed * 1_000_003 + done)  # dropout draws from here
        views_of_batch, labels = self.batches(self.epoch, self.step)
        self.optimizer.zero_grad(set_to_none=True)
        with autocast(self.compute.device, self.compute.precision):
            loss = self.method.loss(views_of_batch, labels)
        loss.backward()
        value = loss.item()
        if not math.isfinite(value):
            raise RunError(
                f"The loss is {value} at epoch {self.epoch + 1}, step {self.step + 1}; "
                f"try a learning rate below {self.recipe.learning_rate:g}, or precision fp32."
            )
        self.optimizer.step()
        self.loss_sum += value

    def _speed(self) -> float:
        faces = (self.step or self.batches.steps) * self.batches.batch_size
        return faces / self.seconds if self.seconds else 0.0

    def _say(self) -> None:
        steps = self.batches.steps
        done, total = self.epoch * steps + self.step, self.recipe.epochs * steps
        speed = self._speed()
        left = (total - done) * self.batches.batch_size / speed if speed else None
        self.run.update(
            message=f"Epoch {min(self.epoch + 1, self.recipe.epochs)} of {self.recipe.epochs}.",
            epoch=self.epoch,
            epochs=self.recipe.epochs,
            step=done,
            steps=total,
            images_per_second=round(speed, 1),
            seconds_left=None if left is None else round(left, 1),
        )
        self._said = time.monotonic()

    def figures(self) -> dict[str, Any]:
        """Return the row of the epoch just finished."""
        rate = self.optimizer.param_groups[0]["lr"]
        return {
            "loss": self.loss_sum / self.batches.steps,
            "chance": self.method.chance(self.batches.batch_size),
            "learning_rate": rate,
            "images_per_second": round(self._speed(), 1),
            "seconds": round(self.seconds, 2),
        }
