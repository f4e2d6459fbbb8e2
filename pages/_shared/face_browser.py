"""Faces of a set to look through: who they are, page by page, and from any of them to the most similar ones.

The face a person clicked is remembered under a session key, ``remembered``, that several grids of a page share.
"""

from collections import Counter
from typing import Any

import numpy as np
import streamlit as st

from facessl.dataset import FaceDataset
from facessl.run import Run
from pages._shared.backend import studio
from pages._shared.face_picker import face_picker
from pages._shared.widgets import paged
from pages._shared.words import count, plain

UNNAMED = "not named"
_NEAREST = 12  # shown around a face
_PAGE = 24  # faces of a grid that shares the page with others


def names_of(dataset: FaceDataset, rows: Any) -> list[str]:
    """Return who each of these face rows shows, as far as anybody has said."""
    people = dataset.people
    return [people[label] if label >= 0 else UNNAMED for label in dataset.labels(np.asarray(rows, dtype=int))]


def who_is_there(names: list[str], most: int = 5) -> str:
    """Return the most frequent names, as Markdown, with how often they occur."""
    counted = Counter(names).most_common()
    text = ", ".join(f"{plain(name)} ({number})" for name, number in counted[:most])
    return text + (f" and {count(len(counted) - most, 'other')}" if len(counted) > most else "")


def grid(dataset: FaceDataset, rows: list[int], *, key: str, remembered: str) -> None:
    """Show faces page by page; a click on one makes it the chosen face."""
    page = paged(len(rows), key=f"{key}-page", size=_PAGE)
    shown = rows[page.start : page.stop]
    chosen = st.session_state.get(remembered)
    picked = face_picker([dataset.faces[i] for i in shown], shown, names_of(dataset, shown), key=key, chosen=chosen)
    _remember(picked, remembered)


def _remember(picked: int | None, remembered: str) -> None:
    if picked is not None and picked != st.session_state.get(remembered):
        st.session_state[remembered] = picked
        st.rerun()


def nearest_others(vectors: np.ndarray, among: np.ndarray, face: int) -> list[tuple[int, float]]:
    """Return the faces of ``among`` most like one of ``vectors`` (N, E), unit rows, with their cosine; not itself."""
    from facessl.neighbours import nearest

    found, similarities = nearest(vectors[face : face + 1], vectors[among], min(_NEAREST + 1, len(among)))
    pairs = zip(among[found[0]], similarities[0], strict=True)
    others = [(int(other), float(similarity)) for other, similarity in pairs if other != face]
    return others[:_NEAREST]  # exact copies of a face may have pushed it out of its own list


def show_nearest(run: Run, dataset: FaceDataset, face: int, remembered: str) -> None:
    """Show one face and those most like it, with how alike they are."""
    stored = studio().embedding(run.id)
    others = nearest_others(stored.embeddings, stored.shown(dataset.used), face)
    name = names_of(dataset, [face])[0]
    same = sum(other == name for other in names_of(dataset, [i for i, _ in others]))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.image(np.asarray(dataset.faces[face]), width=120, output_format="JPEG", alt=f"Chosen face: {name}")
        with st.container(width="stretch", gap="xxsmall"):
            st.markdown(f"**{plain(name)}**")
            st.caption(f"{dataset.crops['split'][face]} split")
            if name != UNNAMED:
                st.caption(f"{same} of the {len(others)} nearest faces are the same person.")
        if st.button("Clear", key=f"{remembered}-clear", icon=":material/close:"):
            st.session_state[remembered] = None
            st.rerun()
    captions = [f"{n}\n{s:.2f}" for (_, s), n in zip(others, names_of(dataset, [i for i, _ in others]), strict=True)]
    picked = face_picker(
        [dataset.faces[i] for i, _ in others], [i for i, _ in others], captions, key=f"{remembered}-near"
    )
    st.caption("Below each name: the cosine similarity to the chosen face; 1 is the same.")
    _remember(picked, remembered)
