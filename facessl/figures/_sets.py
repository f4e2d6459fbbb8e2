"""What a set holds: how its photos spread over people, splits and folders, and how good its faces are."""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from facessl.figures._faces import SPLIT_COLOURS
from facessl.figures._look import ABOVE, ACCENT, GREY, NAMED_UP_TO, SECOND, layout, name_axis

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_BINS = 40
_BARS_UP_TO = 300  # thinner than two pixels a bar shows nothing


def folder_sizes(folders: Sequence[str], photos: Sequence[int]) -> "Figure":
    """Return S1's "distribution of images in each folder": a bar a folder, in the order given.

    Up to 24 have their names along the axis; beyond, names show on pointing.

    Args:
        folders: As they came; at most 300 can be told apart.
        photos: In each.
    """
    from plotly import graph_objects as go

    places, names = list(range(len(folders))), [escape(name, quote=False) for name in folders]
    named = len(folders) <= NAMED_UP_TO
    numbers = [int(number) for number in photos]
    figure = go.Figure(go.Bar(
        x=numbers if named else places, y=places if named else numbers, orientation="h" if named else "v",
        text=[f"{number:,}" for number in numbers] if named else None, textposition="auto", textangle=0,
        cliponaxis=False,
        marker={"color": ACCENT, "line": {"width": 0}}, customdata=names,
        hovertemplate=f"%{{customdata}}: %{{{'x' if named else 'y'}}} photos<extra></extra>",
    ))  # fmt: skip
    layout(figure, height=max(200, 90 + 30 * len(folders)) if named else 380)
    if named:
        figure.update_xaxes(title="photos")
        name_axis(figure.update_yaxes, folders, autorange="reversed")
    else:
        figure.update_layout(bargap=0.1)
        figure.update_xaxes(title="folders, most photos first", showticklabels=False, showgrid=False)
        figure.update_yaxes(title="photos")
    return figure


def sizes(numbers: Mapping[str, int], of: str) -> "Figure":
    """Return how many have how many photos: what is left to see where a bar each would be too thin.

    Args:
        numbers: "1", "2", "5–9" … photos -> how many people or folders have so many.
        of: Who has them, ``people`` or ``folders``.
    """
    from plotly import graph_objects as go

    counts = [int(number) for number in numbers.values()]
    figure = go.Figure(go.Bar(
        x=counts, y=list(range(len(counts))), orientation="h",
        text=[f"{number:,}" if number else "" for number in counts],
        textposition="outside", cliponaxis=False, marker={"color": ACCENT, "line": {"width": 0}},
        customdata=list(numbers), hovertemplate=f"%{{x:,}} {of} have %{{customdata}} photos<extra></extra>",
    ))  # fmt: skip
    # Below one another: side by side ten of them run into each other on a phone.
    layout(figure, height=90 + 28 * len(counts))
    name_axis(figure.update_yaxes, list(numbers), title="photos", autorange="reversed")
    figure.update_xaxes(title=of, range=[0, 1.22 * max([1, *counts])], nticks=5)
    return figure


def too_many_for_bars(number: int) -> bool:
    """Return whether so many bars beside one another could not be told apart."""
    return number > _BARS_UP_TO


def histogram(
    parts: Mapping[str, np.ndarray], unit: str, *, low: float | None = None, high: float | None = None
) -> "Figure":
    """Return how often each value occurs, and the limits beyond which a face is flagged.

    Args:
        parts: What a part is called -> its values; stacked, the first in the accent colour. NaN is left out.
        unit: Title of the axis.
        low, high: The limits; None draws none.
    """
    known = {name: _known(values) for name, values in parts.items()}
    edges = _edges(list(known.values()), low, high)
    bars = {name: np.histogram(_within(values, edges), edges)[0] for name, values in known.items()}
    figure = _bars(bars, edges, list(known.values()), barmode="stack", unit="faces", opacity=1.0)
    figure.update_layout(showlegend=len(parts) > 1)
    figure.update_xaxes(title=unit)
    figure.update_yaxes(title="faces")
    for limit, side in ((low, "left"), (high, "right")):
        if limit is not None and edges[0] <= limit <= edges[-1]:
            _line(figure, limit, side)
    return figure


def two_histograms(first: np.ndarray, second: np.ndarray, names: tuple[str, str], unit: str) -> "Figure":
    """Return two parts over each other, each in percent of itself, so that a small one compares with a large one."""
    known = [_known(first), _known(second)]
    edges = _edges(known, None, None, bins=24)
    shares = {
        name: 100 * np.histogram(_within(values, edges), edges)[0] / max(1, len(values))
        for name, values in zip(names, known, strict=True)
    }
    figure = _bars(shares, edges, known, barmode="overlay", unit="%", opacity=0.6)
    figure.update_layout(showlegend=True, height=260)
    figure.update_xaxes(title=unit)
    figure.update_yaxes(title="share, %")
    return figure


def _bars(
    bars: Mapping[str, np.ndarray], edges: np.ndarray, values: Sequence[np.ndarray], *,
    barmode: str, unit: str, opacity: float,
) -> "Figure":  # fmt: skip
    from plotly import graph_objects as go

    more = max((part.max(initial=edges[0]) for part in values), default=edges[0]) > edges[-1]
    ranges = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges)]
    if more:
        ranges[-1] = f"{edges[-2]:.4g} and more"
    colours = {"train": SPLIT_COLOURS["train"], "test": SPLIT_COLOURS["test"]}
    figure = go.Figure()
    for (name, heights), fallback in zip(bars.items(), (ACCENT, GREY, SECOND), strict=False):
        figure.add_bar(
            x=((edges[1:] + edges[:-1]) / 2).round(4).tolist(), y=np.round(heights, 3).tolist(), name=name,
            width=np.diff(edges).round(6).tolist(), customdata=ranges,
            marker={"color": colours.get(name, fallback), "opacity": opacity, "line": {"width": 0}},
            hovertemplate=f"{name}, %{{customdata}}: %{{y:,.3~g}} {unit}<extra></extra>",
        )  # fmt: skip
    layout(figure, height=280, barmode=barmode, bargap=0.04, legend={**ABOVE, "traceorder": "normal"})
    return figure


def _known(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    return values[np.isfinite(values)]


def _edges(parts: Sequence[np.ndarray], low: float | None, high: float | None, bins: int = _BINS) -> np.ndarray:
    """Return the edges of the bars: from the least value to where all but the highest hundredth lie."""
    values = np.concatenate([*parts, np.zeros(0)])
    if not len(values):
        return np.linspace(0, 1, bins + 1)
    first, last = float(values.min()), float(np.quantile(values, 0.99))
    if low is not None and low > 0:
        first = min(first, low)
    last = max(last, first + 1e-3 * max(1.0, abs(first)))
    if high is not None and high < 1.6 * last:
        last = max(last, high)  # a limit shows where it is not far off
    return np.linspace(first, last, bins + 1)


def _within(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Count what lies beyond the last edge in the last bar: nobody is left out."""
    return np.minimum(values, edges[-1])


def _line(figure: "Figure", limit: float, side: str) -> None:
    # Below the legend, and towards the middle of the chart: the left limit's text stands to the right of its line.
    text = {"text": f"limit {limit:g}", "y": 1, "yanchor": "top", "xanchor": side, "font": {"size": 14}}
    figure.add_vline(limit, line={"dash": "dash", "width": 2, "color": GREY}, annotation=text)
