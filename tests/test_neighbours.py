import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from facessl import neighbours
from facessl.neighbours import kmeans, nearest


def unit_rows(n: int, d: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("k", [1, 5, 40])
@pytest.mark.parametrize("block", [1 << 24, 100, 1])
def test_agrees_with_scikit_learn_whatever_the_block(k, block, monkeypatch):
    monkeypatch.setattr(neighbours, "_BLOCK", block)
    queries, gallery = unit_rows(17, 8), unit_rows(40, 8, seed=1)
    distances, wanted = NearestNeighbors(n_neighbors=k, metric="cosine").fit(gallery).kneighbors(queries)
    indices, similarities = nearest(queries, gallery, k)
    assert np.array_equal(indices, wanted)
    assert np.allclose(similarities, 1 - distances, atol=1e-5)


def test_a_row_finds_itself_first():
    rows = unit_rows(30, 16)
    indices, similarities = nearest(rows, rows, 3)
    assert np.array_equal(indices[:, 0], np.arange(30))
    assert np.allclose(similarities[:, 0], 1, atol=1e-5)


def test_a_small_gallery_gives_all_it_has():
    indices, similarities = nearest(unit_rows(4, 8), unit_rows(2, 8), 10)
    assert indices.shape == similarities.shape == (4, 2)
    assert nearest(unit_rows(4, 8), unit_rows(0, 8), 10)[0].shape == (4, 0)
    assert nearest(unit_rows(0, 8), unit_rows(5, 8), 3)[0].shape == (0, 3)


def test_equals_stand_in_order_of_index():
    gallery = np.repeat(unit_rows(2, 8), 3, axis=0)
    assert nearest(gallery[:1], gallery, 6)[0].tolist() == [[0, 1, 2, 3, 4, 5]]


def test_no_neighbour_cannot_be_asked_for():
    with pytest.raises(ValueError, match="k must be >= 1, got 0"):
        nearest(unit_rows(2, 4), unit_rows(2, 4), 0)


def test_kmeans_finds_blobs_and_counts_their_inertia():
    truth = np.repeat([0, 1, 2], 20)
    rows = 10 * np.eye(3)[truth] + np.random.default_rng(0).normal(scale=0.1, size=(60, 3))
    found = kmeans(rows, 3, seed=0)
    assert len({tuple(pair) for pair in zip(truth, found.labels, strict=True)}) == 3
    assert found.centres.shape == (3, 3)
    by_hand = sum(((rows[found.labels == c] - rows[found.labels == c].mean(axis=0)) ** 2).sum() for c in range(3))
    assert found.inertia == pytest.approx(by_hand, rel=1e-4)


def test_kmeans_is_the_same_by_seed():
    rows = unit_rows(100, 4)
    assert np.array_equal(kmeans(rows, 7, seed=3).labels, kmeans(rows, 7, seed=3).labels)


@pytest.mark.parametrize("k", [0, 6])
def test_kmeans_refuses_more_clusters_than_rows(k):
    with pytest.raises(ValueError, match=rf"between 1 and the number of rows \(5\), got {k}"):
        kmeans(unit_rows(5, 4), k, seed=0)
