from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from facessl.config import RECIPES, FinetuneRecipe, PrepareRecipe, PretrainRecipe
from facessl.errors import RecipeError
from facessl.recipes import Recipe, build
from facessl.viewing import ViewRecipe
from pages._shared.forms import bounds
from pages._shared.words import count, duration, in_labels, percent, plain


def draw(recipe: type[Recipe], **arguments: Any) -> AppTest:
    """Draw the form of a recipe on an empty page; what it returns is in the session state as ``values``."""

    def page(name, arguments):  # its source is run elsewhere: nothing from this file exists there
        import streamlit as st

        from facessl import config
        from pages._shared.forms import recipe_form

        st.session_state["values"] = recipe_form(getattr(config, name), key="f", **arguments)

    return AppTest.from_function(page, args=(recipe.__name__, arguments), default_timeout=60).run()


@pytest.mark.parametrize("recipe", [*RECIPES.values(), ViewRecipe])
def test_an_untouched_form_gives_the_recipe_of_the_defaults(recipe: type[Recipe]) -> None:
    app = draw(recipe)
    assert not app.exception
    assert build(recipe, app.session_state["values"]) == build(recipe, {})


def test_a_slider_keeps_to_the_bounds_of_its_field() -> None:
    hue = draw(PretrainRecipe).slider(key="f-views-hue")
    assert (hue.min, hue.max) == (0, 0.5)


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("epochs", 99_999, "Epochs: must be 10,000 or less, got 99999."),
        ("epochs", 0, "Epochs: must be 1 or more, got 0."),
        ("learning_rate", 1e300, r"Learning rate: must be 10 or less, got 1e+300."),
        ("clip_norm", -1.0, "Longest gradient: must be 0 or more, got -1.0."),
        ("seed", 2**32, "Seed: must be 4,294,967,295 or less, got 4294967296."),
    ],
)
def test_a_typed_number_arrives_whatever_it_is_and_the_recipe_refuses_it(field: str, typed: float, said: str) -> None:
    # With bounds the browser would keep it to itself, and the number from before would be run.
    app = draw(PretrainRecipe)
    values = app.number_input(key=f"f-{field}").set_value(typed).run().session_state["values"]
    assert values[field] == typed
    with pytest.raises(RecipeError) as refused:
        build(PretrainRecipe, values)
    assert in_labels(str(refused.value), PretrainRecipe) == plain(said)


def test_a_typed_number_says_what_it_may_be() -> None:
    app = draw(PretrainRecipe)
    epochs, rate = (app.number_input(key=f"f-{name}").help for name in ("epochs", "learning_rate"))
    assert epochs == "Times that every face is seen. At least 1 and at most 10,000."
    assert rate == "Length of the optimiser's steps. More than 0 and at most 10."


def test_a_refusal_calls_settings_as_the_form_does() -> None:
    said = in_labels("views.blur_max: must be 4 or less, got 9; epochs: must be 1 or more, got 0.", PretrainRecipe)
    assert said == plain("Largest blur: must be 4 or less, got 9; Epochs: must be 1 or more, got 0.")
    assert in_labels("crop_min (0.8) must not be above crop_max (0.5).", PretrainRecipe) == plain(
        "Smallest crop (0.8) must not be above Largest crop (0.5)."
    )
    assert in_labels("There is no set called size.", PrepareRecipe) == "There is no set called size."


def test_an_excluded_bound_cannot_be_chosen() -> None:
    low, high = bounds(PrepareRecipe.model_fields["train_share"])
    assert low is not None and high is not None
    assert 0 < low < 0.001 and 0.999 < high < 1


def test_what_matters_comes_first_and_the_rest_folds_away() -> None:
    app = draw(FinetuneRecipe, main=("epochs", "seed"), hide=("views",))
    assert [widget.label for widget in app.main.number_input][:2] == ["Epochs", "Seed"]
    assert [expander.label for expander in app.expander] == ["More settings"]
    folded = [widget.key for widget in app.expander[0].number_input]
    assert "f-learning_rate" in folded and "f-epochs" not in folded


def test_hidden_fields_are_not_returned() -> None:
    values = draw(FinetuneRecipe, hide=("dataset", "views")).session_state["values"]
    assert not {"dataset", "views"} & set(values) and "epochs" in values


def test_other_defaults_take_the_place_of_the_model_s() -> None:
    values = draw(PretrainRecipe, defaults={"epochs": 7, "views": {**ViewRecipe().model_dump(), "blur": 0.9}})
    assert values.session_state["values"]["epochs"] == 7
    assert values.session_state["values"]["views"]["blur"] == 0.9


def test_choices_make_a_text_field_a_select() -> None:
    app = draw(PretrainRecipe, choices={"init": ["scratch", "a-run"], "also": ["other"]})
    app.selectbox(key="f-init").select("a-run")
    app.multiselect(key="f-also").select("other")
    values = app.run().session_state["values"]
    assert values["init"] == "a-run" and values["also"] == ("other",)


def test_small_rates_are_typed_and_shares_are_slid() -> None:
    app = draw(PretrainRecipe)
    assert app.number_input(key="f-learning_rate").value == 1e-3
    assert app.slider(key="f-views-flip").value == 0.5


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "–"), (3.14, "3.1 s"), (59.6, "1 min 0 s"), (130, "2 min 10 s"), (7_300, "2 h 1 min")]
)
def test_time_spans_in_words(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_numbers_in_words() -> None:
    assert percent(0.7142) == "71.4 %" and percent(None) == "–"
    assert count(1, "person", "people") == "1 person" and count(5749, "person", "people") == "5,749 people"


def test_what_pages_share_is_imported_without_the_heavy_libraries() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from pages._shared import (curves, dataset_view, demo, forms, frame, found, path, prepare_form, "
        "run_panel, widgets, words); "
        "print([m for m in ('torch', 'umap', 'sklearn', 'cv2') if m in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_a_bound_of_a_million_is_no_slider() -> None:
    app = draw(PretrainRecipe)
    assert "f-clip_norm" in [field.key for field in app.number_input]
