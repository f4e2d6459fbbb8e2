"""The work of a ``finetune`` run: a classifier learns from the few names there are."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from facessl import attending, beginnings, distributed, heads, judging, metrics, registry, stages, training
from facessl.batches import FaceBatches, FacePool, FeatureBatches
from facessl.config import FinetuneRecipe
from facessl.dataset import FaceDataset, open_for
from facessl.devices import Compute
from facessl.distributed import ALONE, World
from facessl.encoder import Encoder
from facessl.learnt import labelled_share
from facessl.methods import Method
from facessl.run import Run

_WATCHED_FACES = 1024  # train accuracy is measured on so many unchanged faces at most


def finetune(run: Run, workspace: Path) -> dict[str, Any]:
    """Train the run's classifier, judge it once on ``test``, leave the model; return the command's JSON object.

    Of several processes the first returns it; a linear layer on frozen features is its work alone.

    Raises:
        DatasetError: The set has too few named people, or no faces to learn from, be judged on, or stop early by.
        Stopped, RunError, ModelError: see ``training.fit``.
    """
    recipe: FinetuneRecipe = run.recipe()
    compute = beginnings.compute_for(run, recipe)
    world = distributed.join(compute.device.kind)
    if recipe.mode == "frozen" and not world.first:
        return {}
    torch.manual_seed(recipe.seed)
    run.update(device=compute.device.name, message="Loading the faces.")
    with attending.breakable():
        dataset = open_for(run, workspace, recipe.dataset)
        backbone = beginnings.starting_backbone(recipe, workspace)
    dataset.check_classifiable(patience=recipe.patience)
    rows = labelled_share(dataset, recipe.label_fraction, recipe.seed)
    encoder = Encoder(
        backbone, recipe.image_size, compute.device, compute.precision, people=tuple(dataset.people),
        mirror=recipe.mirror, grid=recipe.grid, linear_probe=recipe.reads_embedding,
    )  # fmt: skip
    method: Method
    batches: FaceBatches | FeatureBatches
    if recipe.mode == "frozen":
        method, batches = _linear_layer(run, recipe, dataset, encoder, rows, compute)
        world = ALONE
    else:
        method, batches = _network(recipe, dataset, encoder, rows, compute, world)
    encoder.classifier = method.modules["classifier"]
    frozen = recipe.mode == "frozen"
    watch = Watch(dataset, encoder, rows, cached=frozen, begins_fitted=recipe.reads_embedding and not frozen)
    # The probe is one small matrix: no time to gain from a coarser number format, and exactness to lose.
    exact = compute if recipe.mode == "finetune" else dataclasses.replace(compute, precision="fp32")
    run.resolved(batch_size=batches.batch_size, **beginnings.resolved(compute, world))
    best = training.fit(run, method, batches, recipe, exact, watch, world)
    if not world.first:
        return {}
    refitted = _fitted_anew(run, recipe, dataset, encoder, rows, watch)
    result = judging.judge(run, recipe, dataset, encoder, rows, compute, workspace)
    return result | refitted | ({} if best is None else {"early_stop": best.summary(recipe.epochs)})


def _linear_layer(
    run: Run, recipe: FinetuneRecipe, dataset: FaceDataset, encoder: Encoder, rows: np.ndarray, compute: Compute
) -> tuple[Method, FeatureBatches]:
    """Return a linear layer, and the embeddings that it learns from, computed once."""
    run.update(message="Computing the embeddings of the frozen network.")
    encoder.whitening = judging.whitening_of(recipe, dataset, encoder)
    features = torch.from_numpy(encoder.classified(dataset.faces[rows])).to(compute.device.kind)
    targets = torch.from_numpy(dataset.labels(rows)).to(compute.device.kind)
    method = _classifier(_Features(features.shape[1]), recipe, dataset, rows)
    return method, FeatureBatches(features, targets, recipe.batch_size, recipe.seed)


def _network(
    recipe: FinetuneRecipe, dataset: FaceDataset, encoder: Encoder, rows: np.ndarray, compute: Compute, world: World
) -> tuple[Method, FaceBatches]:
    """Return the network with a classifier on it, and the faces that it learns from."""
    stages.freeze(encoder.backbone, recipe.freeze_stages)
    rates = stages.rate_factors(encoder.backbone, recipe.layer_decay)
    if encoder.linear_probe:
        encoder.whitening = judging.whitening_of(recipe, dataset, encoder)
        read = encoder.classified(dataset.faces[rows])
        method = _classifier(heads.OnEmbedding(encoder, read.shape[1]), recipe, dataset, rows)
        _as_a_probe(method.modules["classifier"], recipe, read, dataset.labels(rows))
        prefix = "backbone.backbone"
    else:
        method, prefix = _classifier(encoder.backbone, recipe, dataset, rows), "backbone"
    method = dataclasses.replace(method, factors={f"{prefix}.{name}": factor for name, factor in rates.items()})
    pool = FacePool([(dataset, rows)])
    return method, FaceBatches(pool, dataset.labels(rows), 1, recipe, compute, world)


def _as_a_probe(classifier: nn.Module | None, recipe: FinetuneRecipe, read: np.ndarray, labels: np.ndarray) -> None:
    linear = cast("nn.Linear", classifier)
    heads.become_a_probe(linear, read, labels, balanced=recipe.class_weights == "balanced")


def _fitted_anew(
    run: Run, recipe: FinetuneRecipe, dataset: FaceDataset, encoder: Encoder, rows: np.ndarray, watch: "Watch"
) -> dict[str, Any]:
    """Give a classifier on a fine-tuned embedding the weights of a linear probe; return for the result what it gained.

    While the network moved, it learnt from changed faces, one side at a time; what it is asked about are unchanged
    ones, each the mean with its mirror image. On real faces the same networks named several val photos in a hundred
    more rightly so (docs/LOG.md, 2026-11-30).

    Reference: Kang et al. 2020, Decoupling representation and classifier for long-tailed recognition (cRT),
    https://arxiv.org/abs/1910.09217
    """
    if recipe.mode == "frozen" or not (encoder.linear_probe and recipe.refit):
        return {}
    run.update(message="Fitting the classifier anew on what the network has become.", seconds_left=None)
    still = dataclasses.replace(watch, cached=True)  # from now on only the classifier changes
    before = still.measured("val")
    read = encoder.classified(dataset.faces[rows])
    _as_a_probe(encoder.classifier, recipe, read, dataset.labels(rows))
    after = still.measured("val")
    if not after:
        return {"refit": {}}
    told = {"val_top1_before": before["top1"], "val_top1": after["top1"], "val_photos": after["photos"]}
    run.log(
        f"The classifier was fitted anew: val top-1 {100 * after['top1']:.1f} %, before {100 * before['top1']:.1f} %."
    )
    return {"refit": told}


def _classifier(backbone: nn.Module, recipe: FinetuneRecipe, dataset: FaceDataset, rows: np.ndarray) -> Method:
    people = len(dataset.people)
    weights = balanced(dataset.labels(rows), people) if recipe.class_weights == "balanced" else None
    supervised = registry.load("methods", "supervised")
    options = supervised.Options(label_smoothing=recipe.label_smoothing)
    method: Method = supervised.build(backbone, options, people, weights=weights)
    return method


def balanced(labels: np.ndarray, people: int) -> list[float]:
    """Return how much each photo of a person counts so that everybody's photos together count alike.

    N / (P * n) for a person with n of the N photos of P people, as scikit-learn's "balanced"; a photo counts 1 on
    average. 1 for somebody without a photo.
    """
    counts = np.bincount(labels, minlength=people)
    shares = len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    weights: list[float] = np.where(counts > 0, shares, 1.0).tolist()
    return weights


class _Features(nn.Module):
    """Stands where the backbone stands when its features were computed beforehand."""

    def __init__(self, feature_dim: int) -> None:
        super().__init__()
        self.feature_dim = feature_dim

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features


@dataclass
class Watch:
    """Measures train and validation on unchanged faces: after each epoch, and before the first what it begins with."""

    dataset: FaceDataset
    encoder: Encoder
    rows: np.ndarray
    cached: bool  # the backbone does not change, so features are computed once
    begins_fitted: bool = False  # the classifier begins as a linear probe: what that reaches is the first point

    def __post_init__(self) -> None:
        train = np.random.default_rng(0).permutation(self.rows)[:_WATCHED_FACES]
        self._rows = {"train": np.sort(train), "val": self.dataset.rows("val")}
        self._features: dict[str, np.ndarray] = {}

    def __call__(self, epoch: int) -> dict[str, Any]:
        if epoch == 0 and not self.begins_fitted:
            return {}  # by chance
        found: dict[str, Any] = {}
        for split in self._rows:
            found |= {f"{split}_{name}": value for name, value in self.measured(split).items()}
        return found

    def measured(self, split: str) -> dict[str, float]:
        """Return loss, macro-F1, and the shares of faces whose person is the likeliest, or among the 3 or 5 likeliest.

        Where there are no more people than that, the share would be 1 whatever was learnt, and is left out. {} where
        there are no faces.
        """
        rows = self._rows[split]
        if not len(rows):
            return {}
        if split not in self._features or not self.cached:
            self._features[split] = self.encoder.classified(self.dataset.faces[rows])
        logits, labels = self.encoder.classify(self._features[split]), self.dataset.labels(rows)
        loss = nn.functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels)).item()
        found = metrics.top_k(logits, labels, [k for k in (1, 3, 5) if k == 1 or k < logits.shape[1]])
        macro_f1 = metrics.macro_f1(labels, logits.argmax(axis=1))
        tops = {f"top{k}": share for k, share in found.items()}
        return {"loss": loss, **tops, "macro_f1": macro_f1, "photos": len(rows)}
