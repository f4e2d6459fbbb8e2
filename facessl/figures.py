"""The studio's charts: plotly figures out of plain data, in one look.

The same data give the same figure, byte for byte: a chart that changes loses what was selected on it. Text takes its
colour from the page, so every figure reads in light and in dark.
"""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# Found by search: each at least 2.3 : 1 against the page, light and dark, and any two apart (CIE 1976 difference of
# 20 or more) for people with deuteranopia and protanopia as well.
PALETTE = ("#27a3e7", "#a54612", "#23bca0", "#9d499d", "#acad66", "#c52051", "#2ec100", "#3a4de6")
# When the colours are used up, the next shape begins: 8 × 8 groups look different.
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "x", "triangle-down", "star")
ACCENT = "#2c8f99"
GREY = "#8a9099"
_FAINT = "rgba(128, 128, 128, 0.25)"
_SPLIT_COLOURS = {"train": ACCENT, "val": "#d9a441", "test": "#a54612", "unlabelled": GREY}
_WEBGL_FROM = 1000  # points; SVG is sharper below, and stalls the browser above
_LABELS_UP_TO = 24  # people whose names fit along an axis
_LONGEST_NAME = 22  # characters in a legend or along an axis
_BINS = 40
_ABOVE = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 15}}
_BELOW = {"orientation": "h", "x": 0, "y": -0.02, "yanchor": "top", "font": {"size": 15}, "itemsizing": "constant"}


def loss_curve(rows: Sequence[Mapping[str, Any]], chance: float | None) -> "Figure":
    """Return the loss of each epoch under the line of a network that has learnt nothing.

    Args:
        rows: With ``epoch`` and ``loss``; rows without a loss are left out.
        chance: Height of the line, ln(2N - 1) for NT-Xent; None draws none.
    """
    figure = _curves(rows, {"loss": "loss"}, scale=1, title="loss")
    figure.update_yaxes(rangemode="normal")  # what counts is the distance to the line, not to zero
    if chance is not None:
        _reference(figure, chance, "nothing learnt", "top right")
    return figure


def knn_curve(rows: Sequence[Mapping[str, Any]], pixels: float | None, untrained: float | None) -> "Figure":
    """Return the k-NN accuracy on val, in percent, over what pixels and the untrained network reach.

    Args:
        rows: With ``epoch`` and ``knn_accuracy`` in 0-1; rows without one are left out.
        pixels: Height of the first line in 0-1; None draws none.
        untrained: Height of the second.
    """
    figure = _curves(rows, {"knn_accuracy": "k-NN on val"}, scale=100, title="right, %")
    lines = [("normalised pixels", pixels), ("untrained network", untrained)]
    known = sorted(((name, height) for name, height in lines if height is not None), key=lambda line: -line[1])
    # The higher one is named above its line and the lower one below, for the two are often nearly equal; at the right
    # end, because at the left the curve begins just there.
    for (name, height), place in zip(known, ("top right", "bottom right"), strict=False):
        _reference(figure, 100 * height, f"{name} {100 * height:.0f} %", place)
    return figure


def accuracy_curves(rows: Sequence[Mapping[str, Any]]) -> "Figure":
    """Return the share of train and val photos named rightly, in percent, epoch by epoch.

    Args:
        rows: With ``epoch`` and ``train_top1``, ``val_top1`` in 0-1 where they were measured.
    """
    return _curves(rows, {"train_top1": "train", "val_top1": "validation"}, scale=100, title="right, %")


def photos_per_person(people: Sequence[str], counts: Mapping[str, Sequence[int]]) -> "Figure":
    """Return stacked bars, a person each, the one with most photos first.

    Few people lie below one another with their names; many stand side by side, and their names show on pointing.

    Args:
        people: The P names.
        counts: Split -> P numbers of photos.
    """
    from plotly import graph_objects as go

    totals = np.sum([counts[split] for split in counts], axis=0) if counts else np.zeros(len(people))
    order = np.argsort(-totals, kind="stable").tolist()
    places = list(range(len(order)))
    named = len(people) <= _LABELS_UP_TO
    figure = go.Figure()
    for split, numbers in counts.items():
        lengths = [int(numbers[i]) for i in order]
        figure.add_bar(
            x=lengths if named else places, y=places if named else lengths, orientation="h" if named else "v",
            name=split, marker={"color": _SPLIT_COLOURS.get(split, GREY), "line": {"width": 0}},
            customdata=[escape(people[i]) for i in order],
            hovertemplate=f"%{{customdata}}: %{{{'x' if named else 'y'}}} in {split}<extra></extra>",
        )  # fmt: skip
    _layout(figure, height=max(200, 90 + 30 * len(people)) if named else 380, barmode="stack")
    figure.update_layout(legend={**_ABOVE, "traceorder": "normal"})
    if named:
        figure.update_xaxes(title="photos")
        _name_axis(figure.update_yaxes, [people[i] for i in order], autorange="reversed")
    else:
        figure.update_layout(bargap=0.1)
        figure.update_xaxes(title="people, most photos first", showticklabels=False, showgrid=False)
        figure.update_yaxes(title="photos")
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
            mode="markers", name=_short(name), hovertemplate=f"{escape(name)}<extra></extra>",
            marker={**_look(group), "size": 6 if many else 9, "opacity": 0.85, "line": {"width": 0}},
            selected={"marker": {"opacity": 1}}, unselected={"marker": {"color": GREY, "opacity": 0.2}},
        ))  # fmt: skip
    few = len(figure.data) <= len(PALETTE)
    legend = _BELOW if few else {"font": {"size": 13}, "itemsizing": "constant", "tracegroupgap": 0}
    _layout(figure, height=560, dragmode="lasso", hovermode="closest", legend=legend, uirevision="map")
    blank = {"showgrid": False, "showticklabels": False, "zeroline": False, "title": None}
    figure.update_xaxes(**blank)
    figure.update_yaxes(**blank)  # the axes of such a map mean nothing; only nearness does
    figure.update_layout(margin={"l": 4, "r": 4, "t": 36, "b": 4})  # the tool bar gets a strip of its own
    return figure


def confusion(matrix: np.ndarray | Sequence[Sequence[int]], people: Sequence[str]) -> "Figure":
    """Return who was taken for whom; the colour is the share of the right person's photos.

    Every cell that is not empty can be clicked: its point carries ``customdata = [right label, answered label,
    photos]``.

    Args:
        matrix: Shape (P, P), photos by [right person][answer].
        people: The P names.
    """
    from plotly import graph_objects as go

    counts = np.asarray(matrix)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    cells = [(int(i), int(j), int(counts[i, j])) for i, j in np.argwhere(counts)]
    few = len(people) <= _LABELS_UP_TO
    figure = go.Figure(go.Heatmap(
        z=shares.astype(np.float32), zmin=0, zmax=1, showscale=False, hoverinfo="skip", xgap=int(few), ygap=int(few),
        colorscale=[[0, "rgba(44, 143, 153, 0.04)"], [1, "rgba(44, 143, 153, 0.9)"]],
    ))  # fmt: skip
    # Plotly selects points and not heat-map cells, so an invisible point lies on each.
    figure.add_scatter(
        x=[j for _, j, _ in cells], y=[i for i, _, _ in cells], mode="markers", showlegend=False,
        customdata=[list(cell) for cell in cells],
        hovertext=[
            f"{escape(people[i])} {'named rightly' if i == j else f'taken for {escape(people[j])}'}: "
            f"{photos} of {counts[i].sum()}"
            for i, j, photos in cells
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        marker={"size": _cell_pixels(len(people)), "symbol": "square", "opacity": 0, "color": ACCENT},
        selected={"marker": {"opacity": 0}}, unselected={"marker": {"opacity": 0}},
    )  # fmt: skip
    _layout(figure, height=int(min(640, 180 + 34 * len(people))), hovermode="closest", clickmode="event+select")
    if few:
        # Annotations, because the text of points fades when one of them is selected.
        figure.update_layout(annotations=[
            {"x": j, "y": i, "text": str(photos), "showarrow": False,
             "font": {"color": "#ffffff" if shares[i, j] > 0.45 else GREY}}
            for i, j, photos in cells
        ])  # fmt: skip
        figure.update_xaxes(tickangle=-40)
    _name_axis(figure.update_yaxes, people if few else [], title="right person")
    _name_axis(figure.update_xaxes, people if few else [], title="answer")
    edges = [-0.5, len(people) - 0.5]
    figure.update_xaxes(range=edges)
    figure.update_yaxes(range=edges[::-1])
    return figure


def similarity_bars(candidates: Sequence[tuple[str, float]], threshold: float) -> "Figure":
    """Return the most similar people, the best on top, and how similar they would have to be.

    Args:
        candidates: (person, cosine similarity), best first.
        threshold: Least similarity to accept.
    """
    from plotly import graph_objects as go

    values = [round(float(similarity), 4) for _, similarity in candidates]
    figure = go.Figure(go.Bar(
        x=values, y=list(range(len(values))), orientation="h",
        text=[f"{value:.3f}" for value in values], textposition="auto", cliponaxis=False, hoverinfo="skip",
        marker={"color": [ACCENT if value >= threshold else GREY for value in values], "line": {"width": 0}},
    ))  # fmt: skip
    _layout(figure, height=80 + 44 * max(1, len(values)))
    _name_axis(figure.update_yaxes, [person for person, _ in candidates], autorange="reversed")
    # Bars begin at 0, unless all that matters happens near 1: then the last stretch is shown, and says so.
    least = min([*values, threshold])
    start = 0.9 if least > 0.9 else min(0.0, least)
    figure.update_xaxes(range=[start, 1], title="similarity" if start < 0.9 else "similarity, from 0.9")
    _threshold(figure, threshold)
    return figure


def impostor_histogram(impostors: np.ndarray, genuine: np.ndarray, threshold: float) -> "Figure":
    """Return how similar strangers and known people score, and where the threshold parts them.

    Args:
        impostors: Shape (V,), cosine similarities of faces to other people.
        genuine: Shape (W,), of faces to their own person.
        threshold: Least similarity to accept.
    """
    from plotly import graph_objects as go

    together = np.concatenate([impostors, genuine, [threshold]])
    edges = np.linspace(together.min(), max(together.max(), together.min() + 1e-3), _BINS + 1)
    figure = go.Figure()
    for name, scores, colour in (("strangers", impostors, PALETTE[1]), ("the person", genuine, ACCENT)):
        shares = 100 * np.histogram(scores, edges)[0] / max(1, len(scores))
        figure.add_bar(
            x=((edges[1:] + edges[:-1]) / 2).round(4).tolist(), y=shares.round(3).tolist(), name=name,
            marker={"color": colour, "opacity": 0.6, "line": {"width": 0}},
            hovertemplate=f"{name}: %{{y:.1f}} % near %{{x:.2f}}<extra></extra>",
        )  # fmt: skip
    _layout(figure, height=340, barmode="overlay", bargap=0, legend={**_ABOVE, "y": 1.12})
    figure.update_xaxes(title="similarity")
    figure.update_yaxes(title="share, %")
    _threshold(figure, threshold)
    return figure


# -- the one look ------------------------------------------------------------------------------------------------


def _layout(figure: "Figure", *, height: int, **more: Any) -> None:
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


def _curves(rows: Sequence[Mapping[str, Any]], fields: Mapping[str, str], *, scale: float, title: str) -> "Figure":
    """Return a line a field over the epochs; a legend only where there is more than one line."""
    from plotly import graph_objects as go

    figure = go.Figure()
    for (field, name), colour in zip(fields.items(), (ACCENT, "#d9822b"), strict=False):
        points = [(row["epoch"], row[field]) for row in rows if row.get(field) is not None]
        figure.add_scatter(
            x=[epoch for epoch, _ in points], y=[round(scale * value, 4) for _, value in points], name=name,
            mode="lines+markers", line={"color": colour, "width": 3}, marker={"size": 7},
            hovertemplate=f"{name} after epoch %{{x}}: %{{y:.3~g}}<extra></extra>",
        )  # fmt: skip
    _layout(figure, height=320, legend=_ABOVE, showlegend=len(fields) > 1, hovermode="closest")
    last = max([row["epoch"] for row in rows], default=1)
    figure.update_xaxes(title="epoch", showgrid=False, dtick=1 if last <= 10 else None, tickformat="d")
    figure.update_yaxes(title=title, rangemode="tozero")
    return figure


def _name_axis(update_axes: Callable[..., Any], names: Sequence[str], **more: Any) -> None:
    """Write names at 0, 1, … along an axis; by place, for two names may be shortened to the same."""
    places = list(range(len(names)))
    update_axes(tickvals=places, ticktext=[_short(name) for name in names], showgrid=False, **more)


def _reference(figure: "Figure", height: float, text: str, position: str) -> None:
    line = {"dash": "dash", "width": 2, "color": GREY}
    figure.add_hline(height, line=line, annotation_text=text, annotation_position=position)


def _threshold(figure: "Figure", threshold: float) -> None:
    line = {"dash": "dash", "width": 2, "color": GREY}
    # Written towards the middle of the chart, where there is room for it.
    text = {"text": f"threshold {threshold:.3f}", "y": 1, "yanchor": "bottom"}
    text["xanchor"] = "right" if threshold > 0.5 else "left"
    figure.add_vline(threshold, line=line, annotation=text)


def _look(group: int) -> dict[str, Any]:
    if group < 0:
        return {"color": GREY, "symbol": "circle"}
    colour = PALETTE[group % len(PALETTE)]
    return {"color": colour, "symbol": SYMBOLS[group // len(PALETTE) % len(SYMBOLS)]}


def _short(name: str) -> str:
    """Return a name as it fits a legend, with nothing in it that plotly would read as markup."""
    return escape(name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…")


def _cell_pixels(people: int) -> int:
    """Return about how large a cell of the confusion matrix is drawn."""
    return int(np.clip(420 / max(1, people), 4, 40))
