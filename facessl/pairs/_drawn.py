"""Pairs drawn from a set's own test part."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from facessl.dataset import FaceDataset, identities
from facessl.errors import DatasetError
from facessl.pairs._protocol import Protocol

_FOLDS = 10  # as LFW has
_PHOTO_FOLDS = 3  # where folds share people: within a fold the pairs go with the square of its photos
_PEOPLE_A_FOLD = 4  # at least, where folds share nobody: with two, one couple would stand for all different people
_PHOTOS_A_FOLD = 1000  # pairs are drawn from so many at most, as many of each person as can be


@dataclass(frozen=True)
class _Fold:
    """Pairs of one fold, as indices of the test faces."""

    same: np.ndarray  # (M, 2)
    different: np.ndarray  # (M, 2)


def draw(dataset: FaceDataset, per_fold: int, seed: int) -> Protocol:
    """Draw as many same as different pairs from the test part, up to ``per_fold`` of each in each of up to ten folds.

    No person is in two folds, as in LFW, where folds of four people or more can be made (from eight people on). Of
    fewer people such folds would compare hardly any two of them (of six people 3 of 15 couples); there each of up to
    three folds has photos of everybody, no photo is in two folds, and the figures are of these people. Each person,
    and each two of them, comes up equally often as far as their photos go, and nobody in a fold gives more same pairs
    than the next one. Two copies of one picture are no pair.

    Raises:
        DatasetError: The test part has no two photos of one person, or of one person only.
    """
    rows = dataset.rows("test")
    rows = rows[dataset.labels(rows) >= 0]
    labels, groups = dataset.labels(rows), dataset.crops["group"].to_numpy()[rows]
    rng = np.random.default_rng(seed)
    parts, share = _parts(labels, rng)
    folds = [_pairs(part, labels, groups, per_fold, rng) for part in parts]
    folds = [fold for fold in folds if len(fold.same)]
    if not folds:
        raise DatasetError(
            f"The test part of {dataset.name} has no pairs to compare: it needs two people, one of them with two "
            "photos; prepare the set with more photos a person, or give --pairs."
        )
    indices = np.concatenate([np.concatenate([fold.same, fold.different]) for fold in folds])
    same = np.concatenate([np.arange(2 * len(fold.same)) < len(fold.same) for fold in folds])
    number = np.repeat(np.arange(1, len(folds) + 1), [2 * len(fold.same) for fold in folds])
    faces = rows[indices]
    people = len(np.unique(labels[indices]))
    told: dict[str, Any] = {
        "from": "test",
        "listed": len(same),
        "scored": len(same),
        "same": int(same.sum()),
        "different": int((~same).sum()),
        "left_out": 0,
        "photos_named": len(np.unique(faces)),
        "folds": len(folds),
        "folds_share": share,
        "people": people,
    }
    notes = []
    if share == "people":
        notes.append(
            f"The test part has {people} people, too few for folds without common people: folds share people but no "
            "photo, so the figures are of these people and not of others."
        )
    photos = frozenset(identities(dataset.crops.iloc[np.unique(faces)]))
    return Protocol(faces, same, number, labels[indices], photos, identities, told, notes)


def _parts(labels: np.ndarray, rng: np.random.Generator) -> tuple[list[np.ndarray], str]:
    """Return the test faces (indices) of each fold, and what folds have in common: "nothing" or "people"."""
    people, photos = np.unique(labels, return_counts=True)
    order = rng.permutation(len(people))
    order = order[np.argsort(-photos[order], kind="stable")]  # those with most photos go one to each fold
    count = min(_FOLDS, len(people) // _PEOPLE_A_FOLD)
    if count > 1:
        fold_of = np.empty(len(people), dtype=int)
        fold_of[order] = np.arange(len(people)) % count
        fold = fold_of[np.searchsorted(people, labels)]
        return [np.flatnonzero(fold == number) for number in range(count)], "nothing"
    # A fold of photos needs two of one person and one of another.
    most, second = (*sorted(photos.tolist(), reverse=True), 0, 0)[:2]
    count = max(1, min(_PHOTO_FOLDS, most // 2, second))
    fold = _turn(labels, rng) % count
    return [np.flatnonzero(fold == number) for number in range(count)], "people"


def _pairs(part: np.ndarray, labels: np.ndarray, groups: np.ndarray, most: int, rng: np.random.Generator) -> _Fold:
    """Return as many same as different pairs of these test faces, at most ``most`` of each."""
    part = part[_in_turn(labels[part], _PHOTOS_A_FOLD, rng)]
    one, other = (part[side] for side in np.triu_indices(len(part), 1))
    alike = (groups[one] >= 0) & (groups[one] == groups[other])
    is_same = labels[one] == labels[other]
    low, high = np.minimum(labels[one], labels[other]), np.maximum(labels[one], labels[other])
    couple = low.astype(np.int64) * (int(labels.max(initial=0)) + 1) + high
    alone = np.flatnonzero(is_same & ~alike)
    alone = alone[_turn(low[alone], rng) < _next_most(low[alone])]
    kinds = [alone, np.flatnonzero(~is_same)]
    count = min(most, *(len(kind) for kind in kinds))
    chosen = [kind[_in_turn(couple[kind], count, rng)] for kind in kinds]
    return _Fold(*(np.stack([one[kind], other[kind]], axis=1) for kind in chosen))


def _next_most(groups: np.ndarray) -> int:
    """Return how many elements the second largest group has, or the only one.

    Pairs go with the square of the photos: of LFW's 62 people one would else make up half of all same pairs.
    """
    sizes = sorted(np.unique(groups, return_counts=True)[1].tolist())
    return sizes[-2] if len(sizes) > 1 else sum(sizes)


def _in_turn(groups: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return the indices of up to ``count`` elements, one of each group in turn, by lot."""
    order = rng.permutation(len(groups))  # whose turn it is first
    return order[np.argsort(_turn(groups, rng)[order], kind="stable")[:count]]


def _turn(groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return for each element its place, from 0, in a random order of its own group."""
    shuffled = rng.permutation(len(groups))
    by_group = shuffled[np.argsort(groups[shuffled], kind="stable")]
    ordered = groups[by_group]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if len(groups) else np.zeros(0, int)
    lengths = np.diff(np.append(starts, len(groups)))
    turn = np.empty(len(groups), dtype=np.int64)
    turn[by_group] = np.arange(len(groups)) - np.repeat(starts, lengths)
    return turn
