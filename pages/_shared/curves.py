"""The pictures of a run while it works: what it has prepared, how it learns. Shared by Home and the runs' own pages."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from facessl import registry
from facessl.run import Run
from facessl.states import ACTIVE
from pages._shared.words import PLAIN_KNN, count, percent

Rows = Sequence[Mapping[str, Any]]
Over = Mapping[str, Rows]  # further runs, by name
CHART = {"displayModeBar": False}
SHEET = "width:100%; border-radius:0.5rem"


def contact_sheet(run: Run) -> None:
    """Show the latest faces that a preparation has cut out, if there are any yet."""
    sheet = run.path / "preview.jpg"
    if sheet.exists():
        # Sent along and not by an address: a sheet that is renewed each second would flicker while it loads.
        picture = base64.b64encode(sheet.read_bytes()).decode()
        st.html(f'<img src="data:image/jpeg;base64,{picture}" alt="The latest faces" style="{SHEET}">')
    elif run.status().state in ACTIVE:
        st.caption("The first faces appear here in a moment.")


def pretrain_curves(run: Run, *, key: str, smoothing: float = 0.0, over: Over | None = None) -> None:
    """Draw how pre-training goes: k-NN accuracy over what plain methods reach, and the loss under that of a network
    that has learnt nothing, where a method has such a number.

    ``smoothing`` is that of ``figures.smoothed``; ``over`` are the rows of further runs by name.
    """
    rows = run.metrics()
    if not rows:
        st.caption("The first point comes before the first epoch: how well the untrained network and plain pixels do.")
        return
    from facessl import figures

    works = run.status().state in ACTIVE
    if rows[0].get("knn_accuracy") is None:
        st.caption("This set has no named faces in its val part, so there is no k-NN accuracy to show.")
        _loss(rows, key, works=works, smoothing=smoothing, over=over)
        return
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("**k-NN accuracy on val**: are faces of one person neighbours?")
        lines = {name: height for name, height in plain_knn(rows[0]).items() if name != "raw pixels"}
        figure = figures.knn_curve(rows, lines, smoothing=smoothing, over=over)
        st.plotly_chart(figure, key=f"{key}-knn", config=CHART)
    with right:
        _loss(rows, key, works=works, smoothing=smoothing, over=over)
    method = registry.load("methods", run.config["recipe"]["method"])
    st.markdown(pretrain_sentence(rows, named=getattr(method, "NEEDS_NAMES", False)))


def _loss(rows: list[dict[str, Any]], key: str, *, works: bool, smoothing: float, over: Over | None) -> None:
    from facessl import figures

    learnt = [row for row in rows if "loss" in row]
    chance = learnt[-1].get("chance") if learnt else None
    st.markdown("**Loss**" if learnt and chance is None else "**Loss**: below the line it has learnt something.")
    if learnt:
        figure = figures.loss_curve(learnt, chance, smoothing=smoothing, over=over)
        st.plotly_chart(figure, key=f"{key}-loss", config=CHART)
    else:
        st.caption("The first epoch is running." if works else "It ended before its first epoch did.")


def collapse_sentence(rows: Rows) -> str:
    """Return what to try when all faces have become nearly one point; "" while they have not."""
    if not rows or not rows[-1].get("collapsed"):
        return ""
    return (
        f"All faces have become nearly one point to it (spread {rows[-1]['spread']:.2g} after epoch "
        f"{rows[-1]['epoch']}): stop it, and start again with a lower learning rate or a larger batch."
    )


def pretrain_sentence(rows: list[dict[str, Any]], *, named: bool = False) -> str:
    """Return in one sentence whether it learns, with what it is compared to; "" when nothing was measured."""
    measured = [row for row in rows if row.get("knn_accuracy") is not None]
    if len(measured) < 2 or "loss" not in measured[-1]:
        return ""
    start, now = measured[0], measured[-1]["knn_accuracy"]
    plain = plain_knn(start)
    untrained = plain.pop("untrained network")
    of = f" of {count(start['knn_photos'], 'photo')}" if "knn_photos" in start else ""
    text = (
        f"{'From the names' if named else 'Without a single name'} it now finds {percent(now)}{of} next to the right "
        f"person; the untrained network {percent(untrained)}"
    )
    if plain:
        strongest = max(plain, key=plain.__getitem__)
        text += f", {strongest} {percent(plain[strongest])}"
    text += "."
    if now <= untrained:
        return text + " So far that is no better than without learning."
    behind = now <= max(plain.values(), default=0.0)
    return text + " So far that is better than untrained, not yet better than pixels." if behind else text


def plain_knn(start: dict[str, Any]) -> dict[str, float]:
    """Return what the plain methods reach, by name, out of a curve's first row (the untrained network's)."""
    reached = {**start, "knn_untrained": start["knn_accuracy"]}
    return {
        (name if name.startswith("PCA") else name.lower()): reached[field]
        for field, name in PLAIN_KNN.items()
        if reached.get(field) is not None
    }


def finetune_curves(run: Run, *, key: str) -> None:
    """Draw train and validation accuracy of a classifier, epoch by epoch."""
    rows = run.metrics()
    if not rows:
        st.caption("The first point comes after the first epoch.")
        return
    from facessl import figures

    st.plotly_chart(figures.accuracy_curves(rows), key=f"{key}-accuracy", config=CHART)
