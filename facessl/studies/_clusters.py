"""Does K-means on pixels find people, or light?

Ten groups can keep thousands of people whole and still not tell them apart, while they tell three thirds of brightness
apart wholly. So both are measured by the most that groups of this kind can agree: see ``ami``.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, normalized_mutual_info_score
from threadpoolctl import threadpool_limits

from facessl import neighbours, views
from facessl.dataset import FaceDataset

SIDE = 32  # pixels: what the method pseudo_labels groups by
_BLOCK = 2048
_HALVES = 100  # of the faces, for an interval


def compare(dataset: FaceDataset, clusters: int, seed: int, check: Callable[[], None]) -> dict[str, Any]:
    """Group the faces that are pre-trained on as the pretext does, and compare the groups with people and with light.

    ``check`` is called every now and then; it may raise to stop.

    Returns:
        people, light: Each nmi, ari, ami (see ``ami``), of the groups with the names that the photos came with, and
            with the terciles of the crops' brightness; the nmi that shuffled groups would have, ``nmi_by_chance``; and
            where there are both, ``ami_interval``, 95 %. Of the same faces: those whose photo came with a name.
            ``people`` is None where none did.
        gap: The 95 % interval of by how much the ami with light is larger than that with people; None without both.
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
    with_light: dict[str, Any] = dict(agreement(groups[judged], light, seed))
    if not named.any():
        return {**found, "people": None, "light": with_light, "gap": None}
    with_people: dict[str, Any] = dict(agreement(groups[named], persons, seed))
    of_people, of_light, gap = ami_intervals(groups[named], persons, light, seed, check)
    with_people["ami_interval"], with_light["ami_interval"] = of_people, of_light
    return {**found, "people": with_people, "light": with_light, "gap": gap}


def ami_intervals(
    groups: np.ndarray, persons: np.ndarray, light: np.ndarray, seed: int, check: Callable[[], None]
) -> tuple[list[float], list[float], list[float]]:
    """Return 95 % intervals of ``ami`` of groups with persons and with light, all (N,), and of light's less persons'.

    How much the figures of halves of the faces spread is how much those of all would, were other faces drawn. A
    bootstrap would draw faces twice, and a face agrees with its double on everything.

    Reference: Shao and Wu 1989, A general theory for jackknife variance estimation (delete-d, d = N / 2),
        https://doi.org/10.1214/aos/1176347263
    """
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(_HALVES):
        check()
        half = rng.permutation(len(groups))[: max(1, len(groups) // 2)]
        drawn.append([ami(groups[half], truth[half]) for truth in (persons, light)])
    halves = np.array(drawn)  # (H, 2)
    whole = np.array([ami(groups, truth) for truth in (persons, light)])

    def ends(value: float, values: np.ndarray) -> list[float]:
        spread = 1.96 * float(values.std(ddof=1))
        return [float(value - spread), float(value + spread)]

    return (
        ends(whole[0], halves[:, 0]),
        ends(whole[1], halves[:, 1]),
        ends(whole[1] - whole[0], halves[:, 1] - halves[:, 0]),
    )


def terciles(values: np.ndarray) -> np.ndarray:
    """Return 0, 1 or 2 for the darkest, the middle and the brightest third, shape (N,)."""
    return np.digitize(values, np.quantile(values, [1 / 3, 2 / 3]))


def ami(groups: np.ndarray, truth: np.ndarray) -> float:
    """Return what two groupings of the same faces, each (N,), share beyond chance, of the most that they could.

    1 where the finer of the two only divides the parts of the coarser, 0 by chance: mutual information, less what
    chance gives, by the smaller entropy. By the mean of both, as is usual, few groups could never reach 1 with many
    people, however whole they keep them, and would come nearer to it with few shades of light.

    Reference: Vinh, Epps and Bailey 2010, AMI with the normalisation "min", https://jmlr.org/papers/v11/vinh10a.html
    """
    return float(adjusted_mutual_info_score(truth, groups, average_method="min"))


def agreement(groups: np.ndarray, truth: np.ndarray, seed: int) -> dict[str, float]:
    """Return how far two groupings of the same faces agree; ari and ami are 0 by chance, nmi is not.

    nmi and ari are 1 where the two are the same grouping, and only there.

    Reference: Hubert and Arabie 1985, Comparing partitions, https://doi.org/10.1007/BF01908075
    """
    shuffled = np.random.default_rng(seed).permutation(groups)
    return {
        "nmi": float(normalized_mutual_info_score(truth, groups)),
        "ari": float(adjusted_rand_score(truth, groups)),
        "ami": ami(groups, truth),
        "nmi_by_chance": float(normalized_mutual_info_score(truth, shuffled)),
    }


def _grouped(dataset: FaceDataset, rows: np.ndarray, clusters: int, seed: int) -> np.ndarray:
    blocks = np.array_split(rows, max(1, -(-len(rows) // _BLOCK)))
    small = np.concatenate([views.plain(np.asarray(dataset.faces[block]), SIDE) for block in blocks])
    with threadpool_limits(1):  # as the method has it: sums of several threads differ in their last digits
        return neighbours.kmeans(small.reshape(len(small), -1).astype(np.float32), clusters, seed).labels
