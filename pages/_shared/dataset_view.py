"""A prepared set to look at: what is in it, what was refused and why, and how each face was found."""

from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from facessl.dataset import SPLITS, FaceDataset
from facessl.errors import FaceSSLError
from pages._shared.backend import studio
from pages._shared.curves import CHART
from pages._shared.found import found_strip
from pages._shared.widgets import face_grid, paged
from pages._shared.words import count, percent

if TYPE_CHECKING:
    import pandas as pd

FACES, FOUND = "Faces", "Photo → found → aligned"
STRIPS = 12  # strips on a page: each reads its photo from the source again
EVERYBODY, NOBODY = "Everybody", "(no name)"


def dataset_view(dataset: FaceDataset) -> None:
    """Show one set from its figures down to its photos."""
    with st.skeleton(height=400):
        table = dataset.table
    _figures(dataset, table)
    _people(dataset, table)
    _refused(table)
    st.subheader("Faces", anchor=False)
    _browse(dataset, table)


def _figures(dataset: FaceDataset, table: "pd.DataFrame") -> None:
    kept = table["face"] >= 0
    grid = st.grid(4, min_column_width=150, gap="small")
    grid.metric("People with a name", f"{len(dataset.people):,}", border=True)
    grid.metric("Faces", f"{int(kept.sum()):,}", border=True)
    grid.metric(
        "Photos with a face", percent(float(kept.mean())), border=True, help=f"Of {count(len(table), 'photo')}."
    )
    turned = float(table.loc[kept, "aligned"].mean()) if kept.any() else 0.0
    grid.metric(
        "Turned level", percent(turned), border=True,
        help="Faces with a plausible pair of eyes; the others are cropped as they were found.",
    )  # fmt: skip
    sizes = table.loc[kept, "split"].value_counts()
    parts = ", ".join(f"{split} {sizes.get(split, 0):,}" for split in SPLITS)
    recipe = dataset.info["recipe"]
    made = dataset.info["created"][:16].replace("T", " ")
    st.caption(f"{parts} · {recipe['size']} × {recipe['size']} px · source: {recipe['source']} · made {made}")
    for note in dataset.info["notes"]:
        st.markdown(f":material/info: {note}")


def _people(dataset: FaceDataset, table: "pd.DataFrame") -> None:
    if not dataset.people:
        st.info("Nobody in this set has a name; pre-training and the map work all the same.", icon=":material/info:")
        return
    from facessl import figures

    counts = person_counts(table, dataset.people)
    st.subheader("Photos of each person", anchor=False)
    chart, numbers = st.columns([3, 2], gap="medium")
    with chart:
        st.plotly_chart(figures.photos_per_person(dataset.people, counts), key="data-people", config=CHART)
    with numbers:
        shown = {"Person": dataset.people, **{split: counts[split] for split in SPLITS[1:]}}
        st.dataframe(shown, hide_index=True)


def person_counts(table: "pd.DataFrame", people: list[str]) -> dict[str, list[int]]:
    """Return for each split how many faces each labelled person has, in the order of ``people``."""
    kept = table[(table["face"] >= 0) & (table["label"] >= 0)]
    return {
        split: np.bincount(kept.loc[kept["split"] == split, "label"], minlength=len(people)).tolist()
        for split in SPLITS[1:]
    }


def _refused(table: "pd.DataFrame") -> None:
    refused = table[table["face"] < 0]
    if refused.empty:
        st.caption("No photo was refused.")
        return
    by_status = refused["status"].value_counts()
    summary = ", ".join(f"{number:,} {status}" for status, number in by_status.items())
    with st.expander(f"Refused: {count(len(refused), 'photo')} ({summary})", icon=":material/block:"):
        st.dataframe(refused[["path", "person", "split", "status", "reason"]], hide_index=True, height=320)


# -- browsing ----------------------------------------------------------------------------------------------------


def _browse(dataset: FaceDataset, table: "pd.DataFrame") -> None:
    rows = _filtered(dataset, table)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        how = st.segmented_control("Show", [FACES, FOUND], default=FACES, required=True, key="data-how")
        st.space("stretch")
        st.caption(count(len(rows), "photo"), width="content")
    if rows.empty:
        st.info("No photo fits these filters; widen one of them.", icon=":material/filter_alt_off:")
        return
    if how == FACES and (rows["face"] >= 0).any():
        rows = rows[rows["face"] >= 0]
        page = rows.iloc[list(paged(len(rows), key="data-page"))]
        face_grid([dataset.faces[face] for face in page["face"]], [_who(row) for row in page.to_dict("records")])
        return
    page = rows.iloc[list(paged(len(rows), key="data-strip-page", size=STRIPS))]
    grid = st.grid(3, min_column_width=330, gap="medium")
    for row in page.to_dict("records"):
        with grid.cell():
            _strip(dataset, row)


def _filtered(dataset: FaceDataset, table: "pd.DataFrame") -> "pd.DataFrame":
    """Let person, split and status be chosen, and return the rows that fit."""
    people = [EVERYBODY, *dataset.people, *([NOBODY] if (table["person"] == "").any() else [])]
    grid = st.grid(3, min_column_width=150)
    # Keys carry the set's name: another set has other people.
    person = grid.selectbox("Person", people, key=f"data-person-{dataset.name}")
    split = grid.selectbox("Split", ["all", *SPLITS], key="data-split")
    status = grid.selectbox("Status", ["all", *sorted(table["status"].unique())], key=f"data-status-{dataset.name}")
    if person != EVERYBODY:
        table = table[table["person"] == ("" if person == NOBODY else person)]
    if split != "all":
        table = table[table["split"] == split]
    return table if status == "all" else table[table["status"] == status]


def _who(row: dict[str, Any]) -> str:
    return row["person"] or "no name"


def _strip(dataset: FaceDataset, row: dict[str, Any]) -> None:
    """One photo and how its face was found; where the photo is gone, the face and one sentence."""
    try:
        picture: bytes | np.ndarray = _strip_of(str(studio().workspace), dataset.name, dataset.info["created"], row)
    except FaceSSLError as error:
        if row["face"] >= 0:
            st.image(dataset.faces[row["face"]], width=150, output_format="JPEG")
        st.caption(f"{_who(row)} · {error}")
        return
    st.image(picture)
    seen = f" · {row['found']} faces seen" if row["found"] > 1 else ""
    turned = f" · turned by {abs(row['angle']):.0f}°" if row["aligned"] and abs(row["angle"]) >= 0.5 else ""
    reason = f" · {row['reason']}" if row["reason"] else ""
    st.caption(f"{_who(row)} · {row['split']} · {row['status']}{turned}{seen}{reason}")


# The workspace and the time of making are part of the key: another set may bear the same name one day.
@st.cache_data(max_entries=400, show_spinner=False)
def _strip_of(workspace: str, name: str, created: str, row: dict[str, Any]) -> bytes:
    dataset = studio().dataset(name)
    crop = dataset.faces[row["face"]] if row["face"] >= 0 else None
    return found_strip(studio().photo(name, row["photo"]), row, crop)
