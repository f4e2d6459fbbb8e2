"""Views: what augmentation does to a face, with every setting under the hand; the same code that trains."""

import math
import zlib
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from facessl import config
from facessl.config import ViewRecipe
from facessl.dataset import FaceDataset
from facessl.errors import FaceSSLError, RecipeError
from pages._shared.backend import studio
from pages._shared.forms import bounds, recipe_form
from pages._shared.widgets import empty_state, face_grid, page_title, pick_dataset, run_name, shown_errors
from pages._shared.words import label, percent, plain

if TYPE_CHECKING:
    from facessl.likeness import Likeness

CARRIED = "carried_views"  # what Pre-train takes over; the key of no widget
MORE = 32  # views in the grid, the two large ones apart
UNTRAINED = "untrained"
PRESET, NEXT_PRESET = "views-preset", "views-preset-next"
MODEL, MEASURED = "views-model", "views-measured"


def views() -> None:
    page_title(
        "Views",
        "Two views of one face are what the network must recognise as the same person. Too alike, and it learns "
        "nothing; too different, and nothing is left to recognise.",
    )
    dataset = pick_dataset(key="views-dataset")
    if dataset is None:
        empty_state(
            "There is no prepared set yet, so there is no face to change.", page="pages/data.py", link="Prepare a set"
        )
        return
    # Only this part runs again when a slider moves.
    st.fragment(bench)(dataset)


def bench(dataset: FaceDataset) -> None:
    """Face, settings and pictures; runs again as a whole at each move, and fast."""
    # Pictures first: on a phone the columns lie below one another.
    pictures, settings = st.columns([3, 2], gap="large")
    with settings:
        face = pick_face(dataset)
        size = st.select_slider(
            "Side of a view in pixels", [32, 48, 64, 96, 112, 160, 224], 112, key="views-size",
            help="What the network sees. Training on a CPU uses 64 by default. Blur is measured in these pixels.",
        )  # fmt: skip
        recipe = pick_recipe()
    if recipe is None:
        return
    with pictures:
        show_pair(face, recipe, size)
        show_more(face, recipe, size)
        likeness = st.container(border=True)
    show_steps(face, recipe, size)
    why_of_each(recipe)
    with likeness:  # last: measuring takes seconds, and everything else is there meanwhile
        show_likeness(dataset, recipe, size)


def pick_face(dataset: FaceDataset) -> np.ndarray:
    """Choose one face of the set by its row; a button draws another."""
    rows = dataset.rows()
    key = f"views-row-{dataset.name}"
    picture, choice = st.columns([2, 3], vertical_alignment="center")
    with choice:
        if st.button("Another face", icon=":material/shuffle:"):
            st.session_state[key] = int(np.random.default_rng().integers(len(rows)))
        number = st.number_input("Face", 0, len(rows) - 1, key=key, help=f"0 to {len(rows) - 1}.")
        row = int(rows[number])
        who = dataset.crops["person"].iloc[row]
        st.caption(f"{plain(who) if who else 'Nobody has said who this is'}, as prepared")
    with picture:
        face_grid([dataset.faces[row]], width=140)
    return np.asarray(dataset.faces[row])


# -- the settings ------------------------------------------------------------------------------------------------


def pick_recipe() -> ViewRecipe | None:
    """Let a preset be chosen and each of its settings moved; None, and a sentence, while they contradict."""
    name = pick_preset()
    try:
        start = studio().preset(name)
    except RecipeError as error:
        st.error(plain(str(error)), icon=":material/error:")
        delete_preset(name)
        return None
    # The key carries the preset, and what it holds: choosing one, or saving it anew, sets all sliders.
    key = f"views-{name}" if is_built_in(name) else f"views-{name}-{zlib.crc32(start.model_dump_json().encode()):x}"
    buttons = st.container(horizontal=True, vertical_alignment="center")
    values = recipe_form(ViewRecipe, key=key, defaults=start.model_dump())
    try:
        recipe = config.build(ViewRecipe, values)
    except RecipeError as error:
        st.error(str(error), icon=":material/error:")
        return None
    assert isinstance(recipe, ViewRecipe)
    with buttons:
        save_preset(name, recipe)
        if not is_built_in(name):
            delete_preset(name)
    return recipe


def pick_preset() -> str:
    names = studio().presets()
    wanted = st.session_state.pop(NEXT_PRESET, st.session_state.get(PRESET))
    if wanted not in names:  # nothing chosen yet, or somebody deleted it
        wanted = names[0]
    st.session_state[PRESET] = wanted
    name: str = st.selectbox("Start from", names, key=PRESET, format_func=preset_name, persist_state="session")
    return name


def is_built_in(name: str) -> bool:
    from facessl.presets import BUILT_IN

    return name in BUILT_IN


def preset_name(name: str) -> str:
    return name[0].upper() + name[1:] if is_built_in(name) else f"{name} (saved)"


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


def why_of_each(recipe: ViewRecipe) -> None:
    """Say of each setting what it is here, what it may be, and why there is such a thing."""
    with st.expander("What each setting does, and why", icon=":material/help:"):
        grid = st.grid(3, min_column_width=280, gap=("small", "large"))
        for name, field in ViewRecipe.model_fields.items():
            low, high = bounds(field)
            with grid.cell():
                st.markdown(
                    f"**{label(name)}** {getattr(recipe, name):.3g} (from {low:g} to {high:g})  \n{field.description}"
                )


# -- the pictures ------------------------------------------------------------------------------------------------


def show_pair(face: np.ndarray, recipe: ViewRecipe, size: int) -> None:
    """Two views, as training would draw them."""
    seed = st.session_state.setdefault("views-seed", 0)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**Two views of the face**, a positive pair", width="content")
        st.space("stretch")
        if st.button("Draw again", icon=":material/casino:"):
            st.session_state["views-seed"] = seed = seed + 1
        if st.button("Use these in Pre-train", type="primary", icon=":material/arrow_forward:", icon_position="right"):
            st.session_state[CARRIED] = recipe.model_dump()
            st.switch_page("pages/pretrain.py")
    face_grid(list(studio().views(face, recipe, 2, size, seed)), ["view 0", "view 1"], width=165)


def show_more(face: np.ndarray, recipe: ViewRecipe, size: int) -> None:
    """Many views: how far apart they may lie."""
    st.markdown(f"**{MORE} more views**: this is how differently the face may look in training")
    # Another seed than the pair's: drawn with the same one, two of these would be the pair.
    face_grid(list(studio().views(face, recipe, MORE, size, st.session_state["views-seed"] + 1_000_000)), width=76)


def show_steps(face: np.ndarray, recipe: ViewRecipe, size: int) -> None:
    """Each step alone, and how the first view of the pair came about."""
    from facessl import views as drawing

    alone = drawing.strongest(face, recipe, size)
    st.markdown("**Each step alone**, as strong as these settings allow")
    if len(alone) == 1:
        st.caption("These settings change nothing: both views are the face itself.")
    face_grid([picture for _, picture in alone], [title for title, _ in alone], width=104)
    with st.expander("How view 0 came about, step by step", icon=":material/footprint:"):
        parameters = drawing.draw(2, recipe, np.random.default_rng(st.session_state["views-seed"]))
        steps = drawing.steps(face, parameters, size)
        face_grid([picture for _, picture in steps], [title for title, _ in steps], width=110)


# -- how alike they stay to a network ----------------------------------------------------------------------------


def show_likeness(dataset: FaceDataset, recipe: ViewRecipe, size: int) -> None:
    """Let a network say how alike views by these settings are; computed only when asked."""
    st.markdown("**How alike two views stay** to a network, and how alike different people are to it")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        model = pick_model(dataset)
        pressed = st.button("Measure", icon=":material/straighten:", key="views-measure")
    asked = (dataset.name, model, size if model == UNTRAINED else 0, recipe.model_dump_json())
    if pressed:
        measure(dataset, model, recipe, size, asked)
    of, found = st.session_state.get(MEASURED, (None, None))
    if found is None or of[:2] != asked[:2]:
        none = "No network has been pre-trained on this set yet, and an untrained one finds all faces much alike. "
        st.caption(f"{none if no_network(dataset) else ''}64 faces of the set, two views each; takes seconds on a CPU.")
        return
    if of != asked:
        st.caption(":orange-badge[:material/history: of other settings] These figures are of the settings before; "
                   "measure again.")  # fmt: skip
    show_figures(found)


def pick_model(dataset: FaceDataset) -> str:
    """Let one of the set's trained networks be chosen, or one that has learnt nothing."""
    titles = {run.id: run_name(run) for run in studio().models(dataset.name)} | {UNTRAINED: "Untrained ResNet18"}
    options = list(titles)
    if st.session_state.get(MODEL) not in options:  # another set's, or deleted meanwhile
        st.session_state[MODEL] = options[0]
    model: str = st.selectbox(
        "Network", options, key=MODEL, width=420, persist_state="session",
        format_func=titles.__getitem__,
        help="Pre-train one on this set to see more: an untrained network finds all faces alike.",
    )  # fmt: skip
    return model


def no_network(dataset: FaceDataset) -> bool:
    return not studio().models(dataset.name)


def measure(dataset: FaceDataset, model: str, recipe: ViewRecipe, size: int, asked: tuple[str, str, int, str]) -> None:
    """Measure, and keep the answer for this session; what cannot be measured is said."""
    st.session_state.pop(MEASURED, None)
    try:
        with st.spinner("Drawing and comparing views."):
            st.session_state[MEASURED] = (asked, studio().likeness(dataset.name, model, recipe, size))
    except FaceSSLError as error:
        st.error(plain(str(error)), icon=":material/error:")


def show_figures(found: "Likeness") -> None:
    strangers = "Different people" if found.named else "Different faces"
    known = "." if found.named else ", as far as nobody has said that they are of one person."
    grid = st.grid(3, min_column_width=150)
    with grid.cell():
        st.metric("Same face", cosine(found.same), help="Mean cosine similarity of two views of a face; 1 is the same.")
    with grid.cell():
        st.metric(strangers, cosine(found.other), help=f"Mean cosine similarity of views of two faces{known}")
    with grid.cell():
        st.metric(
            "Find their own face", percent(found.found, 0),
            help=f"Views whose most similar other view, among {found.pairs} faces, is of the same face.",
        )  # fmt: skip
    st.markdown(verdict(found))
    st.caption(
        f"{found.pairs} faces at {found.size} px, as this network sees them; four in five pairs lie between "
        f"{cosine(found.same_low)} and {cosine(found.same_high)}."
    )


def cosine(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}".replace("-", "−")


def verdict(found: "Likeness") -> str:
    """Return in one sentence what the figures say about the strength of augmentation."""
    if found.same > 0.999:
        return "**Nothing to learn:** to this network both views are the same picture."
    if found.same_low <= found.other:
        return "**Strong, for this network:** one pair in ten, or more, is no more alike than strangers are on average."
    return "**The person remains:** nine pairs of ten are more alike than strangers are on average."


views()
