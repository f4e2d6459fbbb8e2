import time
from pathlib import Path

import numpy as np

from facessl import views
from facessl.config import ViewRecipe
from facessl.studio import Studio
from tests.pages.made import open_page, words
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
    assert "must not be above" in app.error[0].value


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
