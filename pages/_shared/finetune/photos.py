"""Test photos with what the network called them; one of them large, with its next candidates and where it looked."""

import numpy as np
import streamlit as st

from facessl import images
from facessl.dataset import FaceDataset
from facessl.errors import FaceSSLError
from facessl.run import Run
from pages._shared.backend import studio
from pages._shared.data.corrections import on_one_line
from pages._shared.data.photo import strip
from pages._shared.face_picker import face_picker
from pages._shared.finetune.answers import Answers
from pages._shared.finetune.looked import HOW, NOWHERE, overlaid, where_it_looked
from pages._shared.widgets import face_grid, paged
from pages._shared.words import count, percent, plain

_PAGE = 24  # photos of a grid
_THUMBNAIL = 144  # pixels a side
_TALL = 360  # pixels: height of the photo in the dialog
_CANDIDATES = 5


def photos_grid(run: Run, dataset: FaceDataset, answers: Answers, places: np.ndarray, *, key: str) -> None:
    """Show test photos, the surest first; a click opens one."""
    page = paged(len(places), key=f"{key}-page", size=_PAGE)
    shown = places[page.start : page.stop]
    faces = answers.faces[shown]
    picked = face_picker(
        [images.fit(dataset.faces[face], _THUMBNAIL) for face in faces], faces.tolist(),
        [caption(answers, place) for place in shown], key=key,
    )  # fmt: skip
    st.caption(
        f"{count(len(places), 'photo')}, the surest answer first. Below each: who it is, the name the network gave "
        "and the share its softmax gives that name. A click opens it."
    )
    if picked is not None:
        open_answer(run, picked)


def caption(answers: Answers, place: int) -> str:
    """Return who a photo shows, what it was called and how surely, a line each."""
    right, given = answers.labels[place], answers.answers[place]
    said = "rightly named" if right == given else f"called {on_one_line(answers.people[given])}"
    return f"{on_one_line(answers.people[right])}\n{said}\n{percent(answers.shares[place], 0)}"


# -- one of them, large ------------------------------------------------------------------------------------------


def _opened(run: Run) -> str:
    """Return the session key of the face that is open, if one is; it is no widget's."""
    return f"finetune-open-{run.id}"


def open_answer(run: Run, face: int) -> None:
    """Open a photo over the page."""
    st.session_state[_opened(run)] = int(face)
    st.rerun()


def opened_answer(run: Run, dataset: FaceDataset, answers: Answers, listed: np.ndarray) -> None:
    """Show the photo that is open, if one is; ``listed`` are the places to step through, in their order."""
    face = st.session_state.get(_opened(run))
    place = None if face is None else answers.place_of(face)
    if place is None:
        return

    def close() -> None:
        st.session_state.pop(_opened(run), None)

    @st.dialog(on_one_line(answers.people[answers.labels[place]]) or "No name", width="large", on_dismiss=close)
    def show() -> None:
        _step(run, answers, place, listed)
        _photo(run, dataset, answers, place)

    show()


def _step(run: Run, answers: Answers, place: int, listed: np.ndarray) -> None:
    here = np.flatnonzero(listed == place)
    if len(listed) < 2 or not len(here):
        return
    at = int(here[0])
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if st.button("Previous", icon=":material/chevron_left:", key="finetune-previous", disabled=at < 1):
            open_answer(run, answers.faces[listed[at - 1]])
        if st.button("Next", icon=":material/chevron_right:", key="finetune-next", disabled=at + 1 >= len(listed)):
            open_answer(run, answers.faces[listed[at + 1]])
        st.caption(f"{at + 1:,} of {len(listed):,}", width="content")


def _photo(run: Run, dataset: FaceDataset, answers: Answers, place: int) -> None:
    face, right, given = (int(numbers[place]) for numbers in (answers.faces, answers.labels, answers.answers))
    who = plain(answers.people[right])
    if right == given:
        st.markdown(f"Rightly named **{who}**, {percent(answers.shares[place])}.")
    else:
        st.markdown(f"This is **{who}**; the network says **{plain(answers.people[given])}**, "
                    f"{percent(answers.shares[place])}.")  # fmt: skip
    left, side = st.columns([3, 2], gap="medium")
    row = {str(name): value for name, value in dataset.crops.iloc[face].to_dict().items()}
    with left:
        strip(dataset, row, height=_TALL, with_crop=False)
        st.caption(plain(str(row["path"])))
    with side:
        try:
            candidates(run, face, answers.people[right])
        except FaceSSLError as error:
            st.caption(f"Its next candidates cannot be computed: {plain(str(error))}")
    _looked(run, dataset, face, [answers.people[label] for label in dict.fromkeys((given, right))])


def _looked(run: Run, dataset: FaceDataset, face: int, people: list[str]) -> None:
    """Show the crop, and what in it speaks for each of these people."""
    st.markdown("**Where it looked**")
    maps = where_it_looked(run, tuple((face, person) for person in people))
    crop = np.asarray(dataset.faces[face])
    pictures = [(crop, "the face")]
    if maps is not None:
        for seen, person in zip(maps, people, strict=True):
            shown, found = (overlaid(crop, seen), "") if seen.any() else (crop, f": {NOWHERE}")
            pictures.append((shown, f"for {person}{found}"))
    face_grid([picture for picture, _ in pictures], [said for _, said in pictures], width=140)
    st.caption(HOW)


def candidates(run: Run, face: int, right: str) -> None:
    """Show whom else the network thinks possible, and where the right person stands."""
    found = studio().opinions(run.id, face)
    names = [name for name, _ in found]
    st.markdown("**Its candidates**")
    st.dataframe(
        {"Person": names[:_CANDIDATES], "Share": [100 * share for _, share in found[:_CANDIDATES]]}, hide_index=True,
        column_config={"Share": st.column_config.ProgressColumn(format="%.1f %%", min_value=0, max_value=100)},
        alt="Whom the network thinks possible",
    )  # fmt: skip
    if right in names[_CANDIDATES:]:
        at = names.index(right)
        st.caption(f"{plain(right)} comes {at + 1:,}th of {len(names):,}, with {percent(found[at][1], 2)}.")
