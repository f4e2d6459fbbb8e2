"""Whatever turns faces into vectors that can be compared: a run's encoder, a network as it comes, plain pixels."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facessl import baselines, beginnings, registry, whitening
from facessl.config import TrainRecipe
from facessl.encoder import Encoder
from facessl.errors import DatasetError

Progress = Callable[[int], None]

_WITHOUT_LEARNING = ("untrained", "imagenet")  # networks as they come: of no run here
_BLOCK = 1024  # faces that are pixels at a time


@dataclass(frozen=True)
class Model:
    """What is asked for, where no run says more."""

    name: str  # a run's id, or pixels, pixels-whitened, untrained, imagenet
    backbone: str = "resnet18"  # of untrained and imagenet
    image_size: int = 64  # side of a face in pixels; a run brings its own
    seed: int = 0
    device: str = "auto"
    mirror: bool = True  # of PCA-whitened pixels: their mirror image counts too; a network brings its own
    stem: str = "auto"  # of an untrained ResNet18: its first layers


def embed(
    model: Model, faces: np.ndarray, workspace: Path, *, fitted_on: Callable[[], np.ndarray], progress: Progress
) -> np.ndarray:
    """Return unit rows, shape (N, E) float32.

    Args:
        model: What computes them.
        faces: Shape (N, S, S, 3) uint8.
        workspace: Where runs and ImageNet's weights are.
        fitted_on: Gives the faces that a whitening is fitted on, without names; not called for a run, which brings its
            own, nor for pixels as they are.
        progress: Hears how many faces are done.

    Raises:
        ModelError: There is no such model, or no weights. DatasetError: There are no faces to fit a whitening on.
    """
    if model.name == "pixels":
        return _pixels(faces, model.image_size, progress)
    if model.name == "pixels-whitened":
        return _whitened_pixels(faces, fitted_on(), model, progress)
    network = encoder(model, workspace)
    if model.name in _WITHOUT_LEARNING:
        known = network.descriptors(_some(fitted_on(), whitening.FACES, model.seed))
        network.whitening = whitening.of_embeddings(known, default("whiten"))
    return network.embed(faces, progress)


def default(setting: str) -> int:
    """Return what a training would use, so that a network without one is described in the same way."""
    return int(TrainRecipe.model_fields[setting].default)


def encoder(model: Model, workspace: Path) -> Encoder:
    """Return the network of a model that has one; ModelError where its weights are missing or do not fit."""
    if model.name not in _WITHOUT_LEARNING:
        return Encoder.from_run(workspace / "runs" / model.name, model.device)
    given = {"stem": model.stem} if model.name == "untrained" and model.stem != "auto" else {}
    options = registry.backbone_options(model.backbone, given, model.image_size, imagenet=model.name == "imagenet")
    grid = default("grid")
    if model.name == "untrained":
        return Encoder.untrained(model.backbone, options, model.image_size, model.seed, model.device, grid)
    return beginnings.imagenet_encoder(model.backbone, options, model.image_size, workspace, model.device, grid)


def _some(faces: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return at most so many of the faces, drawn by chance."""
    return faces[np.sort(np.random.default_rng(seed).permutation(len(faces))[:count])]


def _pixels(faces: np.ndarray, size: int, progress: Progress) -> np.ndarray:
    rows = np.empty((len(faces), 3 * size * size), dtype=np.float32)
    for start in range(0, len(faces), _BLOCK):
        part = baselines.pixel_embeddings(np.asarray(faces[start : start + _BLOCK]), size)
        rows[start : start + len(part)] = part
        progress(start + len(part))
    return rows


def _whitened_pixels(faces: np.ndarray, known: np.ndarray, model: Model, progress: Progress) -> np.ndarray:
    if len(known) < 2:
        raise DatasetError("A whitening of pixels needs two nameless faces or more; prepare a set with more photos.")
    describe = baselines.whitened_pixels(known, model.image_size, model.seed, mirror=model.mirror)
    blocks = [describe(faces[:0])]
    for start in range(0, len(faces), _BLOCK):
        part = describe(np.asarray(faces[start : start + _BLOCK]))
        blocks.append(part)
        progress(start + len(part))
    return np.concatenate(blocks)
