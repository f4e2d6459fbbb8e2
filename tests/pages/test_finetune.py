from pathlib import Path
from typing import Any

import pytest

from facessl import jobs
from facessl.config import FinetuneRecipe, build
from facessl.runs import Run
from facessl.studio import Studio
from tests.pages.made import finetuned, make_run, open_page, pretrained, tiny_set, words


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the page would have started; nothing is."""
    asked: list[dict[str, Any]] = []

    def start(self: Studio, kind: str, settings: dict[str, Any]) -> Run:
        build(FinetuneRecipe, settings)  # what the form gives has to be a recipe
        asked.append(settings)
        return self.runs()[0]

    monkeypatch.setattr(Studio, "start", start)
    return asked


def test_without_faces_it_leads_to_data(empty_workspace: Path) -> None:
    app = open_page("finetune")
    assert not app.exception
    assert "Prepare a set first" in words(app)


def test_a_set_without_names_cannot_be_learnt(empty_workspace: Path) -> None:
    from tests.tiny import make_set

    make_set(empty_workspace, people=1)
    app = open_page("finetune")
    assert not app.exception
    assert "nothing to tell apart" in words(app)


def test_from_a_run_its_network_and_size_are_taken_over(empty_workspace: Path, started: list[dict[str, Any]]) -> None:
    tiny_set(empty_workspace)
    parent = pretrained(empty_workspace)
    app = open_page("finetune")
    app.select_slider(key="finetune-share").set_value(0.1).run()
    app.button(key="FormSubmitter:finetune-form-Start").click().run()
    assert not app.exception
    (settings,) = started
    assert settings["label_fraction"] == 0.1
    recipe = parent.config["recipe"]
    assert settings["init"] == parent.id
    assert {name: settings[name] for name in ("backbone", "image_size")} == {
        "backbone": recipe["backbone"], "image_size": recipe["image_size"],
    }  # fmt: skip


def test_from_nothing_a_network_is_chosen_and_frozen_is_said(
    empty_workspace: Path, started: list[dict[str, Any]]
) -> None:
    tiny_set(empty_workspace)
    make_run(empty_workspace, "embed", "Any run", model="pixels")
    app = open_page("finetune")
    app.selectbox(key="finetune-backbone").set_value("tinyvgg").run()
    app.segmented_control(key="finetune-mode").set_value("frozen").run()
    assert "stays as it is" in words(app)
    app.button(key="FormSubmitter:finetune-form-Start").click().run()
    assert not app.exception
    assert started[0]["init"] == "scratch"
    assert started[0]["backbone"] == "tinyvgg"
    assert started[0]["mode"] == "frozen"


def test_a_finished_run_says_what_was_counted_and_how(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    finetuned(empty_workspace, "Three of six", right=3, mode="frozen", label_fraction=0.25)
    app = open_page("finetune")
    assert not app.exception
    said = words(app)
    assert "**3 of 6** faces of the `test` split" in said
    assert "frozen, with one linear layer" in said
    assert "25 % of the train labels" in said
    assert app.metric[0].value == "50.0 %"
    assert app.metric[0].delta == "95 %: 18.8 % – 81.2 %"  # Wilson, 3 of 6
    assert "loses here: PCA + SVM" in app.warning[0].value
    assert app.dataframe[0].value["What"].tolist()[:2] == ["PCA + SVM", "PCA + LDA"]


def test_a_clicked_cell_shows_its_photos(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    run = finetuned(empty_workspace, "Four of six", right=4)
    app = open_page("finetune")
    # The two photos of Person 2 were called Person 0; without a click the most frequent mistake is shown.
    assert app.selectbox(key=f"finetune-mistake-{run.id}").value == (2, 0)
    assert app.html[0].value.count("<img") == app.html[0].value.count(">Person 0, 90 %<") == 2
    app.session_state[f"finetune-confusion-{run.id}"] = {"selection": {"points": [{"customdata": [1, 1, 2]}]}}
    app.run()
    assert not app.exception
    assert app.selectbox(key=f"finetune-mistake-{run.id}").value == (1, 1)
    assert app.html[0].value.count(">Person 1, 90 %<") == 2


def test_a_failed_run_says_why_and_can_be_resumed(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    run = make_run(empty_workspace, "finetune", "Broken")
    run.update(state="failed", error="The loss is not a number; lower the learning rate.")
    app = open_page("finetune")
    assert not app.exception
    assert app.error[0].value == "The loss is not a number; lower the learning rate."
    assert app.button(key=f"finetune-resume-{run.id}").label == "Resume"


def test_a_running_one_shows_its_curve_and_can_be_stopped(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    run = finetuned(empty_workspace, "At work", right=6)
    run.update(state="running", epoch=2, epochs=5)
    (run.path / "result.json").unlink()
    with jobs.held(run):
        app = open_page("finetune")
        assert not app.exception
        assert "After epoch 2: 50.0 % right on train photos, 20.0 % on validation photos" in words(app)
        app.button(key=f"finetune-stop-{run.id}").click().run()
        assert run.stop_requested()


def test_trained_runs_of_the_studio_are_shown(trained_workspace: Path) -> None:
    app = open_page("finetune")
    assert not app.exception
    assert len(app.metric) == 3
