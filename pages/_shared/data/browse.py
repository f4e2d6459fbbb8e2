"""All photos of a set, to filter, to sort and to look through; a click opens one."""

from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from facessl import images
from facessl.dataset import SPLITS, FaceDataset
from pages._shared.data.compared import ask_for, choose_by, judged, trust
from pages._shared.data.corrections import on_one_line, one_line
from pages._shared.data.photo import open_photo, opened_photo, strip
from pages._shared.face_picker import face_picker
from pages._shared.widgets import paged
from pages._shared.words import count

if TYPE_CHECKING:
    import pandas as pd

EVERYBODY, NOBODY, ALL = "Everybody", "(no name)", "all"
FACES, FOUND = "Faces", "Photo → found → aligned"
STRIPS = 12  # strips on a page: each reads its photo from the source again
_THUMBNAIL = 144  # pixels a side in the grid, also of sets with larger faces

# What to look for -> the column of ``suspects.judge`` that says so, or the word that stands in ``flaws``.
SUSPECTS = {"any suspect": "suspicion", "name doubtful": "doubtful", "unlike all others": "outlier"}
FLAWS = ("blurred", "dark", "bright", "flat", "small", "turned")
NO_FLAW, ANY_FLAW, SEVERAL, COPIES = "no flaw", "any flaw", "several faces", "copies"
QUALITY = (ALL, NO_FLAW, ANY_FLAW, *FLAWS, SEVERAL, COPIES, *SUSPECTS)

# What to sort by -> column of the table, and whether the greatest come first.
ORDERS = {
    "As they came": ("photo", False),
    "Suspects first": ("suspicion", True),
    "Unlike the others first": ("alike", False),
    "Blurred first": ("sharpness", False),
    "Sharp first": ("sharpness", True),
    "Dark first": ("brightness", False),
    "Bright first": ("brightness", True),
    "Flat first": ("contrast", False),
    "Rich in contrast first": ("contrast", True),
    "Small faces first": ("box_w", False),
    "Large faces first": ("box_w", True),
    "Turned aside first": ("turned", True),
    "Most faces in the photo first": ("found", True),
    "Copies together": ("group", True),
}


JUDGED = ("suspicion", "alike")  # columns that only a comparison of all faces can fill


def browse(dataset: FaceDataset) -> None:
    table = dataset.table
    with st.container(gap="small"):
        chosen = _filters(dataset, table)
        found = None
        if chosen["quality"] in SUSPECTS or ORDERS[chosen["order"]][0] in JUDGED:
            found = _suspects(dataset)
    rows = pick_rows(table, found, **chosen)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        how = st.segmented_control("Show", [FACES, FOUND], default=FACES, required=True, key="data-how")
        st.space("stretch")
        st.caption(count(len(rows), "photo"), width="content")
    if not len(rows):
        st.info("No photo fits these filters; widen one of them.", icon=":material/filter_alt_off:")
    elif how == FACES:
        _grid(dataset, table, rows, found, chosen["order"])
    else:
        _strips(dataset, table, rows)
    opened_photo(dataset, table["photo"].to_numpy()[rows])


def _filters(dataset: FaceDataset, table: "pd.DataFrame") -> dict[str, str]:
    people = [EVERYBODY, *dataset.people, *([NOBODY] if (table["person"] == "").any() else [])]
    statuses = [ALL, *sorted(table["status"].unique())]
    # Keys carry the set's name: another set has other people.
    person, status = f"data-person-{dataset.name}", f"data-status-{dataset.name}"
    _begin(person, people, EVERYBODY)
    _begin(status, statuses, "kept" if "kept" in statuses else ALL)
    grid = st.grid(5, min_column_width=150)
    return {
        "person": grid.selectbox("Person", people, key=person),
        "split": grid.selectbox("Split", [ALL, *SPLITS], key="data-split"),
        "status": grid.selectbox("Status", statuses, key=status),
        "quality": grid.selectbox("Quality", QUALITY, key="data-quality"),
        "order": grid.selectbox("Order", list(ORDERS), key="data-order"),
    }


def _begin(key: str, options: list[str], first: str) -> None:
    """Have a select begin with ``first``, also when a correction took away what was chosen."""
    if st.session_state.get(key) not in options:
        st.session_state[key] = first


def _suspects(dataset: FaceDataset) -> "pd.DataFrame | None":
    """Return who is suspected, by a comparison that can be chosen; None while it goes on."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        by = choose_by(dataset, key="browse")
        ask_for(dataset, by)
        found = judged(dataset, by)
        if found is not None:
            st.caption(trust(found), width="stretch")
    if found is None:
        st.caption("Until then photos stand as they came.")
    return found


def pick_rows(
    table: "pd.DataFrame", found: "pd.DataFrame | None", *, person: str = EVERYBODY, split: str = ALL,
    status: str = ALL, quality: str = ALL, order: str = "As they came",
) -> np.ndarray:  # fmt: skip
    """Return which rows of the table fit, in order.

    Args:
        table: Of the set.
        found: What ``suspects.judge`` says of its faces; None where nobody asked for it yet.
        person, split, status, quality, order: As the page offers them.
    """
    fits = np.ones(len(table), bool)
    if person != EVERYBODY:
        fits &= (table["person"] == ("" if person == NOBODY else person)).to_numpy()
    if split != ALL:
        fits &= (table["split"] == split).to_numpy()
    if status != ALL:
        fits &= (table["status"] == status).to_numpy()
    if quality != ALL:
        fits &= _quality(table, found, quality)
    rows = np.flatnonzero(fits)
    column, descending = ORDERS[order]
    if column in JUDGED and found is None:
        return rows
    keys = _column(table, found, column)[rows]
    # Photos of which it is not known come last, either way.
    keys = np.where(np.isnan(keys), np.inf, -keys if descending else keys)
    return rows[np.argsort(keys, kind="stable")]


def _quality(table: "pd.DataFrame", found: "pd.DataFrame | None", quality: str) -> np.ndarray:
    if quality in SUSPECTS:
        there = found is not None and _column(table, found, SUSPECTS[quality]) > 0
        return np.broadcast_to(there, len(table))
    if quality == COPIES:
        return (table["group"] >= 0).to_numpy()
    if quality == SEVERAL:
        return (table["found"] > 1).to_numpy()
    flaws = table["flaws"]
    if quality in (NO_FLAW, ANY_FLAW):
        return ((flaws == "") == (quality == NO_FLAW)).to_numpy()
    return flaws.str.contains(quality, regex=False).to_numpy(dtype=bool)


def _column(table: "pd.DataFrame", found: "pd.DataFrame | None", column: str) -> np.ndarray:
    """Return a number a photo; NaN where it is not known."""
    if column == "turned":
        return np.abs(table["turn"].to_numpy(dtype=float))
    if column in table:
        return table[column].to_numpy(dtype=float)
    assert found is not None
    faces = table["face"].to_numpy()
    return np.where(faces >= 0, found[column].to_numpy(dtype=float)[faces], np.nan)


def _grid(
    dataset: FaceDataset, table: "pd.DataFrame", rows: np.ndarray, found: "pd.DataFrame | None", order: str
) -> None:
    shown = rows[table["face"].to_numpy()[rows] >= 0]
    if not len(shown):
        st.info("None of these photos could be read; **Refused** says why.", icon=":material/broken_image:")
        return
    page = table.iloc[shown[_slice(len(shown), "data-page")]]
    pictures = [images.fit(dataset.faces[face], _THUMBNAIL) for face in page["face"]]
    picked = face_picker(pictures, page["photo"], _captions(page, found, order), key=f"data-grid-{dataset.name}")
    st.caption("Click a face to see its photo, all that is known of it, and the faces most like it.")
    if picked is not None:
        open_photo(dataset, picked)


def _captions(page: "pd.DataFrame", found: "pd.DataFrame | None", order: str) -> list[str]:
    """Return who each face is, and beneath it what the order is about."""
    # A folder of too few photos gives nobody a name here, but says whose they were.
    who = [
        on_one_line(name) if name or not folder else f"({on_one_line(folder)})"
        for name, folder in zip(page["person"], page["named"], strict=True)
    ]
    column, _ = ORDERS[order]
    if column == "suspicion" and found is not None:
        return [f"{name}\n{_in_short(found.iloc[face])}" for name, face in zip(who, page["face"], strict=True)]
    if column == "alike" and found is not None:
        return [f"{name}\n{found['alike'].iloc[face]:.2f}" for name, face in zip(who, page["face"], strict=True)]
    if column in ("photo", *JUDGED):
        return who
    if column == "group":
        return [f"{n}\n{f'copy of {g}' if g >= 0 else ''}" for n, g in zip(who, page["group"], strict=True)]
    values = page["turn" if column == "turned" else column]
    digits = 2 if column == "turned" else 0
    return [f"{n}\n{'' if np.isnan(v) else f'{v:,.{digits}f}'}" for n, v in zip(who, values, strict=True)]


def _in_short(said: "pd.Series") -> str:
    """Return in a word or two what speaks against a face."""
    if said["doubtful"]:
        return f"{on_one_line(said['likely'])}?"
    words = {"outlier": "unlike others", "several": "several faces", "poor": "poor crop"}
    return next((word for column, word in words.items() if said[column]), "")


def _strips(dataset: FaceDataset, table: "pd.DataFrame", rows: np.ndarray) -> None:
    page = table.iloc[rows[_slice(len(rows), "data-strip-page", STRIPS)]]
    grid = st.grid(3, min_column_width=330, gap="medium")
    for row in page.to_dict("records"):
        with grid.cell():
            strip(dataset, row)
            st.caption(described(row))


def described(row: dict[str, Any]) -> str:
    """Return a photo in one line, as Markdown."""
    seen = f" · {row['found']} faces seen" if row["found"] > 1 else ""
    turned = f" · turned by {abs(row['angle']):.0f}°" if row["aligned"] and abs(row["angle"]) >= 0.5 else ""
    reason = f" · {one_line(row['reason'], 200)}" if row["reason"] else ""
    return f"{one_line(row['person']) or 'no name'} · {row['split']} · {row['status']}{turned}{seen}{reason}"


def _slice(total: int, key: str, size: int = 48) -> slice:
    page = paged(total, key=key, size=size)
    return slice(page.start, page.stop)
