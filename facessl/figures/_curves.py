"""What happens epoch by epoch: loss, k-NN accuracy, train and validation accuracy, several runs."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, cycle, groupby, islice, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from facessl.figures._below import layout_above_legend, legend_name
from facessl.figures._look import ACCENT, GREY, PALETTE, SECOND, from_zero

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Rows = Sequence[Mapping[str, Any]]
Place = TypeVar("Place", int, float)  # along the horizontal axis
_MOST = 1000  # points of a line: more than a screen has columns, and a browser begins to lag
MARKED = 60  # points up to which each has a dot of its own
_FAINT = 0.25
_HEIGHT = 320  # pixels, without the legend
_NOTHING = "nothing learnt"


class _Line(NamedTuple):
    """One line of a figure."""

    name: str
    colour: str
    epochs: list[int]
    values: list[float]
    dash: str = "solid"


def loss_curve(rows: Rows, *, smoothing: float = 0.0, over: Mapping[str, Rows] | None = None) -> "Figure":
    """Return the loss of each epoch under the line of a network that has learnt nothing.

    Args:
        rows: With ``epoch``, ``loss`` and, where there is such a number, ``chance``: the height of the line, ln(2N - 1)
            for NT-Xent, which steps where a run went on with another batch size. Rows without a loss are left out.
        smoothing: See ``smoothed``.
        over: Further runs to lay over it, by name. Where another method or batch size makes their line another, each
            run has its own, in its colour.
    """
    others = over or {}
    figure = _curves(rows, {"loss": "loss"}, scale=1, title="loss", smoothing=smoothing, over=others)
    lines = [(_with_chance(some), colour) for some, colour in zip((rows, *others.values()), _of_runs(), strict=False)]
    if len({frozenset(row["chance"] for row in some) for some, _ in lines}) == 1:
        _nothing_learnt(figure, lines[0][0], name=_NOTHING)
        figure.data[0 if not smoothing else 1].showlegend = bool(lines[0][0])
    else:
        for (some, colour), run in zip(lines, ("", *others), strict=True):
            _nothing_learnt(figure, some, colour=colour, name=f"{_NOTHING}, {run}" if run else _NOTHING)
    layout_above_legend(figure, height=_HEIGHT)
    return from_zero(figure)


def _with_chance(rows: Rows) -> Rows:
    return [row for row in rows if row.get("loss") is not None and row.get("chance") is not None]


def _of_runs() -> Iterator[str]:
    """Return the colours of the run that is shown, and of those laid over it."""
    return chain((ACCENT,), cycle(PALETTE[1:]))


def _nothing_learnt(figure: "Figure", rows: Rows, *, name: str, colour: str = GREY) -> None:
    """Draw the line of each stretch of epochs with the same chance; where there is but one, from edge to edge.

    It is named in the legend: written along the line, the name would lie on a curve that begins there.
    """
    line: dict[str, Any] = {"dash": "dash", "width": 1.5, "color": colour}
    stretches = [list(stretch) for _, stretch in groupby(rows, key=lambda row: row["chance"])]
    if not stretches:
        return
    if len(stretches) == 1:
        figure.add_hline(rows[-1]["chance"], line=line, name=legend_name(name), showlegend=True)
        return
    joints = [(before[-1]["epoch"] + after[0]["epoch"]) / 2 for before, after in pairwise(stretches)]
    edges = pairwise([rows[0]["epoch"], *joints, rows[-1]["epoch"]])
    for (left, right), stretch in zip(edges, stretches, strict=True):
        height = stretch[0]["chance"]
        in_legend = {"name": legend_name(name), "showlegend": True} if stretch is stretches[0] else {}
        figure.add_shape(type="line", x0=left, x1=right, y0=height, y1=height, line=line, **in_legend)


def knn_curve(
    rows: Rows,
    plain: Mapping[str, float],
    *,
    smoothing: float = 0.0,
    over: Mapping[str, Rows] | None = None,
) -> "Figure":
    """Return the k-NN accuracy on val, in percent, over what plain methods reach.

    Args:
        rows: With ``epoch`` and ``knn_accuracy`` in 0-1; rows without one are left out.
        plain: Height in 0-1 of a line for each plain method, by its name; up to four.
        smoothing: See ``smoothed``.
        over: Further runs to lay over it, by name.
    """
    figure = _curves(rows, {"knn_accuracy": "k-NN on val"}, scale=100, title="right, %", smoothing=smoothing, over=over)
    # Named in the legend: written along the lines, the names lie on the curve where it runs beside one.
    for (name, height), dash in zip(plain.items(), ("dash", "dashdot", "dot", "longdash"), strict=False):
        line = {"dash": dash, "width": 2, "color": GREY}
        figure.add_hline(100 * height, line=line, name=f"{name} {100 * height:.0f} %", showlegend=True)
    if plain:
        figure.data[0 if not smoothing else 1].showlegend = True
        layout_above_legend(figure, height=_HEIGHT)
    return from_zero(figure)


def run_curve(
    rows: Rows,
    fields: Mapping[str, str],
    *,
    title: str,
    smoothing: float = 0.0,
    over: Mapping[str, Rows] | None = None,
) -> "Figure":
    """Return any figures of a run's rows over its epochs, as they are, a line a field.

    Args:
        rows: With ``epoch``; a field is drawn where it was measured.
        fields: Field -> what the line is called.
        title: Of the vertical axis.
        smoothing: See ``smoothed``.
        over: Further runs to lay over it, by name.
    """
    figure = _curves(rows, fields, scale=1, title=title, smoothing=smoothing, over=over)
    figure.update_yaxes(rangemode="normal")
    return figure


def accuracy_curves(rows: Rows) -> "Figure":
    """Return the share of train and val photos named rightly, in percent, epoch by epoch.

    Args:
        rows: With ``epoch`` and ``train_top1``, ``val_top1`` in 0-1 where they were measured.
    """
    return from_zero(_curves(rows, {"train_top1": "train", "val_top1": "validation"}, scale=100, title="right, %"))


def smoothed(values: Sequence[float], weight: float) -> list[float]:
    """Return the exponential moving average of a line: each value, and what came before it times ``weight``.

    Without a bias towards its first value (Kingma and Ba 2015, section 3): it is a weighted mean of what it has seen.

    Raises:
        ValueError: The weight is not in [0, 1).
    """
    if not 0 <= weight < 1:
        raise ValueError(f"smoothing must be in [0, 1), got {weight}")
    total = share = 0.0
    averaged = []
    for value in values:
        total = weight * total + (1 - weight) * value
        share = weight * share + (1 - weight)
        averaged.append(total / share)
    return averaged


def _curves(
    rows: Rows,
    fields: Mapping[str, str],
    *,
    scale: float,
    title: str,
    smoothing: float = 0.0,
    over: Mapping[str, Rows] | None = None,
) -> "Figure":
    """Return a line a field and run over the epochs; a legend only where there is more than one line.

    A colour a field where there is one run; else a colour a run and a dash a field.
    """
    others = over or {}
    of_fields = (ACCENT, SECOND, PALETTE[3]) if not others else (ACCENT,) * 3
    dashes = ("solid", "dash", "dot") if others else ("solid",) * 3
    lines = [
        _Line(name, colour, *_points(rows, field, scale), dash)
        for (field, name), colour, dash in zip(fields.items(), of_fields, dashes, strict=False)
    ]
    for (run, its_rows), colour in zip(others.items(), islice(_of_runs(), 1, None), strict=False):
        for (field, name), dash in zip(fields.items(), dashes, strict=False):
            called = run if len(fields) == 1 else f"{name}, {run}"
            lines.append(_Line(called, colour, *_points(its_rows, field, scale), dash))
    last = max((row["epoch"] for some in (rows, *others.values()) for row in some), default=1)
    return _lines(lines, title=title, last=last, smoothing=smoothing)


def _points(rows: Rows, field: str, scale: float) -> tuple[list[int], list[float]]:
    """Return the epochs in which a figure was measured, and the figures."""
    measured = [(row["epoch"], scale * row[field]) for row in rows if row.get(field) is not None]
    return [epoch for epoch, _ in measured], [float(f"{value:.6g}") for _, value in measured]


def thinned(epochs: list[Place], values: list[float]) -> tuple[list[Place], list[float]]:
    """Return at most ``_MOST`` points of a line: the ends, and of each stretch the highest and the lowest."""
    if len(epochs) <= _MOST:
        return epochs, values
    stretches = _MOST // 2 - 1
    kept = {0, len(values) - 1}
    for number in range(stretches):
        stretch = range(number * len(values) // stretches, (number + 1) * len(values) // stretches)
        kept |= {min(stretch, key=values.__getitem__), max(stretch, key=values.__getitem__)}
    return [epochs[i] for i in sorted(kept)], [values[i] for i in sorted(kept)]


def _lines(lines: Sequence[_Line], *, title: str, last: int, smoothing: float = 0.0) -> "Figure":
    """Return lines up to the last epoch; a legend where there are several. Smoothed, what was measured stays, faint."""
    from plotly import graph_objects as go

    figure = go.Figure()
    for line in lines:
        if smoothing:
            averaged = [float(f"{value:.6g}") for value in smoothed(line.values, smoothing)]
            _add(figure, line, f"{line.name}, measured", opacity=_FAINT, showlegend=False)
            _add(figure, line._replace(values=averaged), line.name)
        else:
            _add(figure, line, line.name)
    if len(lines) == 1:
        figure.update_traces(showlegend=False)
    layout_above_legend(figure, height=_HEIGHT, hovermode="x unified", hoverlabel={"namelength": -1})
    figure.update_xaxes(title="epoch", showgrid=False, dtick=1 if last <= 10 else None, tickformat="d")
    figure.update_xaxes(unifiedhovertitle={"text": "after epoch %{x}"})
    if last <= 1:
        figure.update_xaxes(range=[-0.1, 1.1])  # around a single point plotly invents negative epochs
    figure.update_yaxes(title=title, rangemode="tozero")
    return figure


def _add(figure: "Figure", line: _Line, name: str, **more: Any) -> None:
    epochs, values = thinned(line.epochs, line.values)
    marked = len(epochs) <= MARKED and not more
    figure.add_scatter(
        x=epochs, y=values, name=legend_name(name), mode="lines+markers" if marked else "lines",
        line={"color": line.colour, "width": 3 if marked else 2, "dash": line.dash}, marker={"size": 7},
        hovertemplate="%{y:.3~g}", **more,
    )  # fmt: skip
