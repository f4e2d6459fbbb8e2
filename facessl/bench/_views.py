"""Views of one CPU thread: ours, as training makes them, beside lightly's ``SimCLRTransform``."""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from facessl import devices, recipes, views
from facessl.batches import FaceBatches
from facessl.bench import BenchRecipe, _faces, _peer
from facessl.bench._faces import Faces
from facessl.bench._rounds import alternately, compared, samples
from facessl.config import PretrainRecipe

SIZES = (64, 112, 224)
PRESET = "SimCLR paper"  # lightly's defaults, setting for setting
_BATCH = 64  # faces at a time, as a CPU learns: more at once cost more each, for their memory is fetched anew


def measure(recipe: BenchRecipe, workspace: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Compare views a second of each size, as 8-bit pictures and as what a network is fed with.

    lightly's are tensors from the start. Both sides start from decoded faces in memory.
    """
    sizes = recipe.size or SIZES
    for size in sizes:
        settings(recipe, size, batch_size=recipe.batch_size or _BATCH)  # refused before anything is drawn
    devices.keep_memory()  # as training does; lightly's side, in the same process, has what it gains by it, too
    rows, every = [], []
    with _faces.opened(recipe, workspace, sizes) as faces, _one_thread():
        for size in sizes:
            found = _compare(faces[size], size, recipe, say)
            for what, (ours, peer) in found.items():
                rows.append(compared(f"{what} {size} px", "views/s", ours, peer))
                every.append(samples(f"{what} {size} px", ours, peer))
        sides = {str(size): faces[size].dataset.size for size in sizes}
        counts = min(len(faces[size]) for size in sizes)
    settled = {
        "size": list(sizes), "batch_size": recipe.batch_size or _BATCH, "faces": counts, "face_sides": sides,
        "threads": 1, "preset": PRESET,
    }  # fmt: skip
    return {"rows": rows, "samples": every, "settings": settled}


def settings(recipe: BenchRecipe, size: int, **more: Any) -> PretrainRecipe:
    """Return the pre-training that is measured; RecipeError if there can be none like it."""
    return recipes.build(
        PretrainRecipe,
        {
            "dataset": recipe.dataset or "generated faces",
            "image_size": size,
            "views": views.PRESETS[PRESET],
            "backbone_options": {"stem": "imagenet", "stages": 4},  # lightly's example has torchvision's ResNet18
            "seed": recipe.seed,
            "device": recipe.device,
            **more,
        },
    )


def _compare(
    faces: Faces, size: int, recipe: BenchRecipe, say: Callable[[str], None]
) -> dict[str, tuple[list[float], list[float] | None]]:
    both = 2 * len(faces)
    drawn_too, ours = our_side(faces, settings(recipe, size, batch_size=recipe.batch_size or _BATCH))
    peer = peer_side(faces, size, recipe.seed) if _peer.installed() else None
    whole, theirs = alternately(ours, peer, recipe.repeats, lambda n: say(f"{size} px: {n} of {recipe.repeats}"))
    speeds = None if theirs is None else [both / seconds for seconds in theirs]
    return {
        "views": ([both / seconds for seconds in drawn_too[1:]], speeds),
        "views as input": ([both / seconds for seconds in whole], speeds),
    }


def our_side(faces: Faces, recipe: PretrainRecipe) -> tuple[list[float], Callable[[], float]]:
    """Return a function that makes two views of each face and returns the seconds; other views with each call.

    The list that comes with it is given the seconds until the views were pictures, call for call.
    """
    compute = devices.compute("cpu", "fp32", 1)
    # One step an epoch: nothing is made ready beside it.
    batches = [
        FaceBatches(part.pool(len(part)), np.arange(len(part)), 2, recipe, compute)
        for part in faces.parts(recipe.batch_size)
    ]
    epochs = itertools.count()
    pictures: list[float] = []

    def make() -> float:
        drawn = fed = 0.0
        for of_part in batches:
            start = time.perf_counter()
            batch = of_part(next(epochs), 0)
            middle = time.perf_counter()
            batch.views(slice(None))
            drawn += middle - start
            fed += time.perf_counter() - middle
        pictures.append(drawn)
        return drawn + fed

    return pictures, make


def peer_side(faces: Faces, size: int, seed: int) -> Callable[[], float]:
    """Return a function that makes two views of each face with lightly and returns the seconds."""
    import torch
    from lightly.transforms import SimCLRTransform

    torch.manual_seed(seed)
    transform, images = SimCLRTransform(input_size=size), faces.images()

    def make() -> float:
        start = time.perf_counter()
        for image in images:
            transform(image)
        return time.perf_counter() - start

    return make


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    import cv2
    import torch

    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])
