"""Lists of pairs are read or refused, found in a set, or drawn from its test part."""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from facessl import pairs
from facessl.dataset import FaceDataset, open_dataset
from facessl.errors import DatasetError, SourceError
from facessl.pairs import ListedPair
from tests.tiny import make_set

TWO_FOLDS = "2\t1\nAnn_Lee\t1\t4\nAnn_Lee\t2\tBo\t1\nBo\t1\t2\nBo\t3\tAnn_Lee\t12\n"


def test_folds_are_read_in_their_order() -> None:
    assert pairs.parse(TWO_FOLDS) == [
        ListedPair(("Ann_Lee", 1), ("Ann_Lee", 4), 1),
        ListedPair(("Ann_Lee", 2), ("Bo", 1), 1),
        ListedPair(("Bo", 1), ("Bo", 2), 2),
        ListedPair(("Bo", 3), ("Ann_Lee", 12), 2),
    ]
    assert [pair.same for pair in pairs.parse(TWO_FOLDS)] == [True, False, True, False]


def test_a_single_count_is_one_part() -> None:
    found = pairs.parse("2\nAnn\t1\t2\nAnn\t1\t3\nAnn\t1\tBo\t1\nBo\t2\tAnn\t4\n")
    assert [pair.fold for pair in found] == [1] * 4
    assert [pair.same for pair in found] == [True, True, False, False]


def test_blanks_line_ends_and_empty_lines_are_forgiven(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_bytes(b"\xef\xbb\xbf" + ("\n" + TWO_FOLDS).replace("\n", "\r\n").encode() + b"\r\n\r\n")
    assert pairs.read(path) == pairs.parse(TWO_FOLDS)
    assert pairs.parse(TWO_FOLDS.replace("\t", "  ")) == pairs.parse(TWO_FOLDS)
    with_blank = pairs.parse("1\nAnn Lee\t1\t2\nAnn Lee\t1\tBo\t1\n")
    assert with_blank[0].one == ("Ann Lee", 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("ten\t300\n", "line 1: the first line is the number"),
        ("10\t0\n", "line 1: the first line is"),
        ("1\t2\t3\n", "line 1: the first line is"),
        ("1\t1\nAnn\t1\t2\n", "line 2: the first line promises 2 pairs, and there are 1"),
        ("1\t1\nAnn\t1\t2\nAnn\t1\tBo\t2\nAnn\t1\t3\n", "line 4: the first line promises 2 pairs, and there are 3"),
        ("1\nAnn\t1\nAnn\t1\tBo\t2\n", "line 2: expected a pair of one person's photos.* got 2 parts"),
        ("1\nAnn\t1\tBo\t2\nAnn\t1\t2\n", "line 2: expected a pair of one person's .* got 4 parts"),
        ("1\n\nAnn\t1\t2\nAnn\t1\t3\n", "line 4: expected two people's"),
        ("1\nAnn\t1\t0\nAnn\t1\tBo\t2\n", "line 2: .* with numbers from 1"),
        ("1\nAnn\t1\t-2\nAnn\t1\tBo\t2\n", "line 2: .* with numbers from 1"),
        ("1\nAnn\tone\t2\nAnn\t1\tBo\t2\n", "line 2: .* with numbers from 1"),
        ("1\nAnn\t1\t²\nAnn\t1\tBo\t2\n", "line 2: .* with numbers from 1"),
        ("1\nAnn\t1\t99999999999999999999\nAnn\t1\tBo\t2\n", "line 2: .* with numbers from 1"),
        ("1\nAnn\t1\t2\n\t1\tBo\t2\n", "line 3: expected two people's"),
        ("1\nAnn\t2\t2\nAnn\t1\tBo\t2\n", "line 2: it compares a photo with itself"),
        ("1\nAnn\t1\t2\nAnn\t1\tAnn\t3\n", "line 3: both photos are Ann's"),
    ],
)
def test_bad_lines_are_refused_in_one_sentence_with_their_number(text: str, words: str) -> None:
    with pytest.raises(SourceError, match=words) as refused:
        pairs.parse(text, "mine.txt")
    assert str(refused.value).startswith("mine.txt") and "\n" not in str(refused.value)


def test_files_that_are_no_list_are_refused(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0 no text")
    for path, words in (("photo.jpg", "is no text"), ("none.txt", "cannot be read"), (".", "cannot be read")):
        with pytest.raises(SourceError, match=f"{words}.*or none: pairs are then drawn"):
            pairs.read(tmp_path / path)


def test_the_same_pairs_have_one_digest_in_whatever_order(tmp_path: Path) -> None:
    faces, same, fold = np.array([[1, 2], [3, 4], [5, 6]]), np.array([True, False, True]), np.array([1, 1, 2])
    turned = pairs.digest(faces[::-1, ::-1], same[::-1], fold[::-1])
    assert pairs.digest(faces, same, fold) == turned and len(turned) == 12
    assert pairs.digest(faces, ~same, fold) != turned != pairs.digest(faces, same, fold + 1)
    assert pairs.digest(np.add(faces, [[1, 0], [0, 0], [0, 0]]), same, fold) != turned


# -- in a set ----------------------------------------------------------------------------------------------------


def lfw_like(workspace: Path, **changes: dict[int, object]) -> FaceDataset:
    """Return the tiny set with LFW's file names: three people with ten photos each; ``changes`` by column and row."""
    folder = make_set(workspace)
    table = pd.read_parquet(folder / "faces.parquet")
    names = ["Ann_Lee", "Bo", "Cy_de_la_O", "Nobody"]
    table["path"] = [f"lfw/{names[n // 10]}/{names[n // 10]}_{n % 10 + 1:04d}.jpg" for n in range(len(table))]
    for column, values in changes.items():
        for row, value in values.items():
            table.loc[row, column] = value
    table.to_parquet(folder / "faces.parquet", index=False)
    return open_dataset(workspace, "tiny")


LIST = "2\t1\nAnn_Lee\t1\t9\nAnn_Lee\t10\tNobody\t1\nBo\t1\t2\nBo\t3\tCy_de_la_O\t10\n"


def test_photos_are_found_in_every_split(tmp_path: Path) -> None:
    dataset = lfw_like(tmp_path)
    found = pairs.find(pairs.parse(LIST), dataset)
    assert found.faces.tolist() == [[0, 8], [9, 30], [10, 11], [12, 29]]
    assert set(dataset.crops["split"].to_numpy()[found.faces.ravel()]) == {"train", "val", "test", "unlabelled"}
    assert found.same.tolist() == [True, False, True, False]
    assert found.fold.tolist() == [1, 1, 2, 2]
    assert found.people.tolist() == [[0, 0], [0, 3], [1, 1], [1, 2]]
    assert len(found.photos) == 8 and found.notes == []
    assert (found.told["scored"], found.told["left_out"], found.told["folds_share"]) == (4, 0, "nothing")


def test_folds_that_share_people_are_told(tmp_path: Path) -> None:
    shared = LIST.replace("Bo\t3\tCy_de_la_O\t10", "Bo\t3\tAnn_Lee\t2")
    assert pairs.find(pairs.parse(shared), lfw_like(tmp_path)).told["folds_share"] == "people"


def test_the_table_s_order_and_the_folder_s_name_do_not_matter(tmp_path: Path) -> None:
    dataset = lfw_like(tmp_path, path={8: "elsewhere/Ann_Lee_9.PNG"}, face={10: 11, 11: 10})
    assert pairs.find(pairs.parse(LIST), dataset).faces.tolist() == [[0, 8], [9, 30], [11, 10], [12, 29]]


def test_photos_without_a_face_are_counted_and_their_pairs_left_out(tmp_path: Path) -> None:
    dataset = lfw_like(
        tmp_path, status={8: "no face", 30: "too small"}, face={30: -1}, path={0: "lfw/Ann_Lee/other.jpg"}
    )
    found = pairs.find(pairs.parse(LIST), dataset)
    assert found.faces.tolist() == [[10, 11], [12, 29]]
    assert found.told["photos_missing"] == {"not in the set": 1, "no face": 1, "too small": 1}
    assert (found.told["listed"], found.told["scored"], found.told["left_out"], found.told["left_out_same"]) == (
        4,
        2,
        2,
        1,
    )
    assert "2 of 4 pairs are scored; 2 left out" in found.notes[0]
    assert "1 no face, 1 not in the set, 1 too small" in found.notes[0]
    assert len(found.photos) == 8  # what the pairs are about does not depend on what was found


def test_two_pictures_of_one_name_are_nobody_s(tmp_path: Path) -> None:
    twice = {20: "other/Bo/Bo_0001.jpg"}
    assert pairs.find(pairs.parse(LIST), lfw_like(tmp_path, path=twice)).told["photos_missing"] == {
        "several photos of that name": 1
    }
    copies = lfw_like(tmp_path / "copies", path=twice, hash={20: f"{10:016x}"})
    assert pairs.find(pairs.parse(LIST), copies).told["left_out"] == 0


def test_a_set_without_these_photos_says_which_to_prepare(tmp_path: Path) -> None:
    make_set(tmp_path)
    with pytest.raises(DatasetError, match=r"tiny holds none of the pairs of pairs\.txt; prepare the photos"):
        pairs.find(pairs.parse(LIST), open_dataset(tmp_path, "tiny"))


def test_a_whitening_may_be_fitted_on_faces_that_no_pair_is_about(tmp_path: Path) -> None:
    dataset = lfw_like(tmp_path)
    rows = pairs.unnamed(dataset, pairs.find(pairs.parse(LIST), dataset))
    assert set(rows) == set(dataset.rows("unlabelled", "train")) - {0, 8, 9, 30, 10, 11, 12, 29}
    assert 1 in rows and 31 in rows


# -- drawn -------------------------------------------------------------------------------------------------------


def a_set(workspace: Path, photos: list[int], groups: dict[int, int] | None = None) -> FaceDataset:
    """Return a set in which person i has ``photos[i]`` test photos; the others' are train."""
    most = max(photos)
    folder = make_set(workspace, people=len(photos), photos=most, unnamed=2)
    table = pd.read_parquet(folder / "faces.parquet")
    place = np.arange(len(table)) % most
    tested = [label >= 0 and n < photos[label] for n, label in zip(place, table["label"], strict=True)]
    table["split"] = np.where(tested, "test", np.where(table["label"] < 0, "unlabelled", "train"))
    for row, group in (groups or {}).items():
        table.loc[row, "group"] = group
    table.to_parquet(folder / "faces.parquet", index=False)
    return open_dataset(workspace, "tiny")


def people_of(dataset: FaceDataset, found: pairs.Protocol, fold: int) -> set[int]:
    return set(dataset.labels(found.faces[found.fold == fold].ravel()).tolist())


@pytest.mark.parametrize("people", [8, 13, 45])
def test_folds_of_many_people_share_nobody(people: int, tmp_path: Path) -> None:
    dataset = a_set(tmp_path, [3] * people)
    found = pairs.draw(dataset, per_fold=5, seed=0)
    folds = np.unique(found.fold)
    assert len(folds) == min(10, people // 4) == found.told["folds"]
    together = [people_of(dataset, found, fold) for fold in folds]
    assert sum(len(some) for some in together) == len(set.union(*together))
    assert found.told["folds_share"] == "nothing" and found.notes == []


def test_folds_of_six_people_share_people_but_no_photo_and_say_so(tmp_path: Path) -> None:
    dataset = a_set(tmp_path, [20, 22, 24, 25, 21, 20])
    found = pairs.draw(dataset, per_fold=300, seed=0)
    together = [set(found.faces[found.fold == fold].ravel().tolist()) for fold in (1, 2, 3)]
    assert sum(len(some) for some in together) == len(set.union(*together)) == found.told["photos_named"]
    assert people_of(dataset, found, 1) == people_of(dataset, found, 3) == set(range(6))
    couples = {tuple(sorted(pair)) for pair in found.people[~found.same].tolist()}
    assert len(couples) == 15
    assert found.told["folds_share"] == "people" and "6 people, too few" in found.notes[0]


@pytest.mark.parametrize("photos", [[20] * 6, [3] * 9, [2, 9, 4, 1, 7, 3, 8, 2, 5, 6], [2, 1]])
def test_pairs_are_what_they_say_and_as_many_of_each_kind(photos: list[int], tmp_path: Path) -> None:
    dataset = a_set(tmp_path, photos)
    found = pairs.draw(dataset, per_fold=7, seed=3)
    labels = dataset.labels(found.faces.ravel()).reshape(-1, 2)
    assert (found.people == labels).all()
    assert (found.same == (labels[:, 0] == labels[:, 1])).all()
    assert set(dataset.crops["split"].to_numpy()[found.faces.ravel()]) == {"test"}
    assert (found.faces[:, 0] != found.faces[:, 1]).all()
    assert len({frozenset(pair) for pair in found.faces.tolist()}) == len(found.faces)
    for fold in np.unique(found.fold):
        kinds = Counter(found.same[found.fold == fold].tolist())
        assert 1 <= kinds[True] == kinds[False] <= 7


def test_everybody_comes_up_equally_often_however_many_photos_they_have(tmp_path: Path) -> None:
    dataset = a_set(tmp_path, [40, 6, 6, 6])
    found = pairs.draw(dataset, per_fold=4, seed=0)
    alone = Counter(found.people[found.same][:, 0].tolist())
    assert [alone[person] for person in range(4)] == [3] * 4  # one in each of three folds, of two photos each
    couples = Counter(tuple(sorted(pair)) for pair in found.people[~found.same].tolist())
    assert max(couples.values()) <= 3


def test_who_has_most_photos_does_not_make_up_the_same_pairs(tmp_path: Path) -> None:
    dataset = a_set(tmp_path, [40, 6, 6, 6])
    found = pairs.draw(dataset, per_fold=300, seed=0)
    for fold in (1, 2, 3):
        alone = Counter(found.people[found.same & (found.fold == fold)][:, 0].tolist())
        assert alone[0] <= max(alone[person] for person in (1, 2, 3))
    only = pairs.draw(a_set(tmp_path / "only", [6, 1, 1]), per_fold=300, seed=0)
    assert only.told["same"] == only.told["different"] == 13  # 6 × 2 + 1 different; of the 15 same pairs as many


def test_the_seed_draws_and_the_same_one_draws_the_same(tmp_path: Path) -> None:
    dataset = a_set(tmp_path, [10] * 9)
    first, again, other = (pairs.draw(dataset, 6, seed).faces for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_two_copies_of_one_picture_are_no_pair(tmp_path: Path) -> None:
    dataset = a_set(tmp_path, [3, 3], {0: 0, 1: 0})
    for seed in range(8):
        drawn = {frozenset(pair) for pair in pairs.draw(dataset, 50, seed).faces.tolist()}
        assert frozenset((0, 1)) not in drawn


@pytest.mark.parametrize("photos", [[5, 0], [1, 1], [0, 0]])
def test_a_test_part_without_pairs_is_refused(photos: list[int], tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="has no pairs to compare"):
        pairs.draw(a_set(tmp_path, [*photos, 0] if any(photos) else [0, 0, 1]), 10, 0)


def test_a_photo_goes_by_its_folder_its_name_and_its_looks(tmp_path: Path) -> None:
    dataset = a_set(tmp_path, [4, 4])
    found = pairs.draw(dataset, 10, 0)
    rows = dataset.crops.iloc[np.unique(found.faces)].copy()
    rows["path"] = "another/root/" + rows["path"]
    assert found.asked(rows) == found.photos
    rows["hash"] = "f" * 16
    assert found.asked(rows) == set()
