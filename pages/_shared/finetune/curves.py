"""How a fine-tuning goes, epoch by epoch, with another laid over it: by default the one that began from nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from facessl.run import Run
from facessl.states import ACTIVE
from pages._shared.curves import CHART
from pages._shared.widgets import run_name
from pages._shared.words import count, percent

NOTHING = "nothing"
_AFRESH = "from nothing"
_GUESSES = {1: "Top-1", 3: "Top-3", 5: "Top-5"}  # no wider: all three fit a phone
# What two runs must share to differ by their beginning, and what they should share as well.
_SAME = ("dataset", "mode", "label_fraction", "backbone", "backbone_options", "image_size")
_ALIKE = ("epochs", "learning_rate", "batch_size", "seed")

Rows = list[dict[str, Any]]


def twin_from_nothing(run: Run, others: Sequence[Run]) -> Run | None:
    """Return the run from nothing of the same network on the same set, mode and share of the labels, or None.

    Of several the one that learnt most alike, and of those the newest. None also where the run itself began from
    nothing: that is the yardstick.
    """
    recipe = run.config["recipe"]
    if recipe["init"] == "scratch":
        return None
    found: list[tuple[int, Run]] = []
    for other in others:
        its = other.config["recipe"]
        same = all(its[name] == recipe[name] for name in _SAME)
        if other.id != run.id and its["init"] == "scratch" and same and other.metrics():
            found.append((sum(its[name] == recipe[name] for name in _ALIKE), other))
    # Of equals the first is taken, which is the newest.
    return max(found, key=lambda pair: pair[0])[1] if found else None


def draw_curves(run: Run, others: Mapping[str, Run], twin: str | None, val_photos: int) -> None:
    """Show how train and validation move.

    Args:
        run: Whose curves.
        others: Runs that may be laid over, by id.
        twin: Id of the one laid over at first; None for none.
        val_photos: How many photos the validation figures are counted on.
    """
    rows = run.metrics()
    over = choose_over(run, others, twin)
    if not any(row["epoch"] > 0 for row in rows):
        works = run.status().state in ACTIVE
        st.caption("The first point comes after the first epoch." if works else "It ended before its first epoch did.")
        return
    laid: Rows = others[over].metrics() if over in others else []
    called = _AFRESH if over == twin else "laid over"
    left, right = st.columns(2, gap="medium")
    with left:
        k = choose_guesses(run, rows)
        fields = {f"train_top{k}": "train", f"val_top{k}": "validation"}
        over_it = {called: _in_percent(laid, fields)} if laid else {}
        _chart(_in_percent(rows, fields), fields, "right, %", over_it, f"{run.id}-right-{k}")
    with right:
        st.markdown("**Loss**: how far from certain of the right name")
        fields = {"train_loss": "train", "val_loss": "validation"}
        _chart(rows, fields, "loss", {called: laid} if laid else {}, f"{run.id}-loss")
    st.caption(in_words(rows, laid, called, val_photos))


def choose_over(run: Run, others: Mapping[str, Run], twin: str | None) -> str:
    """Let a run be laid over; return its id, or ``NOTHING``."""
    if not others:
        return NOTHING
    ids = [NOTHING, *others]

    def called(chosen: str) -> str:
        if chosen not in others:
            return chosen
        return (f"{_AFRESH.capitalize()}: " if chosen == twin else "") + run_name(others[chosen])

    chosen: str = st.selectbox(
        "Lay over", ids, index=ids.index(twin) if twin in ids else 0, key=f"finetune-over-{run.id}", width=480,
        format_func=called, help="The run from nothing on the same set, mode and share of the labels, if there is one.",
    )  # fmt: skip
    return chosen


def choose_guesses(run: Run, rows: Rows) -> int:
    """Let a person choose among how many guesses the right name counts, of those measured; return how many."""
    measured = [k for k in _GUESSES if any(row.get(f"train_top{k}") is not None for row in rows)]
    if len(measured) < 2:
        st.markdown(f"**{_GUESSES[1]}**, %")
        return 1
    chosen: int = st.segmented_control(
        "Counted as right, %", measured, default=1, required=True, format_func=_GUESSES.__getitem__,
        key=f"finetune-guesses-{run.id}", label_visibility="collapsed",
    )  # fmt: skip
    return chosen


def in_words(rows: Rows, laid: Rows, called: str, val_photos: int) -> str:
    """Return where it stands, with what was counted, and where the run laid over stood after as many epochs."""
    last = rows[-1]
    said = f"After epoch {last['epoch']}: {percent(last.get('train_top1'))} right on train photos"
    if last.get("val_top1") is None:
        return f"{said}. The set has no named validation photos."
    best = max((row for row in rows if row.get("val_top1") is not None), key=lambda row: row["val_top1"])
    counted = f" ({round(last['val_top1'] * val_photos):,} of {count(val_photos, 'photo')})" if val_photos else ""
    said += f", {percent(last['val_top1'])} on validation photos that it never learnt from{counted}."
    if best["val_top1"] > last["val_top1"]:
        when = f"after epoch {best['epoch']}" if best["epoch"] else "as the linear probe that it began as"
        said += f" Its best was {percent(best['val_top1'])} {when}."
    there = [row for row in laid if row["epoch"] <= last["epoch"] and row.get("val_top1") is not None]
    if there:
        said += f" The run {called} had {percent(there[-1]['val_top1'])} after epoch {there[-1]['epoch']}."
    return said


def _in_percent(rows: Rows, fields: Mapping[str, str]) -> Rows:
    def scaled(value: float | None) -> float | None:
        return None if value is None else 100 * value

    return [{"epoch": row["epoch"], **{f: scaled(row.get(f)) for f in fields}} for row in rows]


def _chart(rows: Rows, fields: dict[str, str], title: str, over: dict[str, Rows], key: str) -> None:
    from facessl import figures

    figure = figures.run_curve(rows, fields, title=title, over=over)
    if title == "right, %":
        figure.update_yaxes(rangemode="tozero")
    st.plotly_chart(figure, key=f"finetune-{key}", config=CHART)
