"""The photos of a list of pairs in a prepared set."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from facessl.dataset import FaceDataset
from facessl.errors import DatasetError
from facessl.pairs._file import ListedPair
from facessl.pairs._protocol import Protocol

if TYPE_CHECKING:
    import pandas as pd

_ABSENT = "not in the set"
_AMBIGUOUS = "several photos of that name"


def find(pairs: Sequence[ListedPair], dataset: FaceDataset, name: str = "pairs.txt") -> Protocol:
    """Return the pairs whose two photos the set holds, in whichever split; what is left out is counted and said.

    ``Name, n`` is the file ``Name_000n.jpg``, wherever it lies and whatever its ending, as LFW's authors call it.

    Raises:
        DatasetError: Of no pair both photos are there.
    """
    listed = {_identity(*photo): photo for pair in pairs for photo in (pair.one, pair.other)}
    rows, missing = _rows(listed, dataset)
    faces = np.array([[rows.get(_identity(*photo), -1) for photo in (pair.one, pair.other)] for pair in pairs])
    there = (faces >= 0).all(axis=1)
    if not there.any():
        raise DatasetError(
            f"{dataset.name} holds none of the pairs of {name}; prepare the photos that it names (those of LFW)."
        )
    numbers = {person: number for number, person in enumerate(sorted({person for person, _ in listed.values()}))}
    same = np.array([pair.same for pair in pairs])
    told: dict[str, Any] = {
        "from": name,
        "listed": len(pairs),
        "scored": int(there.sum()),
        "same": int(same[there].sum()),
        "different": int((~same)[there].sum()),
        "left_out": int((~there).sum()),
        "left_out_same": int(same[~there].sum()),
        "photos_named": len(listed),
        "photos_missing": dict(missing),
        "folds": len({pair.fold for pair in pairs}),
        "folds_share": _shared(pairs),
        "people": len(numbers),
    }
    return Protocol(
        faces=faces[there],
        same=same[there],
        fold=np.array([pair.fold for pair in pairs])[there],
        people=np.array([[numbers[pair.one[0]], numbers[pair.other[0]]] for pair in pairs])[there],
        photos=frozenset(listed),
        identities=_identities,
        told=told,
        notes=_notes(told),
    )


def _shared(pairs: Sequence[ListedPair]) -> str:
    """Return whether anybody comes up in several folds: "people", or "nothing" as in LFW's own list."""
    fold_of: dict[str, int] = {}
    for pair in pairs:
        for person, _ in (pair.one, pair.other):
            if fold_of.setdefault(person, pair.fold) != pair.fold:
                return "people"
    return "nothing"


def _notes(told: dict[str, Any]) -> list[str]:
    if not told["left_out"]:
        return []
    why = ", ".join(f"{number:,} {reason}" for reason, number in sorted(told["photos_missing"].items()))
    return [
        f"{told['scored']:,} of {told['listed']:,} pairs are scored; {told['left_out']:,} left out, with nothing "
        f"assumed about them, because the set lacks a face of their photos ({why}). Beside figures for all pairs "
        "these flatter, for a face that is hard to find is hard to tell apart."
    ]


def _rows(listed: dict[str, tuple[str, int]], dataset: FaceDataset) -> tuple[dict[str, int], Counter[str]]:
    """Return the face row of each photo that is there, by identity, and why the others are not, counted."""
    used: dict[str, list[int]] = defaultdict(list)
    refused: dict[str, str] = {}
    table = dataset.table
    for identity, status, face in zip(_identities(table), table["status"], table["face"], strict=True):
        if status == "kept" and face >= 0:
            used[identity].append(int(face))
        else:
            refused[identity] = status
    crops = dataset.crops["hash"].to_numpy()
    found, missing = {}, Counter[str]()
    for identity in listed:
        rows = used.get(identity, [])
        if not rows:
            missing[refused.get(identity, _ABSENT)] += 1
        elif len(set(crops[rows])) > 1:
            missing[_AMBIGUOUS] += 1  # Ann_0001.jpg in two folders, and not the same picture
        else:
            found[identity] = rows[0]
    return found, missing


def _identities(rows: "pd.DataFrame") -> list[str]:
    """Return ``Name 7`` for each photo at ``…/Name_0007.jpg``, and "" for one that is called otherwise."""
    return [_identity_of(path) for path in rows["path"]]


def _identity_of(path: str) -> str:
    stem = path.rpartition("/")[2]
    stem = stem.rpartition(".")[0] or stem
    name, _, number = stem.rpartition("_")
    return _identity(name, int(number)) if name and number.isascii() and number.isdecimal() else ""


def _identity(name: str, number: int) -> str:
    return f"{unicodedata.normalize('NFC', name)} {number}"
