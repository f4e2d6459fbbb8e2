"""What a set holds: photos of each person, and the map of all faces."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from facessl.figures._look import ABOVE, ACCENT, BELOW, GREY, NAMED_UP_TO, layout, look, name_axis, short

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SPLIT_COLOURS = {"train": ACCENT, "val": "#d9a441", "test": "#a54612", "unlabelled": GREY}
_WEBGL_FROM = 1000  # points; SVG is sharper below, and stalls the browser above


def photos_per_person(people: Sequence[str], counts: Mapping[str, Sequence[int]], unit: str = "photos") -> "Figure":
    """Return stacked bars, a person (or a set) each, the one with most photos first.

    Few people lie below one another with their names; many stand side by side, and their names show on pointing.

    Args:
        people: The P names.
        counts: Split -> P numbers of photos.
        unit: What is counted.
    """
    from plotly import graph_objects as go

    totals = np.sum([counts[split] for split in counts], axis=0) if counts else np.zeros(len(people))
    order = np.argsort(-totals, kind="stable").tolist()
    places = list(range(len(order)))
    named = len(people) <= NAMED_UP_TO
    figure = go.Figure()
    for split, numbers in counts.items():
        lengths = [int(numbers[i]) for i in order]
        figure.add_bar(
            x=lengths if named else places, y=places if named else lengths, orientation="h" if named else "v",
            name=split, marker={"color": SPLIT_COLOURS.get(split, GREY), "line": {"width": 0}},
            customdata=[escape(people[i], quote=False) for i in order],
            hovertemplate=f"%{{customdata}}: %{{{'x' if named else 'y'}}} in {split}<extra></extra>",
        )  # fmt: skip
    layout(figure, height=max(200, 90 + 30 * len(people)) if named else 380, barmode="stack")
    figure.update_layout(legend={**ABOVE, "traceorder": "normal"})
    if named:
        figure.update_xaxes(title=unit)
        name_axis(figure.update_yaxes, [people[i] for i in order], autorange="reversed")
    else:
        figure.update_layout(bargap=0.1)
        figure.update_xaxes(title="people, most photos first", showticklabels=False, showgrid=False)
        figure.update_yaxes(title=unit)
    return figure


def embedding_map(
    x: np.ndarray, y: np.ndarray, groups: np.ndarray, names: Sequence[str], face_ids: np.ndarray | None = None
) -> "Figure":
    """Return the map of all faces, ready for lasso and box.

    Each point carries ``customdata = [face id]``, because plotly counts points within their trace.

    Args:
        x, y: Shape (N,), places on the map.
        groups: Shape (N,), integers that index ``names``; -1 is drawn in grey beneath the others.
        names: What each group is called.
        face_ids: Shape (N,), rows of the set; 0..N-1 if not given.
    """
    from plotly import graph_objects as go

    ids = np.arange(len(x)) if face_ids is None else np.asarray(face_ids)
    many = len(x) > _WEBGL_FROM
    scatter = go.Scattergl if many else go.Scatter
    figure = go.Figure()
    for group in np.unique(groups).tolist():  # ascending: the grey ones come first
        rows = np.flatnonzero(groups == group)
        name = names[group] if group >= 0 else "not named"
        figure.add_trace(scatter(
            x=np.asarray(x[rows], dtype=np.float32), y=np.asarray(y[rows], dtype=np.float32),
            # A list, not an array: an array reaches the browser as typed rows, which come back as objects.
            customdata=[[int(face)] for face in ids[rows]],
            mode="markers", name=short(name), hovertemplate=f"{escape(name, quote=False)}<extra></extra>",
            marker={**look(group), "size": 6 if many else 9, "opacity": 0.85, "line": {"width": 0}},
            selected={"marker": {"opacity": 1}}, unselected={"marker": {"color": GREY, "opacity": 0.2}},
        ))  # fmt: skip
    layout(figure, height=560, dragmode="lasso", hovermode="closest", legend=BELOW, uirevision="map")
    # Of more, colours and shapes cannot be told apart, and the list would squeeze the map: pointing says who it is.
    figure.update_layout(showlegend=1 < len(figure.data) <= NAMED_UP_TO)
    blank = {"showgrid": False, "showticklabels": False, "zeroline": False, "title": None}
    figure.update_xaxes(**blank)
    figure.update_yaxes(**blank)  # the axes of such a map mean nothing; only nearness does
    figure.update_layout(margin={"l": 4, "r": 4, "t": 36, "b": 4})  # the tool bar gets a strip of its own
    return figure
