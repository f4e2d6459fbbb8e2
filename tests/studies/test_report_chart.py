"""A study's chart with two measures: each on its own axis, and a level that runs through no name."""

import pytest

from facessl import figures

LINES = [
    {"name": "a: accuracy", "x": [1, 2], "y": [0.2, 0.4], "low": [0.1, 0.3], "high": [0.3, 0.5]},
    {"name": "b: accuracy", "x": [1, 2], "y": [0.3, 0.5]},
    {"name": "a: loss", "x": [1, 2], "y": [4.0, 3.0], "low": [3, 2], "high": [5, 4], "right": True},
    {"name": "b: loss", "x": [1, 2], "y": [5.0, 2.0], "right": True},
]


def test_loss_has_an_axis_of_its_own_so_that_accuracy_does_not_lie_flat() -> None:
    chart = {"kind": "lines", "x_title": "epoch", "y_title": "share", "right_title": "loss", "lines": LINES}
    figure = figures.report_chart(chart)
    drawn = {trace.name: trace for trace in figure.data if trace.name}
    assert [drawn[f"{way}: {what}"].yaxis for what in ("accuracy", "loss") for way in "ab"] == [None, None, "y2", "y2"]
    assert (figure.layout.yaxis2.side, figure.layout.yaxis2.overlaying) == ("right", "y")
    assert (figure.layout.yaxis.title.text, figure.layout.yaxis2.title.text) == ("share", "loss")
    for way in "ab":  # the same way in the same colour, told apart by the dash
        accuracy, loss = drawn[f"{way}: accuracy"].line, drawn[f"{way}: loss"].line
        assert accuracy.color == loss.color and (accuracy.dash, loss.dash) == ("solid", "dash")


@pytest.mark.parametrize("times", [1, 37, 1000])
def test_one_grid_is_read_from_both_sides_and_nothing_drawn_is_above_it(times: int) -> None:
    lines = [{**line, "y": [y * times for y in line["y"]]} if line.get("right") else line for line in LINES]
    layout = figures.report_chart({"kind": "lines", "x_title": "epoch", "lines": lines}).layout
    left, right = layout.yaxis, layout.yaxis2
    assert left.range[0] == right.range[0] == 0
    assert left.range[1] / left.dtick == pytest.approx(right.range[1] / right.dtick)
    assert left.range[1] > 0.5 and right.range[1] > 5 * times  # the band's upper end, and the highest loss
    assert right.range[1] < 2.5 * 5 * times  # and it does not lie flat


def test_a_name_fits_above_its_bars_however_long_it_is_and_however_few_there_are() -> None:
    for names, lines_of_one in ((["a"], 2), (["a", "b", "c"], 2), (["word " * 25, "b"], 3)):
        lines = [{"name": "right", "x": names, "y": [0.5] * len(names)}, {"name": "guess", "x": names, "y": [0.1]}]
        layout = figures.report_chart({"kind": "bars", "y_title": "share", "lines": lines}).layout
        plot = layout.height - layout.margin.t - layout.margin.b
        # 0.6 of a group are above its bars; a line of 15 pixels takes 20 with its leading.
        assert 0.6 * plot / len(names) >= 20 * lines_of_one + 5


def test_the_names_of_columns_end_below_them_where_they_must_turn() -> None:
    """Plotly leaves out the last of names that begin there and lean beyond the edge."""
    heat = {"title": "h", "kind": "heat", "x": ["a", "b"], "y": ["c"], "z": [[0.1, 0.2]], "lines": []}
    assert all(angle <= 0 for angle in figures.report_chart(heat).layout.xaxis.autotickangles)


def test_one_measure_has_one_axis() -> None:
    figure = figures.report_chart({"kind": "lines", "x_title": "epoch", "lines": LINES[:2]})
    assert "yaxis2" not in figure.layout
