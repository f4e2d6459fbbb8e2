"""Charts that can be saved as a picture: plotly's own camera in the browser, as PNG or SVG."""

import textwrap
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_FORMAT = "compare-picture-format"
_SCALE = 3  # a PNG has so many pixels for each of the screen: it is to be printed
# A picture does not bring the page's web font: measured by that, names are cut in it.
_FONT = "Arial, Helvetica, Liberation Sans, sans-serif"
_LETTERS = 42  # of a title on one line: so many stand beside the camera on a phone
_LINE, _TITLE, _ABOVE = 22, 16, 30  # pixels: a line of the title, its letters, and what parts it from the chart


def picture_format(*, key: str) -> None:
    """Let a person choose in which format the charts below are saved."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.segmented_control(
            "Save charts as", ["PNG", "SVG"], default=st.session_state.get(_FORMAT, "PNG"), required=True, key=key,
            on_change=_remember, args=(key,), label_visibility="collapsed",
        )  # fmt: skip
        st.caption("The camera above a chart saves it in this format.", width="content")


def _remember(key: str) -> None:
    st.session_state[_FORMAT] = st.session_state[key]


def chart(figure: "Figure", *, title: str, key: str, name: str) -> None:
    """Draw a chart with a camera.

    Args:
        figure: The chart.
        title: What it shows; part of the picture, which is to be understood away from this page.
        key: Its own.
        name: That of the file that the camera saves.
    """
    chosen = str(st.session_state.get(_FORMAT, "PNG")).lower()
    # The page's own colour behind it: light letters on nothing could not be read in a document.
    figure.update_layout(paper_bgcolor=_page_colour(), font_family=_FONT)
    _set_title(figure, title)
    st.plotly_chart(
        figure, key=f"{key}-{chosen}",
        config={
            "displayModeBar": True, "displaylogo": False, "modeBarButtons": [["toImage"]],
            "toImageButtonOptions": {
                "format": chosen, "filename": _file_name(name), "scale": _SCALE if chosen == "png" else 1,
            },
        },
    )  # fmt: skip


def _set_title(figure: "Figure", title: str) -> None:
    """Write a title above a chart, at the left of the camera, and make the figure higher by it."""
    lines = [escape(line, quote=False) for line in textwrap.wrap(title, _LETTERS)]
    taken = _LINE * len(lines)
    down = 8 + _LINE / 2 * (len(lines) - 1)  # plotly hangs up the middle of several lines where one would hang
    figure.update_layout(
        title={
            "text": f"<b>{'<br>'.join(lines)}</b>", "font": {"size": _TITLE},
            "x": 0, "xref": "container", "xanchor": "left", "y": 1, "yref": "container", "yanchor": "top",
            "pad": {"t": down},
        },
        margin_t=_ABOVE + taken, height=figure.layout.height + taken,
    )  # fmt: skip


def _page_colour() -> str:
    return "#14171a" if st.context.theme.type == "dark" else "#fcfbf9"


def _file_name(name: str) -> str:
    letters = "".join(c if c.isalnum() else "-" for c in name.lower())
    words = " ".join(part for part in letters.split("-") if part)
    return textwrap.shorten(words, 60, placeholder="").replace(" ", "-") or "chart"
