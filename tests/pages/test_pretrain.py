from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from facessl import runs
from facessl.config import PretrainRecipe, build
from facessl.runs import Run
from facessl.studio import Studio
from pages._shared.curves import pretrain_sentence
from pages._shared.widgets import run_name
from tests.pages.made import APP, make_run, open_page, pretrained, words
from tests.pages.test_home import counted_set


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[PretrainRecipe]:
    """The recipe that the form would have started."""
    recipes: list[PretrainRecipe] = []

    def start(self: Studio, kind: str, given: dict[str, Any]) -> Run:
        recipe = build(PretrainRecipe, given)
        assert isinstance(recipe, PretrainRecipe)
        recipes.append(recipe)
        return runs.create(self.workspace, kind, recipe, title="a pre-training")

    monkeypatch.setattr(Studio, "start", start)
    return recipes


def test_without_faces_it_leads_to_data(empty_workspace: Path) -> None:
    app = open_page("pretrain")
    assert not app.exception
    assert "nothing to learn from" in words(app)


def test_the_untouched_form_starts_the_recipe_of_the_defaults(
    empty_workspace: Path, asked: list[PretrainRecipe]
) -> None:
    counted_set(empty_workspace)
    app = open_page("pretrain")
    app = next(button for button in app.button if button.label == "Start pre-training").click().run()
    assert not app.exception
    recipe = asked[0].model_copy(update={"device": "auto"})
    assert recipe == build(PretrainRecipe, {"dataset": "tiny"})
    # The run just started is the one that is shown.
    assert app.session_state["chosen_run"] == Studio(empty_workspace).runs("pretrain")[0].id
    assert app.session_state["pretrain-tabs"] == "Runs"


def test_settings_of_the_form_reach_the_recipe(empty_workspace: Path, asked: list[PretrainRecipe]) -> None:
    counted_set(empty_workspace)
    app = open_page("pretrain")
    app.selectbox(key="pretrain-backbone").select("tinyvgg")
    app = app.selectbox(key="pretrain-preset-False").select("gentle").run()
    next(field for field in app.number_input if field.label == "Epochs").set_value(3)
    next(field for field in app.number_input if field.label == "Temperature").set_value(0.4)
    next(button for button in app.button if button.label == "Start pre-training").click().run()
    assert (asked[0].backbone, asked[0].epochs, asked[0].options["temperature"]) == ("tinyvgg", 3, 0.4)
    assert asked[0].views.crop_min == 0.7


def test_a_finished_run_shows_its_curves_and_leads_on(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    pretrained(empty_workspace)
    app = open_page("pretrain")
    assert not app.exception
    assert "finds 83.3 % of 6 photos next to the right person" in words(app)
    assert len(app.get("plotly_chart")) == 2
    assert "Fine-tune it" in [link.label for link in app.get("page_link")]


def test_a_failed_run_shows_its_sentence_its_log_and_resume(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    run = make_run(empty_workspace, "pretrain", "it breaks")
    run.update(state="failed", error="The loss is not a number; lower the learning rate.")
    (run.path / "log.txt").write_text("Traceback …\n")
    app = open_page("pretrain")
    assert not app.exception
    assert [error.value for error in app.error] == ["The loss is not a number; lower the learning rate."]
    assert [code.value for code in app.code] == ["Traceback …"]
    assert "Resume" in [button.label for button in app.button]


@pytest.mark.parametrize("state", ["stopped", "interrupted"])
def test_a_run_that_was_cut_off_can_be_resumed(empty_workspace: Path, state: str) -> None:
    counted_set(empty_workspace)
    make_run(empty_workspace, "pretrain", "cut off").update(state=state, message="It stopped.")
    app = open_page("pretrain")
    assert not app.exception
    assert "Resume" in [button.label for button in app.button]


def test_a_running_one_has_progress_and_stop(empty_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted_set(empty_workspace)
    run = make_run(empty_workspace, "pretrain", "it runs")
    run.update(state="running", message="Epoch 2.", step=1, steps=4, images_per_second=123.0, seconds_left=65.0)
    monkeypatch.setattr(Run, "is_alive", lambda self: True)
    app = open_page("pretrain")
    assert not app.exception
    assert "123 images/s · 1 min 5 s left" in words(app)
    stop = next(button for button in app.button if button.label == "Stop")
    stop.click().run()
    assert run.stop_requested()


def test_the_table_lists_every_run_with_its_figures(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    pretrained(empty_workspace)
    make_run(empty_workspace, "pretrain", "another")
    table = open_page("pretrain").dataframe[0].value
    assert sorted(table["Run"]) == ["SimCLR of the tests", "another"]
    row = table[table["Run"] == "SimCLR of the tests"].iloc[0]
    assert round(row["k-NN val"], 1) == 83.3 and round(row["pixels"], 1) == 50.0 and row["Loss"] == 4.0


def test_a_run_without_named_val_faces_has_a_loss_all_the_same(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    run = make_run(empty_workspace, "pretrain", "nameless")
    run.log_metrics(epoch=0, spread=0.3)
    run.log_metrics(epoch=1, loss=4.0, chance=5.5)
    app = open_page("pretrain")
    assert not app.exception
    assert "no named faces in its val part" in words(app)
    assert len(app.get("plotly_chart")) == 1


def test_a_network_no_better_than_pixels_is_said_to_be_so() -> None:
    start = {"epoch": 0, "knn_accuracy": 0.3, "knn_pixels": 0.5, "knn_photos": 6}
    assert "no better than doing nothing" in pretrain_sentence([start, {"epoch": 1, "loss": 4.0, "knn_accuracy": 0.4}])
    assert "no better" not in pretrain_sentence([start, {"epoch": 1, "loss": 4.0, "knn_accuracy": 0.6}])


def test_a_link_chooses_the_run(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    first = pretrained(empty_workspace)
    make_run(empty_workspace, "pretrain", "a later one")
    app = AppTest.from_file(str(APP), default_timeout=120).run()
    app.query_params["run"] = first.id
    app = app.switch_page("pages/pretrain.py").run()
    assert app.selectbox(key="pretrain-run").value == first.id


def test_real_runs(trained_workspace: Path) -> None:
    app = open_page("pretrain")
    assert not app.exception
    assert len(app.get("plotly_chart")) == 2


def test_a_run_is_called_the_same_whatever_its_state_and_no_two_alike(empty_workspace: Path) -> None:
    first, second = (make_run(empty_workspace, "pretrain", "SimCLR on tiny") for _ in range(2))
    names = [run_name(first), run_name(second)]
    first.update(state="failed")
    assert [run_name(first), run_name(second)] == names
    assert len(set(names)) == 2


def test_a_page_asked_for_before_the_frame_has_run_comes_with_its_frame(empty_workspace: Path) -> None:
    # Nothing has called st.navigation yet, so Streamlit would run the page by itself.
    app = AppTest.from_file(str(APP), default_timeout=120).switch_page("pages/pretrain.py").run()
    assert not app.exception
    assert app.session_state["framed"]
