"""The figures of a set agree with a recount by hand, also after people have corrected it."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from facessl import edits, figures, overview
from facessl.config import QualityRecipe
from facessl.dataset import FaceDataset, open_dataset
from tests.tiny import make_set

AGAINST = overview.QUANTITIES[1]


def changed(workspace: Path, **columns: dict[int, object]) -> FaceDataset:
    """Return the tiny set with some cells of its table changed: column -> photo -> value."""
    path = workspace / "datasets" / "tiny" / "faces.parquet"
    table = pd.read_parquet(path)
    for column, values in columns.items():
        for photo, value in values.items():
            table.loc[photo, column] = value
    table.to_parquet(path, index=False)
    return open_dataset(workspace, "tiny")


def edited(workspace: Path, action: edits.Action, **what: object) -> FaceDataset:
    dataset = open_dataset(workspace, "tiny")
    edits.append(dataset.path, dataset.table, action, **what)
    return open_dataset(workspace, "tiny")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    make_set(tmp_path)  # 3 people × 10 photos (8 train, 1 val, 1 test), 4 nameless
    return tmp_path


def test_the_counts_are_those_of_the_tiny_set(workspace: Path) -> None:
    counts = overview.count(changed(
        workspace, status={0: "no face", 30: "duplicate"}, aligned={1: True, 0: True}, flaws={2: "dark", 0: "dark"},
        found={3: 2}, group={4: 4, 5: 4, 6: 4, 8: 8, 9: 8},
    ))  # fmt: skip
    assert (counts.people, counts.photos, counts.faces) == (3, 34, 32)
    assert (counts.level, counts.flagged, counts.several) == (1, 1, 1)  # photo 0 is not in use
    assert counts.splits == {"unlabelled": 3, "train": 23, "val": 3, "test": 3}
    assert counts.statuses == {"kept": 32, "no face": 1, "duplicate": 1}
    assert (counts.copied, counts.copies) == (2, 5)
    assert counts.crossing == 1  # 8 is in val and 9 in test; 4, 5 and 6 are all in train


def test_a_nameless_copy_crosses_to_val_and_not_to_train(workspace: Path) -> None:
    assert overview.count(changed(workspace, group={0: 0, 30: 0})).crossing == 0
    assert overview.count(changed(workspace, group={8: 8, 31: 8})).crossing == 1
    assert overview.count(edited(workspace, "exclude", photo=31)).crossing == 0


def test_people_are_counted_as_corrected(workspace: Path) -> None:
    edited(workspace, "rename", person="Person 2", to="Person 0")
    dataset = edited(workspace, "exclude", photo=0)
    table = overview.people_table(dataset)
    assert table["person"].tolist() == ["Person 0", "Person 1"]
    assert table["photos"].tolist() == [20, 10]
    assert table["faces"].tolist() == [19, 10]
    assert table["train"].tolist() == [15, 8] and table["not_used"].tolist() == [1, 0]
    assert overview.left_out(dataset) == []


def test_who_was_left_out_is_named(workspace: Path) -> None:
    assert overview.left_out(edited(workspace, "exclude", person="Person 1")) == ["Person 1"]


def test_folders_are_those_that_came(workspace: Path) -> None:
    dataset = edited(workspace, "rename", person="Person 2", to="Person 0")
    came = overview.folders(dataset)
    assert came.to_dict() == {"Person 0": 10, "Person 1": 10, "Person 2": 10, "": 4}
    assert came.index[-1] == ""


def test_how_many_have_how_many_counts_everybody_once() -> None:
    numbers = np.random.default_rng(0).integers(0, 400, 1000)
    found = overview.how_many_have(numbers)
    assert sum(found.values()) == 1000
    assert found["10–19"] == sum(10 <= n <= 19 for n in numbers)
    assert found["200+"] == sum(n >= 200 for n in numbers)
    assert found["0"] == sum(n == 0 for n in numbers)
    assert overview.how_many_have([1] * 10_000) | {"1": 10_000} == overview.how_many_have([1] * 10_000)


# -- mean faces --------------------------------------------------------------------------------------------------


def test_the_mean_face_is_the_mean(workspace: Path) -> None:
    dataset = open_dataset(workspace, "tiny")
    slow = np.stack([dataset.faces[i].astype(float) for i in range(10, 20)]).mean(axis=0)
    mean = overview.mean_of_people(dataset, ["Person 1"])[0]
    assert np.abs(mean.face - slow).max() <= 0.5
    assert (mean.name, mean.of, mean.among) == ("Person 1", 10, 10)


def test_of_many_faces_some_spread_evenly_are_taken(workspace: Path) -> None:
    faces = np.repeat(np.arange(100, dtype=np.uint8), 32 * 32 * 3).reshape(100, 32, 32, 3)
    assert overview.mean_face(faces, np.arange(100), most=3)[0, 0, 0] == round((0 + 49 + 99) / 3)


def test_the_means_of_splits_leave_out_what_is_not_used(workspace: Path) -> None:
    means = overview.mean_of_splits(edited(workspace, "exclude", person="Person 0"))
    assert [(m.name, m.of) for m in means] == [("all", 24), ("train", 16), ("test", 2)]


# -- train beside test -------------------------------------------------------------------------------------------


def test_alike_agrees_with_scipy_and_with_the_definition() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(0, 1, 80), rng.normal(1, 1, 40)
    found = overview.compare(AGAINST, np.append(first, np.nan), second)
    places = np.concatenate([first, second])
    by_hand = max(abs((first <= x).mean() - (second <= x).mean()) for x in places)
    assert found.distance == pytest.approx(by_hand)
    assert found.p == pytest.approx(ks_2samp(first, second).pvalue)
    assert found.different and "the middle is" in found.sentence(("train", "test"))


def test_parts_of_a_random_split_are_called_different_in_few_cases() -> None:
    rng = np.random.default_rng(0)
    called = [overview.compare(AGAINST, rng.normal(size=90), rng.normal(size=30)).different for _ in range(300)]
    assert np.mean(called) < 0.03


def test_too_few_are_not_judged() -> None:
    found = overview.compare(AGAINST, np.arange(5.0), np.full(3, np.nan))
    assert not found.enough and not found.different
    assert "0 faces in test" in found.sentence(("train", "test"))


# -- quality and the report --------------------------------------------------------------------------------------


def test_every_quantity_has_its_column_and_its_limits(workspace: Path) -> None:
    dataset, lines = open_dataset(workspace, "tiny"), overview.limits(QualityRecipe())
    for quantity in overview.QUANTITIES:
        assert quantity.column in dataset.table
        assert quantity.column in lines
    assert lines["brightness"] == (45, 215)


def test_the_report_holds_the_counts_and_no_picture(workspace: Path) -> None:
    edited(workspace, "rename", person="Person 2", to="<b>&</b>")
    text = overview.report(edited(workspace, "exclude", photo=0))
    assert '<td>People with a name</td><td class="n">3</td>' in text
    assert '<td>Faces in use</td><td class="n">33</td>' in text
    assert "&lt;b&gt;&amp;&lt;/b&gt;" in text and "<b>&" not in text
    assert "Left out by hand." in text
    assert "<img" not in text and "http" not in text.replace("https://doi", "")


def test_the_report_of_an_old_set_says_that_nobody_looked_for_copies(workspace: Path) -> None:
    path = workspace / "datasets" / "tiny" / "dataset.json"
    assert "crossed_before" not in json.loads(path.read_text())["counts"]
    assert "not looked for" in overview.report(open_dataset(workspace, "tiny"))


# -- the charts of a set -----------------------------------------------------------------------------------------


def test_a_histogram_counts_every_known_value_once_and_draws_the_limits() -> None:
    values = np.append(np.random.default_rng(0).gamma(2, 100, 500), [np.nan, 1e6])
    figure = figures.histogram({"in use": values, "not in use": values[:50]}, "px", low=40, high=600)
    assert [sum(trace.y) for trace in figure.data] == [501, 50]
    assert [line.x0 for line in figure.layout.shapes] == [40, 600]
    assert (
        figure.to_json()
        == figures.histogram({"in use": values, "not in use": values[:50]}, "px", low=40, high=600).to_json()
    )


def test_a_limit_far_off_does_not_squeeze_the_chart() -> None:
    figure = figures.histogram({"in use": np.linspace(50, 60, 100)}, "px", high=215)
    assert not figure.layout.shapes
    assert max(figure.data[0].x) < 61


@pytest.mark.parametrize("values", [[], [5.0], [5.0] * 20, [np.nan]])
def test_a_histogram_of_next_to_nothing_is_a_chart(values: list[float]) -> None:
    figure = figures.histogram({"in use": np.array(values)}, "px", low=1)
    assert sum(figure.data[0].y) == np.isfinite(np.array(values)).sum()


def test_two_parts_are_each_their_own_hundred_percent() -> None:
    figure = figures.two_histograms(np.arange(1000.0), np.arange(10.0), ("train", "test"), "px")
    assert [sum(trace.y) for trace in figure.data] == pytest.approx([100, 100], abs=0.05)


def test_folders_and_splits_show_their_numbers() -> None:
    assert list(figures.folder_sizes(["<b>", "B"], [3, 1]).data[0].x) == [3, 1]
    assert figures.folder_sizes(["<b>", "B"], [3, 1]).data[0].customdata[0] == "&lt;b&gt;"
    assert list(figures.folder_sizes([str(i) for i in range(30)], range(30)).data[0].y) == list(range(30))
    assert list(figures.sizes({"1": 4069, "2": 0}, "people").data[0].x) == [4069, 0]
