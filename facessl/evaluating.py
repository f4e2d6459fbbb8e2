"""The work of an ``evaluate`` run: how well a model tells whether two faces are one person's."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from facessl import attending, devices, learnt, models, pairs, runs, verification
from facessl.config import EvaluateRecipe
from facessl.dataset import FaceDataset, open_for
from facessl.errors import ModelError
from facessl.learnt import History
from facessl.models import Model
from facessl.pairs import Protocol
from facessl.run import Run
from facessl.verification import Fold

_PLAIN = ("pixels", "pixels-whitened", "untrained", "imagenet")
_FEW_PEOPLE = 20  # a bootstrap over fewer gives intervals that are rather too narrow


def evaluate(run: Run, workspace: Path) -> dict[str, Any]:
    """Score the pairs of the run's recipe with its model; return the command's JSON object.

    No label of a pair is used but for the thresholds of other folds: LFW's setting "unsupervised" for as long as the
    model itself was trained without names; the result says whether it was, and which of the photos it learnt from.

    Raises:
        SourceError, DatasetError: The pairs cannot be read, or none of them can be scored.
        ModelError: The model's weights are missing, or it gives no finite numbers.
    """
    recipe: EvaluateRecipe = run.recipe()
    with attending.breakable():
        dataset = open_for(run, workspace, recipe.dataset)
        protocol = pairs.of(recipe, dataset)
        device = devices.pick(recipe.device)
    rows, places = np.unique(protocol.faces, return_inverse=True)
    run.update(device=device.name, message="Computing the embeddings.", step=0, steps=len(rows))
    start = time.monotonic()
    vectors = _embeddings(run, recipe, dataset, protocol, rows, workspace)
    speed = round(len(rows) / max(time.monotonic() - start, 1e-9), 1)
    run.update(message="Comparing the pairs.", images_per_second=speed)
    similarity = _similarities(vectors, places.reshape(-1, 2))
    metrics, folds, notes = _judged(similarity, protocol, recipe.seed)
    run.check_stop()
    _store(run.path, protocol, similarity, folds)
    known = _known(recipe.model, workspace)
    exposure, learnt_notes = _exposure(known, protocol)
    curve = verification.thinned(verification.roc(similarity, protocol.same))
    return {
        "run": run.id,
        "dataset": recipe.dataset,
        "model": recipe.model,
        "device": device.name,
        "images_per_second": speed,
        "metrics": {**metrics, "frozen": not known.by_names},
        "pairs": protocol.told,
        "transductive": exposure,
        "folds": [asdict(fold) for fold in folds],
        "roc": {"far": curve.far.tolist(), "tar": curve.tar.tolist(), "threshold": curve.thresholds.tolist()},
        "notes": [*protocol.notes, *notes, *learnt_notes],
    }


def _embeddings(
    run: Run, recipe: EvaluateRecipe, dataset: FaceDataset, protocol: Protocol, rows: np.ndarray, workspace: Path
) -> np.ndarray:
    def progress(done: int) -> None:
        run.check_stop()
        run.update(step=done, steps=len(rows))

    model = Model(recipe.model, recipe.backbone, recipe.image_size, recipe.seed, recipe.device)
    return models.embed(
        model,
        dataset.faces[rows],
        workspace,
        fitted_on=lambda: dataset.faces[pairs.unnamed(dataset, protocol)],
        progress=progress,
    )


def _similarities(vectors: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the cosine of each pair, shape (P,), of unit rows (N, E) and their places (P, 2).

    Raises:
        ModelError: One is no finite number.
    """
    block = max(1, 2**24 // vectors.shape[1])  # pixels are long: all pairs at once would be gigabytes
    parts = [
        np.einsum("pe,pe->p", vectors[some[:, 0]], vectors[some[:, 1]])
        for some in np.split(places, range(block, len(places), block))
    ]
    cosines = np.concatenate(parts)
    if bad := int(np.count_nonzero(~np.isfinite(cosines))):
        raise ModelError(
            f"The model gives no finite number for {bad:,} of {len(cosines):,} pairs: its training went wrong; "
            "choose another run."
        )
    return cosines


def _judged(similarity: np.ndarray, protocol: Protocol, seed: int) -> tuple[dict[str, Any], list[Fold], list[str]]:
    """Return the metrics with their intervals, the folds, and what is to be said about them."""
    folds = verification.judge(similarity, protocol.same, protocol.fold)
    found, notes = verification.figures(similarity, protocol.same, folds)
    accepted = None
    if all(fold.accuracy is not None for fold in folds):
        thresholds = {fold.fold: fold.threshold for fold in folds}
        accepted = similarity >= np.array([thresholds[number] for number in protocol.fold.tolist()])
    bounds = verification.intervals(similarity, protocol.same, accepted, protocol.people, seed=seed)
    metrics: dict[str, Any] = {}
    for name, value in found.items():
        metrics[name] = value
        if name in bounds:
            metrics[f"{name}_interval"] = bounds[name]
    metrics |= {"interval": "95 %, bootstrap over people", "pairs": len(similarity)}
    people = len(np.unique(protocol.people))
    if people < verification.FEWEST_PEOPLE:
        notes.append(f"There are no intervals: {people} people are too few to draw from.")
    elif people < _FEW_PEOPLE:
        notes.append(f"Intervals over {people} people are rough, and rather too narrow.")
    return metrics, folds, notes


def _known(model: str, workspace: Path) -> History:
    return learnt.NOTHING if model in _PLAIN else learnt.learnt_from(runs.find(workspace, model), workspace)


def _exposure(known: History, protocol: Protocol) -> tuple[dict[str, Any], list[str]]:
    """Return how many of the photos asked about the model learnt from, and the sentences that belong to it."""
    photos, named = known.among(protocol.asked)
    names_used = any(len(one.named) for one in known.seen)
    told = {
        "photos": photos,
        "of": len(protocol.photos),
        "with_names": named,
        "names_used": names_used,
        "unknown": known.gone,
    }
    notes = []
    if photos:
        notes.append(
            f"Transductive: the model learnt from {photos:,} of the {len(protocol.photos):,} photos that the "
            "pairs are about; compare it with others of its kind only."
        )
    if names_used:
        own = f", those of {named:,} of these photos among them" if named else ", but none of these photos"
        notes.append(f"The model learnt from names{own}: this is not LFW's setting without supervision.")
    return told, [*notes, *known.unknown()]


def _store(folder: Path, protocol: Protocol, similarity: np.ndarray, folds: list[Fold]) -> None:
    """Write ``pairs.parquet``: a row a pair, with its two faces, its fold, its similarity and the threshold."""
    import pandas as pd

    thresholds = {fold.fold: fold.threshold for fold in folds}
    table = {
        "face_a": protocol.faces[:, 0],
        "face_b": protocol.faces[:, 1],
        "same": protocol.same,
        "fold": protocol.fold,
        "similarity": similarity,
        "threshold": [thresholds[number] for number in protocol.fold.tolist()],
    }
    pd.DataFrame(table).to_parquet(folder / "pairs.parquet", index=False)
