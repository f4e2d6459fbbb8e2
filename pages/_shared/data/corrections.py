"""Correcting a set, and taking it back as easily."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from facessl.dataset import FaceDataset
from facessl.edits import EXCLUDED, Action, Edit
from pages._shared.backend import studio
from pages._shared.widgets import shown_errors
from pages._shared.words import plain

REDRAWN = "data-redrawn"  # session key: the page drew itself anew, nobody did anything
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


@dataclass
class _Made:
    """A correction that can still be taken back where it was made."""

    edit: int
    place: str
    shown: bool = False


def correct(dataset: FaceDataset, action: Action, *, place: str, **what: Any) -> None:
    """Make a correction, remember it for its Undo, and draw the page anew; where it cannot be, say why.

    ``place`` is where on the page it was made: there, and nowhere else, ``last_correction`` offers the Undo.
    """
    with shown_errors():
        studio().edit(dataset.name, action, **what)
        made = studio().dataset(dataset.name).edits
        st.session_state[_key(dataset)] = _Made(made[-1].id, place) if action != "undo" else None
        st.rerun()


def last_correction(dataset: FaceDataset, *, place: str) -> None:
    """Offer to take back what was just corrected here, until somebody does the next thing; the history keeps it."""
    made: _Made | None = st.session_state.get(_key(dataset))
    if made is None or made.place != place:
        return
    by_itself = st.session_state.pop(REDRAWN, False)
    if (made.shown and not by_itself) or made.edit > len(dataset.edits) or dataset.edits[made.edit - 1].undone:
        st.session_state[_key(dataset)] = None
        return
    made.shown = True
    with st.container(horizontal=True, vertical_alignment="center", border=True, gap="small"):
        st.markdown(f":material/check: {told(dataset.edits[made.edit - 1])}.", width="stretch")
        # By a callback, for the next drawing of the page has no such button any more.
        st.button(
            "Undo", icon=":material/undo:", key=f"data-undo-last-{place}", on_click=_take_back,
            args=(dataset.name, made.edit),
        )  # fmt: skip


def _take_back(name: str, edit: int) -> None:
    with shown_errors():
        studio().edit(name, "undo", edit=edit)


def bring_back(dataset: FaceDataset, row: dict[str, Any], *, place: str) -> None:
    """Have a photo in use that is not: undo what left it out, or else keep it."""
    mine = [e for e in dataset.edits if e.action == "exclude" and e.photo == row["photo"] and not e.undone]
    if row["status"] == EXCLUDED and mine:
        correct(dataset, "undo", place=place, edit=mine[-1].id)
    else:
        correct(dataset, "keep", place=place, photo=int(row["photo"]))


def _key(dataset: FaceDataset) -> str:
    return f"data-corrected-{dataset.name}"
