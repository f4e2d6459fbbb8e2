"""Corrections: what they mean, that they are undone, refused in a sentence, survive a crash; old runs see theirs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facessl import config, edits, runs
from facessl.dataset import FaceDataset, open_dataset, open_for
from facessl.errors import DamagedError, DatasetError
from facessl.studio import Studio
from tests.tiny import make_set


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    make_set(tmp_path)
    return tmp_path


def edit(workspace: Path, action: edits.Action, **what: object) -> FaceDataset:
    dataset = open_dataset(workspace, "tiny")
    edits.append(dataset.path, dataset.table, action, **what)
    return open_dataset(workspace, "tiny")


def test_a_new_name_keeps_the_faces_and_sorts_the_people_anew(workspace: Path) -> None:
    dataset = edit(workspace, "rename", person="Person 0", to="Zoë")
    assert dataset.people == ["Person 1", "Person 2", "Zoë"]
    assert dataset.labels(np.array([0, 10, 20, 31])).tolist() == [2, 0, 1, -1]


def test_the_name_of_somebody_else_merges_the_two(workspace: Path) -> None:
    dataset = edit(workspace, "rename", person="Person 2", to="Person 0")
    assert dataset.people == ["Person 0", "Person 1"]
    assert np.bincount(dataset.labels(dataset.rows("train"))).tolist() == [16, 8]


def test_the_history_calls_a_merge_a_merge_and_a_new_name_a_new_name(workspace: Path) -> None:
    edit(workspace, "rename", person="Person 2", to="Zoë")
    edit(workspace, "rename", person="Zoë", to=" Person  0 ")  # as it reads, and not as it was typed
    edit(workspace, "name", photo=31, to="Person 1")
    said = [e.sentence() for e in edit(workspace, "name", photo=4, to="").edits]
    assert said == [
        "“Person 2” renamed to “Zoë”", "“Zoë” merged into “Person 0”, 10 photos", "photo 31 named “Person 1”",
        "the name of photo 4 taken away",
    ]  # fmt: skip


def test_a_person_left_out_is_in_no_split_and_comes_back_whole(workspace: Path) -> None:
    before = open_dataset(workspace, "tiny")
    dataset = edit(workspace, "exclude", person="Person 1")
    assert dataset.people == ["Person 0", "Person 2"]
    assert not set(dataset.rows()) & set(range(10, 20))
    assert (dataset.table.set_index("photo").loc[range(10, 20), "status"] == "excluded").all()
    restored = edit(workspace, "undo", edit=1)
    assert restored.people == before.people
    assert restored.table.equals(before.table)


def test_a_photo_is_left_out_named_and_kept(workspace: Path) -> None:
    edit(workspace, "exclude", photo=3)
    edit(workspace, "name", photo=31, to="Person 2")
    dataset = edit(workspace, "name", photo=4, to="")
    assert 3 not in dataset.rows()
    assert dataset.labels(np.array([31])).tolist() == [2]
    assert 31 in dataset.rows("train") and 4 in dataset.rows("unlabelled")
    assert dataset.labels(np.array([4])).tolist() == [-1]
    assert 3 in edit(workspace, "keep", photo=3).rows("train")


def test_an_undone_edit_can_not_be_undone_again_and_others_stay(workspace: Path) -> None:
    edit(workspace, "rename", person="Person 0", to="A")
    edit(workspace, "rename", person="Person 1", to="B")
    assert edit(workspace, "undo", edit=1).people == ["B", "Person 0", "Person 2"]
    with pytest.raises(DatasetError, match="no edit 1 to undo"):
        edit(workspace, "undo", edit=1)


REFUSED = {
    "nobody of that name": ("rename", {"person": "Nobody", "to": "X"}, "Nobody in this set is called"),
    "an empty name": ("rename", {"person": "Person 0", "to": "  "}, "is empty"),
    "a long name": ("rename", {"person": "Person 0", "to": "x" * 301}, "300 characters at most"),
    "no such photo": ("exclude", {"photo": 999}, "no photo 999"),
    "no such edit": ("undo", {"edit": 1}, "no edit 1"),
}


@pytest.mark.parametrize(("action", "what", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused_and_leaves_nothing(workspace: Path, action, what, sentence) -> None:
    with pytest.raises(DatasetError, match=sentence):
        edit(workspace, action, **what)
    assert open_dataset(workspace, "tiny").edits == []


@pytest.mark.parametrize("name", ['"quotes"', "Zeile\nzwei", "😀", "देवनागरी", "a, b"])
def test_any_name_survives_the_file(workspace: Path, name: str) -> None:
    assert name in edit(workspace, "rename", person="Person 0", to=name).people


def test_a_line_cut_off_by_a_crash_costs_only_itself(workspace: Path) -> None:
    dataset = edit(workspace, "rename", person="Person 0", to="A")
    with open(dataset.path / edits.FILE, "a") as file:
        file.write('\n{"action": "rename", "per')
    assert edit(workspace, "rename", person="Person 1", to="B").people == ["A", "B", "Person 2"]


def test_a_line_that_is_no_correction_is_not_passed_over(workspace: Path) -> None:
    folder = workspace / "datasets" / "tiny"
    for line in ('{"foo": 1}', '{"action": "undo", "when": ""}', "a hand was here}"):
        (folder / edits.FILE).write_text(f"{line}\n")
        with pytest.raises(DamagedError, match="has a line that is no correction"):
            edits.read(folder)


def test_a_run_sees_the_edits_there_were_when_it_was_made(workspace: Path) -> None:
    edit(workspace, "rename", person="Person 0", to="A")
    recipe = config.PretrainRecipe(dataset="tiny")
    run = runs.create(workspace, "pretrain", recipe, title="t", edits={"tiny": 1})
    edit(workspace, "exclude", person="A")
    assert open_for(run, workspace, "tiny").people == ["A", "Person 1", "Person 2"]
    assert open_dataset(workspace, "tiny").people == ["Person 1", "Person 2"]


def test_the_studio_shows_an_edit_at_once(workspace: Path) -> None:
    studio = Studio(workspace)
    assert studio.dataset("tiny").people[0] == "Person 0"
    studio.edit("tiny", "rename", person="Person 0", to="A")
    assert studio.dataset("tiny").people[0] == "A"
    assert [e.sentence() for e in studio.dataset("tiny").edits] == ["“Person 0” renamed to “A”"]


def test_the_files_of_the_set_stay_as_they_are(workspace: Path) -> None:
    folder = workspace / "datasets" / "tiny"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    edit(workspace, "exclude", person="Person 0")
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name != edits.FILE} == before
    assert replace(open_dataset(workspace, "tiny"), seen=0).people[0] == "Person 0"


def test_a_name_that_later_edits_go_by_is_not_taken_back(workspace: Path) -> None:
    edit(workspace, "rename", person="Person 0", to="A")
    edit(workspace, "exclude", person="A")
    with pytest.raises(DatasetError, match=r"A later correction goes by it: “A” left out\. Undo that first"):
        edit(workspace, "undo", edit=1)
    edit(workspace, "undo", edit=2)
    assert edit(workspace, "undo", edit=1).people == ["Person 0", "Person 1", "Person 2"]
