"""Detectors side by side on a set's photos: how many faces each finds, and how long it takes."""

from typing import Any

import streamlit as st

from facessl.config import DetectorsRecipe
from facessl.dataset import FaceDataset
from facessl.run import Run
from facessl.states import ACTIVE
from pages._shared.backend import studio
from pages._shared.forms import recipe_form
from pages._shared.run_panel import run_panel
from pages._shared.widgets import shown_errors
from pages._shared.words import count, percent

_USED = {
    "haar": "with Haar, step {step:g}",
    "yunet": "with YuNet",
    "middle": "without one, of the middle of each photo",
}


def detectors(dataset: FaceDataset) -> None:
    runs = [run for run in studio().runs("detectors") if run.config["recipe"]["dataset"] == dataset.name]
    made = dataset.info["recipe"]
    st.caption(
        f"This set was made {_USED[made['detector']].format(step=made['scale_factor'])}. Other detectors can look at "
        "the same photos, drawn from all that came, those without a face as well. Nothing about the set changes."
    )
    if runs:
        with st.container(border=True):
            run_panel(runs[0], table, key=f"detectors-{dataset.name}")
    if not runs or runs[0].status().state not in ACTIVE:
        _form(dataset, again=bool(runs))


def _form(dataset: FaceDataset, *, again: bool) -> None:
    with st.form(f"detectors-{dataset.name}"):
        settings = recipe_form(
            DetectorsRecipe, key=f"detectors-{dataset.name}", hide=("dataset",), main=("photos", "weights")
        )
        pressed = st.form_submit_button(
            "Compare again" if again else "Compare the detectors",
            type="secondary" if again else "primary", icon=":material/play_arrow:",
        )  # fmt: skip
    if pressed:
        with shown_errors(DetectorsRecipe):
            studio().start("detectors", {**settings, "dataset": dataset.name})
            st.rerun()


def table(run: Run) -> None:
    """Show what a finished comparison found; nothing while there is nothing."""
    result = run.result()
    if result is None:
        return
    rows: list[dict[str, Any]] = result["rows"]
    photos = rows[0]["photos"]
    st.dataframe(
        {
            "Detector": [row["name"] for row in rows],
            "A face": [100 * row["found"] / photos for row in rows],
            "Photos with one": [row["one"] for row in rows],
            "With several": [row["several"] for row in rows],
            "Faces in all": [row["faces"] for row in rows],
            "Can be aligned": [row["eyes"] for row in rows],
            "ms a photo": [row["ms_per_photo"] for row in rows],
        },
        hide_index=True, row_height=42, alt="What each detector found",
        column_config={
            "Detector": st.column_config.TextColumn(width="medium"),
            "A face": st.column_config.ProgressColumn(
                format="%.1f %%", min_value=0, max_value=100, help="Share of the photos in which it saw a face or more."
            ),
            "With several": st.column_config.NumberColumn(
                help="YuNet sees bystanders and pictures on a wall that Haar passes over, so more is not worse."
            ),
            "Can be aligned": st.column_config.NumberColumn(
                help="Photos whose chosen face has a plausible pair of eyes, or five plausible landmarks."
            ),
            "ms a photo": st.column_config.NumberColumn(
                format="%.1f", help="Median time of finding alone, on one thread."
            ),
        },
    )  # fmt: skip
    st.caption(f"{count(photos, 'photo')}. {_agreement(rows)}")
    if rows[-1]["name"] != "YuNet":
        st.caption(
            "YuNet is not among them, for its file was not given: take face_detection_yunet_*.onnx from OpenCV's "
            "model zoo and name it above, or put it into the workspace's weights folder."
        )


def _agreement(rows: list[dict[str, Any]]) -> str:
    """Say where two detectors differ most: a face here and none there, or another face."""
    if len(rows) < 2:
        return ""
    pairs = [
        (share, row["name"], other)
        for number, row in enumerate(rows)
        for other, share in row["agreement"].items()
        if other in {later["name"] for later in rows[number + 1 :]}
    ]
    share, one, other = min(pairs)
    if share == 1:
        return "All chose the same face, or none, on every photo."
    return f"{one} and {other} differ most: they choose the same face, or none, on {percent(share)} of them."
