import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import NumberInput

from facessl import views
from facessl.config import PretrainRecipe
from facessl.studio import Studio
from facessl.viewing import ViewRecipe
from pages._shared.views.settings import TABS
from tests.pages.made import open_page, pretrained, words
from tests.pages.test_home import counted_set


def test_without_a_set_it_leads_to_data(empty_workspace: Path) -> None:
    app = open_page("views")
    assert not app.exception
    assert "no face to change" in words(app)


def test_every_setting_of_a_view_can_be_moved(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    app = open_page("views")
    assert not app.exception
    assert {slider.key for slider in app.slider} == {f"views-faces-{name}" for name in ViewRecipe.model_fields}


def test_every_setting_is_in_one_tab() -> None:
    assert sorted(name for names in TABS.values() for name in names) == sorted(ViewRecipe.model_fields)


def test_a_preset_sets_all_settings(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    app = open_page("views")
    app = app.selectbox(key="views-preset").select("SimCLR paper").run()
    shown = {slider.key.removeprefix("views-SimCLR paper-"): slider.value for slider in app.slider}
    wanted = views.PRESETS["SimCLR paper"].model_dump()
    assert {name: round(value, 2) for name, value in shown.items()} == {n: round(v, 2) for n, v in wanted.items()}


def test_contradicting_settings_are_one_sentence(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    app = open_page("views")
    app = app.slider(key="views-faces-crop_max").set_value(0.1).run()
    assert not app.exception
    assert "Smallest crop" in app.error[0].value and "must not be above" in app.error[0].value
    assert "crop_" not in app.error[0].value.replace("\\", "")


def test_contradicting_settings_keep_the_pictures_of_the_last_that_fit(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    app = open_page("views")
    app = app.slider(key="views-faces-rotation").set_value(30.0).run()
    before = pictures(app)
    app = app.slider(key="views-faces-crop_max").set_value(0.1).run()
    assert pictures(app) == before and len(before) > 3
    assert app.button(key="views-use").disabled
    app = app.slider(key="views-faces-crop_max").set_value(0.9).run()
    assert not app.error and pictures(app) != before
    assert not app.button(key="views-use").disabled


def test_a_face_is_said_to_be_somebodys_or_nobodys_yet(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    crops = Studio(empty_workspace).dataset("tiny").crops
    named, nameless = (int(np.flatnonzero((crops["person"] != "") == has)[0]) for has in (True, False))
    app = open_page("views")
    for row, said in ((named, f"{crops['person'][named]}, as prepared"),
                      (nameless, "As prepared; nobody has said who this is.")):  # fmt: skip
        app = app.number_input(key="views-row-tiny").set_value(row).run()
        assert said in [caption.value.replace("\\", "") for caption in app.caption]


def pictures(app: AppTest) -> list[str]:
    return [body for element in app.get("html") if "<img" in (body := str(element.proto.body))]


def size_in_form(app: AppTest) -> NumberInput:
    return next(field for field in app.number_input if field.key.endswith("-image_size"))


def test_views_begin_at_the_size_that_training_will_use(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    app = open_page("views")
    assert app.select_slider(key="views-size").value == PretrainRecipe.model_fields["image_size"].default
    app = app.switch_page("pages/pretrain.py").run()
    app = size_in_form(app).set_value(80).run()
    app = app.switch_page("pages/views.py").run()
    assert app.select_slider(key="views-size").value == 80
    assert "80 px is what Pre-train's form has." in [caption.value for caption in app.caption]


@pytest.mark.parametrize("typed", [99_999, -1])
def test_a_size_that_training_refuses_is_not_drawn(empty_workspace: Path, typed: int) -> None:
    counted_set(empty_workspace)
    app = open_page("pretrain")
    app = size_in_form(app).set_value(typed).run()
    app = app.switch_page("pages/views.py").run()
    assert not app.exception
    assert app.select_slider(key="views-size").value == PretrainRecipe.model_fields["image_size"].default


def test_the_size_is_carried_with_the_views(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    app = open_page("views")
    app = app.select_slider(key="views-size").set_value(96).run()
    assert any("takes 96 px along" in caption.value for caption in app.caption)
    app = app.button(key="views-use").click().run()
    assert not app.exception and size_in_form(app).value == 96
    app = app.switch_page("pages/views.py").run()
    assert app.select_slider(key="views-size").value == 96


def test_what_is_moved_is_what_pre_train_takes_over(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    app = open_page("views")
    app.slider(key="views-faces-rotation").set_value(11.0).run()
    app = next(button for button in app.button if button.label == "Use these in Pre-train").click().run()
    assert not app.exception
    assert app.session_state["carried_views"] == ViewRecipe(rotation=11.0).model_dump()
    assert app.title[0].value == "Pre-train"
    assert next(slider.value for slider in app.slider if slider.label == "Rotation") == 11.0


def test_the_pictures_are_what_training_draws(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    face = Studio(empty_workspace).dataset("tiny").faces[0]
    shown = Studio(empty_workspace).views(face, ViewRecipe(), 2, 32, seed=0)
    drawn = views.draw(2, ViewRecipe(), np.random.default_rng(0))
    np.testing.assert_array_equal(shown, views.render(np.stack([face, face]), drawn, 32))


def test_a_move_of_a_slider_is_answered_fast(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    app = open_page("views")
    app.slider(key="views-faces-blur").set_value(0.9)
    start = time.process_time()  # the machine may be busy with other things
    app.run()
    assert time.process_time() - start < 0.5  # the whole page and the test's own reading of it


def measured(app: AppTest) -> AppTest:
    return app.button(key="views-measure").click().run()


def test_the_grid_is_of_32_views_and_each_step_is_shown_alone(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    app = open_page("views")
    grids = [str(element.proto.body) for element in app.get("html")]
    assert 32 in [grid.count("<img") for grid in grids]
    alone = next(grid for grid in grids if "Brightness × 0.60" in grid)
    for title in (
        "Crop of 20%",
        "Mirrored",
        "Light from the left",
        "Brightness × 1.40",
        "Colour dropped",
        "Blur of 1.0",
    ):
        assert title in alone


def test_every_setting_says_its_range_and_why(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    shown = [markdown.value for markdown in open_page("views").markdown]
    for name, field in ViewRecipe.model_fields.items():
        what, _, why = str(field.description).partition(": ")
        assert what and len(why) > 20, f"{name} says what, but not why"
        assert sum(text.endswith(str(field.description)) for text in shown) == 1
    assert any(text.startswith("**Smallest crop** 0.2 (from 0.05 to 1)") for text in shown)


def test_likeness_is_measured_only_when_asked(empty_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted_set(empty_workspace)
    asked: list[str] = []
    real = Studio.likeness
    monkeypatch.setattr(Studio, "likeness", lambda self, *of: (asked.append(of[1]), real(self, *of))[1])
    app = open_page("views")
    app = app.slider(key="views-faces-blur").set_value(0.9).run()
    assert not asked and not app.metric
    assert "No network has been pre-trained" in words(app)
    app = measured(app)
    assert asked == ["untrained"]
    assert [metric.label for metric in app.metric] == [
        "Same face",
        "Different faces",
        "Find their own face",
    ]
    app = app.slider(key="views-faces-blur").set_value(0.1).run()
    assert asked == ["untrained"] and len(app.metric) == 3
    assert "of the settings before" in words(app)


def test_copies_leave_nothing_to_learn(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    app = open_page("views")
    app = measured(app.selectbox(key="views-preset").select("seed project").run())
    assert app.metric[0].value == "1.00"
    assert "Nothing to learn" in words(app) and "change nothing" in words(app)


def test_a_network_whose_weights_are_missing_is_one_sentence(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    run = pretrained(empty_workspace)
    (run.path / "model.safetensors").unlink()
    app = open_page("views")
    assert app.selectbox(key="views-model").value == run.id
    app = measured(app)
    assert not app.exception
    assert len(app.error) == 1 and not app.metric


def test_a_network_that_was_deleted_is_no_longer_offered(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    run = pretrained(empty_workspace)
    app = open_page("views")
    shutil.rmtree(run.path)
    app = app.run()
    assert not app.exception
    assert app.selectbox(key="views-model").options == ["Untrained ResNet18"]


def test_presets_are_saved_chosen_replaced_and_deleted(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    app = open_page("views")
    app.slider(key="views-faces-rotation").set_value(11.0).run()
    app.text_input(key="views-save-name-faces-0").set_value("Turned heads").run()
    app = app.button(key="views-save-do-0").click().run()
    assert not app.exception and not app.error
    assert app.selectbox(key="views-preset").value == "Turned heads"
    assert next(slider.value for slider in app.slider if slider.label == "Rotation") == 11.0
    saved = Studio(empty_workspace)
    assert saved.preset("Turned heads") == ViewRecipe(rotation=11.0)
    # The same name again needs a second word.
    rotation = next(slider for slider in app.slider if slider.label == "Rotation")
    app = rotation.set_value(20.0).run()
    app = app.button(key="views-save-do-1").click().run()
    assert "already" in app.error[0].value
    app = app.checkbox(key="views-save-replace-1").check().run()
    app = app.button(key="views-save-do-1").click().run()
    assert saved.preset("Turned heads").rotation == 20.0
    assert next(slider.value for slider in app.slider if slider.label == "Rotation") == 20.0
    app = app.button(key="views-delete-Turned heads").click().run()
    assert not app.exception
    assert app.selectbox(key="views-preset").value == "faces"
    assert "Turned heads" not in saved.presets()


def test_a_bad_name_for_a_preset_is_one_sentence(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    app = open_page("views")
    app.text_input(key="views-save-name-faces-0").set_value("../away").run()
    app = app.button(key="views-save-do-0").click().run()
    assert "letters, digits" in app.error[0].value
    assert not (empty_workspace / "presets").exists()


def test_a_damaged_preset_is_one_sentence_and_can_be_deleted(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    (empty_workspace / "presets").mkdir()
    (empty_workspace / "presets" / "odd.json").write_text("[")
    app = open_page("views")
    app = app.selectbox(key="views-preset").select("odd").run()
    assert not app.exception and "cannot be read" in app.error[0].value
    app = app.button(key="views-delete-odd").click().run()
    assert not app.error and app.selectbox(key="views-preset").value == "faces"
