"""What happens epoch by epoch: loss, k-NN accuracy, train and validation accuracy, several runs."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from facessl.figures._look import ABOVE, ACCENT, GREY, SECOND, layout, look

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def loss_curve(rows: Sequence[Mapping[str, Any]], chance: float | None) -> "Figure":
    """Return the loss of each epoch under the line of a network that has learnt nothing.

    Args:
        rows: With ``epoch`` and ``loss``; rows without a loss are left out.
        chance: Height of the line, ln(2N - 1) for NT-Xent; None draws none.
    """
    figure = _curves(rows, {"loss": "loss"}, scale=1, title="loss")
    figure.update_yaxes(rangemode="normal")  # what counts is the distance to the line, not to zero
    if chance is not None:
        line = {"dash": "dash", "width": 2, "color": GREY}
        figure.add_hline(chance, line=line, annotation_text="nothing learnt", annotation_position="top right")
    return figure


def knn_curve(rows: Sequence[Mapping[str, Any]], pixels: float | None, untrained: float | None) -> "Figure":
    """Return the k-NN accuracy on val, in percent, over what pixels and the untrained network reach.

    Args:
        rows: With ``epoch`` and ``knn_accuracy`` in 0-1; rows without one are left out.
        pixels: Height of the first line in 0-1; None draws none.
        untrained: Height of the second.
    """
    figure = _curves(rows, {"knn_accuracy": "k-NN on val"}, scale=100, title="right, %")
    # Named in the legend: written along the lines, the names lie on the curve where it runs beside one.
    for name, height, dash in (("normalised pixels", pixels, "dash"), ("untrained network", untrained, "dot")):
        if height is not None:
            line = {"dash": dash, "width": 2, "color": GREY}
            figure.add_hline(100 * height, line=line, name=f"{name} {100 * height:.0f} %", showlegend=True)
            figure.update_layout(showlegend=True)
    return figure


def accuracy_curves(rows: Sequence[Mapping[str, Any]]) -> "Figure":
    """Return the share of train and val photos named rightly, in percent, epoch by epoch.

    Args:
        rows: With ``epoch`` and ``train_top1``, ``val_top1`` in 0-1 where they were measured.
    """
    return _curves(rows, {"train_top1": "train", "val_top1": "validation"}, scale=100, title="right, %")


def compared_curves(runs: Mapping[str, Sequence[Mapping[str, Any]]], field: str, title: str) -> "Figure":
    """Return one figure of several runs over the epochs, in percent, a line a run.

    Args:
        runs: What a run is called -> its rows, with ``epoch`` and ``field`` in 0-1; rows without it are left out.
        field: Which figure.
        title: Of the vertical axis.
    """
    figure = _lines(
        [(name, look(number)["color"], *_points(rows, field, 100)) for number, (name, rows) in enumerate(runs.items())],
        title=title, last=max((row["epoch"] for rows in runs.values() for row in rows), default=1),
    )  # fmt: skip
    figure.update_layout(showlegend=True)
    return figure


def _curves(rows: Sequence[Mapping[str, Any]], fields: Mapping[str, str], *, scale: float, title: str) -> "Figure":
    """Return a line a field over the epochs; a legend only where there is more than one line."""
    lines = [
        (name, colour, *_points(rows, field, scale))
        for (field, name), colour in zip(fields.items(), (ACCENT, SECOND), strict=False)
    ]
    return _lines(lines, title=title, last=max((row["epoch"] for row in rows), default=1))


def _points(rows: Sequence[Mapping[str, Any]], field: str, scale: float) -> tuple[list[int], list[float]]:
    """Return the epochs in which a figure was measured, and the figures."""
    measured = [(row["epoch"], round(scale * row[field], 4)) for row in rows if row.get(field) is not None]
    return [epoch for epoch, _ in measured], [value for _, value in measured]


def _lines(lines: Sequence[tuple[str, str, list[int], list[float]]], *, title: str, last: int) -> "Figure":
    """Return lines of (name, colour, epochs, values) up to the last epoch; a legend where there are several."""
    from plotly import graph_objects as go

    figure = go.Figure()
    for name, colour, epochs, values in lines:
        figure.add_scatter(
            x=epochs, y=values, name=escape(name), mode="lines+markers",
            line={"color": colour, "width": 3}, marker={"size": 7},
            hovertemplate=f"{escape(name)} after epoch %{{x}}: %{{y:.3~g}}<extra></extra>",
        )  # fmt: skip
    layout(figure, height=320, legend=ABOVE, showlegend=len(lines) > 1, hovermode="closest")
    figure.update_xaxes(title="epoch", showgrid=False, dtick=1 if last <= 10 else None, tickformat="d")
    if last <= 1:
        figure.update_xaxes(range=[-0.1, 1.1])  # around a single point plotly invents negative epochs
    figure.update_yaxes(title=title, rangemode="tozero")
    return figure
