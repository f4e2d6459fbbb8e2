"""A prepared set of faces on disk: ``dataset.json``, ``faces.npy``, ``faces.parquet`` and ``scaled/``."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facessl import runs
from facessl.errors import DatasetError

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("unlabelled", "train", "val", "test")


@dataclass(frozen=True)
class FaceDataset:
    """An opened set. Opening reads ``dataset.json`` only; the table and the faces come when asked for.

    ``faces.parquet`` has a row a face, and one for each photo that gave none:

    ===============  ==========================================================================================
    photo            integer id of the photo, in the order of the source
    path             of the photo inside its source
    person, label    true name and its integer; "" and -1 in the unlabelled part
    split            unlabelled, train, val or test
    status           kept, no face, too small, unreadable
    reason           a sentence, where status is not kept
    face             row in ``faces.npy``; -1 if there is none
    width, height    of the photo in pixels
    found            how many faces the detector saw in the photo
    box_x, _y, _w, _h        the chosen face in photo pixels
    left_eye_x, _y, right_eye_x, _y   in photo pixels, NaN where none was found; left as in the picture
    angle, aligned   degrees by which the eyes were off level; whether the crop was turned level
    sharpness, brightness    variance of the Laplacian, mean grey (0-255), of the crop
    factor_*         what a generated photo was made of
    ===============  ==========================================================================================
    """

    path: Path

    @cached_property
    def info(self) -> dict[str, Any]:
        """Return recipe, counts, people, version, notes, created."""
        return runs.read_json(self.path / "dataset.json")

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def people(self) -> list[str]:
        """Return the labelled people; a person's label is the index."""
        return list(self.info["people"])

    @property
    def size(self) -> int:
        """Return the side of a face in pixels."""
        return int(self.info["recipe"]["size"])

    @cached_property
    def table(self) -> "pd.DataFrame":
        """Return ``faces.parquet``."""
        import pandas as pd

        return pd.read_parquet(self.path / "faces.parquet")

    @cached_property
    def kept(self) -> "pd.DataFrame":
        """Return the rows that have a face, in the order of ``faces``: row i describes ``faces[i]``."""
        kept = self.table[self.table["face"] >= 0].sort_values("face")
        return kept.reset_index(drop=True)

    @cached_property
    def faces(self) -> np.ndarray:
        """Return the faces, a memory map of shape (N, S, S, 3) uint8 RGB."""
        return np.load(self.path / "faces.npy", mmap_mode="r")

    def rows(self, *splits: str) -> np.ndarray:
        """Return the face rows of these splits, ascending."""
        return np.flatnonzero(self.kept["split"].isin(splits).to_numpy())

    def labels(self, rows: np.ndarray) -> np.ndarray:
        """Return the labels of these face rows, -1 where nobody has said."""
        return self.kept["label"].to_numpy()[rows]


def open_dataset(workspace: Path, name: str) -> FaceDataset:
    """Return the finished set called ``name``.

    Raises:
        DatasetError: There is none, or it is not finished.
    """
    path = workspace / "datasets" / name
    if name.startswith(".") or "/" in name or not (path / "dataset.json").is_file():
        have = ", ".join(d.name for d in list_datasets(workspace)) or "none yet"
        raise DatasetError(f"There is no prepared set {name!r} (have: {have}); prepare one first.")
    return FaceDataset(path)


def list_datasets(workspace: Path) -> list[FaceDataset]:
    """Return every finished set, by name."""
    folder = workspace / "datasets"
    if not folder.is_dir():
        return []
    return [FaceDataset(p) for p in sorted(folder.iterdir()) if (p / "dataset.json").is_file()]
