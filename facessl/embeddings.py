"""What an ``embed`` run leaves: a unit vector for each face, a map in two dimensions, and clusters on demand."""

import contextlib
import os
import warnings
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from facessl.errors import RunError
from facessl.neighbours import kmeans, nearest

_SILHOUETTE_FACES = 2000  # the silhouette compares all pairs; so many give it to about 0.01
_MANY_FACES = 10_000  # from here half the epochs of the layout give the same neighbourhoods
_FEWEST_FACES = 4  # fewer points have no neighbourhoods to keep


@dataclass(frozen=True)
class StoredEmbedding:
    """What an embed run left; row i belongs to face i of the set."""

    embeddings: np.ndarray  # (N, E) float32 unit rows, a memory map
    map: np.ndarray  # (N, 2) float32; NaN for a face that was not in use when it was drawn

    def shown(self, used: np.ndarray) -> np.ndarray:
        """Return the faces that are on the map and still in use, ascending; ``used`` has shape (N,) bool."""
        return np.flatnonzero(used & np.isfinite(self.map[:, 0]))


@dataclass(frozen=True)
class Clusters:
    """Groups that K-means found, and how good they are."""

    labels: np.ndarray  # (N,) int64, 0..k-1; -1 for a face that takes no part
    silhouette: float | None  # -1 to 1: how much closer a face is to its own group; None where undefined
    nmi: float | None  # 0 to 1: normalised mutual information with the people; None where nobody is named
    ari: float | None  # 1 = the people, 0 = by chance: adjusted Rand index
    named: int  # faces that nmi and ari were computed on


def store(folder: Path, embeddings: np.ndarray, map_: np.ndarray) -> None:
    """Write ``embeddings.npy`` and ``projection.parquet`` (face, x, y) into a run's folder.

    Args:
        folder: Of the run.
        embeddings: Shape (N, E), unit rows; row i belongs to face i of the set.
        map_: Shape (N, 2), as ``project`` gives it.
    """
    import pandas as pd

    if map_.shape != (len(embeddings), 2):
        raise ValueError(f"a map of {len(embeddings)} faces has shape ({len(embeddings)}, 2), got {map_.shape}")
    partial = folder / f".embeddings.{os.getpid()}.partial.npy"
    np.save(partial, np.asarray(embeddings, dtype=np.float32))
    partial.replace(folder / "embeddings.npy")
    x, y = np.asarray(map_, dtype=np.float32).T
    table = pd.DataFrame({"face": np.arange(len(x), dtype=np.int32), "x": x, "y": y})
    partial = folder / f".projection.{os.getpid()}.partial"
    table.to_parquet(partial, index=False)
    partial.replace(folder / "projection.parquet")


def load(folder: Path) -> StoredEmbedding:
    """Return what ``store`` wrote.

    Raises:
        RunError: The run has not got that far.
    """
    import pandas as pd

    try:
        embeddings = np.load(folder / "embeddings.npy", mmap_mode="r")
        table = pd.read_parquet(folder / "projection.parquet")
    except FileNotFoundError as error:
        raise RunError(f"{folder.name} holds no embeddings yet; wait until it is finished, or resume it.") from error
    return StoredEmbedding(embeddings, table[["x", "y"]].to_numpy(dtype=np.float32))


def project(embeddings: np.ndarray, *, neighbours: int = 15, min_dist: float = 0.1, seed: int = 0) -> np.ndarray:
    """Return a map on which neighbours stay neighbours: UMAP, begun from the two principal components.

    The first call on a machine compiles for 15 s or more; what it compiled is kept. Even so only jobs call this.

    Args:
        embeddings: Shape (N, E), unit rows; any N, 0 included.
        neighbours: Faces that make up a neighbourhood, >= 2; fewer where there are not so many.
        min_dist: How tightly points may sit, 0 to 1.
        seed: The same seed gives the same map on the same machine.

    Returns:
        Shape (N, 2) float32. Fewer than four faces lie on their principal components.

    Reference: McInnes et al. 2018, https://arxiv.org/abs/1802.03426
    """
    start = _principal_components(embeddings, seed)
    if len(embeddings) < _FEWEST_FACES or not start.any():
        return start
    from umap import UMAP

    _keep_compiled()
    knn = _neighbourhoods(embeddings, min(neighbours, len(embeddings) - 1))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="precomputed_knn")  # new faces are placed by their neighbours
        layout = UMAP(
            n_neighbors=knn[0].shape[1], precomputed_knn=knn, min_dist=min_dist, init=start, random_state=seed,
            n_epochs=200 if len(embeddings) < _MANY_FACES else 100, n_jobs=1,
        )  # fmt: skip
        placed = layout.fit_transform(embeddings)
    return np.asarray(placed, dtype=np.float32)


def clusters(embeddings: np.ndarray, k: int, seed: int, labels: np.ndarray | None = None) -> Clusters:
    """Group the faces into ``k`` clusters and say how they relate to the people.

    Args:
        embeddings: Shape (N, E), unit rows.
        k: Number of clusters, 1 to N.
        seed: The same seed gives the same clusters.
        labels: Shape (N,), the people; -1 where nobody has said.

    Raises:
        ValueError: k is not between 1 and N.
    """
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, silhouette_score

    found = kmeans(embeddings, k, seed).labels
    sample = np.random.default_rng(seed).permutation(len(found))[:_SILHOUETTE_FACES]
    groups = len(np.unique(found[sample]))
    silhouette = None
    if 1 < groups < len(sample):  # with one group, or each face its own, there is no inside and outside
        silhouette = float(silhouette_score(embeddings[sample], found[sample]))
    named = np.flatnonzero(labels >= 0) if labels is not None else np.zeros(0, dtype=int)
    if labels is None or not len(named):
        return Clusters(found, silhouette, None, None, 0)
    nmi = float(normalized_mutual_info_score(labels[named], found[named]))
    ari = float(adjusted_rand_score(labels[named], found[named]))
    return Clusters(found, silhouette, nmi, ari, len(named))


def clusters_among(
    embeddings: np.ndarray, rows: np.ndarray, k: int, seed: int, labels: np.ndarray | None = None
) -> Clusters:
    """Return the ``clusters`` of some rows; the others have the cluster -1."""
    found = clusters(np.asarray(embeddings)[rows], k, seed, None if labels is None else labels[rows])
    everywhere = np.full(len(embeddings), -1)
    everywhere[rows] = found.labels
    return replace(found, labels=everywhere)


@cache
def _keep_compiled() -> None:
    """Have numba keep the machine code of UMAP's functions for later processes, as pynndescent has it keep its own.

    It lies beside UMAP's files, or where NUMBA_CACHE_DIR says, and is made anew for other versions and processors.
    """
    from numba.core.registry import CPUDispatcher
    from umap import distances, layouts, umap_, utils

    for module in (distances, layouts, umap_, utils):
        for function in vars(module).values():
            if isinstance(function, CPUDispatcher):
                with contextlib.suppress(RuntimeError):  # nowhere to write: then each process compiles, as UMAP has it
                    function.enable_caching()


def _neighbourhoods(embeddings: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return for each face ``count`` indices and distances, itself first, as UMAP wants them."""
    indices, cosines = nearest(embeddings, embeddings, count)
    itself = np.arange(len(embeddings))
    # A face can be missing from its own list, or not lead it, where others are exactly the same.
    place = np.where((indices == itself[:, None]).any(axis=1), (indices == itself[:, None]).argmax(axis=1), count - 1)
    indices[itself, place], cosines[itself, place] = indices[:, 0], cosines[:, 0]
    indices[:, 0], cosines[:, 0] = itself, 1.0
    distances = np.sqrt(np.maximum(0, 2 - 2 * cosines))  # of unit rows; rounding can push a cosine over 1
    return indices.astype(np.int32), distances.astype(np.float32)


def _principal_components(embeddings: np.ndarray, seed: int) -> np.ndarray:
    """Return the first two principal components, scaled to -10..10; missing ones are 0."""
    placed = np.zeros((len(embeddings), 2), dtype=np.float32)
    count = min(2, len(embeddings), embeddings.shape[1])
    if count and len(embeddings) > 1:
        from sklearn.decomposition import PCA

        placed[:, :count] = PCA(count, svd_solver="randomized", random_state=seed).fit_transform(embeddings)
        placed *= 10 / max(1e-9, np.abs(placed).max())  # the extent at which UMAP's layout is used to begin
    return placed
