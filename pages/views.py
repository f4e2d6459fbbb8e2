"""Views: what augmentation does to a face, with every setting under the hand; the same code that trains."""

import numpy as np
import streamlit as st

from facessl.dataset import FaceDataset
from facessl.viewing import ViewRecipe
from pages._shared.backend import studio
from pages._shared.forms import bounds
from pages._shared.views.likeness import show_likeness
from pages._shared.views.settings import carry, pick_recipe, pick_size
from pages._shared.widgets import empty_state, face_grid, page_title, pick_dataset
from pages._shared.words import label, plain

MORE = 32  # views in the grid, the two large ones apart; twice 16 on a screen of 1,440 points, 8 times 4 on a phone
# The pair stays in sight while sliders are moved; on a phone the columns lie below one another, so it is small there.
_IN_SIGHT = """<style>
[data-testid="stColumn"]:has(.st-key-views-pair) {{ position: sticky; top: 3.75rem; align-self: flex-start; z-index: 9;
  background: light-dark({light}, {dark}); }}
.st-key-views-pair figure {{ max-width: 21rem; }}
.st-key-views-pair div:has(> figure) {{ grid-template-columns: repeat(2, minmax(0, 21rem)) !important; }}
@media (max-width: 640px) {{ .st-key-views-pair img {{ max-width: 7.5rem; }} }}
</style>"""


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
    ground = {theme: st.get_option(f"theme.{theme}.backgroundColor") for theme in ("light", "dark")}
    st.html(_IN_SIGHT.format(**ground))
    # Pictures first: on a phone the columns lie below one another.
    pictures, settings = st.columns([3, 2], gap="large")
    with pictures:
        in_sight = st.container(key="views-pair")
    with settings:
        face = pick_face(dataset)
        size = pick_size()
        use = st.container()
        picked = pick_recipe(in_sight)
    if picked is None:
        return
    recipe, as_shown = picked
    if use.button("Use these in Pre-train", type="primary", icon=":material/arrow_forward:", icon_position="right",
                  disabled=not as_shown, key="views-use"):  # fmt: skip
        carry(recipe, size)
        st.switch_page("pages/pretrain.py")
    with in_sight:
        show_pair(face, recipe, size)
    show_more(face, recipe, size)
    show_steps(face, recipe, size)
    why_of_each(recipe)
    with st.container(border=True):  # last: measuring takes seconds, and everything else is there meanwhile
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
        st.caption(f"{plain(who)}, as prepared" if who else "As prepared; nobody has said who this is.")
    with picture:
        face_grid([dataset.faces[row]], width=140)
    return np.asarray(dataset.faces[row])


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
        st.markdown("**Two views**, a positive pair", width="content")
        st.space("stretch")
        if st.button("Draw again", icon=":material/casino:"):
            st.session_state["views-seed"] = seed = seed + 1
    face_grid(list(studio().views(face, recipe, 2, size, seed)), ["view 0", "view 1"], width=120)


def show_more(face: np.ndarray, recipe: ViewRecipe, size: int) -> None:
    """Many views: how far apart they may lie."""
    st.markdown(f"**{MORE} more views**: this is how differently the face may look in training")
    # Another seed than the pair's: drawn with the same one, two of these would be the pair.
    face_grid(list(studio().views(face, recipe, MORE, size, st.session_state["views-seed"] + 1_000_000)), width=66)


def show_steps(face: np.ndarray, recipe: ViewRecipe, size: int) -> None:
    """Each step alone, and how the first view of the pair came about."""
    from facessl import views as drawing

    alone = drawing.strongest(face, recipe, size)
    st.markdown("**Each step alone**, as strong as these settings allow")
    if len(alone) == 1:
        st.caption("These settings change nothing: both views are the face itself.")
    face_grid([picture for _, picture in alone], [title for title, _ in alone], width=80)
    with st.expander("How view 0 came about, step by step", icon=":material/footprint:"):
        parameters = drawing.draw(2, recipe, np.random.default_rng(st.session_state["views-seed"]))
        steps = drawing.steps(face, parameters, size)
        face_grid([picture for _, picture in steps], [title for title, _ in steps], width=110)


views()
