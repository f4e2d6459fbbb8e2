"""Runs beside each other: curves by epoch or by time, cost against accuracy, and person by person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Literal

import numpy as np

from facessl.figures._below import layout_above_legend, legend_name
from facessl.figures._curves import MARKED, Rows, thinned
from facessl.figures._look import GREY, NAMED_UP_TO, PALETTE, around, dash, look, name_axis

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

By = Literal["epoch", "time"]
_MINUTES_FROM = 300  # seconds from which a time axis counts in minutes
_HOURS_FROM = 4 * 3600
_EDGE = 0.02  # of the axis: room for half a mark
_BESIDE = 1.5  # times as much as the dearest an axis of costs reaches, and as little as the cheapest


@dataclass(frozen=True)
class Point:
    """One model: what it cost, and how often it was right."""

    name: str
    how: str  # frozen or fine-tuned: the shape of its mark
    cost: float  # > 0
    share: float  # 0-1
    low: float  # 95 % interval
    high: float


def overlaid_curves(runs: Mapping[str, Rows], field: str, title: str, *, by: By = "epoch") -> "Figure":
    """Return one figure of several runs in percent, a line a run, over epochs or over the time they have trained.

    Args:
        runs: What a run is called -> its rows, with ``epoch`` and ``field`` in 0-1; by time also ``seconds``, those of
            each epoch. Rows without the field are left out.
        field: Which figure.
        title: Of the vertical axis.
        by: What lies along the horizontal axis.
    """
    from plotly import graph_objects as go

    lines = {name: _measured(rows, field, by) for name, rows in runs.items()}
    last = max((x for xs, _ in lines.values() for x in xs), default=0.0) or 1.0
    divisor, unit = _unit_of_time(last) if by == "time" else (1, "epoch")
    figure = go.Figure()
    for number, (name, measured) in enumerate(lines.items()):
        beneath = sum(other[1] == measured[1] for other in list(lines.values())[:number])
        xs, ys = thinned(*measured)
        figure.add_scatter(
            x=[float(f"{x / divisor:.6g}") for x in xs], y=ys, name=legend_name(name),
            mode="lines+markers" if len(xs) <= MARKED else "lines",
            line={"color": look(number)["color"], "width": 2.5, "dash": dash(number, under=beneath)},
            marker={"size": 6}, hovertemplate="%{y:.1f} %",
        )  # fmt: skip
    hovermode = "x unified" if by == "epoch" else "closest"
    layout_above_legend(figure, height=330, hovermode=hovermode)
    figure.update_xaxes(title="epoch" if by == "epoch" else f"time trained, {unit}", showgrid=False)
    figure.update_xaxes(range=[-_EDGE * last / divisor, (1 + _EDGE) * last / divisor])  # no mark is cut in half
    if by == "epoch":
        figure.update_xaxes(dtick=1 if last <= 10 else None, unifiedhovertitle={"text": "after epoch %{x}"})
    figure.update_yaxes(title=title)
    return around(figure)


def cost_against_accuracy(points: Sequence[Point], title: str, plain: tuple[str, float] | None = None) -> "Figure":
    """Return what each model cost against how often it was right, with its 95 % interval.

    Costs lie on a logarithmic scale, on which twice the cost is the same step everywhere.

    Args:
        points: The models.
        title: Of the horizontal axis: what is paid, and in what.
        plain: The best plain method and its share in 0-1, a dashed line: it costs next to nothing.
    """
    from plotly import graph_objects as go

    figure = go.Figure()
    named = len(points) <= len(PALETTE)  # more would all be legend; pointing says which is which
    for number, point in enumerate(points):
        share = round(100 * point.share, 3)
        mark = {
            "color": look(number)["color"],
            "symbol": "diamond-open" if point.how.startswith("frozen") else "circle",
        }
        figure.add_scatter(
            x=[float(f"{point.cost:.6g}")], y=[share], mode="markers", name=legend_name(point.name),
            showlegend=named, marker={**mark, "size": 13, "line": {"width": 2, "color": mark["color"]}},
            error_y={"type": "data", "symmetric": False, "array": [round(100 * point.high - share, 3)],
                     "arrayminus": [round(share - 100 * point.low, 3)], "thickness": 1.5, "width": 4},
            hovertemplate=f"{escape(point.name, quote=False)}<br>{escape(point.how)}, %{{y:.1f}} % "
            f"({100 * point.low:.1f} – {100 * point.high:.1f})<br>%{{x:,.4~g}}<extra></extra>",
        )  # fmt: skip
    if plain is not None:
        line = {"dash": "dash", "width": 2, "color": GREY}
        # Named in the legend: written along the line, the name lies on a mark that is near it.
        name = legend_name(f"{plain[0]}, {100 * plain[1]:.1f} %")
        figure.add_hline(100 * plain[1], line=line, name=name, showlegend=True)
    layout_above_legend(figure, height=390, hovermode="closest")
    costs = [point.cost for point in points]
    ticks = _ticks(costs)
    figure.update_xaxes(title=title, type="log", tickvals=ticks, ticktext=[f"{tick:,g}" for tick in ticks])
    if costs:  # wide enough for two ticks: between costs that are nearly alike lies none
        reach = np.log10([min(costs) / _BESIDE, max(costs) * _BESIDE])
        figure.update_xaxes(range=reach.round(4).tolist())
    figure.update_yaxes(title="right, %")
    return around(figure)


def recall_of_two(
    people: Sequence[str], first: np.ndarray, second: np.ndarray, photos: np.ndarray, names: tuple[str, str]
) -> "Figure":
    """Return how much of each person two models find: both recalls for few people, their differences for many.

    Few people lie below one another, two marks each. Many stand side by side as bars, from whom the first model knows
    better by most to whom the second does; their names show on pointing.

    Args:
        people: The P names.
        first, second: Shape (P,), recall in 0-1.
        photos: Shape (P,), on how many photos.
        names: What the two models are called.
    """
    order = np.lexsort((np.asarray(first) + second, np.asarray(second) - first))  # the first's gains come first
    draw = _dumbbells if len(people) <= NAMED_UP_TO else _differences
    return draw([people[i] for i in order], 100 * first[order], 100 * second[order], photos[order], names)


def _dumbbells(
    people: list[str], first: np.ndarray, second: np.ndarray, photos: np.ndarray, names: tuple[str, str]
) -> "Figure":
    from plotly import graph_objects as go

    places = list(range(len(people)))
    bars: dict[str, list[float | None]] = {"x": [], "y": []}
    for place in places:
        bars["x"] += [round(float(first[place]), 2), round(float(second[place]), 2), None]
        bars["y"] += [place, place, None]
    figure = go.Figure()
    figure.add_scatter(**bars, mode="lines", line={"color": GREY, "width": 2}, hoverinfo="skip", showlegend=False)
    marks = ((names[0], first, PALETTE[0], "circle", 15), (names[1], second, PALETTE[1], "diamond", 10))
    for name, values, colour, symbol, size in marks:  # the second is smaller: where they meet, both are seen
        figure.add_scatter(
            x=values.round(2).tolist(), y=places, mode="markers", name=legend_name(name),
            marker={"color": colour, "symbol": symbol, "size": size},
            customdata=[[escape(who, quote=False), int(n)] for who, n in zip(people, photos, strict=True)],
            hovertemplate="%{customdata[0]}: %{x:.0f} % of %{customdata[1]}<extra></extra>",
        )  # fmt: skip
    layout_above_legend(figure, height=120 + 30 * len(people), hovermode="closest")
    name_axis(figure.update_yaxes, people, range=[len(people) - 0.4, -0.6])
    figure.update_xaxes(title="photos found, %", range=[-4, 104])
    return figure


def _differences(
    people: list[str], first: np.ndarray, second: np.ndarray, photos: np.ndarray, names: tuple[str, str]
) -> "Figure":
    from plotly import graph_objects as go

    gain = first - second
    figure = go.Figure()
    for name, rows, colour in ((names[0], gain > 0, PALETTE[0]), (names[1], gain < 0, PALETTE[1])):
        where = np.flatnonzero(rows)
        figure.add_bar(
            x=where.tolist(), y=gain[where].round(2).tolist(), name=legend_name(f"{name} finds more"),
            marker={"color": colour, "line": {"width": 0}},
            customdata=[
                [escape(people[i], quote=False), round(float(first[i])), round(float(second[i])), int(photos[i])]
                for i in where
            ],
            hovertemplate="%{customdata[0]}: %{customdata[1]} % against %{customdata[2]} % of %{customdata[3]}"
            "<extra></extra>",
        )  # fmt: skip
    layout_above_legend(figure, height=370, hovermode="closest", bargap=0.1, barmode="overlay")
    figure.update_xaxes(title="people", showticklabels=False, showgrid=False, range=[-0.6, len(people) - 0.4])
    reach = max(10.0, 1.08 * float(np.abs(gain).max(initial=0)))
    figure.update_yaxes(title="difference, points", range=[-reach, reach], zeroline=True, zerolinecolor=GREY)
    return figure


def _measured(rows: Rows, field: str, by: By) -> tuple[list[float], list[float]]:
    """Return where a figure was measured (epochs, or seconds trained up to then), and the figure in percent."""
    xs: list[float] = []
    ys: list[float] = []
    seconds = 0.0
    for row in rows:
        seconds += row.get("seconds") or 0.0
        if row.get(field) is not None:
            xs.append(float(row["epoch"]) if by == "epoch" else seconds)
            ys.append(float(f"{100 * row[field]:.6g}"))
    return xs, ys


def _unit_of_time(longest: float) -> tuple[int, str]:
    """Return how many seconds the unit has that suits a time axis, and its name."""
    if longest < _MINUTES_FROM:
        return 1, "s"
    return (60, "min") if longest < _HOURS_FROM else (3600, "h")


def _ticks(costs: Sequence[float]) -> list[float]:
    """Return round numbers about the costs for a logarithmic axis, which by itself says 2 where it means 20,000."""
    if not costs:
        return []
    first, last = int(np.floor(np.log10(min(costs)))), int(np.ceil(np.log10(max(costs))))
    wide = max(costs) / min(costs)
    steps = (1,) if wide > 1e3 else (1, 2, 5) if wide > 5 else (1, 1.5, 2, 3, 4, 5, 7)
    return [step * 10.0**power for power in range(first, last + 1) for step in steps]
