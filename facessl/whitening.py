"""PCA whitening: every direction in which faces differ counts the same."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Whitening:
    """A linear map, fitted on faces without names.

    A contrastive network spends most of its variance on what all faces of a lamp or a pose share; cosine similarity
    sees little else. Dividing by the variance of each principal direction gives the rest a voice (Jégou and Chum 2012,
    Negative evidences and co-occurrences in image retrieval, https://doi.org/10.1007/978-3-642-33709-3_55).
    """

    mean: np.ndarray  # (D,) float32
    matrix: np.ndarray  # (K, D) float32

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Return whitened features, shape (N, K) float32."""
        return (features - self.mean) @ self.matrix.T


_MOST_EXACT = 2048  # features or faces: more are not taken apart exactly, which costs the cube of their number
_ATTENUATED = 0.75
FACES = 2048  # of those learnt from are enough to fit a whitening on
DIRECTIONS = 512  # that an embedding keeps, unless its recipe says otherwise


def unit_rows(features: np.ndarray) -> np.ndarray:
    """Return rows scaled to length 1; a row of zeros stays one."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return (features / np.maximum(lengths, 1e-12)).astype(np.float32)


def stretched(rows: np.ndarray) -> np.ndarray:
    """Return unit rows (N, E) as a linear layer reads them: each of the E numbers about 1 large."""
    return rows * np.float32(np.sqrt(rows.shape[1]))


def of_embeddings(descriptors: np.ndarray, directions: int) -> Whitening | None:
    """Return the whitening that makes embeddings of descriptors (N, D); None for no directions, or less than two faces.

    It is attenuated: the strongest directions keep a little of their lead. On LFW that is better than none and than
    all of it, in telling pairs apart and in naming; see docs/LOG.md.

    Reference: Mukundan et al. 2019, Understanding and improving kernel local descriptors (attenuated whitening),
    https://arxiv.org/abs/1811.11147
    """
    return fit(descriptors, directions, power=_ATTENUATED) if directions and len(descriptors) > 1 else None


def fit(features: np.ndarray, directions: int, *, power: float = 1.0) -> Whitening:
    """Return the whitening of features (N, D) onto their first ``directions`` principal directions.

    Each is divided by its standard deviation to this ``power``: 1 makes all of one variance, 0 leaves them.

    Fewer are kept where there are few faces: a direction that four faces do not support is noise, and whitening would
    make it as loud as the others.

    Raises:
        ValueError: ``directions`` < 1, or fewer than 2 faces.
    """
    if directions < 1 or len(features) < 2:
        raise ValueError(f"whitening needs a direction and two faces, got {directions} and {len(features)}")
    kept = max(1, min(directions, len(features) // 4, features.shape[1]))
    mean, components, variances = _principal(features, kept)
    # A network that has collapsed has directions without any variance; they stay without.
    scale = np.maximum(variances, 1e-12 * max(variances[0], 1e-30)) ** (-power / 2)
    return Whitening(mean.astype(np.float32), (components * scale[:, None]).astype(np.float32))


def _principal(features: np.ndarray, kept: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mean (D,) of features (N, D), their first principal directions (kept, D) and the variances (kept,)."""
    from sklearn.decomposition import PCA

    faces, dimensions = features.shape
    if faces < dimensions and faces <= _MOST_EXACT:
        return _principal_of_few(features.astype(np.float64), kept)
    exact = dimensions <= _MOST_EXACT
    pca = PCA(kept, svd_solver="covariance_eigh" if exact else "randomized", random_state=0)
    pca.fit(features.astype(np.float64 if exact else np.float32))
    return pca.mean_, pca.components_, pca.explained_variance_


def _principal_of_few(features: np.ndarray, kept: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the same of fewer faces than features, by how alike the faces are to each other.

    Reference: Turk and Pentland 1991, Eigenfaces for recognition, https://doi.org/10.1162/jocn.1991.3.1.71
    """
    from scipy.linalg import eigh

    faces = len(features)
    mean = features.mean(axis=0)
    centred = features - mean
    squares, of_faces = eigh(centred @ centred.T, subset_by_index=[faces - kept, faces - 1])
    squares = np.maximum(squares[::-1], 0)
    lengths = np.sqrt(np.maximum(squares, 1e-12 * max(squares[0], 1e-30)))  # no direction is made out of rounding
    directions = of_faces[:, ::-1].T @ centred / lengths[:, None]
    return mean, directions, squares / (faces - 1)
