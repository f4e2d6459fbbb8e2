import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from facessl import devices, files, revision, runs
from facessl.batches import FaceBatches, FacePool
from facessl.config import PretrainRecipe
from facessl.dataset import FaceDataset
from facessl.devices import Compute, DeviceInfo
from facessl.distributed import World
from facessl.recipes import build
from facessl.run import Run
from facessl.states import ACTIVE, RESUMABLE
from facessl.studio import Studio
from facessl.turns import Place
from facessl.viewing import GENTLE_VIEWS, ViewRecipe
from pages._shared.curves import collapse_sentence, pretrain_sentence
from pages._shared.pretrain.before import an_epoch, before_it, computes_on, refused, steps_of, twice_learnt_from
from pages._shared.pretrain.estimate import STALE, what_it_was_measured_for
from pages._shared.pretrain.start import BY_HAND, MATTERS, groups
from pages._shared.pretrain.table import columns, ends, rows_of, seen
from pages._shared.pretrain.watch import PANELS
from pages._shared.widgets import run_name
from pages._shared.words import duration, plain
from tests.pages.made import APP, make_run, open_page, pretrained, words
from tests.pages.test_home import counted_set
from tests.tiny import make_set


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


@pytest.mark.parametrize(("field", "typed"), [("epochs", 99_999), ("batch_size", -4), ("image_size", 99_999)])
def test_a_number_out_of_range_is_refused_above_the_button_and_nothing_starts(
    empty_workspace: Path, asked: list[PretrainRecipe], field: str, typed: int
) -> None:
    counted_set(empty_workspace)
    app = open_page("pretrain")
    app.selectbox(key="pretrain-cpu-optimizer").select("lars").run()  # which asks for a root of the batch size
    # Typed and clicked away with the button itself: both reach the server at once.
    app.number_input(key=f"pretrain-cpu-{field}").set_value(typed)
    app = app.button(key="pretrain-start").click().run()
    assert not app.exception
    assert asked == []
    assert f"got {typed}." in app.error[0].value.replace("\\", "")
    assert app.button(key="pretrain-start").disabled and app.button(key="pretrain-estimate").disabled
    default = PretrainRecipe.model_fields[field].default
    app = app.number_input(key=f"pretrain-cpu-{field}").set_value(default).run()
    assert not app.error and not app.button(key="pretrain-start").disabled


def test_the_two_curves_side_by_side_are_of_one_height(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    pretrained(empty_workspace)
    drawn = [json.loads(chart.proto.spec)["layout"] for chart in open_page("pretrain").get("plotly_chart")]
    assert len(drawn) == 2
    assert len({(layout["height"], layout["margin"]["b"]) for layout in drawn}) == 1


@pytest.mark.parametrize("state", ["failed", "stopped"])
def test_no_first_point_is_promised_of_a_run_that_ended_without_one(empty_workspace: Path, state: str) -> None:
    counted_set(empty_workspace)
    make_run(empty_workspace, "pretrain", "it breaks").update(state=state)
    said = words(open_page("pretrain"))
    assert "The first point" not in said and "It ended before it was known" in said


def test_how_busy_the_gpu_was_is_shown_where_that_was_recorded(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    run = pretrained(empty_workspace)

    def charts() -> list[str]:
        app = open_page("pretrain")
        app = app.segmented_control(key="pretrain-panel").set_value("Machine").run()
        assert not app.exception
        return [text.value for text in app.markdown if text.value.startswith(("**Images", "**Memory", "**GPU use"))]

    run.log_metrics(epoch=2, loss=4.0, images_per_second=9.0, memory_mib=100)
    assert len(charts()) == 2
    run.log_metrics(epoch=3, loss=4.0, images_per_second=9.0, memory_mib=100, device_use=0.83)
    assert len(charts()) == 3


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
    assert round(row["k-NN val"], 1) == 83.3 and round(row["pixels, at best"], 1) == 50.0 and row["Loss"] == 4.0


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
    learnt = {"epoch": 1, "loss": 4.0, "knn_accuracy": 0.6}
    assert "normalised pixels 50.0 %." in pretrain_sentence([start, learnt])
    assert "no better" not in pretrain_sentence([start, learnt])
    said = pretrain_sentence([{**start, "knn_whitened_pixels": 0.7}, learnt])
    assert "PCA-whitened pixels 70.0 %. So far that is better than untrained, not yet better than pixels." in said


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (0.25, "no better than without learning"),
        (0.3, "no better than without learning"),  # as the untrained network: nothing is gained
        (0.4, "better than untrained, not yet better than pixels"),
        (0.5, "better than untrained, not yet better than pixels"),
        (0.6, ""),
    ],
)
def test_what_is_reached_is_compared_with_the_untrained_network_and_with_pixels(now: float, said: str) -> None:
    start = {"epoch": 0, "knn_accuracy": 0.3, "knn_pixels": 0.5, "knn_photos": 6}
    sentence = pretrain_sentence([start, {"epoch": 1, "loss": 4.0, "knn_accuracy": now}])
    assert sentence.endswith(f"So far that is {said}." if said else "normalised pixels 50.0 %.")


def test_a_link_chooses_the_run(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    first = pretrained(empty_workspace)
    make_run(empty_workspace, "pretrain", "a later one")
    app = AppTest.from_file(str(APP), default_timeout=120).run()
    app.query_params["run"] = first.id
    app = app.switch_page("pages/pretrain.py").run()
    assert app.selectbox(key="pretrain-run").value == first.id


def test_deleting_the_run_that_the_link_asks_for_clears_the_link(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    first, later = (make_run(empty_workspace, "pretrain", title) for title in ("a first", "a later one"))
    app = AppTest.from_file(str(APP), default_timeout=120).run()
    app.query_params["run"] = later.id
    app = app.switch_page("pages/pretrain.py").run()
    app = app.button(key=f"pretrain-delete-{later.id}").click().run()
    assert not app.exception and "which is not here" not in words(app)
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


# -- starting ----------------------------------------------------------------------------------------------------


def test_each_setting_stands_in_the_form_once() -> None:
    named = [name for names in groups().values() for name in names]
    placed = [*named, *MATTERS, *BY_HAND]
    assert sorted(placed) == sorted(PretrainRecipe.model_fields)


def test_a_saved_preset_can_be_chosen_and_its_settings_are_taken(
    empty_workspace: Path, asked: list[PretrainRecipe]
) -> None:
    counted_set(empty_workspace)
    Studio(empty_workspace).save_preset("Mine", ViewRecipe(blur=0.93))
    app = open_page("pretrain")
    app = app.selectbox(key="pretrain-preset-False").select("Mine").run()
    app.button(key="pretrain-start").click().run()
    assert asked[0].views.blur == 0.93


def test_before_the_start_it_says_where_it_computes_and_who_is_before_it(
    empty_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted_set(empty_workspace)
    monkeypatch.setattr(Studio, "device", lambda self: DeviceInfo("cpu", "2 × Abacus", "bf16", 8.0))
    assert "**2 × Abacus, bf16**. Nobody is before it" in words(open_page("pretrain"))
    works = make_run(empty_workspace, "finetune", "The one at work")
    places = [Place(queue, position, works) for queue in devices.queues("auto") for position in (0, 1)]
    monkeypatch.setattr(Studio, "queue", lambda self: places)
    app = open_page("pretrain")
    app.session_state["pretrain-tabs-next"] = "Start a run"
    assert "*The one at work* works there, and 1 run waits" in words(app.run())


def test_a_preset_is_called_as_on_the_views_page(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    Studio(empty_workspace).save_preset("Mine", ViewRecipe(blur=0.93))
    offered = open_page("views").selectbox(key="views-preset").options
    assert open_page("pretrain").selectbox(key="pretrain-preset-False").options == offered
    assert offered[0] == "Faces"


def queued(monkeypatch: pytest.MonkeyPatch, *lines: list[Run]) -> None:
    """Let the machine have one GPU a line, and these runs in the GPUs' queues; nobody in the CPU's."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(len(lines)))))
    places = [Place(f"gpu{gpu}", n, run) for gpu, line in enumerate(lines) for n, run in enumerate(line)]
    monkeypatch.setattr(Studio, "queue", lambda self: places)


def asking(**settings: object) -> PretrainRecipe:
    recipe = build(PretrainRecipe, {"dataset": "tiny", **settings})
    assert isinstance(recipe, PretrainRecipe)
    return recipe


def test_who_is_before_it_depends_on_the_device_and_on_how_many_it_needs(
    empty_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, three = (make_run(empty_workspace, "finetune", title) for title in ("One", "Two", "Three"))
    queued(monkeypatch, [one], [two, three])
    assert "*One* works there." in before_it(asking(device="cuda"))  # the shorter queue
    assert "*Two* works there, and 1 run waits." in before_it(asking(device="cuda:1"))
    assert "*Two* works there" in before_it(asking(device="cuda", processes=2))  # it needs both
    assert "starts at once" in before_it(asking(device="cpu"))
    one.request_pause()
    assert "*One* is paused, and holds the queue." in before_it(asking(device="cuda"))


def test_an_estimate_that_would_wait_says_so_beside_its_button(
    empty_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted_set(empty_workspace)
    assert "An estimate waits" not in words(open_page("pretrain"))
    works = make_run(empty_workspace, "finetune", "The *one* at work")
    works.request_pause()
    places = [Place(queue, 0, works) for queue in devices.queues("auto")]
    monkeypatch.setattr(Studio, "queue", lambda self: places)
    said = words(open_page("pretrain"))
    assert r"An estimate waits its turn as well: *The \*one\* at work* is paused, and holds the queue." in said


def test_where_it_computes_is_what_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    card, abacus = DeviceInfo("cuda", "Card", "bf16", 8.0), DeviceInfo("cpu", "2 × Abacus", "fp32", 8.0)
    monkeypatch.setattr("facessl.devices.pick", lambda wanted: {"cpu": abacus}[wanted])
    assert computes_on(asking(), None) == "It computes on a device that is being looked for."
    assert computes_on(asking(), card) == "It computes on **Card, bf16**."
    assert computes_on(asking(precision="fp16"), card) == "It computes on **Card, fp16**."
    assert computes_on(asking(device="cuda:1"), card) == r"It computes on **cuda\:1, bf16**."
    assert computes_on(asking(device="cpu", threads=1), card) == "It computes on **2 × Abacus, fp32**, 1 thread."
    assert "in 2 processes, each on a GPU of its own." in computes_on(asking(processes=2), card)
    assert "But 3 processes need as many GPUs, and there are 2." in computes_on(asking(processes=3), card)
    assert "in 2 processes, which share its cores." in computes_on(asking(processes=2), abacus)


def test_a_device_that_is_not_there_is_said_before_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facessl.devices.detect", lambda: DeviceInfo("cpu", "2 × Abacus", "fp32", 8.0))
    assert "This machine has no cuda device" in computes_on(asking(device="cuda"), devices.detect())


@pytest.mark.parametrize("faces", [2, 20, 52])
@pytest.mark.parametrize("batch_size", [2, 7, 20, 52, 64])
@pytest.mark.parametrize("processes", [1, 2, 3])
def test_the_steps_said_are_those_that_the_training_takes(faces: int, batch_size: int, processes: int) -> None:
    pool = FacePool([(cast(FaceDataset, SimpleNamespace(size=32, faces=None)), np.arange(faces))])
    compute = Compute(DeviceInfo("cpu", "2 × Abacus", "fp32", 8.0), "fp32", 1)
    recipe = asking(batch_size=batch_size, processes=processes)
    taken = FaceBatches(pool, np.full(faces, -1), 2, recipe, compute, World(0, processes))
    said = steps_of(faces, batch_size, processes)
    assert (said.batch, said.steps) == (taken.batch_size, taken.steps)
    assert said.left_out == faces - taken.steps * taken.batch_size


def test_how_faces_fall_into_steps_is_said_before_the_start(empty_workspace: Path) -> None:
    counted_set(empty_workspace)  # 4 nameless faces, and 48 to learn from
    app = open_page("pretrain")
    assert "52 faces in 1 step of 52, for a batch of 64 is more than there are." in words(app)
    app = next(field for field in app.number_input if field.label == "Batch size").set_value(20).run()
    assert "52 faces in 2 steps of 20; 12 faces left out of each epoch, others every time." in words(app)
    assert "52 faces in 2 steps of 26." in an_epoch(asking(batch_size=26))
    make_set(empty_workspace, "more", people=2, photos=10)
    assert "**tiny was named twice**" in an_epoch(asking(also=("tiny",)))
    assert "**more and more@2 are versions of one set**" in twice_learnt_from(("tiny", "more", "more@2"))
    assert twice_learnt_from(("tiny", "more")) == ""
    assert "72 faces in" in an_epoch(asking(also=("more",)))


def test_what_would_be_refused_is_said_before_the_press(empty_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted_set(empty_workspace)
    abacus = DeviceInfo("cpu", "2 × Abacus", "bf16", 8.0)
    monkeypatch.setattr(Studio, "device", lambda self: abacus)
    monkeypatch.setattr("facessl.devices.detect", lambda: abacus)
    app = open_page("pretrain")
    assert "it starts at once" in words(app) and not app.button(key="pretrain-start").disabled
    app.number_input(key="pretrain-cpu-processes").set_value(64)
    app = app.run()
    assert not app.exception and "64 processes get fewer than two each" in words(app)
    assert "starts at once" not in words(app)
    for key in ("pretrain-start", "pretrain-estimate", "pretrain-each"):
        assert app.button(key=key).disabled


def test_while_the_device_is_looked_for_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Studio, "device", lambda self: None)
    assert refused(asking(processes=64)) == ""


# -- the estimate ------------------------------------------------------------------------------------------------


def measured_probe(workspace: Path, **settings: object) -> Run:
    """A probe that found 2 s an epoch and half a second for a look, as if it had just ended."""
    run = make_run(workspace, "probe", "Estimate", **settings)
    found: dict[str, Any] = {"seconds_an_epoch": 2.0, "seconds_of_a_look": 0.5, "memory_mib": 2048, "loss": 4.7}
    found |= {"chance": 4.8, "faces": 28, "steps_an_epoch": 3, "device": "a slide rule", "precision": "fp32"}
    files.write_json(run.path / "result.json", found)
    return run


def test_estimate_starts_a_probe_of_what_the_form_says(empty_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted_set(empty_workspace)
    started: list[Run] = []
    monkeypatch.setattr("facessl.jobs.start", lambda workspace, run, changes=None: started.append(run))
    app = open_page("pretrain")
    next(field for field in app.number_input if field.label == "Batch size").set_value(6)
    app = app.button(key="pretrain-estimate").click().run()
    assert not app.exception
    assert [(run.kind, run.config["recipe"]["batch_size"]) for run in started] == [("probe", 6)]
    assert Studio(empty_workspace).runs("pretrain") == []


def test_an_estimate_is_shown_with_what_it_was_measured_for(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    measured_probe(empty_workspace)
    app = open_page("pretrain")
    assert not app.exception
    epochs = PretrainRecipe.model_fields["epochs"].default
    assert {metric.label: metric.value for metric in app.metric} == {
        "An epoch": "2.0 s", f"All {epochs} epochs": duration(2.0 * epochs + 0.5),
        "Memory at its peak": "2.0 GiB", "Loss": "4.7",
    }  # fmt: skip
    assert "28 faces in 3 steps an epoch" in words(app) and "a slide rule, fp32" in words(app)
    assert "of other settings" not in words(app)


def test_an_estimate_tells_of_the_batches_that_there_were(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    probe = measured_probe(empty_workspace, batch_size=5000)
    result = probe.result()
    assert result and "batches of 5,000" in what_it_was_measured_for(probe, result)
    said = what_it_was_measured_for(probe, result | {"batch_size": 1096})
    assert "batches of 1,096 · 28 faces in 3 steps an epoch" in said


def test_epochs_multiply_an_estimate_and_other_settings_make_it_stale(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    measured_probe(empty_workspace)
    app = open_page("pretrain")
    app = next(field for field in app.number_input if field.label == "Epochs").set_value(100).run()
    assert "3 min 20 s" in [metric.value for metric in app.metric]
    assert "of other settings" not in words(app)
    assert stale_figures(app) == []
    app = next(field for field in app.number_input if field.label == "Batch size").set_value(8).run()
    assert "Changed since: batch size." in words(app)


def stale_figures(app: AppTest) -> list[str]:
    """Return what is shown as measured for another form."""
    found = []

    def walk(block: Any) -> None:
        for child in getattr(block, "children", {}).values():
            if STALE in getattr(getattr(child, "proto", None), "id", ""):
                found.extend(metric.label for metric in child.metric)
            walk(child)

    walk(app.main)
    return found


def test_figures_of_other_settings_are_faded_below_a_word_that_says_so(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    measured_probe(empty_workspace, batch_size=8)
    app = open_page("pretrain")
    assert stale_figures(app) == [metric.label for metric in app.metric] != []
    order = [
        element.type
        for element in app.main
        if "of other settings" in str(getattr(element, "value", "")) or element.type == "metric"
    ]
    assert order == ["markdown", *["metric"] * 4]


def test_an_estimate_that_failed_says_why(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    make_run(empty_workspace, "probe", "Estimate").update(state="failed", error="The memory is full.")
    assert [error.value for error in open_page("pretrain").error] == ["It would not work: The memory is full."]


def test_each_setting_is_estimated_beside_the_forms(empty_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted_set(empty_workspace)
    monkeypatch.setattr("facessl.jobs.start", lambda workspace, run, changes=None: None)
    app = open_page("pretrain")
    app = app.button(key="pretrain-each").click().run()
    assert not app.exception
    base, *others = reversed(Studio(empty_workspace).runs("probe"))
    assert len(others) > 8 and not base.config["group"]
    for run, seconds, memory in ((base, 2.0, 2048), (others[0], 1.0, 1024)):
        files.write_json(run.path / "result.json", {
            "seconds_an_epoch": seconds, "seconds_of_a_look": 0.5, "memory_mib": memory, "loss": 4.7, "chance": None,
            "faces": 28, "steps_an_epoch": 3, "device": "a slide rule", "precision": "fp32",
        })  # fmt: skip
        run.update(state="finished")
    others[1].update(state="failed", error="The memory is full.")
    others[2].update(state="running")
    app = app.run()
    (table,) = (frame.value for frame in app.dataframe if "Instead" in frame.value)
    assert list(table["Times as long"])[:2] == ["0.50 ×", "–"]
    assert list(table["Difference"])[:2] == ["−1.0 GiB", "–"]
    assert list(table["Would not work"])[:2] == ["", "The memory is full."]
    assert [metric.value for metric in app.metric][:1] == ["2.0 s"]


# -- watching ----------------------------------------------------------------------------------------------------


def chart_names(app: AppTest) -> list[list[str]]:
    """Return the names of the lines of each chart."""
    charts = [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]
    return [[line["name"] for line in chart["data"]] for chart in charts]


def test_curves_are_smoothed_and_another_run_is_laid_over(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    other, run = pretrained(empty_workspace), pretrained(empty_workspace)
    app = open_page("pretrain")
    assert app.selectbox(key="pretrain-run").value == run.id
    assert chart_names(app) == [["k-NN on val"], ["loss"]]
    app = app.selectbox(key=f"pretrain-over-{run.id}").select(other.id).run()
    assert [names[1:] for names in chart_names(app)] == [[run_name(other)]] * 2
    assert "below its own line a run has learnt something" in words(app)
    app.selectbox(key=f"pretrain-over-{run.id}").select("nothing")
    app = app.slider(key="pretrain-smoothing").set_value(0.5).run()
    assert chart_names(app)[1] == ["loss, measured", "loss"]


@pytest.mark.parametrize("panel", PANELS)
def test_every_panel_draws_what_was_measured_and_says_what_was_not(empty_workspace: Path, panel: str) -> None:
    counted_set(empty_workspace)
    run = pretrained(empty_workspace)
    app = open_page("pretrain")
    app = app.segmented_control(key="pretrain-panel").set_value(panel).run()
    assert words(app).count("Nothing of this has been measured yet") == 2
    fields = {field: 1.0 for _, lines in PANELS[panel] for field in lines}
    run.log_metrics(epoch=2, loss=3.0, **fields)
    app = open_page("pretrain")
    app = app.segmented_control(key="pretrain-panel").set_value(panel).run()
    assert not app.exception
    assert [name for names in chart_names(app) for name in names] == [
        name for _, lines in PANELS[panel] for name in lines.values()
    ]


def test_a_collapse_is_said_with_what_to_try() -> None:
    rows = [{"epoch": 3, "spread": 0.012, "collapsed": True}]
    assert "spread 0.012 after epoch 3" in collapse_sentence(rows, "running", 300)
    assert collapse_sentence([*rows, {"epoch": 4, "spread": 0.5, "collapsed": False}], "running", 300) == ""
    assert collapse_sentence([], "running", 300) == ""


@pytest.mark.parametrize("state", [*ACTIVE, *RESUMABLE, "finished"])
def test_only_a_run_that_works_is_to_be_stopped(state: str) -> None:
    said = collapse_sentence([{"epoch": 3, "spread": 0.012, "collapsed": True}], state, 300)
    assert ("stop it, and start again" in said) == (state in ("queued", "running", "paused"))
    assert "with a lower learning rate or a larger batch." in said


def test_a_few_steps_are_no_collapse() -> None:
    rows = [{"epoch": 3, "spread": 0.012, "collapsed": True}]
    assert "after 8 steps. That says little" in collapse_sentence(rows, "finished", 8)
    assert "lower learning rate" in collapse_sentence(rows, "finished", 50)


def test_the_collapse_stands_on_the_page(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    pretrained(empty_workspace).log_metrics(epoch=2, loss=5.5, spread=0.01, collapsed=True)
    assert "lower learning rate or a larger batch" in open_page("pretrain").warning[0].value


def test_the_strip_shows_pairs_of_the_epoch_at_work(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    run = make_run(empty_workspace, "pretrain", "cut off", epochs=9)
    run.update(state="stopped", epoch=4, epochs=9)
    app = open_page("pretrain")
    assert "first faces of epoch 5" in words(app)
    strip = next(html.proto.body for html in app.get("html") if "view 1" in html.proto.body)
    assert strip.count("<img") == 2 * 12


def test_without_its_set_a_run_is_shown_without_views(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    make_run(empty_workspace, "pretrain", "orphan", dataset="gone")
    app = open_page("pretrain")
    assert not app.exception
    assert "views cannot be shown" in words(app)


def test_changes_and_what_auto_came_to_stand_among_the_settings(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    run = make_run(empty_workspace, "pretrain", "revised")
    run.update(state="stopped")
    run.resolved(precision="bf16")
    revision.revise(run, {"epochs": 40})
    app = open_page("pretrain")
    assert "after epoch 2\\: epochs 20 → 40" in words(app)
    assert any("bf16" in list(table.value.get("Value", ())) for table in app.dataframe)


def test_a_run_within_an_epoch_does_not_go_on_with_fewer(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    run = make_run(empty_workspace, "pretrain", "cut off")
    run.update(state="stopped", epoch=6, epochs=20, step=31, steps=100)
    app = open_page("pretrain")
    app.number_input(key=f"go-on-{run.id}-0-epochs").set_value(6)
    app = next(button for button in app.button if button.label == "Go on with these").click().run()
    assert [error.value for error in app.error] == ["It was stopped within epoch 7; ask for 7 epochs or more."]
    assert run.status().state == "stopped" and "changes" not in run.config


def test_a_run_goes_on_with_what_was_changed_and_nothing_else(
    empty_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted_set(empty_workspace)
    run = make_run(empty_workspace, "pretrain", "cut off")
    run.update(state="stopped")
    asked_for: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(Studio, "resume", lambda self, run_id, changes=None: asked_for.append((run_id, changes)))
    app = open_page("pretrain")
    go_on = next(button for button in app.button if button.label == "Go on with these")
    app = go_on.click().run()
    assert asked_for == [] and "change one" in words(app)
    app.number_input(key=f"go-on-{run.id}-0-epochs").set_value(35)
    next(button for button in app.button if button.label == "Go on with these").click().run()
    assert asked_for == [(run.id, {"epochs": 35})]


def test_a_run_does_not_go_on_with_a_number_out_of_range(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    run = make_run(empty_workspace, "pretrain", "cut off")
    run.update(state="stopped")
    app = open_page("pretrain")
    app.number_input(key=f"go-on-{run.id}-0-batch_size").set_value(99_999)
    app = next(button for button in app.button if button.label == "Go on with these").click().run()
    assert not app.exception
    assert plain("Batch size: must be 8,192 or less, got 99999.") in [error.value for error in app.error]
    assert run.config["recipe"]["batch_size"] == PretrainRecipe.model_fields["batch_size"].default


# -- the table ---------------------------------------------------------------------------------------------------


def test_a_run_is_renamed_and_noted(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    run = make_run(empty_workspace, "pretrain", "plain")
    app = open_page("pretrain")
    app.text_input(key=f"title-{run.id}").set_value("Better")
    app.text_area(key=f"note-{run.id}").set_value("It was the rate.")
    app = next(button for button in app.button if button.label == "Save").click().run()
    assert (run.title, run.note) == ("Better", "It was the rate.")
    assert app.dataframe[-1].value["Note"][0] == "It was the rate."


def test_the_table_is_filtered_by_text_set_and_state(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    make_run(empty_workspace, "pretrain", "The first").update(state="failed")
    make_run(empty_workspace, "pretrain", "The second").describe(note="with a pinch of salt")
    make_run(empty_workspace, "pretrain", "A third", dataset="other")

    def listed(app: AppTest) -> list[str]:
        return sorted(app.dataframe[-1].value["Run"])

    app = open_page("pretrain")
    assert len(listed(app)) == 3
    assert listed(app.text_input(key="pretrain-find").set_value("SALT").run()) == ["The second"]
    app = app.text_input(key="pretrain-find").set_value("the").run()
    assert listed(app.multiselect(key="pretrain-filter-State").set_value(["Failed"]).run()) == ["The first"]
    app.multiselect(key="pretrain-filter-State").set_value([])
    app.text_input(key="pretrain-find").set_value("")
    assert listed(app.multiselect(key="pretrain-filter-Set").set_value(["other"]).run()) == ["A third"]
    app = app.text_input(key="pretrain-find").set_value("nothing like it").run()
    assert "clear a filter" in words(app)


def test_the_table_counts_in_numbers_and_leaves_blank_what_was_not_measured(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    slow, quick, new = (make_run(empty_workspace, "pretrain", title, epochs=30) for title in ("a", "b", "c"))
    slow.update(seconds=600.0, epoch=9)
    quick.update(seconds=90.0, epoch=30)
    new.update(seconds=0.0, epoch=0)
    app = open_page("pretrain")
    table = app.dataframe[-1].value.set_index("Run")
    # As text, "10 min 0 s" sorts before "9 min", and "9 / 30" behind "30 / 30".
    assert list(table.sort_values("Minutes").index) == ["b", "a", "c"]
    assert list(table.sort_values("Epochs").index) == ["c", "a", "b"] and set(table["Asked for"]) == {30}
    assert np.isnan(table.loc["c", "Minutes"]) and app.dataframe[-1].proto.placeholder == ""


def test_the_run_shown_is_marked_in_the_table(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    first, second = (make_run(empty_workspace, "pretrain", "alike") for _ in range(2))
    for run in (second, first):
        app = AppTest.from_file(str(APP), default_timeout=120).run()
        app.query_params["run"] = run.id
        table = app.switch_page("pages/pretrain.py").run().dataframe[-1].value
        assert list(table[table["Shown"] != ""]["Id"]) == [run.id[-4:]]


def test_a_long_title_or_note_pushes_no_column_out_of_sight(empty_workspace: Path) -> None:
    widths = {name: column["width"] for name, column in columns(noted=True).items()}
    without = {name: column["width"] for name, column in columns(noted=False).items() if column}
    assert "Note" not in without and without["Run"] == widths["Run"] + widths["Note"]  # titles that begin alike
    assert sum(without.values()) == sum(widths.values())
    assert sum(widths[name] for name in ("Shown", "Run", "What differs", "Note", "Id")) < 700
    # 1,440 points less the page's margins and a scroll bar; the boxes to choose a row with take 34.
    drawn = list(rows_of([make_run(empty_workspace, "pretrain", "any")]).popitem()[1])
    upto = drawn[: drawn.index("Asked for") + 1]
    assert 34 + sum(widths[name] for name in upto) <= 1440 - 2 * 85 - 15


def test_a_loss_of_six_figures_keeps_them_all() -> None:
    digit, padding = 7, 16  # points
    assert columns(noted=True)["Loss"]["width"] >= len("123456.789") * digit + padding


def test_what_is_known_of_a_run_stands_one_below_the_other(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    make_run(empty_workspace, "pretrain", "cut off").update(state="stopped")
    app = open_page("pretrain")
    asides = [expander for column in app.columns for expander in column.expander]
    labels = ["Settings of this run", "Title and note", "Go on with other settings"]
    assert [expander.label for expander in app.expander if expander.label in labels] == labels
    assert not {expander.label for expander in asides} & set(labels)


def test_runs_of_one_name_are_told_apart_by_what_most_do_not_have(empty_workspace: Path) -> None:
    plain = make_run(empty_workspace, "pretrain", "alike")
    others = [
        make_run(empty_workspace, "pretrain", "alike", **settings)
        for settings in (
            {"learning_rate": 3e-4, "options": {"temperature": 0.5}},
            {"views": GENTLE_VIEWS.model_dump(), "epochs": 7},
            {"init": plain.id, "batch_size": 32, "also": ["more", "most"]},
            {"method": "vicreg", "backbone": "tinyvgg"},
        )
    ]
    rows = rows_of([*reversed(others), plain])
    assert [rows[run.id]["What differs"] for run in (plain, *others)] == [
        "",
        "learning rate 0.0003 · temperature 0.5",
        "views Gentle",
        "start from alike · batch size 32 · further sets, nameless more, most",
        "backbone TinyVGG · method VICReg",
    ]


def test_what_most_runs_have_is_not_told_of_each(empty_workspace: Path) -> None:
    usual = [make_run(empty_workspace, "pretrain", "alike", batch_size=200) for _ in range(3)]
    other = make_run(empty_workspace, "pretrain", "alike", views={"hue": 0.2, "blur": 0.7, "flip": 0.1})
    rows = rows_of([other, *usual])
    assert {rows[run.id]["What differs"] for run in usual} == {""}
    assert rows[other.id]["What differs"] == (
        f"batch size {PretrainRecipe.model_fields['batch_size'].default} · mirrored, how often 0.1 · hue 0.2 · "
        "blur, how often 0.7"
    )


def test_the_first_and_last_row_are_read_without_those_between(empty_workspace: Path) -> None:
    run = make_run(empty_workspace, "pretrain", "long")
    for epoch in range(5001):
        with (run.path / "metrics.jsonl").open("a") as file:
            file.write(json.dumps({"epoch": epoch, "loss": epoch / 2}) + "\n")
    assert ends(run) == ({"epoch": 0, "loss": 0.0}, {"epoch": 5000, "loss": 2500.0})
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 5001, "lo')  # being written just now
    assert ends(run)[1]["epoch"] == 5000


def test_what_others_do_changes_what_is_looked_out_for(empty_workspace: Path) -> None:
    run = make_run(empty_workspace, "pretrain", "one")
    before = seen([run])
    run.update(seconds=9.0)
    assert seen([run]) == before
    run.update(state="failed")
    failed = seen([run])
    run.describe(title="another")
    assert len({before, failed, seen([run])}) == 3


def test_three_hundred_runs(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    run = pretrained(empty_workspace)
    for number in range(299):
        shutil.copytree(run.path, run.path.with_name(f"{run.id}{number:03}"))
    app = open_page("pretrain")
    assert not app.exception
    assert len(app.dataframe[-1].value) == 300
