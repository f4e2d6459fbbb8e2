"""Views: what augmentation does to a face, with every setting under the hand; the same code that trains."""

import numpy as np
import streamlit as st

from facessl import config
from facessl.config import ViewRecipe
from facessl.dataset import FaceDataset
from facessl.errors import RecipeError
from pages._shared.backend import studio
from pages._shared.forms import recipe_form
from pages._shared.widgets import empty_state, face_grid, page_title, pick_dataset
from pages._shared.words import plain

CARRIED = "carried_views"  # what Pre-train takes over; the key of no widget
MORE = 24  # views in the grid, the two large ones apart


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
    with pictures:
        if recipe is not None:
            show_views(face, recipe, size)


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


def pick_recipe() -> ViewRecipe | None:
    """Let a preset be chosen and each of its settings moved; None, and a sentence, while they contradict."""
    from facessl.views import PRESETS

    preset = st.selectbox("Start from", list(PRESETS), key="views-preset", format_func=preset_name)
    # The key carries the preset: choosing one sets all sliders.
    values = recipe_form(ViewRecipe, key=f"views-{preset}", defaults=PRESETS[preset].model_dump())
    try:
        recipe = config.build(ViewRecipe, values)
    except RecipeError as error:
        st.error(str(error), icon=":material/error:")
        return None
    assert isinstance(recipe, ViewRecipe)
    return recipe


def preset_name(preset: str) -> str:
    return preset[0].upper() + preset[1:]


def show_views(face: np.ndarray, recipe: ViewRecipe, size: int) -> None:
    """Two views, each step of the first, and many more."""
    from facessl import views as drawing

    seed = st.session_state.setdefault("views-seed", 0)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**Two views of the face**, a positive pair", width="content")
        st.space("stretch")
        if st.button("Draw again", icon=":material/casino:"):
            st.session_state["views-seed"] = seed = seed + 1
        if st.button("Use these in Pre-train", type="primary", icon=":material/arrow_forward:", icon_position="right"):
            st.session_state[CARRIED] = recipe.model_dump()
            st.switch_page("pages/pretrain.py")
    drawn = studio().views(face, recipe, MORE + 2, size, seed)
    face_grid([drawn[0], drawn[1]], ["view 0", "view 1"], width=240)
    st.markdown("**How view 0 came about**, step by step")
    parameters = drawing.draw(MORE + 2, recipe, np.random.default_rng(seed))
    steps = drawing.steps(face, parameters, size)
    face_grid([picture for _, picture in steps], [title for title, _ in steps], width=110)
    st.markdown(f"**{MORE} more**: this is how differently one face may look in training")
    face_grid(drawn[2:], width=84)


views()
