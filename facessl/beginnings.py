"""What a training begins with: its network, and how it computes."""

from pathlib import Path
from typing import Any

import torch

from facessl import checkpoints, devices, distributed, registry
from facessl.backbones import _imagenet
from facessl.config import TrainRecipe
from facessl.devices import Compute
from facessl.distributed import ALONE, World
from facessl.encoder import Encoder, build_backbone
from facessl.errors import ModelError
from facessl.run import Run


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
        weights_of_run = checkpoints.backbone_weights(workspace / "runs" / recipe.init, recipe.backbone)
        try:
            backbone.load_state_dict(weights_of_run)
        except RuntimeError as error:
            raise ModelError(
                f"{recipe.init} trained a {recipe.backbone} with other settings; choose the same, or start afresh."
            ) from error
    return backbone


def imagenet_encoder(
    backbone: str, options: dict[str, Any], image_size: int, workspace: Path, device: str, grid: int = 0
) -> Encoder:
    """Return torchvision's ImageNet network as an encoder; ModelError says which file to put where."""
    weights = _imagenet.weights_file(registry.load("backbones", backbone).IMAGENET_FILE, workspace)
    info = devices.pick(device)
    return Encoder(build_backbone(backbone, options, weights), image_size, info, info.precision, mirror=True, grid=grid)


def compute_for(run: Run, recipe: TrainRecipe) -> Compute:
    """Return how the run computes; one that is taken up again on the same device computes as it did before."""
    known, processes = run.resolved(), distributed.launched().size
    precision, threads = recipe.precision, recipe.threads
    if known.get("device") == devices.pick(recipe.device).kind:
        precision = known.get("precision", "auto") if precision == "auto" else precision
        threads = threads or (known.get("threads", 0) if known.get("processes") == processes else 0)
    # Processes with more threads than there are cores spend their time waiting for each other.
    found = devices.compute(recipe.device, precision, threads or max(1, devices.cores() // processes))
    if found.device.kind == "cpu":
        devices.keep_memory()
    return found


def resolved(compute: Compute, world: World = ALONE) -> dict[str, Any]:
    """Return what a recipe's "auto" came to, for the run's ``config.json``."""
    return {
        "device": compute.device.kind,
        "device_name": compute.device.name,
        "precision": compute.precision,
        "threads": compute.threads,
        "processes": world.size,
        "torch": torch.__version__,
    }
