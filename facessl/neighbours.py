"""Exact nearest neighbours by cosine, and K-means."""

from dataclasses import dataclass

import numpy as np

_BLOCK = 1 << 24  # similarities held at once: 64 MB


def nearest(queries: np.ndarray, gallery: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the ``k`` most similar gallery rows of each query, the best first.

    Args:
        queries: Shape (Q, D), unit rows.
        gallery: Shape (G, D), unit rows.
        k: How many; all of them where the gallery has fewer.

    Returns:
        indices: (Q, min(k, G)) int64; equally similar rows stand in order of index, and where not all of them
            fit in, any may be the one left out.
        similarities: (Q, min(k, G)) float32 cosines, descending.

    Raises:
        ValueError: k < 1.
    """
    import torch

    if k < 1:
        raise ValueError(f"k must be >= 1, got {k}")
    k = min(k, len(gallery))
    indices = np.empty((len(queries), k), dtype=np.int64)
    similarities = np.empty((len(queries), k), dtype=np.float32)
    if k == 0:
        return indices, similarities
    rows = max(1, _BLOCK // len(gallery))
    for start in range(0, len(queries), rows):
        block = queries[start : start + rows] @ gallery.T
        # NumPy's argpartition takes ten times as long where rows are wide (100,000).
        found = np.sort(torch.topk(torch.from_numpy(block), k, sorted=False).indices.numpy(), axis=1)
        similar = np.take_along_axis(block, found, axis=1)
        order = np.argsort(-similar, axis=1, kind="stable")
        indices[start : start + rows] = np.take_along_axis(found, order, axis=1)
        similarities[start : start + rows] = np.take_along_axis(similar, order, axis=1)
    return indices, similarities


@dataclass(frozen=True)
class KMeansResult:
    """What K-means found."""

    labels: np.ndarray  # (N,) int64, the cluster of each row
    centres: np.ndarray  # (k, D) float32
    inertia: float  # sum of squared distances to the centres


def kmeans(rows: np.ndarray, k: int, seed: int) -> KMeansResult:
    """Group rows into ``k`` clusters; the same seed gives the same clusters.

    Raises:
        ValueError: k < 1, or more clusters than rows.
    """
    from sklearn.cluster import KMeans

    if not 1 <= k <= len(rows):
        raise ValueError(f"k must be between 1 and the number of rows ({len(rows)}), got {k}")
    # One start: k-means++ spreads the centres well, and a slider waits for the answer.
    found = KMeans(n_clusters=k, n_init=1, random_state=seed).fit(np.asarray(rows, dtype=np.float32))
    return KMeansResult(
        found.labels_.astype(np.int64), found.cluster_centers_.astype(np.float32), float(found.inertia_)
    )
