"""A prepared set opens, lists and refuses by what is on disk."""

import json
from pathlib import Path

import numpy as np
import pytest

from facessl import edits
from facessl.dataset import FaceDataset, list_datasets, open_dataset
from facessl.errors import DatasetError
from tests.tiny import make_set


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("workspace")
    make_set(path)
    make_set(path, "another", people=2, photos=20, unnamed=0)
    (path / "datasets" / "half").mkdir()
    return path


@pytest.fixture(scope="module")
def dataset(workspace: Path) -> FaceDataset:
    return open_dataset(workspace, "tiny")


def test_only_finished_sets_are_listed(workspace: Path, tmp_path: Path) -> None:
    assert [dataset.name for dataset in list_datasets(workspace)] == ["another", "tiny"]
    assert list_datasets(tmp_path) == []


@pytest.mark.parametrize("name", ["half", "missing", "", ".", "..", "../datasets/tiny", "tiny/../tiny"])
def test_what_is_no_finished_set_is_refused(workspace: Path, name: str) -> None:
    with pytest.raises(DatasetError, match="have: another, tiny"):
        open_dataset(workspace, name)


def test_row_i_of_the_crops_describes_face_i(dataset: FaceDataset) -> None:
    crops = dataset.crops
    assert list(crops["face"]) == list(range(len(dataset.faces)))
    assert list(crops.index) == list(range(len(crops)))
    assert len(dataset.table) >= len(crops)
    assert dataset.faces.shape[1:] == (dataset.size, dataset.size, 3)


def test_splits_part_the_faces(dataset: FaceDataset) -> None:
    parts = [dataset.rows(split) for split in ("unlabelled", "train", "val", "test")]
    assert sorted(np.concatenate(parts)) == list(range(len(dataset.faces)))
    assert [len(part) for part in parts] == [4, 24, 3, 3]
    assert list(dataset.rows("train", "val")) == sorted([*parts[1], *parts[2]])


def test_labels_are_indices_into_people(dataset: FaceDataset) -> None:
    rows = dataset.rows("train", "val", "test")
    assert [dataset.people[label] for label in dataset.labels(rows)] == list(dataset.crops["person"].iloc[rows])
    assert (dataset.labels(dataset.rows("unlabelled")) == -1).all()


def test_opening_reads_no_faces(tmp_path: Path) -> None:
    make_set(tmp_path, people=1)
    opened = open_dataset(tmp_path, "tiny")
    assert (opened.people, opened.size) == (["Person 0"], 32)
    assert not {"faces", "table", "crops"} & vars(opened).keys()  # what is kept once it was asked for


def test_the_summary_is_of_the_set_as_it_stands(tmp_path: Path) -> None:
    path = make_set(tmp_path, people=3, photos=10, unnamed=4) / "dataset.json"
    splits = {"unlabelled": 4, "train": 24, "val": 3, "test": 3}
    counts = {"photos": 34, "faces": 34, "splits": splits}
    path.write_text(json.dumps({**json.loads(path.read_text()), "counts": counts}))
    made = {"dataset": "tiny", "people": 3, "photos": 34, "faces": 34, **splits, "source": "synthetic"}
    dataset = open_dataset(tmp_path, "tiny")
    assert dataset.summary() == made
    edits.append(dataset.path, dataset.table, "exclude", person="Person 1")  # 8 train, 1 val, 1 test
    left = {"people": 2, "faces": 24, "train": 16, "val": 2, "test": 2}
    assert open_dataset(tmp_path, "tiny").summary() == {**made, **left}
