"""The charts of a study's report: lines with bands, bars with intervals, a heat map with its numbers."""

import textwrap
from collections.abc import Mapping, Sequence
from html import escape
from math import ceil
from typing import TYPE_CHECKING, Any

from facessl.figures._below import layout_above_legend, legend_name
from facessl.figures._look import GREY, SYMBOLS, dash, layout, look, round_step

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_BAND = 0.09  # opacity: bands lie over each other
_BAR = 0.5  # opacity: the interval in the full colour stands out on the bar, light and dark
_PALE, _DEEP = (
    "#e3f1f2",
    "#0d5f68",
)  # of a heat map's cells, the same in light and dark, so that numbers are read on both
_WHITE_FROM = 0.72  # so deep that white letters read better than dark ones
_GROUP, _UNDER_NAME = 0.4, 0.04  # of a group of bars one unit high: how much the bars take, and where they begin
_LINE, _BETWEEN, _ABOVE, _NO_LEGEND = 20, 10, 28, 70  # pixels: a line of a name, and what parts it from other bars
_LETTERS = 46  # of a name on one line
_NUMBER = 13  # pixels high, in a cell of a heat map and beside it
_BESIDE = 14  # letters of a line of a name beside a heat map: a phone has room for the numbers too
_STEPS = 6  # at most so many along a vertical axis
_ROOM = 1.02  # for half a mark at the edge
_QUIET = ("dash", "dot", "dashdot", "longdash")


def report_chart(chart: Mapping[str, Any]) -> "Figure":
    """Return the figure of a ``studying.Chart`` as it stands in ``report.json``.

    Args:
        chart: ``kind`` ("lines", "bars" or "heat"), ``x_title``, ``y_title``; of lines and bars ``lines``, each with
            ``name``, ``x``, ``y`` and, where there is an interval, ``low`` and ``high``, as long as ``x``; lines may
            be ``quiet``, or ``right``, dashed, on an axis of their own of ``right_title``; bars may have a ``level``
            of ``name`` and ``value``. Of a heat map ``x``, ``y`` and ``z``, a row each of ``y``. A value that is None
            is a gap.

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
    left = [line for line in chart["lines"] if not line.get("quiet") and not line.get("right")]
    right = [line for line in chart["lines"] if line.get("right")]
    quiet = [line for line in chart["lines"] if line.get("quiet")]
    for number, line in enumerate(left):  # no bands on the right: they would lie over those of another measure
        if _has_interval(line):
            _band(figure, line, look(number)["color"])
    for number, line in enumerate(left):
        drawn = {"color": look(number)["color"], "width": 2.5, "dash": dash(number)}
        _line(figure, line, marker={"size": 7}, line=drawn)
    for number, line in enumerate(right):
        drawn = {"color": look(number)["color"], "width": 2, "dash": "dash"}
        _line(figure, line, marker={"size": 6, "symbol": "circle-open"}, line=drawn, yaxis="y2")
    for number, line in enumerate(quiet):  # told apart by their marks, below the others, and with no band
        mark = {"size": 6, "symbol": f"{SYMBOLS[number % len(SYMBOLS)]}-open"}
        drawn = {"color": GREY, "width": 1.2, "dash": _QUIET[number % len(_QUIET)]}
        _line(figure, line, marker=mark, line=drawn, zorder=-1)
    _finish(figure, chart, hovermode="x unified")
    if right:
        _right_axis(figure, chart, left, right)
    _whole_epochs_or_shares(figure, chart)
    return figure


def _right_axis(
    figure: "Figure", chart: Mapping[str, Any], left: Sequence[Mapping[str, Any]], right: Sequence[Mapping[str, Any]]
) -> None:
    """Give the lines on the right an axis from 0 of as many steps as the left: one grid is read from both sides."""
    most = [max([value for line in lines for value in _drawn(line)], default=0) or 1 for lines in (left, right)]
    step = round_step(most[0] / _STEPS)
    steps = ceil(round(most[0] / step, 9))
    other = round_step(most[1] / steps)
    title = {"text": escape(str(chart.get("right_title", "")), quote=False), "font": {"size": 15}}
    figure.update_layout(
        yaxis={"range": [0, _ROOM * steps * step], "dtick": step},
        yaxis2={
            "overlaying": "y", "side": "right", "title": title, "range": [0, _ROOM * steps * other], "dtick": other,
            "showgrid": False, "zeroline": False, "automargin": True, "ticks": "", "tickfont": {"size": 15},
        },
    )  # fmt: skip


def _drawn(line: Mapping[str, Any]) -> list[float]:
    """Return the values of a line, and of its band where it has one: on the right there are none."""
    band = () if line.get("right") else line.get("high", ())
    return [value for value in (*line["y"], *band) if value is not None]


def _line(figure: "Figure", drawn: Mapping[str, Any], **more: Any) -> None:
    figure.add_scatter(
        x=drawn["x"], y=drawn["y"], name=legend_name(drawn["name"]), mode="lines+markers", legendgroup=drawn["name"],
        hovertemplate="%{y:.4~g}", **more,
    )  # fmt: skip


def _whole_epochs_or_shares(figure: "Figure", chart: Mapping[str, Any]) -> None:
    """Let the axis have whole epochs, or each share of labels (1, 5, 10 … 100 %), twice as much the same step."""
    xs = sorted({x for line in chart["lines"] for x in line["x"]})
    if chart.get("x_title") == "epoch":
        figure.update_xaxes(dtick=1 if not xs or xs[-1] <= 10 else None, tickformat="d")
    elif xs and xs[0] > 0:
        figure.update_xaxes(type="log", tickvals=xs, ticktext=[f"{x:g}" for x in xs])


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
    """Return bars that lie, each group under its name: a name may be a sentence, and a phone is narrow."""
    from plotly import graph_objects as go

    lines: Sequence[Mapping[str, Any]] = chart["lines"]
    names = list(dict.fromkeys(x for line in lines for x in line["x"]))
    width = _GROUP / max(len(lines), 1)
    figure = go.Figure()
    for number, line in enumerate(lines):
        colour = look(number)["color"]
        more: dict[str, Any] = {}
        if _has_interval(line):
            ends = list(zip(line["y"], line["low"], line["high"], strict=True))
            more["error_x"] = {
                "type": "data", "symmetric": False, "thickness": 2, "width": 4, "color": colour,
                "array": [None if None in (y, high) else high - y for y, _, high in ends],
                "arrayminus": [None if None in (y, low) else y - low for y, low, _ in ends],
            }  # fmt: skip
        figure.add_bar(
            orientation="h", x=line["y"], y=[names.index(x) for x in line["x"]], width=width,
            offset=_UNDER_NAME + number * width, name=legend_name(line["name"]),
            marker={"color": _faint(colour, _BAR), "line": {"width": 0}},
            customdata=[escape(str(x), quote=False) for x in line["x"]],
            hovertemplate=f"%{{customdata}}, {escape(line['name'], quote=False)}: %{{x:.4~g}}<extra></extra>", **more,
        )  # fmt: skip
    _finish(figure, chart, hovermode="closest", barmode="overlay")
    legend = figure.layout.margin.b or _NO_LEGEND
    most = max((_wrapped(str(name)).count("<br>") + 1 for name in names), default=1)
    # The names stand in what the bars leave; for two lines also where all have one, so that charts are of one scale.
    group = (_LINE * max(2, most) + _BETWEEN) / (1 - _GROUP)
    figure.update_layout(height=group * len(names) + _ABOVE + legend, annotations=[
        {"x": 0, "xref": "paper", "xanchor": "left", "y": place + _UNDER_NAME, "yanchor": "bottom", "showarrow": False,
         "align": "left", "text": _wrapped(str(name))}
        for place, name in enumerate(names)
    ])  # fmt: skip
    figure.update_xaxes(title=escape(chart.get("y_title", ""), quote=False), rangemode="tozero")
    if str(chart.get("y_title", "")).startswith("share"):
        figure.update_xaxes(tickformat=".0%")
    figure.update_yaxes(title=None, showticklabels=False, showgrid=False, range=[len(names) - 0.5, -0.5])
    if level := chart.get("level"):
        for place in range(len(names)):  # beside the bars alone: further up it would run through their names
            along = {"y0": place + _UNDER_NAME, "y1": place + _UNDER_NAME + _GROUP}
            drawn = {"width": 1.5, "dash": "dash", "color": GREY}
            figure.add_shape(type="line", x0=level["value"], x1=level["value"], **along, line=drawn)
        figure.add_annotation(x=level["value"], y=1, yref="paper", yanchor="bottom", xanchor="left", showarrow=False,
                              text=escape(str(level["name"]), quote=False))  # fmt: skip
    return figure


def _wrapped(name: str) -> str:
    """Return a name on lines as wide as a phone shows."""
    return "<br>".join(escape(part, quote=False) for part in textwrap.wrap(name, _LETTERS))


def _heat(chart: Mapping[str, Any]) -> "Figure":
    from plotly import graph_objects as go

    rows = [[None if value is None else float(value) for value in row] for row in chart["z"]]
    known = [value for row in rows for value in row if value is not None]
    high = max([*known, 1e-9])
    deep = _WHITE_FROM * high
    columns, names = list(range(len(chart["x"]))), list(range(len(chart["y"])))
    figure = go.Figure(go.Heatmap(
        x=columns, y=names, z=rows, zmin=0, zmax=high, showscale=False, xgap=2, ygap=2, hoverongaps=False,
        colorscale=[[0, _PALE], [1, _DEEP]],  # below 0, one very bad figure would make all others alike
        hovertemplate="%{z:.4~g}<extra></extra>",
    ))  # fmt: skip
    figure.update_layout(annotations=[
        {"x": column, "y": row, "text": "–" if value is None else _brief(value, small=high <= 2), "showarrow": False,
         "font": {"size": _NUMBER, **({} if value is None else {"color": "#ffffff" if value > deep else "#14171a"})}}
        for row, values in enumerate(rows) for column, value in enumerate(values)
    ])  # fmt: skip
    beside = [textwrap.wrap(str(name), _BESIDE) for name in chart["y"]]
    row = max(44, _LINE * max(map(len, beside), default=1) + 4)
    layout(figure, height=130 + row * len(names))
    # Where they do not fit side by side they end below their column: plotly drops the last of those that begin there.
    _name(
        figure.update_xaxes,
        [[name] for name in chart["x"]],
        title=chart.get("x_title") or None,
        side="bottom",
        autotickangles=[0, -90],
    )
    _name(figure.update_yaxes, beside, title=chart.get("y_title") or None, range=[len(names) - 0.5, -0.5],
          tickfont_size=_NUMBER)  # fmt: skip
    return figure


def _brief(value: float, *, small: bool) -> str:
    """Return a number as it fits a phone's cell: hundredths of small ones, with no 0 before the point."""
    return f"{value:z.2f}".replace("0.", ".", 1) if small and abs(value) < 1 else f"{value:z.{2 if small else 0}f}"


def _name(update_axes: Any, names: Sequence[Sequence[Any]], **more: Any) -> None:
    """Write whole names along an axis, each on its lines: in a report, what is shortened is not understood."""
    texts = ["<br>".join(escape(str(line), quote=False) for line in name) for name in names]
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
