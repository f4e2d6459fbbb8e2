"""One photo of a set: what was found in it, all that is known of it, what is like it, and what people say of it."""

import html
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from facessl import images, suspects
from facessl.dataset import FaceDataset
from facessl.errors import FaceSSLError
from pages._shared.backend import studio
from pages._shared.data.compared import FEW, PIXELS, asked_for, choose_by, judged, result_of, vectors
from pages._shared.data.corrections import bring_back, correct, last_correction, on_one_line, one_line
from pages._shared.face_picker import face_picker
from pages._shared.found import found_strip
from pages._shared.words import count

if TYPE_CHECKING:
    import pandas as pd

PLACE = "photo"  # where corrections are made
_PLACE = "data-place"  # where it stands in the list it was opened from
_NEAREST = 12
_FACTS = """
.facts { display: grid; grid-template-columns: auto 1fr; gap: 0.15rem 1rem; margin: 0;
         font-size: 0.9rem; line-height: 1.4; }
.facts :is(dt, dd) { margin: 0; padding: 0; font-weight: 400; overflow-wrap: anywhere; }
.facts dt { opacity: 0.7; overflow-wrap: normal; }
"""
_TALL = 360  # pixels: height of the photo in the dialog


def open_photo(dataset: FaceDataset, photo: int) -> None:
    """Open a photo over the page."""
    st.session_state[_opened(dataset)] = int(photo)
    st.rerun()


def _opened(dataset: FaceDataset) -> str:
    """Return the session key of the photo that is open, if one is; it is no widget's."""
    return f"data-open-{dataset.name}"


def opened_photo(dataset: FaceDataset, listed: np.ndarray) -> None:
    """Show the photo that is open, if one is; ``listed`` are the photos to step through, in their order."""
    photo = st.session_state.get(_opened(dataset))
    if photo is None or not 0 <= photo < len(dataset.table):
        return
    row = dataset.table.iloc[photo].to_dict()  # photos are numbered in the order of the table
    name = one_line(row["person"]) or "No name"

    def close() -> None:
        del st.session_state[_opened(dataset)]

    @st.dialog(f"{name} · photo {photo}", width="large", on_dismiss=close)
    def show() -> None:
        _step(dataset, photo, listed)
        last_correction(dataset, place=PLACE)
        _photo(dataset, row)

    show()


def _step(dataset: FaceDataset, photo: int, listed: np.ndarray) -> None:
    """Let the next and the one before be opened; a photo that has just left the list keeps its place in it."""
    here = np.flatnonzero(listed == photo)
    place = int(here[0]) if len(here) else st.session_state.get(_PLACE, 0)
    st.session_state[_PLACE] = place
    following = place + 1 if len(here) else place
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if st.button("Previous", icon=":material/chevron_left:", key="data-previous", disabled=place < 1):
            open_photo(dataset, listed[min(place, len(listed)) - 1])
        if st.button("Next", icon=":material/chevron_right:", key="data-next", disabled=following >= len(listed)):
            open_photo(dataset, listed[following])
        where = f"{place + 1:,} of {len(listed):,}" if len(here) else f"no longer among the {len(listed):,} listed"
        st.caption(where, width="content")


def _photo(dataset: FaceDataset, row: dict[str, Any]) -> None:
    left, right = st.columns([3, 2], gap="medium")
    with left:
        strip(dataset, row, height=_TALL, with_crop=False)
        _actions(dataset, row)
    with right:
        if row["face"] >= 0:
            st.image(np.asarray(dataset.faces[row["face"]]), width=180, output_format="JPEG", alt="The crop")
        _facts(facts(row))
        if made := factors(row):
            with st.expander("What it was made of"):
                _facts(made)
    if row["face"] < 0:
        return
    by = choose_by(dataset, key="photo")
    _suspicion(dataset, row, by)
    _copies(dataset, row)
    _alike(dataset, row, by)


# -- what was found ----------------------------------------------------------------------------------------------


def strip(dataset: FaceDataset, row: dict[str, Any], *, height: int = 150, with_crop: bool = True) -> None:
    """Show a photo and how its face was found; where the photo is gone, the face and one sentence."""
    crop = with_crop and row["face"] >= 0
    key = (str(studio().workspace), dataset.name, dataset.info["created"], int(row["photo"]))
    try:
        picture = _strip_of(*key, height, crop, _row=row)
    except FaceSSLError as error:
        if crop:
            st.image(np.asarray(dataset.faces[row["face"]]), width=150, output_format="JPEG")
        st.caption(str(error))
        return
    st.image(picture)


# The workspace and the time of making are part of the key: another set may bear the same name one day.
@st.cache_data(max_entries=400, show_spinner=False)
def _strip_of(
    workspace: str, name: str, created: str, photo: int, height: int, with_crop: bool, *, _row: dict[str, Any]
) -> bytes:
    crop = studio().dataset(name).faces[_row["face"]] if with_crop else None
    return found_strip(studio().photo(name, photo), _row, crop, height)


def _facts(told: dict[str, str]) -> None:
    """Show a title and a text a line, as they are, whatever a folder may be called."""
    cells = "".join(f"<dt>{html.escape(title)}</dt><dd>{html.escape(text)}</dd>" for title, text in told.items())
    st.html(f'<style>{_FACTS}</style><dl class="facts" style="padding:0">{cells}</dl>')


def facts(row: dict[str, Any]) -> dict[str, str]:
    """Return what is known of a photo, title -> text."""
    told = {
        "File": row["path"],
        "Person": row["person"] or "no name",
        "Came as": row["named"] if row["named"] != row["person"] else "",
        "Split": row["split"],
        "Status": " · ".join(part for part in (row["status"], row["reason"]) if part),
        "Photo": f"{row['width']:,} × {row['height']:,} px" if row["width"] else "",
        "Faces seen": f"{row['found']:,}" if row["width"] else "",
        "Face": _number(row["box_w"], "{:.0f} px wide"),
        "Eyes": _eyes(row),
        "Sharpness": _number(row["sharpness"], "{:,.0f}"),
        "Brightness": _number(row["brightness"], "{:.0f} of 255"),
        "Contrast": _number(row["contrast"], "{:.0f}"),
        "Turn": _number(row["turn"], "{:+.2f}"),
        "Flaws": row["flaws"] or ("none" if np.isfinite(row["sharpness"]) else ""),
    }
    return {title: text for title, text in told.items() if text}


def factors(row: dict[str, Any]) -> dict[str, str]:
    """Return what a generated photo was made of, title -> text."""
    made = {name.removeprefix("factor_"): value for name, value in row.items() if name.startswith("factor_")}
    told = {name.replace("_", " ").capitalize(): _number(value, "{:.3g}") for name, value in made.items()}
    return {title: text for title, text in told.items() if text}


def _number(value: float, text: str) -> str:
    return text.format(value) if np.isfinite(value) else ""


def _eyes(row: dict[str, Any]) -> str:
    if not np.isfinite(row["angle"]):
        return "none found, so the crop is not turned" if np.isfinite(row["box_w"]) else ""
    return f"{abs(row['angle']):.1f}° off level, {'turned level' if row['aligned'] else 'not turned'}"


# -- what a person can say of it ---------------------------------------------------------------------------------


def _actions(dataset: FaceDataset, row: dict[str, Any]) -> None:
    """Leave it out or bring it back; say that it is somebody else."""
    photo = int(row["photo"])
    if row["status"] == "kept":
        if st.button("Leave it out", icon=":material/visibility_off:", key="data-leave-out"):
            correct(dataset, "exclude", place=PLACE, photo=photo)
    elif row["face"] >= 0 and st.button(back_label(row), icon=":material/undo:", key="data-keep", type="primary"):
        bring_back(dataset, row, place=PLACE)
    people = [name for name in dataset.people if name != row["person"]]
    name = st.selectbox(
        "This is somebody else", people, index=None, placeholder="Choose or type a name",
        accept_new_options=True, key=f"data-name-{dataset.name}-{photo}-{len(dataset.edits)}",
    )  # fmt: skip
    with st.container(horizontal=True, gap="small"):
        if st.button("Give it this name", icon=":material/edit:", key="data-rename", disabled=not (name or "").strip()):
            correct(dataset, "name", place=PLACE, photo=photo, to=name.strip())
        if row["person"] and st.button("Take its name away", icon=":material/person_off:", key="data-unname"):
            correct(dataset, "name", place=PLACE, photo=photo, to="")
    if row["split"] == "unlabelled":
        st.caption("With a name it goes to train: which photos judge was decided by lot.")


def back_label(row: dict[str, Any]) -> str:
    return "Bring it back" if row["status"] == "excluded" else "Keep it after all"


# -- what is like it ---------------------------------------------------------------------------------------------


def _suspicion(dataset: FaceDataset, row: dict[str, Any], by: str) -> None:
    """Say what speaks against a photo; of a large set only where somebody has asked for the suspects."""
    found = judged(dataset, by) if len(dataset.crops) <= FEW or asked_for(dataset, by) else None
    why = "" if found is None else found["why"].iloc[int(row["face"])]
    if why:
        st.warning(one_line(why, 400), icon=":material/troubleshoot:")


def _copies(dataset: FaceDataset, row: dict[str, Any]) -> None:
    if row["group"] < 0:
        return
    table = dataset.table
    copies = table[(table["group"] == row["group"]) & (table["photo"] != row["photo"])]
    st.markdown(f"**The same picture again**: {count(len(copies), 'copy', 'copies')}")
    st.caption(" · ".join(f"{one_line(path, 80)} ({split}, {status})" for path, split, status in zip(
        copies["path"].head(5), copies["split"], copies["status"], strict=False)))  # fmt: skip
    _picker(dataset, copies[copies["face"] >= 0]["face"].to_numpy()[:_NEAREST], key="copies")


def _alike(dataset: FaceDataset, row: dict[str, Any], by: str) -> None:
    st.markdown("**Most like it**, of all faces in use")
    rows = result_of(vectors(dataset, by), key=f"vectors-{dataset.name}-{by}")
    if rows is None:
        return
    assert isinstance(rows, np.ndarray)
    face = int(row["face"])
    among = np.flatnonzero(dataset.used & (np.arange(len(dataset.used)) != face))
    found, similarities = suspects.most_like(rows, face, among, _NEAREST)
    if not len(found):
        st.caption("There is no other face.")
        return
    _picker(dataset, found, [f"{s:.2f}" for s in similarities], key="alike")
    what = "whitened pixels" if by == PIXELS else "embeddings"
    st.caption(f"Below each name: the cosine similarity of their {what}; 1 is the same.")


def _picker(dataset: FaceDataset, faces: np.ndarray, more: list[str] | None = None, *, key: str) -> None:
    crops: pd.DataFrame = dataset.crops.iloc[faces]
    who = [on_one_line(name) for name in crops["person"]]
    captions = [f"{name}\n{text}" for name, text in zip(who, more or [""] * len(who), strict=True)]
    pictures = [images.fit(dataset.faces[face], 144) for face in faces]
    picked = face_picker(pictures, crops["photo"].tolist(), captions, key=f"data-{key}-{dataset.name}")
    if picked is not None:
        open_photo(dataset, picked)
