"""The table of past runs: sorted by a click, filtered, and a chosen row is the run shown above."""

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from facessl.runs import ACTIVE, Run
from pages._shared.backend import studio
from pages._shared.widgets import choose
from pages._shared.words import STATES, duration

FOLLOW = "pretrain-follow"  # a row was chosen: the page shall show that run
PIXELS = ("knn_pixels", "knn_raw_pixels", "knn_whitened_pixels")
_PERCENT = st.column_config.NumberColumn(format="%.1f %%")
_TAIL = 8192  # bytes at the end of a curve in which its last row is found
Seen = tuple[tuple[str, str, str], ...]


def seen(runs: Sequence[Run]) -> Seen:
    """Return what the page shows of these runs and a run started, renamed or ended elsewhere would change."""
    return tuple((run.id, run.status().state, run.title) for run in runs)


def look_out(shown: Seen) -> None:
    """Draw the page anew when runs have come, gone or changed state, whoever did it; a fragment with a timer."""
    if seen(studio().runs("pretrain")) != shown:
        st.rerun()


def past_runs(runs: Sequence[Run]) -> None:
    """Draw the table; it goes on counting while one of the runs works."""
    live = any(run.status().state in ACTIVE for run in runs)
    st.fragment(_table, run_every=3.0 if live else None)(runs)


def _table(runs: Sequence[Run]) -> None:
    if st.session_state.pop(FOLLOW, False):
        st.rerun()
    st.subheader("All runs", anchor=False)
    there = [run for run in runs if run.path.is_dir()]
    rows = {run.id: row_of(run) for run in there}
    shown = filtered(rows) if len(rows) > 1 else rows
    if not shown:
        st.caption("No run is like that; clear a filter.")
        return
    # Another list is another table, or the row chosen in the last one would be marked in this one too.
    key = f"pretrain-table-{zlib.crc32(' '.join(shown).encode()):x}"
    st.dataframe(
        list(shown.values()), hide_index=True, key=key, selection_mode="single-row",
        on_select=lambda: _follow(key, list(shown)), height="content" if len(shown) <= 10 else 420,
        column_config={"k-NN val": _PERCENT, "pixels, at best": _PERCENT, "untrained": _PERCENT},
        alt="All pre-trainings",
    )  # fmt: skip
    st.caption("Choose a row to see that run above; a click on a column's name sorts by it.")


def filtered(rows: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Let the table be filtered by text, set and state; return the rows that are left."""
    grid = st.grid(3, min_column_width=220, vertical_alignment="bottom")
    with grid.cell():
        text = st.text_input("Find", key="pretrain-find", placeholder="A word of the name, the note or the id")
    chosen: dict[str, list[str]] = {}
    for column in ("Set", "State"):
        with grid.cell():
            values = sorted({str(row[column]) for row in rows.values()})
            chosen[column] = st.multiselect(column, values, key=f"pretrain-filter-{column}", placeholder="All")
    return {run_id: row for run_id, row in rows.items() if _fits(run_id, row, text, chosen)}


def _fits(run_id: str, row: dict[str, Any], text: str, chosen: dict[str, list[str]]) -> bool:
    words = f"{row['Run']} {row['Note']} {run_id}".casefold()
    return all(word in words for word in text.casefold().split()) and all(
        not wanted or row[column] in wanted for column, wanted in chosen.items()
    )


def _follow(key: str, listed: list[str]) -> None:
    """A chosen row becomes the run that the page shows."""
    rows = st.session_state[key]["selection"]["rows"]
    if rows:
        choose("run", listed[rows[0]], key="pretrain-run")
        st.session_state[FOLLOW] = True


def row_of(run: Run) -> dict[str, Any]:
    """Return one line of the table, read from the run's files as they are now."""
    config, status = run.config, run.status()
    recipe = config["recipe"]
    start, now = ends(run)
    return {
        "Run": config["title"],
        "Started": config["created"][:16].replace("T", " "),
        "State": STATES.get(status.state, (status.state.capitalize(),))[0],
        "Set": recipe["dataset"],
        "Epochs": f"{status.epoch} / {recipe['epochs']}",
        "k-NN val": _as_percent(now.get("knn_accuracy")),
        "pixels, at best": _as_percent(max(filter(None, map(start.get, PIXELS)), default=None)),
        "untrained": _as_percent(start.get("knn_accuracy")),
        "Loss": now.get("loss"),
        "Images/s": round(status.images_per_second) or None,
        "Time": duration(status.seconds),
        "Note": run.note,
        "Id": run.id[-4:],
    }


def ends(run: Run) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the first and the last row of a run's curve, without reading the thousands between."""
    path = run.path / "metrics.jsonl"
    if not path.exists():
        return {}, {}
    return _ends(str(path), path.stat().st_mtime_ns)


@st.cache_data(show_spinner=False, max_entries=2000)
def _ends(path: str, changed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    with Path(path).open("rb") as file:
        first = file.readline()
        file.seek(max(0, file.seek(0, 2) - _TAIL))
        lines = file.read().split(b"\n")[:-1]  # an unfinished last line is not there yet
    if not first.endswith(b"\n") or not lines:
        return {}, {}
    return json.loads(first), json.loads(lines[-1])


def _as_percent(share: float | None) -> float | None:
    return None if share is None else share * 100
