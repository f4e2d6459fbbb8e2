"""The one look of the studio's charts: colours, shapes, text, axes and legends."""

from collections.abc import Callable, Sequence
from html import escape
from math import ceil, floor, log10
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# Found by search: each at least 2.3 : 1 against the page, light and dark, and any two apart (CIE 1976 difference of
# 20 or more) for people with deuteranopia and protanopia as well.
PALETTE = ("#27a3e7", "#a54612", "#23bca0", "#9d499d", "#acad66", "#c52051", "#2ec100", "#3a4de6")
# When the colours are used up, the next shape begins: 8 × 8 groups look different.
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "x", "triangle-down", "star")
_DASHES = ("solid", "dash", "dot", "dashdot")
ACCENT = "#2c8f99"
SECOND = "#d9822b"  # beside the accent, where there are two lines
GREY = "#8a9099"
NAMED_UP_TO = 24  # people whose names fit along an axis
ABOVE = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 15}}
BELOW = {"orientation": "h", "x": 0, "y": -0.02, "yanchor": "top", "font": {"size": 15}, "itemsizing": "constant"}
_FAINT = "rgba(128, 128, 128, 0.25)"
_LONGEST_NAME = 22  # characters in a legend or along an axis
_TICKS = 6  # at most so many steps along a vertical axis


def layout(figure: "Figure", *, height: int, **more: Any) -> None:
    """Give a figure the one look; ``more`` goes to plotly's layout. Text keeps the colour that the page gives it."""
    figure.update_layout(
        height=height, font={"size": 15}, paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 8, "r": 8, "t": 28, "b": 8}, title=None, **more,
    )  # fmt: skip
    axis = {
        "gridcolor": _FAINT, "zeroline": False, "showline": False, "automargin": True, "ticks": "",
        "tickfont": {"size": 15}, "title": {"font": {"size": 15}},
    }  # fmt: skip
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)


def name_axis(update_axes: Callable[..., Any], names: Sequence[str], **more: Any) -> None:
    """Write names at 0, 1, … along an axis; by place, for two names may be shortened to the same."""
    places = list(range(len(names)))
    update_axes(tickvals=places, ticktext=[short(name) for name in names], showgrid=False, **more)


def dash(number: int, *, under: int = 0) -> str:
    """Return the dash of line ``number``: another when the colours are used up, or ``under`` lines lie beneath it."""
    return _DASHES[(number // len(PALETTE) + under) % len(_DASHES)]


def look(group: int) -> dict[str, Any]:
    """Return a group's marker; groups below 0 are nobody in particular, and grey."""
    if group < 0:
        return {"color": GREY, "symbol": "circle"}
    colour = PALETTE[group % len(PALETTE)]
    return {"color": colour, "symbol": SYMBOLS[group // len(PALETTE) % len(SYMBOLS)]}


def short(name: str) -> str:
    """Return a name as it fits a legend, with nothing in it that plotly would read as markup."""
    return escape(name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…", quote=False)


def from_zero(figure: "Figure") -> "Figure":
    """Let the vertical axis run from zero, where nothing is left to learn or nothing known, to a tick above all drawn.

    Plotly's own ticks may end below a line at the top. Values below zero have the axis begin at the tick below them.
    """
    return _between_ticks(figure, [0.0, *_heights(figure)])


def around(figure: "Figure") -> "Figure":
    """Let the vertical axis run from a tick below all drawn to one above: what is compared lies far from zero."""
    heights = _heights(figure)
    least, most = min(heights, default=0.0), max(heights, default=0.0)
    below = least - 0.04 * (most - least)  # a line on the edge looks like an axis
    return _between_ticks(figure, [max(0.0, below) if least >= 0 else below, *heights])


def _heights(figure: "Figure") -> list[float]:
    """Return at which heights something is drawn, ends of intervals included."""
    heights = [float(shape.y0) for shape in figure.layout.shapes]
    for line in figure.data:
        ends = line.error_y.array, line.error_y.arrayminus
        heights += [float(value) for value in line.y]
        if None not in ends:
            above, below = ends
            heights += [y + up for y, up in zip(line.y, above, strict=True)]
            heights += [y - down for y, down in zip(line.y, below, strict=True)]
    return heights


def _between_ticks(figure: "Figure", heights: Sequence[float]) -> "Figure":
    low, high = min(heights, default=0.0), max(heights, default=0.0)
    if high > low:
        step = round_step((high - low) / _TICKS)
        bottom, top = step * floor(low / step), step * ceil(high / step)
        room = 0.02 * (top - bottom)  # for half a line at the edge
        figure.update_yaxes(range=[bottom - room if low else bottom, top + room], dtick=step, tick0=0)
    return figure


def round_step(least: float) -> float:
    """Return the smallest 1, 2 or 5 times a power of ten that is no smaller."""
    power = 10.0 ** floor(log10(least))
    return next(times * power for times in (1, 2, 5, 10) if times * power >= least * (1 - 1e-9))
