"""Pairs on the Compare page: none, judged, failed; the table says what the run's own result says."""

import csv
import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from facessl.resolve import resolve
from facessl.run import Run
from facessl.studio import Studio
from pages._shared.compare import pairs
from pages._shared.compare.lists import lists_of
from pages._shared.words import plain
from tests.conftest import run_here
from tests.pages.made import APP, tiny_set, words
from tests.test_pairs import lfw_like


def opened() -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=120).run().switch_page("pages/compare.py").run()
    app.session_state["compare-tabs"] = "Pairs"
    return app.run()


def judged(workspace: Path, model: str) -> Run:
    return run_here(workspace, "evaluate", dataset="tiny", model=model, image_size=32, device="cpu")


def test_nothing_judged_leads_to_the_form(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    app = opened()
    assert not app.exception
    assert "No model was judged on pairs of tiny yet." in words(app)
    assert app.button(key="compare-pairs-start").label == "Judge it"


def test_the_table_says_what_the_runs_found(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    results = {name: judged(empty_workspace, name).result() for name in ("pixels", "pixels-whitened")}
    app = opened()
    assert not app.exception
    shown = app.dataframe[0].value.set_index("Model")
    for name, title in (("pixels", "Pixels, no network"), ("pixels-whitened", "PCA-whitened pixels, no network")):
        metrics = (results[name] or {})["metrics"]
        assert shown.loc[title, "AUC"] == pytest.approx(metrics["auc"])
        right = metrics["accuracy"]  # so few pairs have no folds, and then there is no such figure
        assert pd.isna(shown.loc[title, "Right"]) if right is None else shown.loc[title, "Right"] == 100 * right
        assert shown.loc[title, "Pairs"] == metrics["pairs"]
    assert app.dataframe[0].value["AUC"].is_monotonic_decreasing
    assert app.dataframe[0].proto.placeholder == "–"  # for what so few pairs cannot tell
    assert set(shown["From"]) == {"drawn from test"} and set(shown["Names used"]) == {"no"}
    notes = (results["pixels"] or {})["notes"]
    assert notes and all(words(app).count(plain(note)) == 1 for note in notes)  # once, not once a model


def test_the_table_is_saved_with_all_that_is_known(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    run = judged(empty_workspace, "pixels")
    result = run.result() or {}
    (row,) = csv.DictReader(io.StringIO(pairs.as_csv([(run, result)], ["Pixels"])))
    assert (row["Model"], row["Run"], row["Names used"]) == ("Pixels", run.id, "no")
    assert float(row["AUC (0-1)"]) == pytest.approx(result["metrics"]["auc"])
    assert int(row["Photos of the pairs"]) == result["transductive"]["of"] and row["TAR at FAR 1 % (0-1)"] == ""
    assert any("Download as CSV" in str(button.proto) for button in opened().get("download_button"))


def test_all_that_wait_are_shown_and_of_those_asked_again_the_last(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    made = [Studio(empty_workspace).create("evaluate", {"dataset": "tiny", "model": model}) for model in
            ("pixels", "pixels", "pixels-whitened", "untrained")]  # fmt: skip
    made[0].update(state="failed", error="The disk is full.")
    for run in made[1:3]:
        run.update(state="stopped")
    made[3].update(state="finished")
    assert [run.id for run in pairs.not_finished(made[::-1])] == [made[2].id, made[1].id]
    app = opened()
    assert not app.exception and not app.error
    assert [run.title in words(app) for run in made[1:3]] == [True, True]


def test_a_failed_one_says_why(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    run = Studio(empty_workspace).create("evaluate", {"dataset": "tiny", "model": "pixels"})
    run.update(state="failed", error="The disk is full.")
    app = opened()
    assert "The disk is full." in [error.value for error in app.error]


FIRST = "1\t2\nAnn_Lee\t1\t9\nBo\t1\t2\nAnn_Lee\t10\tBo\t1\nBo\t3\tCy_de_la_O\t10\n"
OTHER = FIRST.replace("Ann_Lee\t1\t9", "Ann_Lee\t1\t8")


def asked(workspace: Path, folder: str, text: str, model: str = "pixels", name: str = "pairs.txt") -> Run:
    path = workspace / folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return run_here(
        workspace, "evaluate", dataset="tiny", model=model, pairs=str(path), image_size=32, device="cpu",
        backbone="tinyvgg",
    )  # fmt: skip


def test_two_lists_of_one_name_and_length_are_not_compared(empty_workspace: Path) -> None:
    lfw_like(empty_workspace)
    first, other = asked(empty_workspace, "a", FIRST), asked(empty_workspace, "b", OTHER)
    again = asked(empty_workspace, "c", FIRST, model="pixels-whitened")  # the same pairs out of another folder
    lists = lists_of(list(Studio(empty_workspace).runs("evaluate")))
    assert [{run.id for run in found.runs} for found in lists] == [{again.id, first.id}, {other.id}]
    assert len({found.name for found in lists}) == 2 and all(found.name.startswith("pairs.txt · ") for found in lists)
    (other.path / "pairs.parquet").write_bytes(b"noise")
    assert [len(found.runs) for found in lists_of([first, other, again])] == [2, 1]
    app = opened()
    assert not app.exception
    assert [len(table.value) for table in app.dataframe] == [2, 1]
    assert "4 pairs, from pairs.txt" in words(app).replace("\\", "")
    assert all(name.startswith("pairs.txt") for table in app.dataframe for name in table.value["From"])


def test_a_copy_of_a_list_is_the_list_and_who_was_asked_twice_stands_there_once(empty_workspace: Path) -> None:
    lfw_like(empty_workspace)
    asked(empty_workspace, "a", FIRST)
    again = asked(empty_workspace, "b", FIRST.replace("\n", "\r\n"), name="copy.txt")
    other = asked(empty_workspace, "b", FIRST, model="pixels-whitened", name="copy.txt")
    (found,) = lists_of(Studio(empty_workspace).runs("evaluate"))
    assert [run.id for run in found.runs] == [other.id, again.id] and found.name == "pairs.txt"


def test_a_setting_without_effect_makes_no_other_model(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    for backbone in ("tinyvgg", "resnet18"):
        for model in ("pixels", "untrained"):
            asked = {"dataset": "tiny", "model": model, "backbone": backbone, "image_size": 32, "device": "cpu"}
            run_here(empty_workspace, "evaluate", **asked)
    (found,) = lists_of(Studio(empty_workspace).runs("evaluate"))
    assert [run.config["recipe"]["model"] for run in found.runs] == ["untrained", "pixels", "untrained"]


def test_two_seeds_draw_two_lists(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    for seed in (0, 3):
        run_here(empty_workspace, "evaluate", dataset="tiny", model="pixels", image_size=32, device="cpu", seed=seed)
    lists = lists_of(Studio(empty_workspace).runs("evaluate"))
    assert [found.name for found in lists] == ["drawn from test, seed 3", "drawn from test"]


def test_plain_rows_that_a_list_lacks_are_started_by_one_button(
    empty_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lfw_like(empty_workspace)
    first = asked(empty_workspace, "a", FIRST, model="untrained")
    started: list[dict[str, Any]] = []

    def start(self: Studio, kind: str, settings: dict[str, Any]) -> Run:
        recipe = resolve(kind, settings, self.workspace)
        assert kind == "evaluate" and recipe.model_dump()["pairs"] == first.config["recipe"]["pairs"]
        started.append(settings)
        return run_here(self.workspace, "evaluate", **{**settings, "device": "cpu"})

    monkeypatch.setattr(Studio, "start", start)
    app = opened()
    (button,) = [button for button in app.button if button.label == "Add 2 plain rows"]
    app = button.click().run()
    assert not app.exception
    assert [settings["model"] for settings in started] == ["pixels", "pixels-whitened"]
    assert len(app.dataframe[0].value) == 3
    assert not [button for button in app.button if "plain row" in button.label]
