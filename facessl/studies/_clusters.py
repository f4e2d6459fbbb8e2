"""Does K-means on pixels find people, or light?"""

from typing import Any

import numpy as np
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, normalized_mutual_info_score
from threadpoolctl import threadpool_limits

from facessl import neighbours, views
from facessl.dataset import FaceDataset

SIDE = 32  # pixels: what the method pseudo_labels groups by
_BLOCK = 2048


def compare(dataset: FaceDataset, clusters: int, seed: int) -> dict[str, Any]:
    """Group the faces that are pre-trained on as the pretext does, and compare the groups with people and with light.

    Returns:
        people, light: Each nmi, ari, ami (of the groups with the names that the photos came with; with the terciles of
            the crops' brightness), and the nmi that shuffled groups would have, ``nmi_by_chance``. Of the same faces:
            those whose photo came with a name. ``people`` is None where none did.
        faces, named, persons, clusters.
    """
    rows = dataset.rows("unlabelled", "train")
    groups = _grouped(dataset, rows, min(clusters, len(rows)), seed)
    table = dataset.crops.iloc[rows]
    names = table["named"].to_numpy(dtype=str)
    named = names != ""
    found: dict[str, Any] = {"faces": len(rows), "named": int(named.sum()), "persons": len(np.unique(names[named])),
                             "clusters": len(np.unique(groups))}  # fmt: skip
    judged = named if named.any() else np.ones(len(rows), bool)
    light = terciles(table["brightness"].to_numpy(dtype=float)[judged])
    persons = np.unique(names[named], return_inverse=True)[1]
    return {
        **found,
        "people": agreement(groups[named], persons, seed) if named.any() else None,
        "light": agreement(groups[judged], light, seed),
    }


def terciles(values: np.ndarray) -> np.ndarray:
    """Return 0, 1 or 2 for the darkest, the middle and the brightest third, shape (N,)."""
    return np.digitize(values, np.quantile(values, [1 / 3, 2 / 3]))


def agreement(groups: np.ndarray, truth: np.ndarray, seed: int) -> dict[str, float]:
    """Return how far two groupings of the same faces agree: 1 wholly; ari and ami are 0 by chance, nmi is not.

    References: Hubert and Arabie 1985, Comparing partitions, https://doi.org/10.1007/BF01908075; Vinh, Epps and Bailey
        2010, https://jmlr.org/papers/v11/vinh10a.html
    """
    shuffled = np.random.default_rng(seed).permutation(groups)
    return {
        "nmi": float(normalized_mutual_info_score(truth, groups)),
        "ari": float(adjusted_rand_score(truth, groups)),
        "ami": float(adjusted_mutual_info_score(truth, groups)),
        "nmi_by_chance": float(normalized_mutual_info_score(truth, shuffled)),
    }


def _grouped(dataset: FaceDataset, rows: np.ndarray, clusters: int, seed: int) -> np.ndarray:
    blocks = np.array_split(rows, max(1, -(-len(rows) // _BLOCK)))
    small = np.concatenate([views.plain(np.asarray(dataset.faces[block]), SIDE) for block in blocks])
    with threadpool_limits(1):  # as the method has it: sums of several threads differ in their last digits
        return neighbours.kmeans(small.reshape(len(small), -1).astype(np.float32), clusters, seed).labels
