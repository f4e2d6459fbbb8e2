"""The work of a ``finetune`` run: a classifier learns from the few names there are."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from facessl import (
    baselines,
    beginnings,
    checkpoints,
    distributed,
    evaluation,
    jobs,
    registry,
    runs,
    training,
    whitening,
)
from facessl.batches import FaceBatches, FacePool, FeatureBatches
from facessl.config import FinetuneRecipe
from facessl.dataset import FaceDataset, open_for
from facessl.devices import Compute
from facessl.distributed import ALONE
from facessl.encoder import Encoder
from facessl.errors import DatasetError
from facessl.pretraining import model_card
from facessl.runs import Run
from facessl.whitening import Whitening

_WATCHED_FACES = 1024  # train accuracy is measured on so many unchanged faces at most


def finetune(run: Run, workspace: Path) -> dict[str, Any]:
    """Train the run's classifier, judge it once on ``test``, leave the model; return the command's JSON object.

    Of several processes the first returns it; a linear layer on frozen features is its work alone.

    Raises:
        DatasetError: The set has too few named people.
        Stopped, RunError, ModelError: see ``training.fit``.
    """
    recipe: FinetuneRecipe = run.recipe()
    compute = beginnings.compute_for(run, recipe)
    world = distributed.join(compute.device.kind)
    if recipe.mode == "frozen" and not world.first:
        return {}
    torch.manual_seed(recipe.seed)
    run.update(device=compute.device.name, message="Loading the faces.")
    with jobs.breakable():
        dataset = open_for(run, workspace, recipe.dataset)
        backbone = beginnings.starting_backbone(recipe, workspace)
    if len(dataset.people) < 2:
        raise DatasetError(f"{dataset.name} has fewer than two named people, so there is nothing to tell apart.")
    rows = labelled_share(dataset, recipe.label_fraction, recipe.seed)
    labels = dataset.labels(rows)
    supervised = registry.load("methods", "supervised")
    people = tuple(dataset.people)
    encoder = Encoder(
        backbone, recipe.image_size, compute.device, compute.precision, people=people, mirror=recipe.mirror,
        grid=recipe.grid, linear_probe=recipe.mode == "frozen",
    )  # fmt: skip
    batches: FaceBatches | FeatureBatches
    if recipe.mode == "frozen":
        run.update(message="Computing the embeddings of the frozen network.")
        encoder.whitening = _whitening(recipe, dataset, encoder)
        features = torch.from_numpy(encoder.classified(dataset.faces[rows])).to(compute.device.kind)
        method = supervised.build(_Features(features.shape[1]), supervised.Options(), len(dataset.people))
        targets = torch.from_numpy(labels).to(compute.device.kind)
        batches = FeatureBatches(features, targets, recipe.batch_size, recipe.seed)
    else:
        method = supervised.build(backbone, supervised.Options(), len(dataset.people))
        batches = FaceBatches(FacePool([(dataset, rows)]), labels, 1, recipe, compute, world)
    encoder.classifier = method.modules["classifier"]
    watch = Watch(dataset, encoder, rows, cached=recipe.mode == "frozen")
    # The probe is one small matrix: no time to gain from a coarser number format, and exactness to lose.
    exact = compute if recipe.mode == "finetune" else dataclasses.replace(compute, precision="fp32")
    run.resolved(batch_size=batches.batch_size, **beginnings.resolved(compute, world))
    training.fit(run, method, batches, recipe, exact, watch, world if recipe.mode == "finetune" else ALONE)
    if not world.first:
        return {}
    return _finish(run, recipe, dataset, encoder, rows, compute)


class _Features(nn.Module):
    """Stands where the backbone stands when its features were computed beforehand."""

    def __init__(self, feature_dim: int) -> None:
        super().__init__()
        self.feature_dim = feature_dim

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features


def labelled_share(dataset: FaceDataset, fraction: float, seed: int) -> np.ndarray:
    """Return the train rows whose names are used: ``fraction`` of each person's, and at least one."""
    rows = dataset.rows("train")
    labels = dataset.labels(rows)
    rng = np.random.default_rng(seed)
    chosen = []
    for label in np.unique(labels):
        own = rng.permutation(rows[labels == label])
        chosen.append(own[: max(1, round(fraction * len(own)))])
    return np.sort(np.concatenate(chosen))


@dataclass
class Watch:
    """Measures train and validation after each epoch, on unchanged faces."""

    dataset: FaceDataset
    encoder: Encoder
    rows: np.ndarray
    cached: bool  # the backbone does not change, so features are computed once

    def __post_init__(self) -> None:
        train = np.random.default_rng(0).permutation(self.rows)[:_WATCHED_FACES]
        self._rows = {"train": np.sort(train), "val": self.dataset.rows("val")}
        self._features: dict[str, np.ndarray] = {}

    def __call__(self, epoch: int) -> dict[str, Any]:
        if epoch == 0:
            return {}
        found: dict[str, Any] = {}
        for split, rows in self._rows.items():
            if not len(rows):
                continue
            loss, right = self._measure(split, rows)
            found |= {f"{split}_loss": loss, f"{split}_top1": right, f"{split}_photos": len(rows)}
        return found

    def _measure(self, split: str, rows: np.ndarray) -> tuple[float, float]:
        if split not in self._features or not self.cached:
            self._features[split] = self.encoder.classified(self.dataset.faces[rows])
        logits = self.encoder.classify(self._features[split])
        labels = torch.from_numpy(self.dataset.labels(rows))
        scores = torch.from_numpy(logits)
        loss = nn.functional.cross_entropy(scores, labels).item()
        return loss, (scores.argmax(dim=1) == labels).float().mean().item()


def _finish(
    run: Run, recipe: FinetuneRecipe, dataset: FaceDataset, encoder: Encoder, rows: np.ndarray, compute: Compute
) -> dict[str, Any]:
    run.update(message="Judging it on the test part, once.", seconds_left=None)
    assert encoder.classifier is not None
    test = dataset.rows("test")
    if not len(test):
        raise DatasetError(f"{dataset.name} has no test faces; prepare it with more photos a person.")
    labels = dataset.labels(test)
    logits = encoder.logits(dataset.faces[test])
    judged = evaluation.classification(labels, logits, dataset.people)
    side = min(recipe.image_size, 64)  # more pixels help none of the plain methods, and cost them minutes
    plain = baselines.score(
        dataset.faces[rows], dataset.labels(rows), dataset.faces[test], labels, seed=recipe.seed, side=side
    )
    confusion, report = judged.pop("confusion"), judged.pop("report")
    baseline_rows = [vars(row) for row in plain]
    runs.write_json(run.path / "report.json", {
        "people": dataset.people, "report": report, "confusion": confusion, "baselines": baseline_rows,
    })  # fmt: skip
    _store_predictions(run.path, test, labels, logits)
    if recipe.mode == "finetune":  # a linear probe has learnt from whitened embeddings
        encoder.whitening = _whitening(recipe, dataset, encoder)
    figures = {**judged, "split": "test", "frozen": recipe.mode == "frozen", "train_photos": len(rows)}
    card = model_card(run, recipe, compute, people=dataset.people, figures=figures)
    card["linear_probe"] = encoder.linear_probe
    checkpoints.save_model(run.path, encoder.weights(), card)
    trained = [row for row in run.metrics() if row["epoch"] > 0]
    return {
        "run": run.id,
        "dataset": recipe.dataset,
        "device": encoder.device.name,
        "images_per_second": round(float(np.median([row["images_per_second"] for row in trained])), 1),
        "mode": recipe.mode,
        "label_fraction": recipe.label_fraction,
        "metrics": figures,
        "baselines": baseline_rows,
    }


def _whitening(recipe: FinetuneRecipe, dataset: FaceDataset, encoder: Encoder) -> Whitening | None:
    """Return the whitening of the embeddings, fitted without names: also on faces whose names are not used."""
    faces = dataset.rows("unlabelled", "train")
    fitted = np.sort(np.random.default_rng(recipe.seed).permutation(faces)[: whitening.FACES])
    return whitening.of_embeddings(encoder.descriptors(dataset.faces[fitted]), recipe.whiten)


def _store_predictions(folder: Path, rows: np.ndarray, labels: np.ndarray, logits: np.ndarray) -> None:
    """Write ``predictions.parquet``: what the classifier said of each test face."""
    import pandas as pd

    shares = torch.from_numpy(logits).softmax(dim=1).numpy()
    predicted = logits.argmax(axis=1)
    certainty = shares[np.arange(len(rows)), predicted]
    table = {"face": rows, "label": labels, "predicted": predicted, "probability": certainty}
    pd.DataFrame(table).to_parquet(folder / "predictions.parquet", index=False)
