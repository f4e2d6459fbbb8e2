"""The settings of the Views page: a preset, and each of its settings moved; the size that training will use."""

import zlib
from typing import Any

import streamlit as st

from facessl import recipes
from facessl.config import PretrainRecipe, device_defaults
from facessl.errors import RecipeError
from facessl.viewing import ViewRecipe
from pages._shared.backend import studio
from pages._shared.forms import bounds, recipe_form
from pages._shared.pretrain.start import CARRIED, FROM_VIEWS
from pages._shared.widgets import shown_errors
from pages._shared.words import in_labels, plain, preset_name

PRESET, NEXT_PRESET = "views-preset", "views-preset-next"
SIZE, TRAINING = "views-size", "views-size-of-training"
LAST = "views-last"  # the last settings that fitted together; the key of no widget
SIZES = (32, 48, 64, 96, 112, 160, 224)
# Sixteen sliders below one another are longer than any screen; these are those that work together.
TABS = {
    "Crop": ("crop_min", "crop_max", "aspect", "rotation", "flip"),
    "Light": ("light", "light_max", "cast"),
    "Colour": ("jitter", "brightness", "contrast", "saturation", "hue", "grey"),
    "Blur": ("blur", "blur_max"),
}


def pick_size() -> int:
    """Let the side of a view be chosen; it begins, and begins again, with what Pre-train's form has."""
    training = training_size()
    if st.session_state.get(TRAINING) != training:
        st.session_state[TRAINING] = st.session_state[SIZE] = training
    # Kept on another page: looking there must not undo what was chosen here.
    size: int = st.select_slider(
        "Side of a view in pixels", sorted({*SIZES, training}), key=SIZE, persist_state="session",
        help="What the network sees. Blur is measured in these pixels, so it does more to a small view.",
    )  # fmt: skip
    if size == training:
        st.caption(f"{training} px is what Pre-train's form has.")
    else:
        st.caption(f"Pre-train's form has {training} px; **Use these in Pre-train** takes {size} px along.")
    return size


def training_size() -> int:
    """Return the side in pixels that Pre-train's form has now, for this session; its default while it is refused."""
    key, default = _size_in_form()
    size: int = st.session_state.get(key, default)
    low, high = bounds(PretrainRecipe.model_fields["image_size"])
    assert low is not None and high is not None
    return size if low <= size <= high else default


def carry(recipe: ViewRecipe, size: int) -> None:
    """Have Pre-train's form begin with these views at this size."""
    st.session_state[CARRIED] = recipe.model_dump()
    st.session_state["pretrain-preset-True"] = FROM_VIEWS  # also where another was chosen since the last time
    st.session_state[_size_in_form()[0]] = size


def _size_in_form() -> tuple[str, int]:
    """Return the key of the image size in Pre-train's form, and what stands there before anybody types."""
    device = studio().device()
    defaults = device_defaults("pretrain", device.kind if device else "cpu")
    default = defaults.get("image_size", PretrainRecipe.model_fields["image_size"].default)
    return f"pretrain-{'cuda' if defaults else 'cpu'}-image_size", default


def pick_recipe(message: Any) -> tuple[ViewRecipe, bool] | None:
    """Let a preset be chosen and each of its settings moved.

    Args:
        message: The container, above the pictures, for a sentence about settings that contradict each other.

    Returns:
        The settings and whether they are those shown: while they contradict, the last that did not are returned.
        None where the preset itself cannot be read, which is said.
    """
    name = pick_preset()
    try:
        start = studio().preset(name)
    except RecipeError as error:
        message.error(plain(str(error)), icon=":material/error:")
        delete_preset(name)
        return None
    # The key carries the preset, and what it holds: choosing one, or saving it anew, sets all sliders.
    key = f"views-{name}" if is_built_in(name) else f"views-{name}-{zlib.crc32(start.model_dump_json().encode()):x}"
    buttons = st.container(horizontal=True, vertical_alignment="center")
    values: dict[str, Any] = {}
    for tab, names in zip(st.tabs(list(TABS)), TABS.values(), strict=True):
        with tab:
            values |= recipe_form(ViewRecipe, key=key, defaults=start.model_dump(), show=names)
    try:
        recipe = recipes.build(ViewRecipe, values)
    except RecipeError as error:
        said = in_labels(str(error), ViewRecipe)
        message.error(f"{said} The pictures keep the last settings that fit.", icon=":material/error:")
        return st.session_state.get(LAST, start), False
    st.session_state[LAST] = recipe
    with buttons:
        save_preset(name, recipe)
        if not is_built_in(name):
            delete_preset(name)
    return recipe, True


def pick_preset() -> str:
    names = studio().presets()
    wanted = st.session_state.pop(NEXT_PRESET, st.session_state.get(PRESET))
    if wanted not in names:  # nothing chosen yet, or somebody deleted it
        wanted = names[0]
    st.session_state[PRESET] = wanted
    name: str = st.selectbox("Start from", names, key=PRESET, format_func=_shown, persist_state="session")
    return name


def _shown(name: str) -> str:
    from facessl.presets import BUILT_IN

    return preset_name(name, BUILT_IN)


def is_built_in(name: str) -> bool:
    from facessl.presets import BUILT_IN

    return name in BUILT_IN


def save_preset(name: str, recipe: ViewRecipe) -> None:
    """Offer to keep the settings under a name; one that is taken only with a second word."""
    # Another key is another popover, and that one is closed.
    times = st.session_state.get("views-saved", 0)
    with st.popover("Save as a preset", icon=":material/save:", key=f"views-save-{times}"):
        own = "" if is_built_in(name) else name
        asked = st.text_input("Name", own, max_chars=60, key=f"views-save-name-{name}-{times}")
        taken = asked in studio().presets() and not is_built_in(asked)
        replace = taken and st.checkbox(f"Replace {plain(asked)}", key=f"views-save-replace-{times}")
        st.caption("It can then be chosen here and on Pre-train, by everybody who uses this workspace.")
        if st.button("Save", type="primary", key=f"views-save-do-{times}"):
            with shown_errors():
                kept = studio().save_preset(asked, recipe, replace=replace)
                st.session_state[NEXT_PRESET] = kept
                st.session_state["views-saved"] = times + 1
                st.toast(f"Saved as {plain(kept)}.", icon=":material/check:")
                st.rerun()


def delete_preset(name: str) -> None:
    """Offer to delete a saved preset; one click is not enough."""
    with st.popover("", icon=":material/delete:", type="tertiary", help="Delete this preset"):
        st.markdown("Runs that were started with it keep their settings.")
        if st.button(f"Delete {plain(name)}", type="primary", key=f"views-delete-{name}"):
            with shown_errors():
                studio().delete_preset(name)
                st.rerun()
