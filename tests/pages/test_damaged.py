"""A file that a full disk or a hand has damaged costs what it held, and nothing else: pages and lists go on."""

import json
from pathlib import Path

import pytest

from facessl.cli import main
from facessl.errors import DatasetError
from facessl.preparation import fresh_name
from facessl.run import Run
from facessl.states import DAMAGED
from facessl.studio import Studio
from tests.pages.made import finetuned, open_page, pretrained, tiny_set, words
from tests.tiny import make_set

FILES = ("config.json", "status.json", "result.json", "metrics.jsonl", "about.json", "report.json")
ODD = b'{"kind": "finetune", "recipe": {"epochs": "x"}, "title": 5, "created": null, "after": []}'
SHAPES = {"only a kind": b'{"kind": "finetune"}', "other types": ODD, "another kind": b'{"kind": "fly", "recipe": {}}'}
JUNK = {"cut short": b'{"kind": "finetu', "no text": b"\xff\xfe\x00junk\n\xff", "a list": b"[1, 2]\n", "empty": b""}


@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK)
@pytest.mark.parametrize("name", FILES)
def test_every_list_goes_on_and_the_run_can_be_deleted(
    two_runs: tuple[Path, Run], name: str, junk: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace, run = two_runs
    (run.path / name).write_bytes(junk)
    assert main(["runs", "--json", "--workspace", str(workspace)]) == 0
    listed = {row["run"]: row for row in json.loads(capsys.readouterr().out)}
    assert len(listed) == 3
    if name == "config.json":
        assert (listed[run.id]["kind"], listed[run.id]["title"]) == (DAMAGED, "A damaged run")
    if name == "status.json":
        assert listed[run.id]["state"] == "failed" and "cannot be read any more" in listed[run.id]["error"]
    assert main(["delete", run.id, "--json", "--workspace", str(workspace)]) == 0
    assert len(Studio(workspace).runs()) == 2


@pytest.mark.parametrize("name", FILES)
def test_every_page_goes_on(two_runs: tuple[Path, Run], name: str) -> None:
    workspace, run = two_runs
    (run.path / name).write_bytes(JUNK["cut short"])
    for page in ("home", "pretrain", "embeddings", "finetune", "identify", "compare"):
        app = open_page(page)
        assert not app.exception, (page, app.exception)
    app = open_page("finetune")
    app.query_params["run"] = run.id
    app = app.run()
    assert not app.exception
    if name == "result.json":
        assert "cannot be read any more" in words(app)
    if name == "config.json":
        app = open_page("home")
        assert run.id in words(app).replace("\\", "")
        app = app.button(key="home-damaged").click().run()
        assert not app.exception and len(Studio(workspace).runs()) == 2
        assert not run.path.exists() and "cannot be read any more" not in words(app)


def test_a_damaged_set_is_named_at_home_and_the_others_are_there(two_runs: tuple[Path, Run]) -> None:
    workspace, _ = two_runs
    make_set(workspace, "other")
    (workspace / "datasets" / "other" / "dataset.json").write_bytes(JUNK["cut short"])
    assert [dataset.name for dataset in Studio(workspace).datasets()] == ["tiny"]
    for page in ("home", "data", "views", "pretrain", "embeddings", "finetune", "identify", "compare"):
        assert not open_page(page).exception, page
    assert "1 set cannot be read any more" in words(open_page("home"))
    assert fresh_name("other", workspace) == "other-2"  # its photos are still there, and the name is taken
    (workspace / "datasets" / "tiny" / "dataset.json").write_bytes(JUNK["a list"])
    for page in ("home", "data", "views", "pretrain", "embeddings", "finetune", "identify", "compare"):
        assert not open_page(page).exception, page


NO_EDIT = b'{"foo": 1}\n'


@pytest.mark.parametrize("name, junk", [
    ("faces.parquet", JUNK["no text"]), ("faces.parquet", b""), ("faces.npy", None), ("faces.npy", b""),
    ("edits.jsonl", NO_EDIT), ("dataset.json", JUNK["empty"]),
])  # fmt: skip
def test_a_set_of_which_any_file_is_damaged_is_refused_before_a_run_exists(
    two_runs: tuple[Path, Run], name: str, junk: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace, _ = two_runs
    path = workspace / "datasets" / "tiny" / name
    path.write_bytes(path.read_bytes()[:5000] if junk is None else junk)
    assert Studio(workspace).damaged_datasets() == ["tiny"]
    capsys.readouterr()
    for word in (["evaluate", "--model", "pixels"], ["finetune"], ["study", "--preset", "label_efficiency"]):
        assert main([*word, "--dataset", "tiny", "--workspace", str(workspace)]) == 1
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and f"{name} does not hold any more what was written" in said
    assert len(Studio(workspace).runs()) == 3
    for page in ("compare", "finetune", "data"):
        assert not open_page(page).exception, page


def test_a_table_damaged_between_its_ends_is_a_sentence_too(two_runs: tuple[Path, Run]) -> None:
    workspace, _ = two_runs
    path = workspace / "datasets" / "tiny" / "faces.parquet"
    content = bytearray(path.read_bytes())
    content[4:-4] = bytes(len(content) - 8)
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"tiny is damaged: faces\.parquet"):
        Studio(workspace).dataset("tiny").rows("test")


@pytest.mark.parametrize("word", [
    ["finetune", "--init"], ["pretrain", "--init"], ["evaluate", "--model"], ["embed", "--model"],
    ["study", "--preset", "label_efficiency", "--starts"],
])  # fmt: skip
def test_nothing_begins_from_a_run_whose_settings_are_damaged(
    two_runs: tuple[Path, Run], word: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    workspace, run = two_runs
    (run.path / "config.json").write_bytes(b"{}")
    assert main([*word, run.id, "--dataset", "tiny", "--workspace", str(workspace)]) == 1
    assert f"The settings of {run.id} cannot be read any more; delete it." in capsys.readouterr().err
    assert len(list((workspace / "runs").iterdir())) == 3


def test_a_damaged_run_cannot_go_on(two_runs: tuple[Path, Run], capsys: pytest.CaptureFixture[str]) -> None:
    workspace, run = two_runs
    (run.path / "config.json").write_bytes(JUNK["cut short"])
    assert main(["resume", run.id, "--workspace", str(workspace)]) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_settings_of_another_shape_are_damaged_ones(
    two_runs: tuple[Path, Run], shape: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace, run = two_runs
    (run.path / "config.json").write_bytes(shape)
    where = ["--workspace", str(workspace)]
    assert main(["runs", "--json", *where]) == main(["note", run.id, "mine", *where]) == 0
    run.update(state="stopped")
    for word in (["resume", run.id], ["resume", run.id, "--epochs", "9"]):
        capsys.readouterr()
        assert main([*word, *where]) == 1
        assert capsys.readouterr().err.count("\n") == 1
    assert (run.status().attempts, run.is_alive()) == (0, False)  # no worker was started for that
    for page in ("home", "pretrain", "finetune", "compare"):
        assert not open_page(page).exception, page


ROWS = {
    "random bytes": b"\xff\xfe\x00\x81junk",
    "zeros": bytes(400),
    "no epoch": b'{"loss": 1.0}',
    "an epoch in letters": b'{"epoch": "x", "loss": 1.0}',
    "a loss in letters": b'{"epoch": 1, "loss": "abc"}',
    "an endless number": b'{"epoch": 1, "loss": Infinity}',
}


@pytest.mark.parametrize("place", [0, 1, -1])
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_damaged_row_of_a_curve_costs_that_row(empty_workspace: Path, row: bytes, place: int) -> None:
    tiny_set(empty_workspace)
    run = pretrained(empty_workspace)
    path = run.path / "metrics.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1]
    whole = run.metrics()
    lines.insert(place if place >= 0 else len(lines), row)
    path.write_bytes(b"\n".join(lines) + b"\n")
    assert run.metrics() == whole
    for page in ("home", "pretrain", "compare") if place == 0 else ():  # elsewhere they are given the same rows
        assert not open_page(page).exception, page
    run.cut_metrics(0)
    assert run.metrics() == whole[:1]


def test_without_the_row_of_the_untrained_network_nothing_else_is_taken_for_it(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    run = pretrained(empty_workspace)
    path = run.path / "metrics.jsonl"
    path.write_bytes(bytes(50) + b"\n" + path.read_bytes().split(b"\n", 1)[1])
    app = open_page("pretrain")
    assert not app.exception and len(app.get("plotly_chart")) == 2
    assert "untrained" not in words(app).lower()
    row = app.dataframe[0].value.iloc[0]
    assert round(row["k-NN val"], 1) == 83.3 and row["untrained"] is None


def test_every_page_goes_on_where_a_method_was_taken_away(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    run = pretrained(empty_workspace)
    finetuned(empty_workspace, "From it", right=3, init=run.id)
    finetuned(empty_workspace, "From nothing", right=4)
    settings = json.loads((run.path / "config.json").read_text())
    settings["recipe"]["method"] = "tilted"
    (run.path / "config.json").write_text(json.dumps(settings))
    for page in ("home", "pretrain", "embeddings", "finetune", "identify", "compare"):
        app = open_page(page)
        assert not app.exception, (page, app.exception)
    assert {"From it", "From nothing"} <= set(open_page("compare").dataframe[0].value["What"])
