"""Pairs on the Compare page: none, judged, failed; the table says what the run's own result says."""

from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from facessl.run import Run
from facessl.studio import Studio
from tests.conftest import run_here
from tests.pages.made import APP, tiny_set, words


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
        assert pd.isna(shown.loc[title, "Right, %"]) if right is None else shown.loc[title, "Right, %"] == 100 * right
        assert shown.loc[title, "Pairs"] == metrics["pairs"]
    assert set(shown["From"]) == {"drawn from test"} and set(shown["Names used"]) == {"no"}


def test_a_failed_one_says_why(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    run = Studio(empty_workspace).create("evaluate", {"dataset": "tiny", "model": "pixels"})
    run.update(state="failed", error="The disk is full.")
    app = opened()
    assert "The disk is full." in [error.value for error in app.error]
