"""Who is known, and when a face is nobody known: against brute force and hand counts."""

import json
from pathlib import Path

import numpy as np
import pytest

from facessl import gallery
from facessl.errors import DatasetError, ModelError
from facessl.gallery import Gallery, identify

PEOPLE = ["Ada", "Bo", "Cy"]
ARRAYS = ("embeddings", "labels", "faces", "impostors", "genuine")


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def a_set(seed: int = 0, noise: float = 0.6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return embeddings, labels and splits: three people with 8 train, 4 val, 4 test, and 5 nameless faces."""
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.repeat([0, 1, 2], 16), np.full(5, -1)])
    splits = np.array((["train"] * 8 + ["val"] * 4 + ["test"] * 4) * 3 + ["unlabelled"] * 5)
    order = rng.permutation(len(labels))
    centres = rng.normal(size=(4, 12))
    rows = unit(centres[labels] + rng.normal(0, noise, (len(labels), 12)))
    return rows[order], labels[order], splits[order]


@pytest.fixture
def known() -> Gallery:
    return gallery.build(*a_set(), PEOPLE)


def with_impostors(*scores: float) -> Gallery:
    nothing = np.zeros(0, np.int64)
    sorted_scores = np.sort(np.array(scores, np.float32))
    return Gallery(np.zeros((0, 4), np.float32), nothing, (), nothing, sorted_scores, np.zeros(0, np.float32))


def test_known_are_the_named_train_faces(known: Gallery):
    rows, labels, splits = a_set()
    expected = [i for i in range(len(rows)) if splits[i] == "train" and labels[i] >= 0]
    assert known.faces.tolist() == expected
    assert np.array_equal(known.embeddings, rows[expected])
    assert np.array_equal(known.labels, labels[expected])


def test_an_impostor_scores_its_best_against_other_people(known: Gallery):
    rows, labels, splits = a_set()
    train = splits == "train"
    impostors, genuine = [], []
    for i in np.flatnonzero(splits == "val"):
        impostors.append(max(rows[i] @ rows[j] for j in np.flatnonzero(train & (labels != labels[i]))))
        genuine.append(max(rows[i] @ rows[j] for j in np.flatnonzero(train & (labels == labels[i]))))
    assert known.impostors == pytest.approx(sorted(impostors), abs=1e-6)
    assert known.genuine == pytest.approx(sorted(genuine), abs=1e-6)


@pytest.mark.parametrize("count", [96, 100, 49, 1000])
@pytest.mark.parametrize("rate", [0.0, 0.001, 0.01, 0.05, 0.1, 0.29, 0.5, 0.999, 1.0])
def test_the_threshold_accepts_the_share_nearest_to_the_rate(rate: float, count: int):
    scores = np.random.default_rng(0).uniform(-0.2, 0.9, count).astype(np.float32)
    known = with_impostors(*scores)
    threshold = known.threshold(rate)
    accepted = int(np.sum(scores >= threshold))
    assert accepted == known.accepted(rate)
    assert abs(accepted / count - rate) <= min(abs(other / count - rate) for other in range(count + 1)) + 1e-12
    # The least such threshold: anything lower lets one more in.
    assert np.sum(scores >= np.float32(threshold) - np.float32(2e-7)) > accepted or accepted == count


def test_few_impostors_put_the_threshold_just_above_the_highest():
    found = with_impostors(0.1, 0.5, 0.3)
    assert 0.5 < found.threshold(0.01) < 0.5001
    assert with_impostors(0.7, 0.7, 0.7).threshold(0.34) > 0.7  # equal scores are accepted together or not at all


def test_a_threshold_needs_impostors_and_a_share():
    with pytest.raises(DatasetError, match="two named people"):
        with_impostors().threshold()
    with pytest.raises(ValueError, match="share"):
        with_impostors(0.5).threshold(1.5)


def test_one_person_alone_has_no_impostors():
    rows, labels, splits = a_set()
    only = gallery.build(rows, np.where(labels == 0, 0, -1), splits, PEOPLE[:1])
    assert len(only.labels) == 8
    assert len(only.impostors) == 0
    assert len(only.genuine) == 4


def test_it_survives_the_disk_and_needs_no_pickle(known: Gallery, tmp_path: Path):
    odd = Gallery(**{**vars(known), "people": ("आदा", "Bo's", "../x"), "best_of": 3})
    odd.save(tmp_path)
    loaded = Gallery.load(tmp_path)
    assert (loaded.people, loaded.best_of) == (odd.people, 3)
    for name in ARRAYS:
        assert np.array_equal(getattr(loaded, name), getattr(odd, name))
    assert [path.name for path in tmp_path.iterdir()] == ["gallery.npz"]


def test_what_is_no_gallery_is_refused(tmp_path: Path):
    with pytest.raises(ModelError, match="missing or damaged"):
        Gallery.load(tmp_path)
    (tmp_path / "gallery.npz").write_text("not a zip")
    with pytest.raises(ModelError, match="missing or damaged"):
        Gallery.load(tmp_path)
    np.savez(tmp_path / "gallery.npz", anything=np.zeros(3))
    with pytest.raises(ModelError, match="not written by facessl"):
        Gallery.load(tmp_path)
    np.savez(tmp_path / "gallery.npz", header=np.frombuffer(b"[1]", np.uint8), **dict.fromkeys(ARRAYS, np.zeros(1)))
    with pytest.raises(ModelError, match="not written by facessl"):
        Gallery.load(tmp_path)
    np.savez(tmp_path / "gallery.npz", header=np.array([{"code": print}], dtype=object))
    with pytest.raises(ModelError, match="not written by facessl"):
        Gallery.load(tmp_path)


def test_the_answer_agrees_with_a_slow_search(known: Gallery):
    rows, labels, splits = a_set()
    for probe in rows[splits == "test"]:
        best = {}
        for row, label in zip(known.embeddings, known.labels, strict=True):
            best[PEOPLE[label]] = max(best.get(PEOPLE[label], -2), float(row @ probe))
        expected = sorted(best.items(), key=lambda pair: -pair[1])
        answer = identify(probe, known, 0.5)
        assert [person for person, _ in answer.candidates] == [person for person, _ in expected]
        assert [s for _, s in answer.candidates] == pytest.approx([s for _, s in expected], abs=1e-6)
        assert answer.person == (expected[0][0] if expected[0][1] >= 0.5 else None)
        closest = np.argsort(-(known.embeddings @ probe))[:3]
        assert [face for face, _, _ in answer.nearest] == known.faces[closest].tolist()
        assert [person for _, person, _ in answer.nearest] == [PEOPLE[known.labels[i]] for i in closest]
    assert (labels[known.faces] == known.labels).all()  # a face row of the evidence is a row of the set


@pytest.mark.parametrize("best_of", [1, 3, 100])
def test_a_person_is_as_similar_as_their_closest_faces_on_average(best_of: int):
    rows, labels, splits = a_set()
    found = gallery.build(rows, labels, splits, PEOPLE, best_of=best_of)
    probe = rows[splits == "test"][0]
    for label, name in enumerate(PEOPLE):
        cosines = sorted((float(row @ probe) for row in rows[(splits == "train") & (labels == label)]), reverse=True)
        expected = sum(cosines[:best_of]) / len(cosines[:best_of])
        assert dict(identify(probe, found, 0.5).candidates)[name] == pytest.approx(expected, abs=1e-6)


def test_exactly_the_threshold_is_accepted_and_a_hair_less_is_not(known: Gallery):
    probe = known.embeddings[0]
    similarity = identify(probe, known, 0.5).similarity
    assert identify(probe, known, similarity).person is not None
    assert identify(probe, known, float(np.nextafter(similarity, 2))).person is None


def test_an_empty_gallery_knows_nobody():
    answer = identify(unit(np.ones(4)), with_impostors(0.5), 0.5)
    assert answer.person is None
    assert (answer.candidates, answer.nearest) == ([], [])


def test_a_person_without_known_faces_is_no_candidate():
    rows, labels, splits = a_set()
    splits[labels == 1] = "test"
    found = gallery.build(rows, labels, splits, PEOPLE)
    assert {person for person, _ in identify(rows[0], found, 0.1).candidates} == {"Ada", "Cy"}
    assert np.isfinite(found.impostors).all()


def test_rates_by_hand():
    # Two people on the axes; similarity to the nearer axis decides.
    corner = Gallery(
        np.eye(2, dtype=np.float32), np.array([0, 1]), ("Ada", "Bo"), np.array([0, 1]),
        np.zeros(0, np.float32), np.zeros(0, np.float32),
    )  # fmt: skip
    probes = unit(np.array([[1, 0.1], [0.1, 1], [1, 0.1], [1, 1], [0, 1], [1, 1], [1, 0.9]]))
    labels = np.array([0, 0, 0, 1, -1, -1, -1])
    found = gallery.evaluate(corner, probes, labels, 0.8)
    assert found["known"]["photos"] == 4
    assert (found["known"]["right"], found["known"]["wrong"], found["known"]["unknown"]) == (0.5, 0.25, 0.25)
    assert found["strangers"]["photos"] == 3
    assert found["strangers"]["wrong"] == pytest.approx(1 / 3)
    assert found["strangers"]["unknown"] == pytest.approx(2 / 3)
    low, high = found["strangers"]["wrong_interval"]
    assert low < 1 / 3 < high
    json.dumps(found, allow_nan=False)


def test_no_strangers_give_no_rate(known: Gallery):
    rows, labels, splits = a_set()
    found = gallery.evaluate(known, rows[splits == "test"], labels[splits == "test"], known.threshold())
    assert found["strangers"] == {
        "photos": 0, "wrong": None, "wrong_interval": [0, 1], "unknown": None, "unknown_interval": [0, 1],
    }  # fmt: skip


def test_strangers_are_let_in_about_as_often_as_promised():
    """With many people, val impostors foretell what people outside the set do."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(80, 32))
    labels = np.repeat(np.arange(60), 20)
    splits = np.array((["train"] * 10 + ["val"] * 10) * 60)
    rows = unit(centres[labels] + rng.normal(0, 0.8, (1200, 32)))
    strangers = unit(np.repeat(centres[60:], 100, axis=0) + rng.normal(0, 0.8, (2000, 32)))
    found = gallery.build(rows, labels, splits, [str(i) for i in range(60)])
    rates = gallery.evaluate(found, strangers, np.full(2000, -1), found.threshold(0.05))
    assert 0.02 < rates["strangers"]["wrong"] < 0.09
