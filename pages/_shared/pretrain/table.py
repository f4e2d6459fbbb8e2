"""The table of past runs: sorted by a click, filtered, and a chosen row is the run shown above."""

import contextlib
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from facessl import damage
from facessl.errors import FaceSSLError
from facessl.run import Run
from facessl.states import ACTIVE
from pages._shared.backend import studio
from pages._shared.pretrain.differs import what_differs
from pages._shared.widgets import choose
from pages._shared.words import STATES, preset_name

FOLLOW = "pretrain-follow"  # a row was chosen: the page shall show that run
PIXELS = ("knn_pixels", "knn_raw_pixels", "knn_whitened_pixels")
SHOWN = "●"
_TAIL = 8192  # bytes at the end of a curve in which its last row is found
Seen = tuple[tuple[str, str, str], ...]


def seen(runs: Sequence[Run]) -> Seen:
    """Return what the page shows of these runs and a run started, renamed or ended elsewhere would change."""
    return tuple((run.id, run.status().state, run.title) for run in runs)


def look_out(shown: Seen) -> None:
    """Draw the page anew when runs have come, gone or changed state, whoever did it; a fragment with a timer."""
    if seen(studio().runs("pretrain")) != shown:
        st.rerun()


def past_runs(runs: Sequence[Run], shown: str) -> None:
    """Draw the table, in which the run with the id ``shown`` is marked; it goes on counting while a run works."""
    live = any(run.status().state in ACTIVE for run in runs)
    st.fragment(_table, run_every=3.0 if live else None)(runs, shown)


def _table(runs: Sequence[Run], marked: str) -> None:
    if st.session_state.pop(FOLLOW, False):
        st.rerun()
    st.subheader("All runs", anchor=False)
    rows = rows_of([run for run in runs if run.path.is_dir()], marked)
    shown = filtered(rows) if len(rows) > 1 else rows
    if not shown:
        st.caption("No run is like that; clear a filter.")
        return
    # Another list is another table, or the row chosen in the last one would be marked in this one too.
    key = f"pretrain-table-{zlib.crc32(' '.join(shown).encode()):x}"
    st.dataframe(
        list(shown.values()), hide_index=True, key=key, selection_mode="single-row", placeholder="",
        on_select=lambda: _follow(key, list(shown)), height="content" if len(shown) <= 10 else 420,
        column_config=columns(noted=any(row["Note"] for row in shown.values())), alt="All pre-trainings",
    )  # fmt: skip
    st.caption(
        f"Choose a row to see that run above, where {SHOWN} is now; a click on a column's name sorts by it. "
        "What differs: the settings that most of these runs do not have."
    )


def columns(*, noted: bool) -> dict[str, Any]:
    """Return how the columns are shown: up to ``Asked for`` they fit a screen of 1,440 points, whatever they hold.

    Where no run has a note, titles take its room: many begin alike.
    """
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    return {
        "Shown": text(SHOWN, width=30, help="The run that is shown above."),
        "Run": text(width=190 if noted else 310), "What differs": text(width=210),
        "Note": text(width=120) if noted else None, "Id": text(width=60),
        "State": text(width=90), "k-NN val": number(format="%.1f %%", width=80),
        "pixels, at best": number(format="%.1f %%", width=105), "untrained": number(format="%.1f %%", width=85),
        "Loss": number(format="%.3f", width=90),
        "Epochs": number(format="%d", width=75, help="Done so far."), "Asked for": number(format="%d", width=80),
        "Images/s": number(format="localized", width=80),
        "Minutes": number(format="%.1f", width=80, help="Working time so far, without pauses."),
    }  # fmt: skip


def rows_of(runs: Sequence[Run], marked: str = "") -> dict[str, dict[str, Any]]:
    """Return the lines of the table by the runs' ids."""
    configs = {run.id: run.config for run in runs}
    recipes = {run_id: config["recipe"] for run_id, config in configs.items()}
    differ = what_differs(recipes, {run_id: config["title"] for run_id, config in configs.items()}, presets())
    return {run.id: row_of(run, configs[run.id], differ[run.id], shown=run.id == marked) for run in runs}


def presets() -> dict[str, dict[str, Any]]:
    """Return the settings of the presets of views, by what they are called."""
    from facessl.presets import BUILT_IN

    found = {}
    for name in studio().presets():
        with contextlib.suppress(FaceSSLError):  # a broken one; the form says so where it is chosen
            found[preset_name(name, BUILT_IN)] = studio().preset(name).model_dump(mode="json")
    return found


def filtered(rows: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Let the table be filtered by text, set and state; return the rows that are left."""
    grid = st.grid(3, min_column_width=220, vertical_alignment="bottom")
    with grid.cell():
        text = st.text_input("Find", key="pretrain-find", placeholder="A word of the title, the note or the id")
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


def row_of(run: Run, config: dict[str, Any], differs: str, *, shown: bool) -> dict[str, Any]:
    """Return one line of the table, read from the run's files as they are now."""
    status, recipe = run.status(), config["recipe"]
    start, now = ends(run)
    return {
        "Shown": SHOWN if shown else "",
        "Run": config["title"],
        "What differs": differs,
        "Note": " ".join(run.note.split()),
        "Id": run.id[-4:],
        "State": STATES.get(status.state, (status.state.capitalize(),))[0],
        "k-NN val": _as_percent(now.get("knn_accuracy")),
        "pixels, at best": _as_percent(max(filter(None, map(start.get, PIXELS)), default=None)),
        "untrained": _as_percent(start.get("knn_accuracy")),
        "Loss": now.get("loss"),
        "Epochs": status.epoch,
        "Asked for": recipe["epochs"],
        "Minutes": status.seconds / 60 if status.seconds else None,
        "Images/s": round(status.images_per_second) or None,
        "Set": recipe["dataset"],
        "Started": config["created"][:16].replace("T", " "),
    }


def ends(run: Run) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a curve's row of the untrained network and its last, without reading the thousands between.

    {} where there is none, or none any more.
    """
    path = run.path / "metrics.jsonl"
    if not path.exists():
        return {}, {}
    return _ends(str(path), path.stat().st_mtime_ns)


@st.cache_data(show_spinner=False, max_entries=2000)
def _ends(path: str, changed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    with Path(path).open("rb") as file:
        head = file.readline(_TAIL)
        file.seek(max(0, file.seek(0, 2) - _TAIL))
        tail = file.read()  # the line in which it begins is no row, or a whole one
    first, last = damage.whole_rows(head), damage.whole_rows(tail)
    return first[0] if first and first[0]["epoch"] == 0 else {}, last[-1] if last else {}


def _as_percent(share: float | None) -> float | None:
    return None if share is None else share * 100
