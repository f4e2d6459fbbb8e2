"""Whitened features are uncorrelated, of variance 1, and the same as scikit-learn's."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from facessl import whitening


def skewed(n: int = 400) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 6)) @ rng.normal(size=(6, 6)) * 3 + 5


def test_the_fitted_features_have_unit_covariance() -> None:
    features = skewed()
    white = whitening.fit(features, 4)(features)
    np.testing.assert_allclose(np.cov(white.T), np.eye(4), atol=1e-3)
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-3)


def test_it_agrees_with_scikit_learn_up_to_sign() -> None:
    features = skewed()
    expected = PCA(3, whiten=True).fit_transform(features)
    np.testing.assert_allclose(np.abs(whitening.fit(features, 3)(features)), np.abs(expected), atol=1e-3)


def test_few_faces_support_few_directions() -> None:
    assert whitening.fit(skewed(9), 128).matrix.shape == (2, 6)
    assert whitening.fit(skewed(2), 128).matrix.shape == (1, 6)


@pytest.mark.filterwarnings("ignore:invalid value encountered")
def test_a_collapsed_network_gives_finite_numbers() -> None:
    assert np.isfinite(whitening.fit(np.ones((40, 6)), 4)(np.ones((3, 6)))).all()


def test_nonsense_is_refused() -> None:
    for features, directions in ((skewed(), 0), (skewed(1), 3)):
        with pytest.raises(ValueError, match="whitening needs"):
            whitening.fit(features, directions)


def test_the_directions_of_many_pixels_are_found_by_chance_and_are_those_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Five strong directions in 3,000 dimensions: what is left of the faces are those five, of unit variance."""
    monkeypatch.setattr(whitening, "_MOST_EXACT", 100)
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(200, 5))
    directions = np.linalg.qr(rng.normal(size=(3000, 5)))[0]
    features = (hidden @ np.diag([50, 40, 30, 20, 10]) @ directions.T + rng.normal(0, 0.01, (200, 3000))).astype(
        np.float32
    )
    found = whitening.fit(features, 5)
    assert np.allclose(np.cov(found(features).T), np.eye(5), atol=1e-2)
    inside = found.matrix @ directions @ directions.T
    assert np.allclose(inside, found.matrix, atol=1e-3)
    assert np.array_equal(found.matrix, whitening.fit(features, 5).matrix)


def test_few_faces_of_many_features_are_whitened_by_the_same_map() -> None:
    """The fast way for few faces and the usual one are the same algebra; what they do to new faces says so."""
    rng = np.random.default_rng(0)
    features, new = rng.normal(size=(24, 96)), rng.normal(size=(5, 96)).astype(np.float32)
    centred = features - features.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred / 23)
    by_hand = (new - features.mean(axis=0)) @ vectors[:, ::-1][:, :6] / np.sqrt(values[::-1][:6])
    found = whitening.fit(features.astype(np.float32), 6)(new)
    assert np.allclose(np.abs(found), np.abs(by_hand), atol=1e-4)


def test_an_attenuated_whitening_leaves_the_strong_a_little_of_their_lead() -> None:
    features = skewed()
    variances = PCA(4).fit(features).explained_variance_
    for power in (0.0, 0.5, 1.0):
        found = whitening.fit(features, 4, power=power)(features).var(axis=0, ddof=1)
        np.testing.assert_allclose(found, variances ** (1 - power), rtol=1e-3)


@pytest.mark.parametrize("shape", [(40, 90), (90, 40)])
def test_few_faces_and_few_features_are_both_taken_apart_exactly(shape: tuple[int, int]) -> None:
    features = np.random.default_rng(1).normal(size=shape) @ np.diag(np.linspace(3, 1, shape[1]))
    expected = PCA(9, whiten=True, svd_solver="full").fit_transform(features)
    np.testing.assert_allclose(np.abs(whitening.fit(features, 9)(features)), np.abs(expected), atol=1e-3)
