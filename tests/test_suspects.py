"""Names that were swapped on purpose are doubted, others are not; and each verdict is recounted slowly."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import KNeighborsClassifier

from facessl import suspects

PEOPLE, EACH = 4, 15
RNG = np.random.default_rng(0)
CENTRES = np.eye(PEOPLE, 16)


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


VECTORS = unit(np.repeat(CENTRES, EACH, axis=0) + np.random.default_rng(1).normal(0, 0.08, (PEOPLE * EACH, 16)))


def crops_of(labels: np.ndarray, **columns: object) -> pd.DataFrame:
    """Return what ``judge`` reads of a set."""
    table = {
        "photo": np.arange(len(labels)), "label": labels, "person": [f"P{i}" if i >= 0 else "" for i in labels],
        "status": "kept", "group": -1, "found": 1, "flaws": "",
    }  # fmt: skip
    return pd.DataFrame({**table, **columns})


def judged(crops: pd.DataFrame, vectors: np.ndarray = VECTORS, k: int = suspects.K) -> pd.DataFrame:
    everybody = suspects.near(vectors, np.arange(len(vectors)))
    named = suspects.near(vectors, np.flatnonzero(crops["person"] != ""))
    return suspects.judge(crops, everybody, named, k)


RIGHT = np.repeat(np.arange(PEOPLE), EACH)


def test_swapped_names_are_doubted_and_no_others() -> None:
    labels = RIGHT.copy()
    labels[[0, 20]] = labels[[20, 0]]
    found = judged(crops_of(labels))
    assert np.flatnonzero(found["doubtful"]).tolist() == [0, 20]
    assert found["likely"].iloc[[0, 20]].tolist() == ["P0", "P1"]
    assert found["suspicion"].nlargest(2).index.tolist() in ([0, 20], [20, 0])
    assert suspects.agreement(found) == (58, 60)


def test_the_votes_are_those_of_a_slow_recount() -> None:
    labels = RNG.permutation(RIGHT)
    labels[:6] = -1
    crops = crops_of(labels, status=np.where(np.arange(60) % 9 == 8, "excluded", "kept"))
    crops.loc[[10, 11, 12], "group"] = 10
    found = judged(crops)
    similar = VECTORS @ VECTORS.T
    for i in range(60):
        if labels[i] < 0 or crops["status"][i] != "kept":
            assert found["voters"][i] == 0 and not found["doubtful"][i]
            continue
        voters = [
            j for j in np.argsort(-similar[i], kind="stable")
            if j != i and labels[j] >= 0 and crops["status"][j] == "kept" and not {i, j} <= {10, 11, 12}
        ][:10]  # fmt: skip
        counted = Counter(labels[voters].tolist())
        own = counted.pop(labels[i], 0)
        most = max(counted.values())
        assert (found["voters"][i], found["own"][i], found["other"][i]) == (10, own, most)
        assert counted[int(found["likely"][i][1:])] == most
        assert found["doubtful"][i] == (most > own and most > 5)


def test_doubt_is_wilsons_rule_as_scikit_learn_would_vote() -> None:
    labels = RIGHT.copy()
    labels[::7] = (labels[::7] + 1) % PEOPLE
    found = judged(crops_of(labels), k=9)
    for i in range(len(labels)):
        rest = np.arange(len(labels)) != i
        knn = KNeighborsClassifier(9, metric="cosine").fit(VECTORS[rest], labels[rest])
        shares = knn.predict_proba(VECTORS[[i]])[0]
        assert found["doubtful"][i] == (shares.argmax() != labels[i] and shares.max() > 0.5)


def test_a_tie_is_no_doubt() -> None:
    vectors = unit(np.array([[1, 0.0], [1, 0.01], [1, 0.02], [1, -0.01], [1, -0.02], [0, 1]]))
    found = judged(crops_of(np.array([0, 0, 0, 1, 1, 1])), vectors, k=4)
    assert (found["own"][0], found["other"][0]) == (2, 2)
    assert not found["doubtful"][0]


def test_copies_have_no_voice_and_few_pictures_are_not_judged() -> None:
    labels = RIGHT.copy()
    labels[:3] = 3  # three copies of one picture, all under the wrong name
    vectors = VECTORS.copy()
    vectors[1] = vectors[2] = vectors[0]
    alone = crops_of(labels)
    together = crops_of(labels, group=np.where(np.arange(60) < 3, 0, -1))
    assert judged(alone, vectors)["own"].iloc[0] == 2
    assert judged(together, vectors)["own"].iloc[0] == 0
    only = np.full(60, 0)
    only[:2] = 1  # two pictures: one other
    assert judged(crops_of(only))["voters"].iloc[:2].tolist() == [0, 0]


def test_one_person_and_nobody_are_never_doubted() -> None:
    for labels in (np.zeros(60, int), np.full(60, -1)):
        found = judged(crops_of(labels))
        assert not found["doubtful"].any()
    assert suspects.agreement(found) == (0, 0)


def test_what_is_far_from_everybody_is_an_outlier() -> None:
    vectors = VECTORS.copy()
    vectors[30] = unit(np.eye(16)[[15]])[0]
    found = judged(crops_of(RIGHT), vectors)
    assert np.flatnonzero(found["outlier"]).tolist() == [30]
    slow = np.sort(np.delete(vectors @ vectors[30], 30))[-10:].mean()
    assert found["alike"][30] == pytest.approx(slow, abs=1e-5)


def test_every_suspect_says_why() -> None:
    labels = RIGHT.copy()
    labels[[0, 20]] = labels[[20, 0]]
    found = judged(
        crops_of(labels, found=np.where(np.arange(60) == 5, 3, 1), flaws=np.where(np.arange(60) == 6, "dark", ""))
    )
    assert found["why"][0] == "10 of its 10 nearest are “P0”, none bears its name."
    assert found["why"][5] == "3 faces are in the photo; this may be the wrong one."
    assert found["why"][6] == "The face is dark."
    assert ((found["why"] != "") == (found["suspicion"] > 0)).all()
    assert found["suspicion"][0] > found["suspicion"][5] > found["suspicion"][6] > found["suspicion"][7] == 0


@pytest.mark.parametrize("count", [1, 2, 5, 40])
def test_near_is_a_full_search_without_the_face_itself(count: int) -> None:
    vectors = VECTORS[:count]
    found = suspects.near(vectors, np.arange(0, count, 2))
    for i in range(count):
        pool = [j for j in range(0, count, 2) if j != i]
        wanted = sorted(pool, key=lambda j: -float(vectors[i] @ vectors[j]))[:30]
        got = found.indices[i]
        assert got[got >= 0].tolist() == wanted
        assert np.isnan(found.similarities[i, len(wanted) :]).all()


def test_exact_copies_do_not_push_a_face_into_its_own_list() -> None:
    vectors = np.tile(VECTORS[:1], (50, 1))
    found = suspects.near(vectors, np.arange(50))
    assert all(i not in found.indices[i] for i in range(50))
    assert (found.indices >= 0).all()


def test_pixels_know_the_same_picture_under_other_light() -> None:
    faces = RNG.integers(40, 200, (30, 8, 8, 3)).repeat(8, 1).repeat(8, 2).astype(np.uint8)
    faces[1] = np.clip(faces[0] * 0.7 + 20, 0, 255)
    faces[2] = 128
    rows = suspects.pixel_vectors(faces, np.arange(30))
    assert np.linalg.norm(rows[3:], axis=1) == pytest.approx(np.ones(27), abs=1e-5)
    assert not rows[2].any()
    assert int((np.delete(rows, 0, axis=0) @ rows[0]).argmax()) == 0
    assert rows[0] @ rows[1] > 0.95


def test_one_face_is_compared_with_nobody() -> None:
    rows = suspects.pixel_vectors(np.zeros((1, 32, 32, 3), np.uint8), np.arange(1))
    assert (suspects.near(rows, np.arange(1)).indices == -1).all()
    assert len(suspects.most_like(rows, 0, np.zeros(0, int), 5)[0]) == 0
