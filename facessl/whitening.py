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


_MOST_EXACT = 2048  # features
FACES = 2048  # of those learnt from are enough to fit a whitening on


def fit(features: np.ndarray, directions: int) -> Whitening:
    """Return the whitening of features (N, D) onto their first ``directions`` principal directions.

    Fewer are kept where there are few faces: a direction that four faces do not support is noise, and whitening would
    make it as loud as the others.

    Raises:
        ValueError: ``directions`` < 1, or fewer than 2 faces.
    """
    if directions < 1 or len(features) < 2:
        raise ValueError(f"whitening needs a direction and two faces, got {directions} and {len(features)}")
    from sklearn.decomposition import PCA

    kept = max(1, min(directions, len(features) // 4, features.shape[1]))
    # The exact way costs the cube of the features' number: of a picture's pixels, minutes.
    faces, dimensions = features.shape
    exact = dimensions <= _MOST_EXACT
    few = 4 * faces <= dimensions
    solver = ("full" if few else "covariance_eigh") if exact else "randomized"
    pca = PCA(kept, svd_solver=solver, random_state=0).fit(features.astype(np.float64 if exact else np.float32))
    # A network that has collapsed has directions without any variance; they stay without.
    scale = 1 / np.sqrt(np.maximum(pca.explained_variance_, 1e-12 * max(pca.explained_variance_[0], 1e-30)))
    return Whitening(pca.mean_.astype(np.float32), (pca.components_ * scale[:, None]).astype(np.float32))
