"""The pictures of a run while it works: what it has prepared, how it learns. Shared by Home and the runs' own pages."""

import base64
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from facessl import methods
from facessl.run import Run
from facessl.states import ACTIVE
from pages._shared.words import PLAIN_KNN, count, percent

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Rows = Sequence[Mapping[str, Any]]
Over = Mapping[str, Rows]  # further runs, by name
CHART = {"displayModeBar": False}
_SETTLED = 50  # steps after which 0.5 % of what batch norm began with is left: 0.9 to the power of it
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
    works = run.status().state in ACTIVE
    if not rows:
        what = "how well the untrained network and plain pixels do"
        coming, gone = f"The first point comes before the first epoch: {what}.", f"It ended before it was known {what}."
        st.caption(coming if works else gone)
        return
    from facessl import figures

    if all(row.get("knn_accuracy") is None for row in rows):
        st.caption("This set has no named faces in its val part, so there is no k-NN accuracy to show.")
        _loss(rows, _loss_curve(rows, smoothing=smoothing, over=over), key, works=works, laid_over=bool(over))
        return
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("**k-NN accuracy on val**: are faces of one person neighbours?")
        lines = {name: height for name, height in plain_knn(rows[0]).items() if name != "raw pixels"}
        figure = figures.knn_curve(rows, lines, smoothing=smoothing, over=over)
        beside = _loss_curve(rows, smoothing=smoothing, over=over)
        if beside is not None:
            level(figure, beside)
        st.plotly_chart(figure, key=f"{key}-knn", config=CHART)
    with right:
        _loss(rows, beside, key, works=works, laid_over=bool(over))
    st.markdown(pretrain_sentence(rows, named=methods.needs_names(run.config["recipe"]["method"])))


def _loss_curve(rows: Rows, *, smoothing: float, over: Over | None) -> "Figure | None":
    from facessl import figures

    learnt = [row for row in rows if row.get("loss") is not None]
    return figures.loss_curve(learnt, smoothing=smoothing, over=over) if learnt else None


def level(one: "Figure", other: "Figure") -> None:
    """Give two figures that stand side by side one height and one lower edge, though one has the longer legend."""
    height = max(figure.layout.height for figure in (one, other))
    below = max(figure.layout.margin.b for figure in (one, other))
    for figure in (one, other):
        # A legend hangs at the figure's lower edge: it goes up with its chart.
        figure.update_layout(legend_y=(below - figure.layout.margin.b) / height)
        figure.update_layout(height=height, margin_b=below)


def _loss(rows: Rows, figure: "Figure | None", key: str, *, works: bool, laid_over: bool) -> None:
    no_line = figure is not None and all(row.get("chance") is None for row in rows)
    # Of another method or batch size it is another loss, under another line.
    below = "below its own line a run has learnt something" if laid_over else "below the line it has learnt something"
    st.markdown("**Loss**" if no_line else f"**Loss**: {below}.")
    if figure is not None:
        st.plotly_chart(figure, key=f"{key}-loss", config=CHART)
    else:
        st.caption("The first epoch is running." if works else "It ended before its first epoch did.")


def collapse_sentence(rows: Rows, state: str, steps: int) -> str:
    """Return what to try when all faces have become nearly one point to a run in this state; "" while they have not.

    ``steps`` is how many it has learnt for.
    """
    if not rows or not rows[-1].get("collapsed"):
        return ""
    if 0 < steps < _SETTLED:
        return (
            f"All faces are nearly one point to it, after {count(steps, 'step')}. That says little: in use, batch norm "
            f"goes by averages that take some {_SETTLED} steps to settle. More epochs or smaller batches give it those."
        )
    again = "start {} with a lower learning rate or a larger batch"
    if state == "stopping" or state not in ACTIVE:
        advice = again.format("another")
    else:
        advice = f"stop it, and {again.format('again')}"
    return (
        f"All faces have become nearly one point to it (spread {rows[-1]['spread']:.2g} after epoch "
        f"{rows[-1]['epoch']}): {advice}."
    )


def pretrain_sentence(rows: list[dict[str, Any]], *, named: bool = False) -> str:
    """Return in one sentence whether it learns, with what it is compared to; "" when nothing was measured."""
    measured = [row for row in rows if row.get("knn_accuracy") is not None]
    if len(measured) < 2 or measured[0]["epoch"] > 0 or measured[-1].get("loss") is None:
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
    """Return what the plain methods reach, by name, out of a curve's first row; {} where that of epoch 0 is lost."""
    if start["epoch"] > 0:
        return {}
    reached = {**start, "knn_untrained": start.get("knn_accuracy")}
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
