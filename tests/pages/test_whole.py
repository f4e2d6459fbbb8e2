"""Results, reports and answers of another shape, or of none, cost what they held; the page says so and goes on."""

import json
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from facessl.run import Run
from tests.conftest import run_here
from tests.pages.made import open_page, words

NOT_OF_THIS_SHAPE = {
    "result.json": ({"metrics": 3}, {"metrics": {"top1": "half", "photos": 6}}, {"run": "x"}),
    "report.json": (
        {"people": ["a"]},
        {"people": ["a"], "confusion": [[1, 2]], "report": {}},
        {"people": 3, "confusion": [], "report": {}, "sentences": 3},
    ),
}


@pytest.mark.parametrize("name", NOT_OF_THIS_SHAPE)
@pytest.mark.parametrize("case", [0, 1, 2])
def test_whole_json_of_another_shape_is_said_to_be_damaged(two_runs: tuple[Path, Run], name: str, case: int) -> None:
    _, run = two_runs
    (run.path / name).write_text(json.dumps(NOT_OF_THIS_SHAPE[name][case]))
    app = opened("finetune", run)
    assert not app.exception
    named = {
        "report.json": f"report.json of {run.id} cannot be read any more; start the run again",
        "result.json": "What it found cannot be read any more. Start it again",
    }
    assert named[name] in words(app).replace("\\", "")
    assert not open_page("home").exception
    app = opened("compare", run)
    assert not app.exception
    if name == "result.json":
        assert f"{run.id[-4:]}: what it found cannot be read any more. Start it again" in words(app).replace("\\", "")


RUINED = {"noise": bytes(range(256)) * 8, "empty": b"", "cut short": None, "gone": None, "another table": None}


@pytest.mark.parametrize("how", RUINED)
def test_a_damaged_table_costs_the_answers_and_not_the_figures(two_runs: tuple[Path, Run], how: str) -> None:
    _, run = two_runs
    path = run.path / "predictions.parquet"
    whole = path.read_bytes()
    if how == "another table":
        pd.DataFrame({"face": ["one"], "label": [99], "predicted": [0], "probability": [0.5]}).to_parquet(path)
    elif how == "gone":
        path.unlink()
    else:
        path.write_bytes(RUINED[how] if how != "cut short" else whole[: len(whole) // 2])
    app = opened("finetune", run)
    assert not app.exception
    said = words(app).replace("\\", "")
    assert "**3 of 6** faces of the `test` split got the right name first." in said
    assert f"predictions.parquet of {run.id} cannot be read any more; start the run again" in said
    app = opened("compare", run)
    assert not app.exception
    said = words(app).replace("\\", "")
    assert "what it answered cannot be read any more. Start it again" in said
    assert "answers are gone" in said and "50.0 %" in said


def test_a_damaged_evaluation_is_named_and_the_others_are_there(two_runs: tuple[Path, Run]) -> None:
    workspace, _ = two_runs
    runs = [run_here(workspace, "evaluate", dataset="tiny", model="pixels", image_size=32, device="cpu") for _ in "ab"]
    for content in (b'{"kind": "finetu', b'{"metrics": {"auc": 1}}'):
        (runs[0].path / "result.json").write_bytes(content)
        app = open_page("compare")
        app.session_state["compare-tabs"] = "Pairs"
        app = app.run()
        assert not app.exception
        assert f"{runs[0].id[-4:]}: what it found cannot be read any more." in words(app).replace("\\", "")
        assert len(app.dataframe[0].value) == 1


def opened(page: str, run: Run) -> AppTest:
    """Return a page that is linked to a run; on Compare it is beside the other."""
    app = open_page(page)
    app.query_params["run"] = run.id
    return app.run()
