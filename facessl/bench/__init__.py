"""How fast we are beside lightly's own example: alternately in one process, on the same faces, medians and ratios.

Ratios and shares travel between machines, seconds do not. A ratio above 1 says how many times better ours is.
Without lightly, which only developers need, our own figures are given and the ratios are null.
"""

import importlib
import importlib.metadata
import os
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import Field

from facessl import devices, files
from facessl.bench import _peer
from facessl.recipes import MAX_SEED, Device, Recipe

WHAT = ("views", "train", "loss")
NO_GPU = "not measured on a GPU"


class BenchRecipe(Recipe):
    """Compare our speed with lightly's own example, alternately on the same faces."""

    dataset: str = Field("", description="A prepared set whose faces are used; without one they are generated.")
    size: tuple[int, ...] = Field((), description="Sides of a view in pixels; views: 64 112 224, train: 112.")
    faces: int = Field(256, ge=2, le=8192, description="So many different faces; training goes round them.")
    batch_size: int = Field(0, ge=0, le=8192, description="Faces a step; 0: 256 as in lightly's example, 512 on a GPU.")
    repeats: int = Field(5, ge=1, le=100, description="How often each side is measured.")
    steps: int = Field(0, ge=0, le=10_000, description="Timed steps a repeat; 0 means 3 on a CPU and 100 on a GPU.")
    warm_up: int = Field(2, ge=1, le=1000, description="Steps before those, which are not timed.")
    pairs: int = Field(4096, ge=2, le=8192, description="Pairs that the loss compares.")
    dimensions: int = Field(128, ge=2, le=8192, description="Width of the vectors that the loss compares.")
    device: Device = Field("auto", description="Where to compute; views are always made by one CPU thread.")
    threads: int = Field(0, ge=0, le=256, description="CPU threads of training and loss; 0 means one a core.")
    compile: bool = Field(False, description="Train with our network compiled by torch; lightly's example has none.")
    seed: int = Field(0, ge=0, le=MAX_SEED, description="Everything random follows from it.")


def run(what: str, recipe: BenchRecipe, workspace: Path, say: Callable[[str], None] = lambda line: None) -> Any:
    """Measure ``what`` (one of ``WHAT``) and return the command's JSON object.

    Its ``rows`` hold the medians, the ratio of the medians, and the lowest and highest ratio of a single repeat;
    ``samples`` every repeat. ``say`` is told how far it is.

    Raises:
        DatasetError: There is no such set, or it has fewer than two faces.
        RecipeError: A size is out of bounds, or this machine has no such device.
    """
    began, load = time.monotonic(), os.getloadavg()
    device = devices.pick(recipe.device)
    measured = importlib.import_module(f"facessl.bench._{what}").measure(recipe, workspace, say)
    notes = measured.pop("notes", [])
    return {
        "what": what,
        **measured,
        "notes": [*notes, *([] if _peer.installed() else [_peer.MISSING])],
        "gpu": measured.get("gpu", NO_GPU),
        "device": device.name,
        "machine": {
            "cpu": devices.pick("cpu").name,
            "cores": devices.cores(),
            "memory_gib": round(devices.pick("cpu").memory_gib, 1),
            "load_before": round(load[0], 2),
            "load_after": round(os.getloadavg()[0], 2),
            **{
                name: _version(name) for name in ("torch", "torchvision", "lightly", "opencv-python-headless", "pillow")
            },
        },
        "settings": recipe.model_dump(mode="json") | measured.get("settings", {}),
        "date": files.now(),
        "command": _command(what, recipe),
        "seconds": round(time.monotonic() - began, 1),
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _command(what: str, recipe: BenchRecipe) -> str:
    """Return the command line that measures this again."""
    words = ["python", "-m", "facessl", "bench", what]
    for name, value in recipe.model_dump(exclude_defaults=True).items():
        words += [f"--{name.replace('_', '-')}", *map(str, value if isinstance(value, tuple) else [value])]
    return shlex.join(words)
