"""The surest wrong answers, each with where in the face the network looked."""

import numpy as np
import streamlit as st

from facessl.dataset import FaceDataset
from facessl.run import Run
from pages._shared.data.corrections import on_one_line
from pages._shared.finetune.answers import Answers
from pages._shared.finetune.looked import HOW, NOWHERE, overlaid, pair, where_it_looked
from pages._shared.finetune.photos import open_answer
from pages._shared.widgets import paged
from pages._shared.words import count, percent, plain

_PAGE = 12  # faces of a grid, and so many that are explained at a time


def worst_mistakes(run: Run, dataset: FaceDataset, answers: Answers) -> np.ndarray:
    """Show the wrong answers, the surest first; return the places of all of them, to step through."""
    wrong = answers.wrong
    if not len(wrong):
        st.success("Every test face got its right name.", icon=":material/check_circle:")
        return wrong
    st.markdown(
        f"**{len(wrong):,} of {count(len(answers.faces), 'test photo')}** got a wrong name; here those first of which "
        "the network was surest."
    )
    page = paged(len(wrong), key=f"finetune-worst-page-{run.id}", size=_PAGE)
    shown = wrong[page.start : page.stop]
    maps = where_it_looked(run, tuple((int(answers.faces[p]), answers.people[answers.answers[p]]) for p in shown))
    grid = st.grid(4, min_column_width=230, gap="medium")
    for number, place in enumerate(shown):
        with grid.cell():
            _mistake(run, dataset, answers, int(place), None if maps is None else maps[number])
    if maps is not None:
        st.caption(f"Beside each face: what spoke for the wrong name, warmest where it counted most. {HOW}")
    return wrong


def _mistake(run: Run, dataset: FaceDataset, answers: Answers, place: int, seen: np.ndarray | None) -> None:
    face = int(answers.faces[place])
    right, given = (answers.people[labels[place]] for labels in (answers.labels, answers.answers))
    crop = np.asarray(dataset.faces[face])
    pictures = [(crop, right)]
    if seen is not None and seen.any():
        pictures.append((overlaid(crop, seen), "Where it looked"))
    st.html(pair(pictures))
    if seen is not None and not seen.any():
        st.caption(f"Where it looked: {NOWHERE}.")
    with st.container(gap=None):  # the button below: beside long names there is no room, and each would stand elsewhere
        share = percent(answers.shares[place], 0)
        st.markdown(f"**{plain(on_one_line(right))}**  \ncalled {plain(on_one_line(given))}, {share}")
        if st.button("Open", key=f"finetune-worst-{run.id}-{face}", type="tertiary", icon=":material/open_in_full:"):
            open_answer(run, face)
