"""What a finished run wrote has the shape that others rely on, or is said to be damaged."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from facessl import runs, shapes
from facessl.config import RECIPES
from facessl.errors import DamagedError
from facessl.recipes import build
from facessl.run import Run

JUDGED = {
    "top1": 0.5, "top1_interval": [0.2, 0.8], "top3": None, "top3_interval": None, "top5": None, "top5_interval": None,
    "photos": 6,
}  # fmt: skip
VERIFIED = {
    "metrics": {"accuracy": None, "auc": 0.9, "eer": 0.2, "tar_at_far_1e-2": 0.5, "tar_at_far_1e-3": None},
    "pairs": {"scored": 40}, "transductive": {"photos": 0, "of": 9, "names_used": False},
    "roc": {"far": [0.0, 1.0], "tar": [0.1, 1.0]}, "notes": [],
}  # fmt: skip
OF_BEFORE = {"finetune": {"metrics": JUDGED}, "pretrain": {"metrics": {}}, "evaluate": VERIFIED, "study": {"x": 1}}
ANSWERED = {
    "people": ["Ann", "Bea"], "confusion": [[3, 0], [1, 2]],
    "report": {"Ann": {"precision": 0.75, "recall": 1.0, "f1-score": 0.86, "support": 3.0}, "accuracy": 0.83},
}  # fmt: skip
PLAIN = {"name": "1-NN on pixels", "top1": 0.5, "photos": 6, "low": 0.2, "high": 0.8}


def written(run: Run, name: str, content: Any) -> Path:
    path = run.path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def made(workspace: Path, kind: str) -> Run:
    return runs.create(workspace, kind, build(RECIPES[kind], {}), title=f"a {kind}")


@pytest.mark.parametrize("kind", OF_BEFORE)
def test_what_an_older_version_did_not_write_yet_is_no_damage(tmp_path: Path, kind: str) -> None:
    run = made(tmp_path, kind)
    assert run.result() is None and not run.has_lost_result()
    written(run, "result.json", OF_BEFORE[kind])
    assert run.result() == OF_BEFORE[kind] and not run.has_lost_result()


def test_what_a_newer_version_writes_besides_is_kept(tmp_path: Path) -> None:
    run = made(tmp_path, "finetune")
    whole = {"metrics": JUDGED | {"macro_f1": 0.4, "split": "test"}, "baselines": [PLAIN], "mode": "frozen"}
    written(run, "result.json", whole)
    assert run.result() == whole


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("finetune", {"metrics": 3}),
        ("finetune", {"metrics": JUDGED | {"top1": "0.5"}}),  # a figure in letters is none
        ("finetune", {"metrics": JUDGED | {"top1_interval": [0.2]}}),
        ("finetune", {"metrics": JUDGED, "baselines": [{"name": "pixels"}]}),
        ("pretrain", {"metrics": {"knn_accuracy": "high"}}),
        ("evaluate", {**VERIFIED, "roc": {"far": [0.0]}}),
        ("study", [1, 2]),
        ("study", '{"sentences": ['),
    ],
)
def test_a_result_of_another_shape_is_lost(tmp_path: Path, kind: str, content: Any) -> None:
    run = made(tmp_path, kind)
    path = written(run, "result.json", content)
    assert run.result() is None and run.has_lost_result()
    with pytest.raises(DamagedError, match=f"of {run.id} cannot be read any more; start the run again"):
        shapes.result(path, kind)


def test_a_studys_report_of_another_shape_is_lost_and_one_that_is_whole_says_what_it_found(tmp_path: Path) -> None:
    run = made(tmp_path, "study")
    table = {"title": "t", "columns": ["a"], "rows": [{"a": 1.0}]}
    chart = {"title": "c", "kind": "heat", "x": ["a"], "y": ["b"], "z": [[None]]}
    whole = {"sentences": ["So."], "tables": [table], "charts": [chart], "missing": [], "runs": {}}
    written(run, "report.json", whole)
    assert run.report() == whole
    written(run, "result.json", "")
    assert not run.has_lost_result()
    for other in (
        {"tables": 5},
        {"tables": [{"title": "t"}]},
        {"charts": [{**chart, "kind": "pie"}]},
        {"missing": None},
    ):
        written(run, "report.json", whole | other)
        assert run.report() is None and run.has_lost_result()


def test_a_report_of_another_shape_is_lost(tmp_path: Path) -> None:
    run = made(tmp_path, "finetune")
    path = written(run, "report.json", ANSWERED)
    assert shapes.report(path, "finetune") == run.report() == ANSWERED
    for other in (
        ANSWERED | {"confusion": [[3, 0]]},
        ANSWERED | {"confusion": [[3], [1]]},
        ANSWERED | {"report": {"Ann": {"precision": 0.75}}},
    ):
        written(run, "report.json", other)
        assert run.report() is None
        with pytest.raises(DamagedError, match="report"):
            shapes.report(path, "finetune")
    path.unlink()
    assert run.report() is None
    with pytest.raises(DamagedError, match="report"):
        shapes.report(path, "finetune")


def test_a_table_has_numbers_and_knows_no_more_people_than_there_are(tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    rows = pd.DataFrame({"face": [4, 7], "label": [0, 1], "same": [True, False], "more": ["a", "b"]})
    rows.to_parquet(path)
    columns = ("face", "label", "same")
    assert shapes.table(path, columns, labels=("label",), people=2).equals(rows[list(columns)])
    for asked in (
        {"columns": columns, "labels": ("label",), "people": 1},
        {"columns": ("face", "more")},
        {"columns": ("face", "other")},
    ):
        with pytest.raises(DamagedError, match="predictions"):
            shapes.table(path, **asked)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DamagedError, match="predictions"):
        shapes.table(path, columns)
