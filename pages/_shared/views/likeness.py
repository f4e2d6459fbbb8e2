"""How alike two views stay to a network, and what that says about the strength of augmentation."""

import math
from typing import TYPE_CHECKING

import streamlit as st

from facessl.dataset import FaceDataset
from facessl.errors import FaceSSLError
from facessl.viewing import ViewRecipe
from pages._shared.backend import studio
from pages._shared.widgets import run_name
from pages._shared.words import percent, plain

if TYPE_CHECKING:
    from facessl.likeness import Likeness

UNTRAINED = "untrained"
MODEL, MEASURED = "views-model", "views-measured"


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
