"""Studies on the Compare page: none, running, failed, finished, linked; what its runs are to the other tab."""

import fcntl
import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from facessl import files, registry, runs
from facessl.config import RECIPES
from facessl.recipes import build
from facessl.run import Run
from facessl.studio import Studio
from facessl.studying import Step
from pages._shared.compare.cells import spread_out
from pages._shared.compare.report import has_sentences
from pages._shared.compare.studies import name_of
from tests.pages.made import APP, finetuned, open_page, tiny_set, words

SHARE = {"share": 0.8, "low": 0.7, "high": 0.9, "photos": 6, "split": "test", "how": "fine-tuned"}
REPORT: dict[str, Any] = {
    "sentences": ["Pre-training is worth *most* where labels are few.", "From 50 % on it is chance."],
    "tables": [{"title": "By share", "note": "Of three seeds.", "columns": ["Start", "Right"],
                "rows": [{"Start": "nothing", "Right": SHARE}, {"Start": "SimCLR", "Right": {**SHARE, "share": 0.9}}]}],
    "charts": [{"title": "Curves", "kind": "lines", "x_title": "labels, %", "y_title": "right, %",
                "lines": [{"name": "nothing", "x": [1, 100], "y": [10, 80], "low": [5, 70], "high": [15, 90]}]}],
    "missing": ["ImageNet weights are not here; put them into weights."],
}  # fmt: skip


def study(workspace: Path, state: str, report: dict[str, Any] | None = None, **status: Any) -> Run:
    recipe = build(RECIPES["study"], {"preset": registry.names("studies")[0], "dataset": "tiny"})
    run = runs.create(workspace, "study", recipe, title="A study of the tests")
    run.update(state=state, **status)
    if report:
        files.write_json(run.path / "report.json", report)
    return run


def linked(run: Run) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=120).run().switch_page("pages/compare.py")
    app.query_params["study"] = run.id
    return app.run()


def test_a_finished_study_answers_first_and_shows_what_it_rests_on(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    run = study(empty_workspace, "finished", REPORT, message="Finished.")
    app = linked(run)
    assert not app.exception
    said = words(app)
    assert "**Pre-training is worth \\*most\\* where labels are few.**" in said
    assert said.index("Pre-training is worth") < said.index("By share")
    assert app.dataframe[0].value["Right"].tolist() == [80, 90]
    assert "Of three seeds. All accuracies\\: fine-tuned, on test, 6 photos." in said
    assert "- ImageNet weights are not here; put them into weights." in said
    assert app.query_params["study"] == run.id
    assert app.query_params["dataset"] == "tiny"  # the link named the study alone


def test_macro_f1_and_chance_are_per_cent_as_accuracies_are() -> None:
    rows = [{"model": "a", "right": SHARE, "macro-F1": 0.0278, "chance": 0.125}, {"model": "b", "macro-F1": None}]
    columns, _ = spread_out({"columns": ["model", "right", "macro-F1", "chance"], "rows": rows})
    assert columns["macro-F1"] == [pytest.approx(2.78), None] and columns["chance"] == [12.5, None]


def test_columns_of_text_are_as_wide_as_their_text_also_where_there_are_ten(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    cell = "-0.84 (-0.90 to -0.72)"
    columns = ["model", *(f"factor {number}" for number in range(10))]
    report = {**REPORT, "tables": [{"title": "Known", "columns": columns, "rows": [dict.fromkeys(columns, cell)]}]}
    app = linked(study(empty_workspace, "finished", report))
    shown = json.loads(app.dataframe[0].proto.columns)
    # 7 pixels a letter, 16 around it
    assert all(shown[name.capitalize()]["width"] >= 7 * len(cell) + 16 for name in columns)
    assert shown["Model"]["width"] <= 280  # a phone shows a figure beside it


def test_names_that_are_sentences_wrap_so_that_a_phone_shows_an_accuracy_beside() -> None:
    assert has_sentences(["a", "the same network, each axis given afterwards to the person it fits best"])
    assert not has_sentences(["SimCLR, frozen", "PCA + LDA"]) and not has_sentences([])


@pytest.mark.parametrize(
    ("start", "lines"),
    [("SimCLR", 0), ("the set's own split, not one drawn over the old ones", 2), ("a name of " * 9, 3)],
    ids=["short", "two lines", "three lines"],
)
def test_a_row_of_a_report_is_as_high_as_its_longest_name(empty_workspace: Path, start: str, lines: int) -> None:
    tiny_set(empty_workspace)
    rows = [{"Start": "nothing", "Right": SHARE}, {"Start": start, "Right": SHARE}]
    report = {**REPORT, "tables": [{"title": "By share", "columns": ["Start", "Right"], "rows": rows}]}
    app = linked(study(empty_workspace, "finished", report))
    assert not app.exception
    # Streamlit wraps text only in rows of more than 4 rem, which are 68 pixels here.
    assert app.dataframe[0].proto.row_height == (max(72, 16 + 20 * lines) if lines else 0)


def test_a_legend_names_the_columns_of_one_owner_once() -> None:
    theirs, ours = {**SHARE, "how": "as published"}, {**SHARE, "how": "our way"}
    names = [f"{who}: top-{k}" for who in ("theirs", "ours") for k in (1, 3)]
    cells = dict(zip(names, (theirs, theirs, ours, ours), strict=True))
    _, said = spread_out({"columns": ["model", *names], "rows": [{"model": model, **cells} for model in "ab"]})
    assert said == "All accuracies: on test, 6 photos. theirs: as published. ours: our way."


def test_a_running_study_says_what_it_does_and_shows_what_there_is(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    run = study(empty_workspace, "running", message="3 of 20: fine-tune from nothing.", step=2, steps=20)
    with open(run.path / "run.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        app = linked(run)
        assert not app.exception
        assert "Its report begins with the first step that is done." in words(app)
        assert any(button.label == "Stop" for button in app.button)
        files.write_json(run.path / "report.json", REPORT)
        assert "So far; the report grows with every step that is done." in words(app.run())


def test_a_failed_study_says_why_keeps_its_report_and_can_go_on(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    app = linked(study(empty_workspace, "failed", REPORT, error="Step 3, fine-tune, failed: the memory is full."))
    assert not app.exception
    assert "Step 3, fine-tune, failed\\: the memory is full." in app.error[0].value
    assert "By share" in words(app)
    assert any(button.label == "Resume" for button in app.button)


def test_a_deleted_study_is_asked_for_no_more_and_its_runs_stay(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    left, gone = (study(empty_workspace, "finished", REPORT) for _ in range(2))
    app = linked(gone)
    assert "Its report is gone then; the runs that it made stay." in words(app)
    app.button(key=f"compare-study-delete-{gone.id}").click()
    app.run()
    assert not gone.path.exists() and not app.warning and app.query_params["study"] == left.id


@pytest.mark.parametrize(("state", "said"), [("finished", "cannot be read any more"), ("failed", "")])
def test_a_report_that_is_not_there_is_said_to_be_lost_only_where_there_was_one(
    empty_workspace: Path, state: str, said: str
) -> None:
    tiny_set(empty_workspace)
    app = linked(study(empty_workspace, state, error="No photo is left."))
    assert "begins with the first step" not in words(app)
    assert [said in warning.value for warning in app.warning] == ([True] if said else [])


def test_a_select_shows_what_tells_two_studies_apart(empty_workspace: Path) -> None:
    run = study(empty_workspace, "finished")
    run.describe(title="S2: pseudo-labels from pixel clusters, and whether they save half the epochs on lfw")
    called = name_of(run)
    assert called.startswith("S2: pseudo-labels …") and called.endswith(run.id[-4:]) and len(called) < 46


def test_a_study_that_is_gone_is_said_to_be(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    study(empty_workspace, "finished", REPORT)
    app = AppTest.from_file(str(APP), default_timeout=120).run().switch_page("pages/compare.py")
    app.query_params["study"] = "20260101-000000-study-gone"
    app.run()
    assert not app.exception
    assert "which is not here; shown is another" in app.warning[0].value


def test_runs_of_studies_are_left_out_until_asked_for(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    run = study(empty_workspace, "finished", REPORT)
    finetuned(empty_workspace, "My own", right=3)
    theirs = finetuned(empty_workspace, "One of the study", right=5)
    config = files.read_json(theirs.path / "config.json")
    files.write_json(theirs.path / "config.json", {**config, "group": run.id})
    app = open_page("compare")
    assert app.warning[0].value.startswith("**My own**") and "With the 1 run of studies" in app.toggle[0].label
    app.toggle[0].set_value(True).run()
    assert app.info[0].value.startswith("**One of the study** is the best network")


def test_the_form_says_what_a_study_takes_and_starts_it_with_what_was_chosen(
    empty_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_set(empty_workspace)
    started: list[dict[str, Any]] = []

    def start(self: Studio, kind: str, settings: dict[str, Any]) -> Run:
        started.append(settings)
        return self.create(kind, settings)  # checked like any, but nobody works on it

    monkeypatch.setattr(Studio, "start", start)
    app = open_page("compare")
    app.session_state["compare-tabs"] = "Studies"
    app.run()
    preset = app.selectbox(key="compare-preset").value
    assert preset == "label_efficiency"  # as by command
    plugin = registry.load("studies", preset)
    steps = plugin.steps(Studio(empty_workspace).dataset("tiny"), plugin.Options(), empty_workspace)
    for missing in {step.missing for step in steps}:
        assert missing in words(app).replace("\\", "")  # said before the start
    app.number_input(key=f"compare-study-{preset}-epochs").set_value(99_999)
    app.button(key="compare-study-start").click().run()
    assert not app.exception
    assert "got 99999." in app.error[0].value and started == []
    assert app.button(key="compare-study-start").disabled
    app.number_input(key=f"compare-study-{preset}-epochs").set_value(3).run()
    app.button(key="compare-study-start").click().run()
    assert not app.exception
    assert [(settings["preset"], settings["dataset"]) for settings in started] == [(preset, "tiny")]
    (run,) = Studio(empty_workspace).runs("study")
    assert run.config["recipe"]["options"]["epochs"] == 3
    assert app.query_params["study"] == run.id


def test_what_a_study_takes_leaves_out_what_builds_on_what_is_missing(
    empty_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_set(empty_workspace)
    plugin = registry.load("studies", "label_efficiency")  # what the page opens with
    steps = [
        Step("a", "pretrain", {}), Step("b", "pretrain", {}, "There are no weights."),
        Step("c", "finetune", {"init": "@a"}), Step("d", "finetune", {"init": "@b"}), Step("e", "inside", {}),
        Step("f", "inside", {}), Step("g", "finetune", {"init": "imagenet"}, weights="efficientnet_b0"),
    ]  # fmt: skip
    monkeypatch.setattr(plugin, "steps", lambda dataset, options, workspace: steps)
    app = open_page("compare")
    app.session_state["compare-tabs"] = "Studies"
    said = words(app.run())
    assert "It takes 1 pre-training, 2 fine-tunings and 2 steps of its own." in said
    assert said.count("There are no weights.") == 1
    assert "It first fetches the ImageNet weights of EfficientNet-B0" in said


@pytest.mark.parametrize("preset", registry.names("studies"))
def test_each_study_has_a_form(empty_workspace: Path, preset: str) -> None:
    tiny_set(empty_workspace)
    app = open_page("compare")
    app.session_state["compare-tabs"] = "Studies"
    app.session_state["compare-preset"] = preset
    app.run()
    assert not app.exception
    assert registry.load("studies", preset).REFERENCE in words(app).replace("\\", "")
    assert "It takes " in words(app)


def test_a_study_that_refuses_the_set_cannot_be_started(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    info = files.read_json(empty_workspace / "datasets" / "tiny" / "dataset.json")
    info["recipe"]["source"] = "folder"
    files.write_json(empty_workspace / "datasets" / "tiny" / "dataset.json", info)
    app = open_page("compare")
    app.session_state["compare-tabs"] = "Studies"
    for preset, refused in (("factors", True), ("label_efficiency", False)):
        app.session_state["compare-preset"] = preset
        app.run()
        start = next(button for button in app.button if button.label == "Start the study")
        assert start.disabled == refused
        assert any("made of real photos" in error.value for error in app.error) == refused
