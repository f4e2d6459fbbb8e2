"""Which faces are like which, found in the background: for a large set it takes minutes, and no page waits so long."""

import hashlib
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import streamlit as st

from facessl import suspects
from facessl.dataset import FaceDataset
from facessl.run import Run
from facessl.suspects import Near
from pages._shared.backend import studio
from pages._shared.background import Background
from pages._shared.data.corrections import REDRAWN
from pages._shared.widgets import run_name
from pages._shared.words import count, percent

if TYPE_CHECKING:
    import pandas as pd

PIXELS = "pixels"
FEW = 3000  # faces that are compared unasked: it takes no second
_PATIENCE = 1.0  # seconds: what a small set takes is not worth a second drawing of the page


@dataclass
class Work:
    """Something a thread works on."""

    what: str
    future: "Future[object]" = field(default_factory=Future)
    share: float = 0.0  # that is done, 0 to 1

    def done(self, share: float) -> None:
        self.share = share


class Neighbourhood(NamedTuple):
    everybody: Near
    named: Near


@st.cache_resource(show_spinner=False)
def _thread() -> Background:
    # Two, so that a small set need not wait for a large one; what waits for another's result was asked for after it.
    return Background(2, "compare")


# -- by what -----------------------------------------------------------------------------------------------------


def choose_by(dataset: FaceDataset, *, key: str) -> str:
    """Let it be chosen by what faces are compared: a map of this set, or their pixels.

    ``key`` is of the place where it is asked; the answer counts in all of them.
    """
    maps = {run.id: run for run in _maps(dataset)}
    if not maps:
        return PIXELS
    widget, answer = f"data-by-{key}-{dataset.name}", f"data-by-{dataset.name}"
    if st.session_state.get(answer) not in (*maps, PIXELS):
        st.session_state[answer] = next(iter(maps))
    st.session_state[widget] = st.session_state[answer]

    def remember() -> None:
        st.session_state[answer] = st.session_state[widget]

    by: str = st.selectbox(
        "Faces compared by", [*maps, PIXELS], key=widget, on_change=remember, width=560,
        format_func=lambda name: "Pixels, whitened" if name == PIXELS else run_name(maps[name]),
        help="A network that learnt with these names has learnt their mistakes too, and will find fewer of them.",
    )  # fmt: skip
    return by


def _maps(dataset: FaceDataset) -> list[Run]:
    """Return the finished embed runs of a set, newest first."""
    runs = [run for run in studio().runs("embed") if run.config["recipe"]["dataset"] == dataset.name]
    return [run for run in runs if run.status().state == "finished"]


# -- the work ----------------------------------------------------------------------------------------------------


def vectors(dataset: FaceDataset, by: str) -> Work:
    """Return the work whose result is a unit row a face."""
    return _vectors(str(studio().workspace), dataset.name, dataset.info["created"], by)


def neighbourhood(dataset: FaceDataset, by: str) -> Work:
    """Return the work whose result is the ``Neighbourhood`` of each face.

    What people correct changes who judges, not who is near; only a name given to the nameless is a new search.
    """
    named = (dataset.crops["label"] >= 0).to_numpy() | (dataset.crops["person"] != "").to_numpy()
    return _neighbourhood(
        str(studio().workspace), dataset.name, dataset.info["created"], by, hashlib.sha256(named.tobytes()).hexdigest()
    )


@st.cache_resource(max_entries=4, show_spinner=False)
def _vectors(workspace: str, name: str, created: str, by: str) -> Work:
    dataset, work = studio().dataset(name), Work("Looking at the faces")

    def look() -> np.ndarray:
        if by == PIXELS:
            return suspects.pixel_vectors(dataset.faces, dataset.rows(), work.done)
        return studio().embedding(by).embeddings

    work.future = _thread().submit(look)
    return work


@st.cache_resource(max_entries=4, show_spinner=False)
def _neighbourhood(workspace: str, name: str, created: str, by: str, named: str) -> Work:
    dataset, work = studio().dataset(name), Work("Comparing every face with every other")
    seen = vectors(dataset, by)  # queued before, so it is done when the thread gets here
    people = np.flatnonzero((dataset.crops["person"] != "").to_numpy())

    def compare() -> Neighbourhood:
        rows = seen.future.result()
        assert isinstance(rows, np.ndarray)
        everybody = suspects.near(rows, np.arange(len(rows)), lambda share: work.done(share / 2))
        if len(people) == len(rows):
            return Neighbourhood(everybody, everybody)
        return Neighbourhood(everybody, suspects.near(rows, people, lambda share: work.done((1 + share) / 2)))

    work.future = _thread().submit(compare)
    return work


def result_of(work: Work, *, key: str) -> object | None:
    """Return what the work came to; None while it goes on, and then the page is drawn again when it is done."""
    try:
        return work.future.result(_PATIENCE)
    except TimeoutError:
        _waiting(work, key)
        return None


def _waiting(work: Work, key: str) -> None:
    @st.fragment(run_every=1.0, key=f"data-waiting-{key}")
    def watch() -> None:
        if work.future.done():
            st.session_state[REDRAWN] = True
            st.rerun()
        st.progress(work.share, text=f"{work.what}, in the background.")

    watch()


def ask_for(dataset: FaceDataset, by: str) -> None:
    """Remember that this person wants to know who is suspected, however long it takes."""
    st.session_state[f"data-asked-{dataset.name}-{by}"] = True


def asked_for(dataset: FaceDataset, by: str) -> bool:
    return bool(st.session_state.get(f"data-asked-{dataset.name}-{by}"))


# -- what it tells -----------------------------------------------------------------------------------------------


def judged(dataset: FaceDataset, by: str) -> "pd.DataFrame | None":
    """Return ``suspects.judge`` of the set as it stands; None while faces are still being compared."""
    found = result_of(neighbourhood(dataset, by), key=f"near-{dataset.name}-{by}")
    if found is None:
        return None
    assert isinstance(found, Neighbourhood)
    edits = tuple((e.id, e.undone) for e in dataset.edits)
    return _judged(str(studio().workspace), dataset.name, dataset.info["created"], by, edits, _found=found)


@st.cache_resource(max_entries=4, show_spinner=False)
def _judged(
    workspace: str, name: str, created: str, by: str, edits: tuple[tuple[int, bool], ...], *, _found: Neighbourhood
) -> "pd.DataFrame":
    return suspects.judge(studio().dataset(name).crops, _found.everybody, _found.named)


def trust(found: "pd.DataFrame") -> str:
    """Return in a sentence how far the neighbours can be trusted; "" where nobody was judged."""
    agree, of = suspects.agreement(found)
    if not of:
        return "Nobody has enough named photos for the names to be judged."
    share = percent(agree / of, 0)
    text = f"By their neighbours {share} of {count(of, 'name')} look right."
    return text if agree >= 0.7 * of else f"{text} That is few: doubt how the faces are compared before the names."
