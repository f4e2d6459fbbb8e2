"""What a trained run has seen: of which sets which faces, and of which of them the names."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facessl import methods, runs
from facessl.config import FinetuneRecipe, PretrainRecipe
from facessl.dataset import FaceDataset, identities, open_for
from facessl.errors import DatasetError, RecipeError, RunError
from facessl.run import Run

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Learnt:
    """One set that a run learnt from, as it was then."""

    dataset: FaceDataset
    rows: np.ndarray  # face rows that it saw
    named: np.ndarray  # those of them whose names it used
    moved: bool  # these names changed the network's weights, not only those of a layer on top


@dataclass(frozen=True)
class History:
    """What a network has learnt from, in one run or in several that began from each other."""

    seen: list[Learnt]
    gone: list[str]  # what else it learnt from, and is no longer there
    by_names: bool  # names changed the network's weights, also those of a set that is gone

    def among(self, asked: "Callable[[pd.DataFrame], frozenset[str]]") -> tuple[int, int]:
        """Return how many of some photos were learnt from, and how many of these with their names.

        ``asked`` says which of the photos, by identity, are among rows of any set.
        """
        photos, named = set[str](), set[str]()
        for one in self.seen:
            photos |= asked(one.dataset.crops.iloc[one.rows])
            named |= asked(one.dataset.crops.iloc[one.named])
        return len(photos), len(named)

    def moved_by(self) -> int:
        """Return how many photos, of those that are still there, changed the network's weights by their names."""
        photos = [identities(one.dataset.crops.iloc[one.named]) for one in self.seen if one.moved]
        return len({photo for some in photos for photo in some})

    def unknown(self) -> list[str]:
        """Return the sentence that belongs to what is gone, if anything is."""
        if not self.gone:
            return []
        return [
            f"What it learnt from is not all known, for this is gone or cannot be read here: {', '.join(self.gone)}."
        ]


NOTHING = History([], [], by_names=False)


def learnt_from(run: Run, workspace: Path) -> History:
    """Return what a run and the runs that it began from learnt from.

    Fine-tuning sees the photos whose labels it uses; its whitening, if any, is fitted on nameless ones as well.
    """
    recipe = run.recipe()
    assert isinstance(recipe, PretrainRecipe | FinetuneRecipe)
    moved = _learns_from_names(recipe) and getattr(recipe, "mode", "") != "frozen"
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
        seen.append(Learnt(dataset, dataset.rows("unlabelled", "train") if nameless else named, named, moved))
    earlier = before(run, workspace)
    return History([*seen, *earlier.seen], [*gone, *earlier.gone], moved or earlier.by_names)


def before(run: Run, workspace: Path) -> History:
    """Return what the network that a run began from had learnt from."""
    init = run.recipe().init
    if init in ("scratch", "imagenet"):
        return NOTHING
    try:
        return learnt_from(runs.find(workspace, init), workspace)
    except (RunError, RecipeError):  # it is gone, or cannot be read, or was of a method that is gone
        return History([], [f"the run {init}"], by_names=False)


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


def _named(recipe: PretrainRecipe | FinetuneRecipe, dataset: FaceDataset) -> np.ndarray:
    """Return the face rows whose names training used."""
    if isinstance(recipe, FinetuneRecipe):
        return labelled_share(dataset, recipe.label_fraction, recipe.seed)
    return dataset.rows("train") if _learns_from_names(recipe) else np.zeros(0, int)


def _learns_from_names(recipe: PretrainRecipe | FinetuneRecipe) -> bool:
    return isinstance(recipe, FinetuneRecipe) or methods.needs_names(recipe.method)
