"""How often two photos of one person pass, against how often two people's do."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from facessl.figures._below import layout_above_legend, legend_name
from facessl.figures._look import GREY, dash, look

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_LEAST = 1e-3  # shares of false accepts below it are said by no set of pairs that a person brings


def roc_curves(curves: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> "Figure":
    """Return a figure with a line a model over a logarithmic axis, and the line of chance.

    Args:
        curves: What a model is called -> shares (0-1) of false accepts, ascending, and of true accepts at them.
    """
    from plotly import graph_objects as go

    figure = go.Figure()
    for number, (name, (far, tar)) in enumerate(curves.items()):
        told = [(100 * x, 100 * y) for x, y in zip(far, tar, strict=True) if x >= _LEAST]
        if before := [y for x, y in zip(far, tar, strict=True) if x < _LEAST]:  # all there is of a perfect one
            told.insert(0, (100 * _LEAST, 100 * before[-1]))
        figure.add_scatter(
            x=[x for x, _ in told], y=[y for _, y in told], name=legend_name(name), mode="lines",
            line={"color": look(number)["color"], "width": 2.5, "dash": dash(number)},
            hovertemplate="%{y:.1f} % of one person's pass<br>where %{x:.2g} % of two people's do<extra></extra>",
        )  # fmt: skip
    chance = [100 * _LEAST * 10 ** (step / 10) for step in range(31)]
    figure.add_scatter(
        x=chance, y=chance, name="Chance", mode="lines", line={"color": GREY, "width": 1.5, "dash": "dot"},
        hoverinfo="skip",
    )  # fmt: skip
    layout_above_legend(figure, height=360, hovermode="closest")
    figure.update_layout(margin_r=16)
    figure.update_xaxes(
        title="two people taken for one, %",
        type="log",
        range=[-1, 2.02],
        tickvals=[0.1, 1, 10, 100],
        showgrid=False,
        ticklabeloverflow="allow",  # else a phone has no 100
    )
    figure.update_yaxes(title="one person recognised as one, %", range=[0, 101])
    return figure
