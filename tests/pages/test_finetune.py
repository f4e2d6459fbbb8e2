import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from streamlit.testing.v1 import AppTest

from facessl import attending, explain
from facessl.config import FinetuneRecipe
from facessl.encoder import Encoder
from facessl.files import read_json, write_json
from facessl.recipes import build
from facessl.run import Run
from facessl.stopping import BestEpoch
from facessl.studio import Studio
from pages._shared import results
from pages._shared.compare import board
from pages._shared.finetune import result
from pages._shared.finetune.curves import twin_from_nothing
from pages._shared.finetune.looked import overlaid
from pages._shared.finetune.start import BY_HAND, MATTERS, groups
from tests.pages.made import APP, answered, finetuned, make_run, open_page, pretrained, tiny_set, words
from tests.tiny import make_set


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


def captions(app: AppTest) -> list[str]:
    """Return what stands below the faces of the page's only grid."""
    grids = [element.proto for element in app.main if element.type == "bidi_component"]
    return [face["caption"] for grid in grids for face in json.loads(grid.json)["faces"]]


def test_without_faces_it_leads_to_data(empty_workspace: Path) -> None:
    app = open_page("finetune")
    assert not app.exception
    assert "Prepare a set first" in words(app)


def test_a_set_without_names_cannot_be_learnt(empty_workspace: Path) -> None:
    make_set(empty_workspace, people=1)
    app = open_page("finetune")
    assert not app.exception
    assert "nothing to tell apart" in words(app)


def test_from_a_run_its_network_and_size_are_taken_over(empty_workspace: Path, started: list[dict[str, Any]]) -> None:
    tiny_set(empty_workspace)
    parent = pretrained(empty_workspace)
    app = open_page("finetune")
    app.select_slider(key="finetune-share").set_value(0.1).run()
    app.button(key="finetune-start").click().run()
    assert not app.exception
    (settings,) = started
    assert settings["label_fraction"] == 0.1
    recipe = parent.config["recipe"]
    assert settings["init"] == parent.id
    assert {name: settings[name] for name in ("backbone", "image_size")} == {
        "backbone": recipe["backbone"], "image_size": recipe["image_size"],
    }  # fmt: skip


def test_a_link_from_a_pretraining_begins_with_it(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    first, second = pretrained(empty_workspace), pretrained(empty_workspace)
    tuned = finetuned(empty_workspace, "There already", right=4)
    app = open_page("finetune")
    assert app.selectbox(key="finetune-run").value == tuned.id  # there are runs, so they are shown first
    app.query_params["run"] = first.id
    app.run()
    assert not app.exception
    assert app.selectbox(key="finetune-init").value == first.id
    app.selectbox(key="finetune-init").set_value(second.id).run()
    assert app.selectbox(key="finetune-init").value == second.id  # the link has been heard


def test_every_setting_stands_in_one_place_of_the_form() -> None:
    placed = [*BY_HAND, *MATTERS, *(name for names in groups().values() for name in names)]
    assert sorted(placed) == sorted(FinetuneRecipe.model_fields)


def test_the_settings_of_fine_tuning_are_asked_for(empty_workspace: Path, started: list[dict[str, Any]]) -> None:
    tiny_set(empty_workspace)
    make_run(empty_workspace, "embed", "Any run", model="pixels")
    app = open_page("finetune")
    assert "ResNet18 has 4 stages here" in words(app)
    # More stages than there are is refused before anything starts, in a sentence.
    app.number_input(key="finetune-finetune-freeze_stages").set_value(9).run()
    assert "Freeze stages is at most 4" in app.error[0].value
    assert app.button(key="finetune-start").disabled
    app.number_input(key="finetune-finetune-freeze_stages").set_value(2).run()
    app.number_input(key="finetune-finetune-patience").set_value(3).run()
    app.selectbox(key="finetune-finetune-class_weights").set_value("balanced").run()
    app.button(key="finetune-start").click().run()
    assert not app.exception
    asked = {name: started[0][name] for name in ("freeze_stages", "patience", "class_weights", "label_smoothing")}
    assert asked == {"freeze_stages": 2, "patience": 3, "class_weights": "balanced", "label_smoothing": 0.0}


def test_a_number_out_of_range_is_refused_above_the_button(
    empty_workspace: Path, started: list[dict[str, Any]]
) -> None:
    tiny_set(empty_workspace)
    app = open_page("finetune")
    app.selectbox(key="finetune-init").set_value("scratch").run()
    options = [field.key for field in app.number_input if field.key.startswith("finetune-backbone-options-")]
    for key in ("finetune-finetune-epochs", "finetune-finetune-image_size", *options):
        before = app.number_input(key=key).value
        app.number_input(key=key).set_value(99_999)
        app.button(key="finetune-start").click().run()
        assert not app.exception
        assert "got 99999." in app.error[0].value
        assert app.button(key="finetune-start").disabled and started == []
        app.number_input(key=key).set_value(before).run()
        assert not app.error


def test_from_nothing_a_network_is_chosen_and_frozen_is_said(
    empty_workspace: Path, started: list[dict[str, Any]]
) -> None:
    tiny_set(empty_workspace)
    make_run(empty_workspace, "embed", "Any run", model="pixels")
    app = open_page("finetune")
    app.selectbox(key="finetune-backbone").set_value("tinyvgg").run()
    app.segmented_control(key="finetune-mode").set_value("frozen").run()
    assert "stays as it is" in words(app)
    app.button(key="finetune-start").click().run()
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
    assert "not ahead here: PCA + SVM" in app.warning[0].value
    assert app.dataframe[0].value["What"].tolist()[:2] == ["PCA + SVM", "PCA + LDA"]


def test_a_clicked_cell_shows_its_photos(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    run = finetuned(empty_workspace, "Four of six", right=4)
    app = open_page("finetune")
    # The two photos of Person 2 were called Person 0; without a click the most frequent mistake is shown.
    assert app.selectbox(key=f"finetune-mistake-{run.id}").value == (2, 0)
    assert captions(app) == ["Person 2\ncalled Person 0\n90 %"] * 2
    assert "**2 of 6 test photos** got a wrong name" in words(app)
    assert "Person 2 was taken for Person 0: 2 of 2 photos" in words(app)
    app.session_state[f"finetune-confusion-{run.id}"] = {"selection": {"points": [{"customdata": [1, 1, 2]}]}}
    app.run()
    assert not app.exception
    assert app.selectbox(key=f"finetune-mistake-{run.id}").value == (1, 1)
    assert captions(app) == ["Person 1\nrightly named\n90 %"] * 2


def test_a_row_of_the_list_shows_its_photos(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    run = finetuned(empty_workspace, "Three of six", right=3)  # Person 1 once and Person 2 twice get a wrong name
    app = open_page("finetune")
    listed = next(table.value for table in app.dataframe if "Taken for" in table.value)
    assert listed.values.tolist() == [["Person 2", "Person 0", 2, 2], ["Person 1", "Person 2", 1, 2]]
    app.session_state[f"finetune-confusion-{run.id}-list"] = {"selection": {"rows": [1], "columns": [], "cells": []}}
    app.run()
    assert not app.exception
    assert captions(app) == ["Person 1\ncalled Person 2\n90 %"]
    app.selectbox(key=f"finetune-person-{run.id}").set_value(0).run()
    assert not app.exception
    listed = next(table.value for table in app.dataframe if "Taken for" in table.value)
    assert listed.values.tolist() == [["Person 2", "Person 0", 2, 2]]  # all that has to do with Person 0


def test_the_report_is_a_table_of_numbers_whose_row_shows_photos(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    run = finetuned(empty_workspace, "Four of six", right=4)
    app = open_page("finetune")
    app.session_state["finetune-result-next"] = "Person by person"
    app.run()
    report = next(table.value for table in app.dataframe if "Recall" in table.value)
    # Person 0 got both of theirs and the two of Person 2; Person 1 both and nobody else's.
    assert report.values.tolist() == [
        ["Person 2", 0.0, 0.0, 0.0, 2],
        ["Person 0", 50.0, 100.0, pytest.approx(200 / 3), 2],
        ["Person 1", 100.0, 100.0, 100.0, 2],
    ]
    assert "precision 50.0 %, recall 66.7 %, F1 55.6 %" in words(app)
    assert app.metric[3].label == "macro-F1"
    assert app.metric[3].value == "55.6 %"
    app.session_state[f"finetune-people-{run.id}"] = {"selection": {"rows": [1], "columns": [], "cells": []}}
    app.run()
    assert not app.exception
    assert captions(app) == ["Person 0\nrightly named\n90 %"] * 2


def test_what_the_network_had_seen_before_is_said_beside_what_it_reached(empty_workspace: Path) -> None:
    """Results that do not know it say nothing of it."""
    tiny_set(empty_workspace)
    run = finetuned(empty_workspace, "Knows more", right=4, mode="frozen", label_fraction=0.1)
    before = run.result() or {}
    assert "before" not in result.in_words(before, run.config["recipe"])
    told = {"transductive": {"photos": 2, "of": 6, "with_names": 0}, "notes": ["Transductive: 2 of the 6."]}
    named = {"names_before": True, "photos_named_before": 48}
    write_json(run.path / "result.json", {**before, **told, "metrics": {**before["metrics"], **named}})
    assert "2 of the 6" in result.in_words(run.result() or {}, run.config["recipe"])
    score = results.test_score(run)
    assert score is not None
    assert (score.how, score.learnt_from) == ("frozen, learnt from names before (48 photos)", 2)
    assert board.seen_before([score]).endswith("*Knows more* from 2 of 6.")
    assert board.seen_before([replace(score, learnt_from=0)]) == ""


@pytest.mark.parametrize("early", [True, False])
def test_an_early_stop_is_said(empty_workspace: Path, early: bool) -> None:
    tiny_set(empty_workspace)
    run = finetuned(empty_workspace, "Patient", right=4, patience=2)
    best = BestEpoch(patience=2)
    for epoch, right in ((1, 0.5), (2, 0.7), (3, 0.6), (4, 0.6)):
        best.hear(epoch, {"val_top1": right, "val_loss": 1.0}, torch.nn.Identity())
    write_json(run.path / "result.json", {**(run.result() or {}), "early_stop": best.summary(9 if early else 4)})
    app = open_page("finetune")
    assert not app.exception
    said = "\n".join(box.value for box in app.info).replace("\\", "")
    assert ("Stopped early after epoch 4 of 9: 2 epochs without a better val result" in said) is early
    assert "the weights of epoch 2 are kept" in words(app)


def test_a_probe_that_fine_tuning_did_not_better_is_said_to_be_one(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    run = finetuned(empty_workspace, "Patient", right=4, patience=2)
    best = BestEpoch(patience=2)
    for epoch, right in ((0, 0.7), (1, 0.5), (2, 0.6)):
        best.hear(epoch, {"val_top1": right, "val_loss": 1.0}, torch.nn.Identity())
    write_json(run.path / "result.json", {**(run.result() or {}), "early_stop": best.summary(9)})
    assert "to no gain: its linear probe, frozen, is judged" in words(open_page("finetune"))
    score = results.test_score(run)
    assert score is not None and score.how == "fine-tuned, its linear probe kept"


def test_many_people_stay_readable(empty_workspace: Path) -> None:
    make_set(empty_workspace, people=62, photos=20, unnamed=0)
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(62), 2)
    answers = np.where(rng.random(124) < 0.7, labels, rng.integers(0, 62, 124))
    run = answered(empty_workspace, "Sixty-two", answers)
    app = open_page("finetune")
    assert not app.exception
    assert f"**{(labels != answers).sum()} of 124 test photos**" in words(app)
    assert "Shown are 16 of 62 people" in words(app)
    listed = next(table.value for table in app.dataframe if "Taken for" in table.value)
    assert listed["Photos"].sum() == (labels != answers).sum()
    assert listed["Photos"].is_monotonic_decreasing
    right, given = app.selectbox(key=f"finetune-mistake-{run.id}").value
    assert len(captions(app)) == ((labels == right) & (answers == given)).sum() == listed["Photos"][0]


def test_where_every_answer_is_right_it_says_so(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    run = finetuned(empty_workspace, "All right", right=6)
    app = open_page("finetune")
    assert not app.exception
    assert any("Every test face got its right name" in box.value for box in app.success)
    assert app.selectbox(key=f"finetune-mistake-{run.id}").value == (0, 0)


def test_the_curve_counts_also_the_first_three_guesses_where_they_were_measured(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    run = finetuned(empty_workspace, "With guesses", right=4)
    assert not [group for group in open_page("finetune").button_group if group.key == f"finetune-guesses-{run.id}"]
    for epoch in (3, 4):
        run.log_metrics(epoch=epoch, train_top1=0.5, train_top3=0.7, val_top1=0.4, val_top3=0.25 * (epoch - 1))
    app = open_page("finetune")
    (choice,) = (group for group in app.button_group if group.key == f"finetune-guesses-{run.id}")
    assert choice.options == ["Top-1", "Top-3"] and choice.value == 1
    app = choice.set_value(3).run()
    assert not app.exception
    drawn = [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]
    shown = next(chart for chart in drawn if chart["layout"]["yaxis"]["title"]["text"] == "right, %")
    assert [line["y"][-2:] for line in shown["data"]] == [[70, 70], [50, 75]]


def test_the_run_from_nothing_is_laid_over(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    parent = pretrained(empty_workspace)
    nothing = finetuned(empty_workspace, "From nothing", right=2)
    frozen = finetuned(empty_workspace, "From nothing, frozen", right=2, mode="frozen")  # newer, but of another mode
    run = finetuned(empty_workspace, "From the run", right=4, init=parent.id)
    app = open_page("finetune")
    app.selectbox(key="finetune-run").set_value(run.id).run()
    assert not app.exception
    over = app.selectbox(key=f"finetune-over-{run.id}")
    assert over.value == nothing.id
    assert "The run from nothing had 20.0 % after epoch 2" in words(app)
    over.set_value(frozen.id).run()
    assert "The run laid over had 20.0 % after epoch 2" in words(app)
    over.set_value("nothing").run()
    assert "had 20.0 %" not in words(app)
    # From nothing is the yardstick itself: there is nothing to lay over it unasked.
    app.selectbox(key="finetune-run").set_value(nothing.id).run()
    assert app.selectbox(key=f"finetune-over-{nothing.id}").value == "nothing"


def test_what_is_laid_over_is_the_same_network_and_learnt_most_alike(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    parent = pretrained(empty_workspace)
    made = [
        finetuned(empty_workspace, title, right=2, **settings)
        for title, settings in (
            ("alike", {"epochs": 7, "seed": 3}), ("another seed", {"epochs": 7}),
            ("shorter", {"epochs": 1}), ("another network", {"backbone": "tinyvgg"}),
            ("smaller faces", {"image_size": 32}),
        )
    ]  # fmt: skip
    run = finetuned(empty_workspace, "From the run", right=4, init=parent.id, epochs=7, seed=3)
    assert twin_from_nothing(run, made[::-1]) == made[0]
    assert twin_from_nothing(run, made[:0:-1]) == made[1]
    assert twin_from_nothing(run, made[:1:-1]) == made[2]
    assert twin_from_nothing(run, made[:2:-1]) is None


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
    with attending.held(run):
        app = open_page("finetune")
        assert not app.exception
        assert "After epoch 2: 50.0 % right on train photos, 20.0 % on validation photos" in words(app)
        app.button(key=f"finetune-stop-{run.id}").click().run()
        assert run.stop_requested()


def test_a_paused_one_can_go_on(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    run = finetuned(empty_workspace, "Waiting", right=6)
    (run.path / "result.json").unlink()
    run.update(state="paused", epoch=1, epochs=5, message="Paused.")
    with attending.held(run):
        app = open_page("finetune")
        assert not app.exception
        assert app.button(key=f"finetune-resume-{run.id}").label == "Resume"
        assert not app.metric  # nothing is said of test photos before the end


def test_a_stopped_one_goes_on_with_other_settings(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    run = make_run(empty_workspace, "finetune", "Stopped", epochs=4)
    run.update(state="stopped", message="Stopped on request.")
    app = open_page("finetune")
    assert not app.exception
    assert "Its work is kept" in app.info[0].value
    assert "It ended before its first epoch did." in words(app)
    assert app.number_input(key=f"go-on-{run.id}-0-epochs").value == 4


def test_trained_runs_of_the_studio_are_shown(trained_workspace: Path) -> None:
    app = open_page("finetune")
    assert not app.exception
    assert [metric.label for metric in app.metric] == ["top-1", "top-3", "top-5", "macro-F1"]


def test_a_photo_opened_large_shows_whom_else_it_could_be(trained_workspace: Path) -> None:
    run = Studio(trained_workspace).runs("finetune")[0]
    said = pd.read_parquet(run.path / "predictions.parquet").iloc[0]
    people = read_json(run.path / "report.json")["people"]
    app = open_page("finetune")
    app.session_state[f"finetune-open-{run.id}"] = int(said["face"])
    app.run()
    assert not app.exception
    candidates = next(table.value for table in app.dataframe if "Share" in table.value)
    assert candidates["Person"][0] == people[int(said["predicted"])]
    # What the worker wrote while it judged the test part, 0-1, is what the page computes now.
    assert candidates["Share"][0] == pytest.approx(100 * said["probability"], abs=0.5)
    assert len(candidates) == len(people) == 4
    assert candidates["Share"].sum() == pytest.approx(100)
    assert candidates["Share"].is_monotonic_decreasing


def test_the_worst_mistakes_show_where_the_network_looked(trained_workspace: Path) -> None:
    run = Studio(trained_workspace).runs("finetune")[0]
    table = pd.read_parquet(run.path / "predictions.parquet")
    wrong = table[table["label"] != table["predicted"]].sort_values("probability", ascending=False)
    assert len(wrong)
    app = open_page("finetune")
    app.session_state["finetune-result-next"] = "The worst mistakes"
    for _ in range(30):  # the first look is computed in the background
        app.run()
        if app.html and app.html[0].value.count("<img") == 2:
            break
    assert not app.exception
    assert f"**{len(wrong)} of {len(table)} test photos** got a wrong name" in words(app)
    pairs = [html.value for html in app.html if "<img" in html.value]
    assert len(pairs) == min(12, len(wrong))
    assert all(pair.count("<img") == pair.count("Where it looked") + 1 == 2 for pair in pairs)
    keys = [button.key for button in app.button if (button.key or "").startswith("finetune-worst-")]
    assert keys == [f"finetune-worst-{run.id}-{int(face)}" for face in wrong["face"][:12]]
    app.button(key=keys[0]).click().run()
    assert not app.exception
    assert app.session_state[f"finetune-open-{run.id}"] == wrong["face"].iloc[0]
    assert "**Where it looked**" in words(app)


def test_where_no_place_speaks_for_the_name_it_says_so(
    trained_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As Grad-CAM is where all evidence speaks against somebody who was called all the same.
    monkeypatch.setattr(Studio, "looked", lambda self, run_id, face, person: np.zeros((64, 64), np.float32))
    app = open_page("finetune")
    app.session_state["finetune-result-next"] = "The worst mistakes"
    app.run()
    assert not app.exception
    assert "Where it looked: no place speaks for this name, each speaks against it." in words(app)
    assert all(html.value.count("<img") == 1 for html in app.html if "<img" in html.value)


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
def test_mistakes_are_shown_without_the_model_that_made_them(empty_workspace: Path, name: str) -> None:
    tiny_set(empty_workspace)
    run = finetuned(empty_workspace, "without its model", right=3)
    (run.path / name).unlink()
    app = open_page("finetune")
    app.session_state["finetune-result-next"] = "The worst mistakes"
    app = app.run()
    assert not app.exception
    said = words(app)
    assert "Where it looked cannot be computed" in said and "Beside each face" not in said
    assert len([button for button in app.button if (button.key or "").startswith("finetune-worst-")]) == 3


def test_where_it_looked_is_computed_once(trained_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    grad_cam = explain.grad_cam

    def counted(encoder: Encoder, face: np.ndarray, person: str) -> np.ndarray:
        asked.append(person)
        return grad_cam(encoder, face, person)

    monkeypatch.setattr(explain, "grad_cam", counted)
    studio = Studio(trained_workspace)
    run = studio.runs("finetune")[0]
    face = int(studio.dataset("demo").rows("test")[0])
    person = studio.dataset("demo").people[0]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: studio.looked(run.id, face, person), range(4)))
    assert asked == [person]
    assert all(seen is found[0] for seen in found)
    assert found[0].shape == studio.dataset("demo").faces[face].shape[:2]


def test_what_is_looked_at_is_light_and_warm_and_the_rest_dark() -> None:
    face = np.full((8, 8, 3), 100, np.uint8)
    seen = np.zeros((8, 8), np.float32)
    seen[:, 4:] = 1
    shown = overlaid(face, seen)
    # 0.45 of the face's 100, and 0.55 of (20, 10, 70) where it did not look, of (255, 225, 70) where it looked most.
    assert np.abs(shown[:, :3] - np.array([56, 50.5, 83.5])).max() <= 1
    assert np.abs(shown[:, 5:] - np.array([185.25, 168.75, 83.5])).max() <= 1


def test_a_new_run_does_not_take_the_place_of_the_one_that_is_shown(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    finetuned(empty_workspace, "Older", right=2)
    shown = finetuned(empty_workspace, "Shown", right=3)
    app = open_page("finetune")
    assert app.selectbox(key="finetune-run").value == shown.id
    finetuned(empty_workspace, "Newer", right=6)
    for tab in (None, "Start a run", "Runs"):
        if tab:
            app.session_state["finetune-tabs"] = tab
        app = app.run()
        assert not app.exception
    select = app.selectbox(key="finetune-run")
    assert select.value == shown.id and "**3 of 6**" in words(app)
    # A browser that missed the first drawing shows the first of the list, unless it is told at each.
    app = app.run()
    select = app.selectbox(key="finetune-run")
    assert select.proto.set_value and "Shown" in select.proto.raw_value and "Newer" in select.options[0]


def test_runs_of_studies_are_left_out_unless_asked_for(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    finetuned(empty_workspace, "Mine", right=3)
    study = make_run(empty_workspace, "study", "A study", preset="label_efficiency")
    theirs = finetuned(empty_workspace, "Theirs", right=6)
    write_json(theirs.path / "config.json", {**read_json(theirs.path / "config.json"), "group": study.id})
    app = open_page("finetune")
    assert not app.exception
    assert [name.split(" · ")[0] for name in app.selectbox(key="finetune-run").options] == ["Mine"]
    app.toggle(key="finetune-of-studies").set_value(True).run()
    assert [name.split(" · ")[0] for name in app.selectbox(key="finetune-run").options] == ["Theirs", "Mine"]
    assert "**3 of 6**" in words(app)
    linked = AppTest.from_file(str(APP), default_timeout=120).run()
    linked.query_params["run"] = theirs.id
    linked = linked.switch_page("pages/finetune.py").run()
    assert linked.selectbox(key="finetune-run").value == theirs.id and linked.toggle(key="finetune-of-studies").value
