"""What a trained run has seen: of which sets which faces, and of which of them the names."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facessl import registry, runs
from facessl.config import FinetuneRecipe, PretrainRecipe
from facessl.dataset import FaceDataset, open_for
from facessl.encoder import build_backbone
from facessl.errors import DatasetError, RunError
from facessl.finetuning import labelled_share
from facessl.run import Run


@dataclass(frozen=True)
class Learnt:
    """One set that a run learnt from, as it was then."""

    dataset: FaceDataset
    rows: np.ndarray  # face rows that it saw
    named: np.ndarray  # those of them whose names it used


def learnt_from(run: Run, workspace: Path) -> tuple[list[Learnt], list[str]]:
    """Return what a run and the runs that it began from learnt from, and what of that is no longer there.

    Fine-tuning sees the photos whose labels it uses; its whitening, if any, is fitted on nameless ones as well.
    """
    recipe = run.recipe()
    assert isinstance(recipe, PretrainRecipe | FinetuneRecipe)
    seen: list[Learnt] = []
    gone: list[str] = []
    for place, name in enumerate((recipe.dataset, *getattr(recipe, "also", ()))):
        try:
            dataset = open_for(run, workspace, name)
        except DatasetError:
            gone.append(f"the set {name}")
            continue
        named = _named(recipe, dataset) if place == 0 else np.zeros(0, int)
        nameless = isinstance(recipe, PretrainRecipe) or recipe.whiten > 0
        seen.append(Learnt(dataset, dataset.rows("unlabelled", "train") if nameless else named, named))
    if recipe.init not in ("scratch", "imagenet"):
        try:
            earlier = learnt_from(runs.find(workspace, recipe.init), workspace)
        except RunError:
            return seen, [*gone, f"the run {recipe.init}"]
        seen, gone = [*seen, *earlier[0]], [*gone, *earlier[1]]
    return seen, gone


def _named(recipe: PretrainRecipe | FinetuneRecipe, dataset: FaceDataset) -> np.ndarray:
    """Return the face rows whose names training used."""
    if isinstance(recipe, FinetuneRecipe):
        return labelled_share(dataset, recipe.label_fraction, recipe.seed)
    backbone = build_backbone(recipe.backbone, recipe.backbone_options)
    plugin = registry.load("methods", recipe.method)
    method = plugin.build(backbone, recipe.plugin_options("methods"), len(dataset.people))
    return dataset.rows("train") if method.needs_labels else np.zeros(0, int)
