"""Storing, mapping and grouping embeddings, for any number of faces."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from facessl import embeddings
from facessl.errors import RunError


def blobs(people: int, photos: int, *, dimension: int = 16, noise: float = 0.05, seed: int = 0) -> np.ndarray:
    """Return unit rows in ``people`` tight groups of ``photos``, one group after the other."""
    rng = np.random.default_rng(seed)
    rows = np.repeat(rng.normal(size=(people, dimension)), photos, axis=0)
    rows += rng.normal(0, noise, rows.shape)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_what_is_stored_is_loaded(tmp_path: Path):
    rows = blobs(3, 4)
    map_ = np.random.default_rng(1).normal(size=(12, 2)).astype(np.float32)
    embeddings.store(tmp_path, rows, map_)
    stored = embeddings.load(tmp_path)
    assert np.array_equal(stored.embeddings, rows)
    assert np.array_equal(stored.map, map_)
    table = pd.read_parquet(tmp_path / "projection.parquet")
    assert list(table.columns) == ["face", "x", "y"]
    assert table["face"].tolist() == list(range(12))
    assert {path.name for path in tmp_path.iterdir()} == {"embeddings.npy", "projection.parquet"}


def test_a_map_of_other_faces_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=r"\(12, 2\)"):
        embeddings.store(tmp_path, blobs(3, 4), np.zeros((11, 2)))


def test_an_unfinished_run_says_so(tmp_path: Path):
    with pytest.raises(RunError, match="no embeddings yet"):
        embeddings.load(tmp_path)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_handful_of_faces_still_gets_a_map(count: int):
    map_ = embeddings.project(blobs(1, count, noise=1), seed=0)
    assert map_.shape == (count, 2)
    assert map_.dtype == np.float32
    assert np.isfinite(map_).all()
    assert len(np.unique(map_, axis=0)) == count


def test_umap_keeps_people_together_for_any_number_of_faces():
    """One test, because UMAP compiles for many seconds first."""
    from sklearn.neighbors import NearestNeighbors

    rows = blobs(6, 10)
    map_ = embeddings.project(rows, neighbours=8, seed=0)
    assert map_.shape == (60, 2)
    assert map_.dtype == np.float32
    near = NearestNeighbors(n_neighbors=6).fit(map_).kneighbors(map_, return_distance=False)
    people = np.repeat(np.arange(6), 10)
    assert np.mean(people[near] == people[:, None]) > 0.99
    assert np.array_equal(map_, embeddings.project(rows, neighbours=8, seed=0))
    assert not np.array_equal(map_, embeddings.project(rows, neighbours=8, seed=1))
    for faces in (4, 5, 8, 9):  # fewer than the neighbours asked for, just as many, one more
        assert np.isfinite(embeddings.project(blobs(1, faces, noise=1), neighbours=8)).all()
    copies = np.repeat(blobs(3, 1), 12, axis=0)  # every neighbour at distance 0
    assert np.isfinite(embeddings.project(copies, neighbours=8)).all()
    same = np.repeat(blobs(1, 1), 12, axis=0)
    assert np.isfinite(embeddings.project(same, neighbours=8)).all()
    opposite = np.concatenate([copies, -copies])
    assert np.isfinite(embeddings.project(opposite, neighbours=8)).all()
    # What was compiled lies there for the next process: each run of the studio is one.
    from umap import umap_

    for function in (umap_.smooth_knn_dist, umap_.compute_membership_strengths):
        kept = Path(function.stats.cache_path).glob(f"*.{function.py_func.__name__}-*.nbc")
        assert function.signatures and any(kept), function


def test_umap_works_where_nothing_compiled_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    from umap import umap_

    def refuse(self: object) -> None:
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(type(umap_.smooth_knn_dist), "enable_caching", refuse)
    embeddings._keep_compiled.cache_clear()
    assert np.isfinite(embeddings.project(blobs(1, 20, noise=1))).all()


def test_neighbourhoods_are_exact_and_begin_with_the_face_itself():
    rows = blobs(4, 10, noise=0.5)
    indices, distances = embeddings._neighbourhoods(rows, 5)
    slow = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    assert np.array_equal(indices[:, 0], np.arange(40))
    assert np.array_equal(np.sort(indices, axis=1), np.sort(np.argsort(slow, axis=1)[:, :5], axis=1))
    assert np.allclose(distances, np.take_along_axis(slow, indices, axis=1), atol=1e-3)


def test_a_face_among_many_copies_is_still_its_own_first_neighbour():
    rows = np.repeat(blobs(1, 1), 9, axis=0)
    indices, _ = embeddings._neighbourhoods(rows, 3)
    assert np.array_equal(indices[:, 0], np.arange(9))
    assert all(len(set(row)) == 3 for row in indices.tolist())


def test_clusters_that_are_the_people_score_one():
    people = np.repeat(np.arange(4), 10)
    found = embeddings.clusters(blobs(4, 10), 4, 0, people)
    assert found.nmi == pytest.approx(1)
    assert found.ari == pytest.approx(1)
    assert found.silhouette > 0.8
    assert found.named == 40
    assert len(np.unique(found.labels)) == 4


def test_only_named_faces_count_for_the_scores():
    people = np.repeat(np.arange(4), 10)
    people[1::2] = -1
    found = embeddings.clusters(blobs(4, 10), 4, 0, people)
    assert found.named == 20
    assert found.ari == pytest.approx(1)


def test_clusters_without_any_relation_to_people_score_nothing():
    people = np.random.default_rng(0).permutation(np.repeat(np.arange(4), 100))
    found = embeddings.clusters(blobs(4, 100), 4, 0, people)
    assert abs(found.ari) < 0.03


def test_scores_are_left_out_where_they_mean_nothing():
    rows = blobs(3, 2, noise=0.5)
    alone = embeddings.clusters(rows, 1, 0, np.full(6, -1))
    assert (alone.silhouette, alone.nmi, alone.ari, alone.named) == (None, None, None, 0)
    assert embeddings.clusters(rows, 6, 0).silhouette is None  # each face its own cluster
    assert embeddings.clusters(rows[:1], 1, 0).labels.tolist() == [0]


def test_the_silhouette_of_a_sample_is_near_that_of_all():
    from sklearn.metrics import silhouette_score

    rows = blobs(5, 800, noise=0.6)
    found = embeddings.clusters(rows, 5, 0)
    assert found.silhouette == pytest.approx(silhouette_score(rows, found.labels), abs=0.02)


@pytest.mark.parametrize("k", [0, 7])
def test_an_impossible_number_of_clusters_is_refused(k: int):
    with pytest.raises(ValueError, match="6"):
        embeddings.clusters(blobs(3, 2), k, 0)
