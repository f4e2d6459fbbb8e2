import csv
import io
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages._shared import results
from pages._shared.compare import board
from pages._shared.compare.names import names_of
from pages._shared.words import label
from tests.pages.made import APP, finetuned, make_run, open_page, pretrained, tiny_set, words


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
    assert any(name.startswith("a finetune of the tests") for name in app.dataframe[0].value["What"])


def test_the_first_sentence_says_who_wins_and_whether_that_can_be_chance(two_runs: Path) -> None:
    app = open_page("compare")
    said = app.success[0].value
    assert said.startswith("**All labels** is the best network on **tiny**: 6 of 6 test photos named rightly (100.0 %")
    assert "leads the best plain method, PCA + SVM (66.7 %), by 33.3 points" in said
    # 3 photos of 6 only one of them got right, all of them the first: a coin thrown 3 times, 2 × 1 / 8.
    assert "3 photos only the first got right, 0 only the second: this can be chance (p = 0.25)." in said


def test_one_run_is_judged_and_nobody_is_missing(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    finetuned(empty_workspace, "Alone", right=2)
    app = open_page("compare")
    assert not app.exception
    assert app.warning[0].value.startswith("**Alone** is the best network")
    assert "The network loses here" in app.warning[0].value
    assert not [box for box in app.selectbox if box.label == "First model"]


def test_pre_training_alone_is_said_to_recognise(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    pretrained(empty_workspace)
    app = open_page("compare")
    assert not app.exception
    assert app.success[0].value.startswith(
        "**SimCLR of the tests** recognises faces best: 83.3 % of 6 val photos lie next to the right person (frozen). "
        "The network leads the best plain method, Normalised pixels (50.0 %), by 33.3 points. "
        "With 6 val photos the 95 % intervals overlap, so this is not settled."
    )


def test_a_run_at_work_is_announced(two_runs: Path) -> None:
    import fcntl

    run = make_run(two_runs, "finetune", "At work")
    run.update(state="running")
    with open(run.path / "run.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        app = open_page("compare")
    assert "1 run on this set still at work" in words(app)
    assert "At work" not in app.multiselect[0].options


def test_the_link_says_which_runs_and_is_obeyed(two_runs: Path) -> None:
    app = open_page("compare")
    picker = app.multiselect[0]
    assert app.query_params["run"] == picker.value
    assert len(picker.value) == 3
    one = picker.value[1]
    picker.set_value([one]).run()
    assert app.query_params["run"] == one
    linked = AppTest.from_file(str(APP), default_timeout=120).run().switch_page("pages/compare.py")
    linked.query_params["run"] = [one]
    assert linked.run().multiselect[0].value == [one]


def test_two_models_person_by_person(two_runs: Path) -> None:
    app = open_page("compare")
    assert (
        "Of 3 people with test photos, the first model finds 2 more often, the second 0; for 1 they do the same."
        in (words(app))
    )
    table = app.dataframe[-1].value
    # All labels got everybody; A quarter the first three of six photos: Person 0's two and one of Person 1's.
    by_name = table.set_index("Person")
    assert by_name["First"].to_dict() == {"Person 0": 100, "Person 1": 100, "Person 2": 100}
    assert by_name["Second"].to_dict() == {"Person 0": 100, "Person 1": 50, "Person 2": 0}
    assert table["Difference"].tolist() == [100, 50, 0]


def test_runs_of_one_title_are_told_apart_by_what_differs(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    runs = [finetuned(empty_workspace, "The same", right=4, seed=seed) for seed in (1, 2)]
    runs += [finetuned(empty_workspace, "The same", right=4, seed=2)]
    other = finetuned(empty_workspace, "Another", right=4)
    named = names_of([*runs, other])
    assert len(set(named.values())) == 4
    assert named[other.id] == "Another"
    assert named[runs[0].id] == f"The same · seed 1 · {runs[0].id[-4:]}"
    app = open_page("compare")
    assert not app.exception
    assert sorted(app.multiselect[0].options) == sorted(named.values())


def test_thirty_runs_are_shown(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    for seed in range(30):
        finetuned(empty_workspace, "The same", right=seed % 7, seed=seed)
    app = open_page("compare")
    assert not app.exception
    assert len(app.dataframe[0].value) == 34  # and four plain methods
    assert len(app.multiselect[0].options) == 30
    assert len(app.multiselect[0].value) == 4  # the best
