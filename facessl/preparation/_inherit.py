"""A new version of a set: what the parent holds is taken over as it stands, corrections included, and never redone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facessl import edits
from facessl.config import PrepareRecipe
from facessl.dataset import FaceDataset, list_datasets, open_dataset
from facessl.errors import DatasetError
from facessl.images import encode_jpeg
from facessl.preparation._pack import EMPTY, part_exists, write_part
from facessl.preparation._plan import NAMELESS, Place
from facessl.recipes import build
from facessl.sources import Photo

if TYPE_CHECKING:
    import pandas as pd

_OWN = ("source", "path", "options", "name", "parent", "workers")  # what a version does not take from its parent


@dataclass(frozen=True)
class Inherited:
    """What a new version takes over from its parent."""

    dataset: FaceDataset
    photos: list[Photo]
    splits: list[str]  # of each photo; "" where none was decided, because the person had too few photos

    @classmethod
    def of(cls, parent: FaceDataset) -> "Inherited":
        """Read the parent; the people who were left out stay out."""
        table = parent.table
        out = (table["status"] == edits.EXCLUDED).to_numpy()
        factors = [name for name in table.columns if name.startswith("factor_")]
        values = table[factors].to_numpy(dtype=float)
        names = [name.removeprefix("factor_") for name in factors]
        photos = [
            Photo(None if gone or not named else named, path, dict(zip(names, row, strict=True)) if names else {})
            for named, path, gone, row in zip(table["named"], table["path"], out, values.tolist(), strict=True)
        ]
        splits = ["" if split == NAMELESS else split for split in table["split"]]
        return cls(parent, photos, splits)

    def renamed(self, photos: Sequence[Photo]) -> list[Photo]:
        """Return further photos with the names that people gave to those who are in the parent."""
        given = {e.person: e.to for e in self.dataset.edits if e.action == "rename" and not e.undone}
        return [Photo(given.get(photo.person or "", photo.person), photo.path, photo.factors) for photo in photos]

    def notes(self, added: Sequence[Photo], workspace: Path) -> list[str]:
        """Return what somebody who adds these photos should know."""
        notes = []
        for other in list_datasets(workspace):
            if other.info["recipe"].get("parent") == self.dataset.name:
                notes.append(f"{other.name} was made of {self.dataset.name} too; what it added is not in this set.")
        there = {photo.path for photo in self.photos}
        same = sum(photo.path in there for photo in added)
        if same:
            notes.append(
                f"{same:,} of the added photos have the path of one that was there already; both are in the set."
            )
        return notes

    def write_parts(self, building: Path, chunks: Mapping[int, Sequence[Place]], done: Callable[[int], None]) -> None:
        """Write the parts of the inherited photos, as if they had just been looked at; ``done`` hears each index."""
        table = self.dataset.table
        thumbnails = np.load(self.dataset.path / "thumbnails.npy", mmap_mode="r")
        for index, places in chunks.items():
            if not part_exists(building, index):
                self._write_part(building, index, places, table, thumbnails)
            done(index)

    def _write_part(
        self, building: Path, index: int, places: Sequence[Place], table: "pd.DataFrame", thumbnails: np.ndarray
    ) -> None:
        rows, crops, small = [], [], []
        for place in places:
            row = _row_of(table.iloc[place.photo])
            rows.append(row)
            face = int(table["face"].iloc[place.photo])
            if face < 0:
                continue
            crops.append(self.dataset.faces[face])
            small.append(thumbnails[face])
            if row["status"] == "kept":
                file = building / "set" / "scaled" / place.file
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(encode_jpeg(crops[-1]))
        write_part(building, index, crops, small, rows, self.dataset.size)


def version_of(recipe: PrepareRecipe, workspace: Path) -> PrepareRecipe:
    """Return the recipe of a new version: the photos are its own, the rest is its parent's.

    Raises:
        DatasetError: There is no such parent, or it was made before versions were possible.
    """
    parent = open_dataset(workspace, recipe.parent)
    if not (parent.path / "thumbnails.npy").exists():
        raise DatasetError(f"{parent.name} was made by an older facessl; prepare it again before adding photos.")
    settings = {**parent.info["recipe"], **{name: getattr(recipe, name) for name in _OWN}}
    made = build(PrepareRecipe, settings)
    assert isinstance(made, PrepareRecipe)
    return made


def _row_of(row: "pd.Series") -> dict[str, Any]:
    """Return what a part says of a photo; a copy that was left out is judged anew."""
    found: dict[str, Any] = {name: row[name].item() if hasattr(row[name], "item") else row[name] for name in EMPTY}
    if found["status"] == "duplicate":
        found |= {"status": "kept", "reason": ""}
    return found
