"""A legend below a chart, a name a line: above it there is a tool bar, and on a phone no room beside it."""

import textwrap
from html import escape
from typing import TYPE_CHECKING, Any

from facessl.figures._look import layout

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_BOUND = "\N{NO-BREAK SPACE}·"
_LETTERS = 40  # of a name that fit a line of a legend on a phone
_LINE = 22  # pixels
_AXIS = 70  # pixels of the axis' numbers and title between chart and legend


def legend_name(name: str) -> str:
    """Return a whole name for a legend, on as many lines as it takes on a phone, nothing in it read as markup."""
    name = name.replace(" ·", _BOUND)  # no line begins with what parts two words
    lines = textwrap.wrap(name, _LETTERS)
    # On no more lines than that, but of about one length: a single letter on the last looks like a mistake.
    evenly = next((w for w in range(len(name) // max(len(lines), 1), _LETTERS) if _fits(name, w, len(lines))), _LETTERS)
    wrapped = (line.replace(_BOUND, " ·") for line in textwrap.wrap(name, evenly))
    return "<br>".join(escape(line, quote=False) for line in wrapped) or "–"


def _fits(name: str, width: int, lines: int) -> bool:
    return width > 0 and len(textwrap.wrap(name, width)) <= lines


def layout_above_legend(figure: "Figure", *, height: int, **more: Any) -> None:
    """Give a figure the one look, with the legend of what is drawn so far below it; ``height`` is that of the rest."""
    traces = [trace for trace in figure.data if trace.name and trace.showlegend is not False]
    shapes = [shape for shape in figure.layout.shapes if shape.showlegend]
    lines = sum(1 + drawn.name.count("<br>") for drawn in (*traces, *shapes))
    layout(figure, height=height + _LINE * lines, showlegend=lines > 0, **more)
    if lines:
        # Its place is counted from the figure's lower edge: from the chart's, it slides over the axis' title.
        below = {"orientation": "v", "x": 0, "xanchor": "left", "yref": "container", "y": 0, "yanchor": "bottom"}
        # Else plotly lets a legend have half of the figure, and a scroll bar that no picture can be moved with.
        whole = {"maxheight": _AXIS + _LINE * lines, "tracegroupgap": 0}
        figure.update_layout(legend={**below, **whole, "font": {"size": 15}}, margin_b=_AXIS + _LINE * lines)
