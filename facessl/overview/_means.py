"""Mean faces: what the faces of a person, of a split, of the whole set have in common."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from facessl.dataset import FaceDataset

_MANY = 1000  # faces; a mean of more looks the same
_OF_A_PERSON = 60
_BLOCK = 128


@dataclass(frozen=True)
class Mean:
    """A mean face."""

    name: str
    face: np.ndarray  # (S, S, 3) uint8
    of: int  # faces that it is the mean of
    among: int  # faces that there are


def mean_face(faces: np.ndarray, rows: np.ndarray, most: int = _MANY) -> np.ndarray:
    """Return the mean of these face rows, (S, S, 3) uint8; of ``most`` of them, spread evenly, where there are more.

    Raises:
        ValueError: There is none.
    """
    if not len(rows):
        raise ValueError("the mean of no face is none")
    chosen = _spread(rows, most)
    total = np.zeros(faces.shape[1:], np.float64)
    for start in range(0, len(chosen), _BLOCK):  # never all of them in memory
        total += faces[chosen[start : start + _BLOCK]].sum(axis=0, dtype=np.float64)
    return np.round(total / len(chosen)).astype(np.uint8)


def _spread(rows: np.ndarray, most: int) -> np.ndarray:
    return rows[np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(int)]


def mean_of_splits(dataset: FaceDataset) -> list[Mean]:
    """Return the mean face of all, then those of train and test where they have any."""
    parts = {"all": dataset.rows(), "train": dataset.rows("train"), "test": dataset.rows("test")}
    return _means(dataset, parts.items(), _MANY)


def mean_of_people(dataset: FaceDataset, people: Iterable[str]) -> list[Mean]:
    """Return the mean face of each of these people who has a face in use; of 60 faces where there are more."""
    crops = dataset.crops[dataset.used]
    rows_of = {person: rows["face"].to_numpy() for person, rows in crops.groupby("person")}
    return _means(dataset, ((name, rows_of.get(name, np.zeros(0, int))) for name in people), _OF_A_PERSON)


def _means(dataset: FaceDataset, parts: Iterable[tuple[str, np.ndarray]], most: int) -> list[Mean]:
    return [
        Mean(name, mean_face(dataset.faces, rows, most), min(len(rows), most), len(rows))
        for name, rows in parts
        if len(rows)
    ]
