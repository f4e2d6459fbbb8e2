"""What a training says of itself, in its log and in its rows."""

from typing import Any

import psutil
import torch

from facessl.batches import Batches
from facessl.config import TrainRecipe
from facessl.devices import Compute
from facessl.distributed import World


def beginning(
    batches: Batches, recipe: TrainRecipe, compute: Compute, world: World, done: tuple[int, int]
) -> list[str]:
    """Return with what a training works, and what its batches leave out, as lines of the log.

    ``done`` are the finished epochs, and the finished steps of the next.
    """
    lines = [
        f"On {compute.device.name}, {compute.precision}, {compute.threads} threads, {world.size} processes: "
        f"{batches.steps} steps of {batches.batch_size} faces an epoch, "
        f"from epoch {done[0] + 1}, step {done[1] + 1}."
    ]
    if recipe.batch_size > batches.batch_size:
        lines.append(f"Batches of {recipe.batch_size} were asked for; there are {batches.faces} faces.")
    if left := batches.faces - batches.steps * batches.batch_size:
        lines.append(f"{left} faces fill no batch and are left out of each epoch, others every time.")
    return lines


def in_words(figures: dict[str, Any]) -> str:
    """Return an epoch's row as one line of the log: the numbers that there are."""
    return ", ".join(
        f"{name.replace('_', ' ')} {value:.4g}"
        for name, value in figures.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    )


def memory(compute: Compute) -> dict[str, Any]:
    """Return the most memory that was held (MiB), and how busy a GPU is (0-1) where the driver can be asked."""
    if compute.device.kind != "cuda":
        return {"memory_mib": round(psutil.Process().memory_info().rss / 2**20)}
    found: dict[str, Any] = {"memory_mib": round(torch.cuda.max_memory_reserved() / 2**20)}
    if (use := gpu_use()) is not None:
        found["device_use"] = use
    return found


def gpu_use() -> float | None:
    """Return for which share of the last moments (0-1) this process's GPU had work, None where nobody can say."""
    try:
        import pynvml  # NVIDIA's own binding to its driver
    except ModuleNotFoundError:
        return None
    try:
        return torch.cuda.utilization() / 100
    except (RuntimeError, ValueError, AttributeError, pynvml.NVMLError):  # no driver, or part of a card, which has none
        return None
