"""Pairs of faces of one set, ready to be scored."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from facessl.dataset import FaceDataset

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Protocol:
    """P pairs of faces of one set, and which photos they are about."""

    faces: np.ndarray  # (P, 2) int64, rows of the set's faces
    same: np.ndarray  # (P,) bool, one person or two
    fold: np.ndarray  # (P,) int64, from 1
    people: np.ndarray  # (P, 2) int64, a number a person
    photos: frozenset[str]  # the photos that are asked about, also those that the set does not hold, by identity
    identities: Callable[["pd.DataFrame"], list[str]]  # of the photos of a set's rows; "" for one that has none
    told: dict[str, Any]  # how many pairs and photos, and what was left out, for the result
    notes: list[str] = field(default_factory=list)  # sentences for people

    def asked(self, rows: "pd.DataFrame") -> frozenset[str]:
        """Return which of the photos asked about are among these rows of any set."""
        return self.photos & frozenset(self.identities(rows))


def unnamed(dataset: FaceDataset, protocol: Protocol) -> np.ndarray:
    """Return the face rows that anything may be fitted on: unlabelled and train, none that the pairs are about."""
    rows = dataset.rows("unlabelled", "train")
    identities = protocol.identities(dataset.crops.iloc[rows])
    return rows[[identity not in protocol.photos for identity in identities]]
