"""The detectors side by side on the photos of a set."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from facessl import comparison
from facessl.config import DetectorsRecipe, PrepareRecipe
from facessl.dataset import open_for
from facessl.detection import FaceDetector, open_detector
from facessl.errors import ImageError
from facessl.preparation._photos import PhotoReader
from facessl.recipes import build
from facessl.run import Run

_STEPS = (1.1, 1.2, 1.3)  # of Haar's pyramid: what precision costs and brings


def compare_detectors(run: Run, workspace: Path) -> dict[str, Any]:
    """Do the work of a ``detectors`` run: Haar with three pyramid steps, and YuNet where its file is given.

    Raises:
        SourceError: The photos are no longer where they were.
        DatasetError: None of them can be read.
        ModelError: YuNet's file is no such file.
    """
    import cv2

    recipe: DetectorsRecipe = run.recipe()
    opened = open_for(run, workspace, recipe.dataset)
    made = build(PrepareRecipe, opened.info["recipe"])
    assert isinstance(made, PrepareRecipe)
    detectors: dict[str, FaceDetector] = {
        f"Haar, step {step:g}": open_detector("haar", scale_factor=step, min_neighbors=made.min_neighbors)
        for step in _STEPS
    }
    if recipe.weights:
        detectors["YuNet"] = open_detector("yunet", weights=recipe.weights)
    chosen = np.random.default_rng(recipe.seed).permutation(len(opened.table))[: recipe.photos]

    def progress(done: int) -> None:
        run.check_stop()
        run.update(message=f"Looked at {done:,} of {len(chosen):,} photos.", step=done, steps=len(chosen))

    cv2.setNumThreads(1)  # times are of one thread
    reader = PhotoReader(opened, workspace)
    try:
        scores = comparison.compare(_readable(reader, np.sort(chosen)), detectors, progress)
    finally:
        reader.close()
    return {"dataset": recipe.dataset, "device": "CPU", "rows": [asdict(score) for score in scores]}


def _readable(reader: PhotoReader, chosen: np.ndarray) -> Iterator[np.ndarray]:
    for photo in chosen.tolist():
        try:
            yield reader.read(photo)
        except ImageError:
            continue  # the set says so already, and no detector can help it
