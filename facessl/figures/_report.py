"""The charts of a study's report: lines with bands, bars with intervals, a heat map with its numbers."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from facessl.figures._below import layout_above_legend, legend_name
from facessl.figures._look import PALETTE, layout, look

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_BAND = 0.16  # opacity: bands lie over each other
_BAR = 0.5  # opacity: the interval in the full colour stands out on the bar, light and dark
_PALE, _DEEP = (
    "#e3f1f2",
    "#0d5f68",
)  # of a heat map's cells, the same in light and dark, so that numbers are read on both
_WHITE_FROM = 0.72  # so deep that white letters read better than dark ones
_DASHES = ("solid", "dash", "dot", "dashdot")


def report_chart(chart: Mapping[str, Any]) -> "Figure":
    """Return the figure of a ``studying.Chart`` as it stands in ``report.json``.

    Args:
        chart: ``kind`` ("lines", "bars" or "heat"), ``x_title``, ``y_title``; of lines and bars ``lines``, each with
            ``name``, ``x``, ``y`` and, where there is an interval, ``low`` and ``high``, as long as ``x``; of a heat
            map ``x``, ``y`` and ``z``, a row each of ``y``. A value that is None is a gap.

    Raises:
        ValueError: The kind is another.
    """
    draw = {"lines": _lines, "bars": _bars, "heat": _heat}.get(str(chart["kind"]))
    if draw is None:
        raise ValueError(f"a chart is of kind lines, bars or heat; got {chart['kind']!r}")
    return draw(chart)


def _lines(chart: Mapping[str, Any]) -> "Figure":
    from plotly import graph_objects as go

    figure = go.Figure()
    lines: Sequence[Mapping[str, Any]] = chart["lines"]
    for number, line in enumerate(lines):
        colour = look(number)["color"]
        if _has_interval(line):
            _band(figure, line, colour)
    for number, line in enumerate(lines):
        dash = _DASHES[number // len(PALETTE) % len(_DASHES)]
        figure.add_scatter(
            x=line["x"], y=line["y"], name=legend_name(line["name"]), mode="lines+markers",
            legendgroup=line["name"], marker={"size": 7},
            line={"color": look(number)["color"], "width": 2.5, "dash": dash}, hovertemplate="%{y:.4~g}",
        )  # fmt: skip
    _finish(figure, chart, hovermode="x unified")
    xs = [x for line in lines for x in line["x"] if isinstance(x, int | float)]
    if xs and min(xs) > 0 and max(xs) / min(xs) >= 20:  # shares of labels: 1, 5, 10 … 100 %
        ticks = sorted(set(xs))
        figure.update_xaxes(type="log", tickvals=ticks, ticktext=[f"{x:g}" for x in ticks])
    return figure


def _band(figure: "Figure", line: Mapping[str, Any], colour: str) -> None:
    """Draw the interval of a line, where it is known."""
    known = [i for i, (low, high) in enumerate(zip(line["low"], line["high"], strict=True)) if None not in (low, high)]
    around = [line["x"][i] for i in known]
    figure.add_scatter(
        x=around + around[::-1], y=[line["high"][i] for i in known] + [line["low"][i] for i in reversed(known)],
        fill="toself", fillcolor=_faint(colour, _BAND), line={"width": 0}, mode="lines", hoverinfo="skip",
        showlegend=False, legendgroup=line["name"],
    )  # fmt: skip


def _bars(chart: Mapping[str, Any]) -> "Figure":
    from plotly import graph_objects as go

    figure = go.Figure()
    for number, line in enumerate(chart["lines"]):
        colour = look(number)["color"]
        more: dict[str, Any] = {}
        if _has_interval(line):
            ends = list(zip(line["y"], line["low"], line["high"], strict=True))
            more["error_y"] = {
                "type": "data", "symmetric": False, "thickness": 2, "width": 5, "color": colour,
                "array": [None if None in (y, high) else high - y for y, _, high in ends],
                "arrayminus": [None if None in (y, low) else y - low for y, low, _ in ends],
            }  # fmt: skip
        figure.add_bar(
            x=[escape(x, quote=False) if isinstance(x, str) else x for x in line["x"]], y=line["y"],
            name=legend_name(line["name"]), marker={"color": _faint(colour, _BAR), "line": {"width": 0}},
            hovertemplate=f"%{{x}}, {escape(line['name'], quote=False)}: %{{y:.4~g}}<extra></extra>", **more,
        )  # fmt: skip
    _finish(figure, chart, hovermode="closest", barmode="group", bargap=0.25)
    figure.update_xaxes(type="category")
    figure.update_yaxes(rangemode="tozero")
    return figure


def _heat(chart: Mapping[str, Any]) -> "Figure":
    from plotly import graph_objects as go

    rows = [[None if value is None else float(value) for value in row] for row in chart["z"]]
    known = [value for row in rows for value in row if value is not None]
    low, high = min([0.0, *known]), max([*known, 1e-9])
    deep = _WHITE_FROM * (high - low)
    columns, names = list(range(len(chart["x"]))), list(range(len(chart["y"])))
    figure = go.Figure(go.Heatmap(
        x=columns, y=names, z=rows, zmin=low, zmax=high, showscale=False, xgap=2, ygap=2, hoverongaps=False,
        colorscale=[[0, _PALE], [1, _DEEP]],
        hovertemplate="%{z:.4~g}<extra></extra>",
    ))  # fmt: skip
    figure.update_layout(annotations=[
        {"x": column, "y": row, "text": "–" if value is None else f"{value:.2f}" if high <= 2 else f"{value:.0f}",
         "showarrow": False,
         **({} if value is None else {"font": {"color": "#ffffff" if value - low > deep else "#14171a"}})}
        for row, values in enumerate(rows) for column, value in enumerate(values)
    ])  # fmt: skip
    layout(figure, height=130 + 44 * len(names))
    _name(figure.update_xaxes, chart["x"], title=chart.get("x_title", ""), side="bottom")
    _name(figure.update_yaxes, chart["y"], title=chart.get("y_title", ""), range=[len(names) - 0.5, -0.5])
    return figure


def _name(update_axes: Any, names: Sequence[Any], **more: Any) -> None:
    """Write whole names along an axis: in a report, what is shortened is not understood."""
    texts = [escape(str(name), quote=False) for name in names]
    update_axes(tickvals=list(range(len(texts))), ticktext=texts, showgrid=False, **more)


def _finish(figure: "Figure", chart: Mapping[str, Any], **more: Any) -> None:
    if len(chart["lines"]) == 1:
        figure.update_traces(showlegend=False)  # the title says what it is
    layout_above_legend(figure, height=390, **more)
    figure.update_xaxes(title=escape(chart.get("x_title", ""), quote=False))
    figure.update_yaxes(title=escape(chart.get("y_title", ""), quote=False))


def _has_interval(line: Mapping[str, Any]) -> bool:
    """Return whether a line says how far its values may be off."""
    ends = zip(line.get("low") or [], line.get("high") or [], strict=True)
    return any(low is not None and high is not None for low, high in ends)


def _faint(colour: str, opacity: float) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity})"
