import csv
import io
from pathlib import Path

import pytest

from pages._shared import results
from pages._shared.compare import board
from pages._shared.words import label
from tests.pages.made import finetuned, open_page, pretrained, tiny_set, words


@pytest.fixture
def two_runs(empty_workspace: Path) -> Path:
    tiny_set(empty_workspace)
    first = pretrained(empty_workspace)
    finetuned(empty_workspace, "All labels", right=6, init=first.id, learning_rate=0.001)
    finetuned(empty_workspace, "A quarter", right=3, init="scratch", label_fraction=0.25)
    return empty_workspace


def test_without_faces_it_leads_to_data(empty_workspace: Path) -> None:
    app = open_page("compare")
    assert not app.exception
    assert "Prepare a set first" in words(app)


def test_without_finished_runs_it_leads_to_pretrain(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    app = open_page("compare")
    assert not app.exception
    assert "No run on **tiny** is finished yet" in words(app)


def test_networks_and_plain_methods_stand_in_one_table_best_first(two_runs: Path) -> None:
    app = open_page("compare")
    assert not app.exception
    table = app.dataframe[0].value
    assert table["What"].tolist()[0] == "All labels"
    assert table["top-1"].tolist() == sorted(table["top-1"], reverse=True)
    # Plain methods are measured once for each share of the labels that a run used.
    assert (table["What"] == "PCA + SVM").sum() == 2
    assert sorted(set(table["Labels used"])) == [25, 100]  # numbers, which sort as such
    assert set(table["Photos"]) == {6}
    assert set(table["Split"]) == {"test"}


def test_knn_on_val_is_a_table_of_its_own(two_runs: Path) -> None:
    app = open_page("compare")
    table = app.dataframe[1].value
    assert table["What"].tolist() == ["SimCLR of the tests", "Normalised pixels", "Untrained network", "Raw pixels"]
    assert table["k-NN"].tolist() == pytest.approx([500 / 6, 50, 200 / 6, 100 / 6])
    assert set(table["Split"]) == {"val"}


def test_only_settings_that_differ_are_listed(two_runs: Path) -> None:
    app = open_page("compare")
    listed = app.dataframe[2].value
    assert listed["Setting"].tolist() == [label("init"), label("learning_rate"), label("label_fraction")]
    assert listed["All labels"].tolist() == ["SimCLR of the tests", "0.001", "1"]
    assert listed["A quarter"].tolist() == ["scratch", "0.0003", "0.25"]


def test_csv_has_every_score_with_the_settings_of_its_run(two_runs: Path) -> None:
    from facessl.studio import Studio

    runs = Studio(two_runs).runs("finetune")
    scores = [score for run in runs if (score := results.test_score(run))]
    scores += [score for run in runs for score in results.baseline_scores(run)]
    rows = list(csv.DictReader(io.StringIO(board.as_csv(scores, runs))))
    assert [row["name"] for row in rows] == [score.name for score in scores]
    assert [float(row["share"]) for row in rows] == [score.share for score in scores]
    by_name = {row["name"]: row for row in rows}
    assert by_name["All labels"]["learning_rate"] == "0.001"
    assert by_name["PCA + SVM"]["learning_rate"] == ""  # it has none


def test_trained_runs_of_the_studio_are_shown(trained_workspace: Path) -> None:
    app = open_page("compare")
    assert not app.exception
    assert "a finetune of the tests" in app.dataframe[0].value["What"].tolist()
