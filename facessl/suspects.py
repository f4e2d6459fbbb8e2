"""Faces that may be wrong in a set: the name doubtful, unlike all others, more than one face in the photo, a poor crop.

Nobody is left out for it; a person looks at them first.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from facessl import views, whitening
from facessl.neighbours import nearest

if TYPE_CHECKING:
    import pandas as pd

K = 10  # neighbours that judge a face
_KEPT = 3 * K  # are remembered, because copies and what people leave out are passed over
_FEWEST = 3  # voters under which there is no verdict
_SIDE = 32  # pixels a side at which faces are compared
_DIRECTIONS = 64  # of 32, 64 and 128 the neighbours agreed best with the names, on generated and on real faces
_FENCE = 1.5  # interquartile ranges below the first quartile: Tukey's fence
_BLOCK = 1024  # faces


@dataclass(frozen=True)
class Near:
    """The faces most like each face, the best first; never the face itself."""

    indices: np.ndarray  # (N, K) int32 face rows; -1 where there are no more
    similarities: np.ndarray  # (N, K) float32 cosines


def pixel_vectors(
    faces: np.ndarray, learnt_from: np.ndarray, progress: Callable[[float], None] = lambda share: None
) -> np.ndarray:
    """Return what faces look like, for sets that no network has seen: whitened grey pixels.

    Each picture loses its mean and its contrast; then every direction in which faces differ counts the same.

    Args:
        faces: Shape (N, S, S, 3) uint8; a memory map is read a block at a time.
        learnt_from: Face rows that the whitening is fitted on; a sample of them, where there are many.
        progress: Called with the share that is done, 0 to 1.

    Returns:
        Shape (N, E) float32, unit rows; zeros where a picture is of one flat colour.
    """
    sample = learnt_from[np.linspace(0, len(learnt_from) - 1, min(len(learnt_from), whitening.FACES)).astype(int)]
    if len(sample) < 2:
        return np.zeros((len(faces), 1), np.float32)  # nobody to be compared with
    whiten = whitening.fit(_pixels(faces[sample]), _DIRECTIONS)
    rows = np.empty((len(faces), len(whiten.matrix)), np.float32)
    for start in range(0, len(faces), _BLOCK):
        pixels = _pixels(faces[start : start + _BLOCK])
        seen = pixels.any(axis=1, keepdims=True)
        rows[start : start + _BLOCK] = np.where(seen, _unit(whiten(pixels)), 0)
        progress(min(1.0, (start + _BLOCK) / len(faces)))
    return rows


def _pixels(faces: np.ndarray) -> np.ndarray:
    small = views.plain(np.ascontiguousarray(faces), _SIDE).astype(np.float32)
    grey = (small @ np.array([0.299, 0.587, 0.114], np.float32)).reshape(len(faces), -1)
    grey -= grey.mean(axis=1, keepdims=True)
    grey[grey.std(axis=1) < 0.5] = 0  # half a grey level: nothing is to be seen
    return _unit(grey)


def _unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12), np.float32)


def near(vectors: np.ndarray, pool: np.ndarray, progress: Callable[[float], None] = lambda share: None) -> Near:
    """Return the faces of a pool that each face is most like; every pair is compared.

    Args:
        vectors: Shape (N, E), unit rows.
        pool: Face rows to choose from, ascending.
        progress: Called with the share that is done, 0 to 1.
    """
    count, kept = len(vectors), min(_KEPT, len(pool))
    indices = np.full((count, _KEPT), -1, np.int32)
    similarities = np.full((count, _KEPT), np.nan, np.float32)
    if kept == 0:
        return Near(indices, similarities)
    gallery = np.asarray(vectors[pool], np.float32)
    for start in range(0, count, _BLOCK):
        rows = np.arange(start, min(count, start + _BLOCK))
        places, cosines = nearest(np.asarray(vectors[rows], np.float32), gallery, kept + 1)
        found = pool[places]
        others = found != rows[:, None]
        order = np.argsort(~others, axis=1, kind="stable")[:, :kept]
        there = np.take_along_axis(others, order, axis=1)
        indices[rows, : order.shape[1]] = np.where(there, np.take_along_axis(found, order, axis=1), -1)
        similarities[rows, : order.shape[1]] = np.where(there, np.take_along_axis(cosines, order, axis=1), np.nan)
        progress(min(1.0, (start + _BLOCK) / count))
    return Near(indices, similarities)


def judge(crops: "pd.DataFrame", everybody: Near, named: Near, k: int = K) -> "pd.DataFrame":
    """Return what speaks against each face; the more, the higher its ``suspicion``.

    A name is doubtful where most of the ``k`` nearest named faces bear one and the same other name (the rule by which
    Wilson's edited nearest neighbour drops a sample). A face is an outlier where it is less like its ``k`` nearest, on
    average, than Tukey's lower fence. Only faces in use are judged and judge; copies of a picture, who would repeat its
    mistake, have no voice, and who has fewer than two other pictures is not doubted.

    Args:
        crops: See ``dataset.FaceDataset.crops``; row i describes face i.
        everybody: Neighbours among all faces.
        named: Neighbours among the faces with a name.
        k: How many judge.

    Returns:
        A row a face: ``voters``, ``own`` (of them with its name), ``other`` (with the most frequent other name),
        ``likely`` (that name), ``alike`` (mean cosine to its nearest, NaN where there are none), ``doubtful``,
        ``outlier``, ``several``, ``poor`` (bool), ``suspicion`` (0: nothing speaks against it), ``why`` (sentences).

    Reference: Wilson 1972, https://doi.org/10.1109/TSMC.1972.4309137; Tukey 1977, Exploratory Data Analysis, 2D
    """
    import pandas as pd

    used = (crops["status"] == "kept").to_numpy()
    found = pd.DataFrame(index=crops.index)
    _vote(found, crops, used, named, k)
    heard, places = _first(everybody.indices, crops, used, k)
    cosines = np.take_along_axis(everybody.similarities, places, axis=1)
    total = np.where(heard >= 0, cosines, 0).sum(axis=1)
    voices = (heard >= 0).sum(axis=1)
    found["alike"] = np.where(used & (voices > 0), total / np.maximum(voices, 1), np.nan).astype(np.float32)
    found["outlier"] = found["alike"] < _fence(found["alike"].to_numpy())
    found["several"] = used & (crops["found"] > 1)
    found["poor"] = used & (crops["flaws"] != "")
    margin = (found["other"] - found["own"]) / found["voters"].clip(lower=1)
    weights = found["doubtful"] * (4 + margin) + 2 * found["outlier"] + found["several"] + 0.5 * found["poor"]
    found["suspicion"] = weights.astype(np.float32)
    found["why"] = _why(found, crops)
    return found


def _vote(found: "pd.DataFrame", crops: "pd.DataFrame", used: np.ndarray, named: Near, k: int) -> None:
    """Fill in the columns about names."""
    labels = crops["label"].to_numpy()
    heard, _ = _first(named.indices, crops, used & (labels >= 0), k)
    votes = np.where(heard >= 0, labels[heard], -1)
    own = ((votes == labels[:, None]) & (votes >= 0)).sum(axis=1)
    rivals = np.where(votes == labels[:, None], -1, votes)
    # For each vote, how many say the same; of rivals with equally many the nearest is named.
    same = np.stack([(rivals == rivals[:, [i]]).sum(axis=1) for i in range(rivals.shape[1])], axis=1)
    same[rivals < 0] = 0
    best = same.argmax(axis=1)
    other = same[np.arange(len(same)), best]
    likely = rivals[np.arange(len(same)), best]
    voters = (votes >= 0).sum(axis=1)
    judged = used & (labels >= 0) & (voters >= _FEWEST) & (_other_pictures(crops, used) >= 2)
    people = crops.loc[crops["label"] >= 0].drop_duplicates("label").set_index("label")["person"].to_dict()
    found["voters"] = np.where(judged, voters, 0)
    found["own"] = np.where(judged, own, 0)
    found["other"] = np.where(judged, other, 0)
    found["likely"] = [people[label] if who and label >= 0 else "" for label, who in zip(likely, judged, strict=True)]
    found["doubtful"] = judged & (2 * other > voters)


def _first(indices: np.ndarray, crops: "pd.DataFrame", heard: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first ``k`` neighbours of each face that have a voice, (N, k), -1 where there are fewer; and where
    in ``indices`` they stand."""
    groups = crops["group"].to_numpy()
    counts = (indices >= 0) & heard[indices]
    counts &= (groups[indices] != groups[:, None]) | (groups[:, None] < 0)
    places = np.argsort(~counts, axis=1, kind="stable")[:, :k]
    chosen = np.take_along_axis(indices, places, axis=1)
    return np.where(np.take_along_axis(counts, places, axis=1), chosen, -1), places


def _other_pictures(crops: "pd.DataFrame", used: np.ndarray) -> np.ndarray:
    """Return for each face how many other pictures of its person are in use; copies count once."""
    picture = np.where(crops["group"] >= 0, crops["group"], crops["photo"])
    there = crops.assign(picture=picture)[used & (crops["label"] >= 0).to_numpy()]
    pictures = there.groupby("label")["picture"].nunique()
    return crops["label"].map(pictures).fillna(0).to_numpy() - 1


def _fence(values: np.ndarray) -> float:
    """Return Tukey's lower fence; below everything where there is too little to tell."""
    known = values[np.isfinite(values)]
    if len(known) < 2 * K:
        return -np.inf
    low, high = np.quantile(known, [0.25, 0.75])
    return float(low - _FENCE * (high - low))


def _why(found: "pd.DataFrame", crops: "pd.DataFrame") -> list[str]:
    """Return what speaks against each face in words, "" where nothing does."""
    sentences = [""] * len(found)
    typical = found["alike"].median()
    rows = np.flatnonzero(found["suspicion"] > 0)
    said_of, known_of = found.iloc[rows].to_dict("records"), crops.iloc[rows].to_dict("records")
    for row, said, about in zip(rows, said_of, known_of, strict=True):
        parts = []
        if said["doubtful"]:
            own = f"{said['own']} bear" + ("s" if said["own"] == 1 else "") if said["own"] else "none bears"
            parts.append(f"{said['other']} of its {said['voters']} nearest are “{said['likely']}”, {own} its name.")
        if said["outlier"]:
            parts.append(
                f"Unlike the others: {said['alike']:.2f} similar to its nearest, where {typical:.2f} is usual."
            )
        if said["several"]:
            parts.append(f"{about['found']} faces are in the photo; this may be the wrong one.")
        if said["poor"]:
            parts.append(f"The face is {about['flaws']}.")
        sentences[row] = " ".join(parts)
    return sentences


def agreement(found: "pd.DataFrame") -> tuple[int, int]:
    """Return for how many of the faces that ``judge`` could judge no other name has more votes; and how many those are.

    Where they are few, doubt what the faces were compared by, and not the names.
    """
    judged = found[found["voters"] > 0]
    return int((judged["own"] >= judged["other"]).sum()), len(judged)


def most_like(vectors: np.ndarray, face: int, among: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the ``count`` face rows of ``among`` most like one face, and their cosines, the best first."""
    if not len(among):
        return among, np.zeros(0, np.float32)
    places, cosines = nearest(np.asarray(vectors[[face]]), np.asarray(vectors[among]), count)
    return among[places[0]], cosines[0]
