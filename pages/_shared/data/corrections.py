"""Correcting a set, and taking it back as easily."""

from typing import Any

import streamlit as st

from facessl.dataset import FaceDataset
from facessl.edits import EXCLUDED, Action, Edit
from pages._shared.backend import studio
from pages._shared.widgets import shown_errors
from pages._shared.words import plain

_LONGEST = 60  # characters of a name in a sentence


def one_line(text: str, longest: int = _LONGEST) -> str:
    """Return any text as one line of Markdown that shows it as it is; a name may have newlines and 300 characters."""
    line = " ".join(text.split())
    return plain(line if len(line) <= longest else f"{line[: longest - 1]}…")


def on_one_line(name: str) -> str:
    """Return a name as the first line of a caption, in plain text."""
    return " ".join(name.split()) or "no name"


def told(edit: Edit) -> str:
    """Return what an edit did, as Markdown."""
    sentence = edit.sentence()
    return one_line(sentence[0].upper() + sentence[1:], 3 * _LONGEST)


def correct(dataset: FaceDataset, action: Action, **what: Any) -> None:
    """Make a correction, remember it for its Undo, and draw the page anew; where it cannot be, say why."""
    with shown_errors():
        studio().edit(dataset.name, action, **what)
        made = studio().dataset(dataset.name).edits
        st.session_state[_key(dataset)] = made[-1].id if action != "undo" else None
        st.rerun()


def last_correction(dataset: FaceDataset, *, key: str) -> None:
    """Show what this person corrected last, with a button that takes it back; ``key`` is of the place it is shown."""
    number = st.session_state.get(_key(dataset))
    if number is None or number > len(dataset.edits) or dataset.edits[number - 1].undone:
        return
    with st.container(horizontal=True, vertical_alignment="center", border=True, gap="small"):
        st.markdown(f":material/check: {told(dataset.edits[number - 1])}.", width="stretch")
        if st.button("Undo", icon=":material/undo:", key=f"data-undo-last-{key}"):
            correct(dataset, "undo", edit=number)


def bring_back(dataset: FaceDataset, row: dict[str, Any]) -> None:
    """Have a photo in use that is not: undo what left it out, or else keep it."""
    mine = [e for e in dataset.edits if e.action == "exclude" and e.photo == row["photo"] and not e.undone]
    if row["status"] == EXCLUDED and mine:
        correct(dataset, "undo", edit=mine[-1].id)
    else:
        correct(dataset, "keep", photo=int(row["photo"]))


def _key(dataset: FaceDataset) -> str:
    return f"data-corrected-{dataset.name}"
