import json
import time
from pathlib import Path
from typing import Any

import pytest

from facessl import files, jobs, runs
from facessl.config import DemoRecipe, PrepareRecipe
from facessl.recipes import build
from facessl.run import Run
from facessl.studio import Studio
from tests.pages.made import finetuned, mapped, open_page, pretrained, tiny_set, words

ROOT = Path(__file__).parents[2]


@pytest.fixture
def not_started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Runs are made, but nobody works on them; which they were is in the list."""
    asked: list[str] = []

    def start(workspace: Path, run: Run) -> None:
        asked.append(run.kind)
        (run.path / "run.lock").touch()

    monkeypatch.setattr(jobs, "start", start)
    return asked


def counted_set(workspace: Path) -> None:
    """Write the tiny set with the counts that a real preparation leaves."""
    tiny_set(workspace)
    path = workspace / "datasets" / "tiny" / "dataset.json"
    info = json.loads(path.read_text())
    path.write_text(json.dumps({**info, "counts": {"faces": 64}, "created": "2026-01-02T03:04:05"}))


def finished_demo(workspace: Path) -> list[Run]:
    """Write a demo of which every run is finished."""
    counted_set(workspace)
    prepared = runs.create(workspace, "prepare", build(PrepareRecipe, {"name": "tiny"}), title="Prepare the faces")
    prepared.update(state="finished", message="Finished.", seconds=3.0)
    made = [prepared, pretrained(workspace), mapped(workspace)]
    made.append(finetuned(workspace, "Learn the names", right=5, init=made[1].id))
    for run in made:
        config = {**run.config, "group": "demo-tiny"}
        files.write_json(run.path / "config.json", config)
        time.sleep(0.01)  # runs are listed by when they were made
    return made


def test_an_empty_workspace_offers_the_demo_and_shows_the_path(empty_workspace: Path) -> None:
    app = open_page("home")
    assert not app.exception
    assert "Run the demo" in [button.label for button in app.button]
    steps = [link.label for link in app.get("page_link")]
    assert steps == [f"**{n} · {name}**" for n, name in enumerate(
        ("Data", "Views", "Pre-train", "Embeddings", "Fine-tune", "Identify"), start=1)]  # fmt: skip
    assert words(app).count("Not yet") == 6
    assert "nothing runs now" in words(app)


def test_the_button_starts_the_demo_with_the_sizes_of_the_form(
    empty_workspace: Path, not_started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []
    start_demo = Studio.start_demo
    monkeypatch.setattr(
        Studio, "start_demo", lambda self, settings: asked.append(settings) or start_demo(self, settings)
    )
    app = open_page("home")
    app.number_input(key="demo-people").set_value(5)
    button = next(button for button in app.button if button.label == "Run the demo")
    app = button.click().run()
    assert not app.exception
    assert DemoRecipe(**asked[0]) == DemoRecipe(people=5)
    assert not_started[:2] == ["prepare", "pretrain"]
    # Nobody took the runs up in this test, so what is offered is to go on.
    assert "Resume the demo" in [button.label for button in app.button]


def test_a_demo_of_a_size_out_of_range_is_refused(empty_workspace: Path, not_started: list[str]) -> None:
    app = open_page("home")
    app.number_input(key="demo-people").set_value(99_999)
    app = next(button for button in app.button if button.label == "Run the demo").click().run()
    assert not app.exception
    assert "got 99999." in app.error[0].value
    assert next(button for button in app.button if button.label == "Run the demo").disabled
    assert not_started == []


def test_a_finished_demo_says_what_came_out_and_leads_on_to_identify(empty_workspace: Path) -> None:
    finished_demo(empty_workspace)
    app = open_page("home")
    assert not app.exception
    figures = {metric.label: metric.value for metric in app.metric}
    assert figures["k-NN, no names"] == "83.3 %"
    assert figures["Normalised pixels"] == "50.0 %" and figures["Untrained network"] == "33.3 %"
    assert "Now identify a face" in [button.label for button in app.button]
    text = words(app)
    # 5 of 6 against 4 of 6 of the best plain method.
    assert (
        "fine-tuned, it names 83.3 % of 6 test photos" in text
        and "leads the best plain method, PCA + SVM (66.7 %)" in text
    )
    assert "Run the demo again" in [button.label for button in app.button]


def test_a_network_that_loses_is_said_to_lose(empty_workspace: Path) -> None:
    finished_demo(empty_workspace)
    report = Studio(empty_workspace).runs("finetune")[0].path / "report.json"
    content = files.read_json(report)
    content["baselines"][0]["top1"] = 1.0
    files.write_json(report, content)
    assert "The network is not ahead here: Majority" in words(open_page("home"))


def test_a_failed_demo_shows_its_sentence_and_can_be_resumed(empty_workspace: Path) -> None:
    demo = finished_demo(empty_workspace)
    demo[1].update(state="failed", error="The loss is not a number; lower the learning rate.")
    app = open_page("home")
    assert not app.exception
    assert "The loss is not a number; lower the learning rate." in words(app)
    assert "Resume the demo" in [button.label for button in app.button]


def test_each_step_shows_what_has_come_out(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    pretrained(empty_workspace)
    text = words(open_page("home"))
    assert "3 people, 64 faces" in text
    assert "k-NN 83.3 % on val" in text


def test_the_sets_are_charted_with_their_faces(empty_workspace: Path) -> None:
    assert not open_page("home").get("plotly_chart")
    counted_set(empty_workspace)
    path = empty_workspace / "datasets" / "tiny" / "dataset.json"
    info = json.loads(path.read_text())
    splits = {"unlabelled": 4, "train": 48, "val": 6, "test": 6}
    path.write_text(json.dumps({**info, "counts": {"faces": 64, "splits": splits}}))
    charts = open_page("home").get("plotly_chart")
    figure = json.loads(charts[0].proto.spec or charts[0].proto.figure.spec)
    assert {trace["name"]: list(trace["x"]) for trace in figure["data"]} == {s: [n] for s, n in splits.items()}


def test_home_reads_little_and_is_drawn_fast(empty_workspace: Path) -> None:
    open_page("home")  # what is imported once is not what each visit costs
    start = time.process_time()  # the machine may be busy with other things
    open_page("home")
    assert time.process_time() - start < 1.0  # two runs of the script, each to take half a second at most


def test_home_of_real_runs(trained_workspace: Path) -> None:
    app = open_page("home")
    assert not app.exception
    assert "Knows the people of demo" in words(app)
