"""Who was taken for whom, how similar people are, and where the threshold lies."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from facessl.figures._look import ABOVE, ACCENT, GREY, NAMED_UP_TO, PALETTE, layout, name_axis

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_BINS = 40
# Of the confusion matrix, share -> how much colour: with a step, so that every number stands on a pale or on a dark
# cell, and white letters from there on read on both a light and a dark page.
_WHITE_ABOVE = 0.19
_SHADES = ((0, 0.04), (_WHITE_ABOVE, 0.28), (_WHITE_ABOVE, 0.78), (1, 1))
_UPRIGHT_FROM = 10  # people whose names, written aslant, do not lie on each other on a phone


def confusion(
    matrix: np.ndarray | Sequence[Sequence[int]], people: Sequence[str], shown: Sequence[int] | None = None
) -> "Figure":
    """Return who was taken for whom; the colour is the share of the right person's photos.

    Every cell that is not empty can be clicked: its point carries ``customdata = [right label, answered label,
    photos]``.

    Args:
        matrix: Shape (P, P), photos by [right person][answer].
        people: The P names.
        shown: Labels of the people to draw, in this order; None draws all. Shares stay those of all photos.
    """
    from plotly import graph_objects as go

    every = np.asarray(matrix)
    labels = list(range(len(people))) if shown is None else [int(label) for label in shown]
    names = [people[label] for label in labels]
    photos = every.sum(axis=1)[labels]
    counts = every[np.ix_(labels, labels)]
    shares = counts / np.maximum(photos[:, None], 1)
    cells = [(int(i), int(j), int(counts[i, j])) for i, j in np.argwhere(counts)]
    few = len(names) <= NAMED_UP_TO
    figure = go.Figure(go.Heatmap(
        z=shares.astype(np.float32), zmin=0, zmax=1, showscale=False, hoverinfo="skip", xgap=int(few), ygap=int(few),
        colorscale=[[share, f"rgba(24, 112, 122, {alpha})"] for share, alpha in _SHADES],
    ))  # fmt: skip
    # Plotly selects points and not heat-map cells, so an invisible point lies on each.
    figure.add_scatter(
        x=[j for _, j, _ in cells], y=[i for i, _, _ in cells], mode="markers", showlegend=False,
        customdata=[[labels[i], labels[j], number] for i, j, number in cells],
        hovertext=[
            f"{escape(names[i])} {'named rightly' if i == j else f'taken for {escape(names[j])}'}: "
            f"{number} of {photos[i]}"
            for i, j, number in cells
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        marker={"size": _cell_pixels(len(names)), "symbol": "square", "opacity": 0, "color": ACCENT},
        selected={"marker": {"opacity": 0}}, unselected={"marker": {"opacity": 0}},
    )  # fmt: skip
    layout(figure, height=int(min(640, 180 + 34 * len(names))), hovermode="closest", clickmode="event+select")
    if few:
        _write_counts(figure, cells, shares)
    name_axis(figure.update_yaxes, names if few else [], title="right person")
    name_axis(figure.update_xaxes, names if few else [], title="answer")
    edges = [-0.5, len(names) - 0.5]
    figure.update_xaxes(range=edges)
    figure.update_yaxes(range=edges[::-1])
    return figure


def _write_counts(figure: "Figure", cells: Sequence[tuple[int, int, int]], shares: np.ndarray) -> None:
    """Write each cell's photos into it: annotations, because the text of points fades when one is selected."""
    figure.update_layout(annotations=[
        {"x": j, "y": i, "text": str(photos), "showarrow": False,
         **({"font": {"color": "#ffffff"}} if shares[i, j] > _WHITE_ABOVE else {})}
        for i, j, photos in cells
    ])  # fmt: skip
    crowded = len(shares) > _UPRIGHT_FROM
    figure.update_xaxes(tickangle=-90 if crowded else -40)
    if crowded:
        figure.update_xaxes(tickfont={"size": 12})


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
    layout(figure, height=80 + 44 * max(1, len(values)))
    name_axis(figure.update_yaxes, [person for person, _ in candidates], autorange="reversed")
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
    layout(figure, height=340, barmode="overlay", bargap=0, legend={**ABOVE, "y": 1.12})
    figure.update_xaxes(title="similarity")
    figure.update_yaxes(title="share, %")
    _threshold(figure, threshold)
    return figure


def _threshold(figure: "Figure", threshold: float) -> None:
    line = {"dash": "dash", "width": 2, "color": GREY}
    # Written towards the middle of the chart, where there is room for it.
    text = {"text": f"threshold {threshold:.3f}", "y": 1, "yanchor": "bottom"}
    text["xanchor"] = "right" if threshold > 0.5 else "left"
    figure.add_vline(threshold, line=line, annotation=text)


def _cell_pixels(people: int) -> int:
    """Return about how large a cell of the confusion matrix is drawn."""
    return int(np.clip(420 / max(1, people), 4, 40))
