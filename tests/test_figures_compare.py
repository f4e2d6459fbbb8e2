"""Runs beside each other: what is drawn are the numbers given, lines can be told apart, names stay whole."""

from typing import Any

import numpy as np
import pytest

from facessl import figures
from facessl.figures import Point

ROWS: list[dict[str, Any]] = [
    {"epoch": 0, "knn_accuracy": 0.25},
    {"epoch": 1, "knn_accuracy": 0.5, "val_top1": 0.4, "seconds": 90.0},
    {"epoch": 2, "knn_accuracy": None, "val_top1": 0.5, "seconds": 210.0},
]
NAMES = [f"Person {i}" for i in range(500)]
CHARTS: dict[str, dict[str, Any]] = {
    "lines": {
        "kind": "lines", "x_title": "labels, %", "y_title": "right, %", "lines": [
            {"name": "from <nothing>", "x": [1, 10, 100], "y": [20, 50, 80], "low": [10, 40, None],
             "high": [30, 60, None]},
            {"name": "pre-trained", "x": [1, 10, 100], "y": [40, 60, None]},
        ],
    },
    "bars": {
        "kind": "bars", "x_title": "", "y_title": "right, %", "lines": [
            {"name": "top-1", "x": ["theirs", "ours"], "y": [20, 80], "low": [None, 70], "high": [None, 85]},
        ],
    },
    "heat": {
        "kind": "heat", "x_title": "", "y_title": "", "x": ["yaw", "light"], "y": ["pixels", "SimCLR", "BYOL"],
        "z": [[0.1, 0.95], [0.5, None], [0.25, -0.1]], "lines": [],
    },
}  # fmt: skip


def recalls(people: int) -> Any:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 3, (2, people)) / 2
    return figures.recall_of_two(NAMES[:people], first, second, np.full(people, 2), ("One", "Other"))


EVERY = {
    "overlaid": lambda: figures.overlaid_curves({"a": ROWS}, "val_top1", "right, %", by="time"),
    "cost": lambda: figures.cost_against_accuracy([Point("a", "frozen", 9, 0.5, 0.4, 0.6)], "s", ("PCA", 0.4)),
    "few people": lambda: recalls(6),
    "many people": lambda: recalls(62),
    **{kind: lambda kind=kind: figures.report_chart(CHARTS[kind]) for kind in CHARTS},
}


@pytest.mark.parametrize("name", EVERY)
def test_the_same_data_give_the_same_bytes_in_the_one_look(name: str):
    figure = EVERY[name]()
    assert figure.to_json() == EVERY[name]().to_json()
    assert figure.layout.font.size == 15
    assert figure.layout.font.color is None  # the page's theme colours the text


def test_runs_lie_over_each_other_by_epoch():
    figure = figures.overlaid_curves({"SimCLR <b>": ROWS, "From nothing": ROWS[:2]}, "val_top1", "right, %")
    first, second = figure.data
    assert (list(first.x), list(first.y)) == ([1, 2], [40, 50])
    assert (list(second.x), list(second.y)) == ([1], [40])
    assert first.name == "SimCLR &lt;b&gt;"
    assert first.line.color != second.line.color
    assert figure.layout.showlegend


def test_by_time_a_point_lies_where_its_run_had_trained_so_long():
    line = figures.overlaid_curves({"a": ROWS}, "knn_accuracy", "k-NN, %", by="time")
    assert (list(line.data[0].x), list(line.data[0].y)) == ([0, 90], [25, 50])  # the last look found no k-NN
    assert line.layout.xaxis.title.text == "time trained, s"
    longer = figures.overlaid_curves({"a": ROWS}, "val_top1", "right, %", by="time")
    assert list(longer.data[0].x) == [1.5, 5]
    assert longer.layout.xaxis.title.text == "time trained, min"


def test_a_run_of_ten_thousand_epochs_stays_light_and_keeps_its_best():
    rows = [{"epoch": i, "val_top1": 0.9 if i == 4321 else 0.5, "seconds": 1.0} for i in range(10_000)]
    for by in ("epoch", "time"):
        (line,) = figures.overlaid_curves({"long": rows}, "val_top1", "right, %", by=by).data
        assert len(line.x) <= 1000 and max(line.y) == 90 and line.mode == "lines"


def test_thirty_runs_have_thirty_looks():
    figure = figures.overlaid_curves({f"run {i}": ROWS for i in range(30)}, "val_top1", "right, %")
    assert len({(trace.line.color, trace.line.dash) for trace in figure.data}) == 30


def test_a_long_name_is_whole_on_several_lines_for_which_there_is_room():
    name = "Fine-tuned resnet18 from SimCLR · resnet18 on lfw · seed 3 · 12bf"
    short, long = (figures.overlaid_curves({n: ROWS}, "val_top1", "%") for n in ("a", name))
    assert long.data[0].name.split("<br>") == ["Fine-tuned resnet18 from SimCLR ·", "resnet18 on lfw · seed 3 · 12bf"]
    assert long.layout.height > short.layout.height


def test_cost_and_accuracy_lie_where_they_are_with_their_interval():
    figure = figures.cost_against_accuracy(
        [Point("a", "fine-tuned", 120.0, 0.8, 0.7, 0.85), Point("b", "frozen", 12.0, 0.6, 0.5, 0.7)],
        "training time, s", ("PCA + LDA", 0.78),
    )  # fmt: skip
    first, second = figure.data
    assert (first.x[0], first.y[0]) == (120, 80)
    assert (first.error_y.arrayminus[0], first.error_y.array[0]) == pytest.approx((10, 5))
    assert first.marker.symbol != second.marker.symbol  # fine-tuned and frozen
    assert figure.layout.xaxis.type == "log"
    assert figure.layout.shapes[0].y0 == 78 and figure.layout.shapes[0].name == "PCA + LDA, 78.0 %"


@pytest.mark.parametrize(
    ("costs", "some"),
    [((12, 120), {"20", "50", "100"}), ((3000, 40_000), {"5,000", "10,000", "20,000"}), ((1, 1e7), {"10", "100,000"})],
)
def test_the_axis_of_costs_says_whole_numbers(costs: tuple[float, float], some: set[str]):
    figure = figures.cost_against_accuracy([Point("a", "frozen", cost, 0.5, 0.4, 0.6) for cost in costs], "s")
    assert some <= set(figure.layout.xaxis.ticktext)
    assert [float(text.replace(",", "")) for text in figure.layout.xaxis.ticktext] == list(figure.layout.xaxis.tickvals)
    assert figure.layout.xaxis.tickvals[0] <= costs[0] and figure.layout.xaxis.tickvals[-1] >= costs[1]


@pytest.mark.parametrize("costs", [(4250, 4558), (711, 711), (1, 1), (16, 19), (40, 400_000)])
def test_an_axis_of_costs_that_are_nearly_alike_has_ticks(costs: tuple[float, float]):
    figure = figures.cost_against_accuracy([Point("a", "frozen", cost, 0.5, 0.4, 0.6) for cost in costs], "s")
    low, high = (10**end for end in figure.layout.xaxis.range)
    assert low < min(costs) and max(costs) < high
    assert sum(low < tick < high for tick in figure.layout.xaxis.tickvals) >= 2


def test_a_curve_that_lies_on_another_is_seen():
    rows = [{"epoch": 1, "top1": 0.5}, {"epoch": 2, "top1": 0.7}]
    other = [{"epoch": 1, "top1": 0.4}, {"epoch": 2, "top1": 0.7}]
    figure = figures.overlaid_curves({"a": rows, "b": rows, "c": other, "d": rows}, "top1", "right, %")
    assert [trace.line.dash for trace in figure.data] == ["solid", "dash", "solid", "dot"]


def test_of_thirty_models_pointing_says_which_is_which_and_no_legend_takes_the_room():
    points = [Point(f"run {i}", "frozen", 10.0 + i, 0.5, 0.4, 0.6) for i in range(30)]
    figure = figures.cost_against_accuracy(points, "s", ("PCA", 0.4))
    assert not any(trace.showlegend for trace in figure.data)
    assert [trace.hovertemplate.split("<br>")[0] for trace in figure.data] == [point.name for point in points]
    assert figure.layout.height < 450


def test_few_people_have_both_recalls_side_by_side_the_firsts_gains_on_top():
    first, second = np.array([0.5, 1.0, 0.0]), np.array([0.5, 0.25, 1.0])
    figure = figures.recall_of_two(["Ada", "Bo", "Cy"], first, second, np.array([4, 4, 2]), ("One", "Other"))
    _, one, other = figure.data
    assert list(figure.layout.yaxis.ticktext) == ["Bo", "Ada", "Cy"]
    assert (list(one.x), list(other.x)) == ([100, 50, 0], [25, 50, 100])
    assert [list(row) for row in one.customdata] == [["Bo", 4], ["Ada", 4], ["Cy", 2]]


@pytest.mark.parametrize("people", [62, 500])
def test_many_people_are_differences_in_order_on_a_chart_of_one_height(people: int):
    figure = recalls(people)
    heights = {int(x): float(y) for trace in figure.data for x, y in zip(trace.x, trace.y, strict=True)}
    drawn = [heights.get(place, 0.0) for place in range(people)]
    assert drawn == sorted(drawn, reverse=True)
    assert figure.layout.height == recalls(62).layout.height
    assert all(y > 0 for y in figure.data[0].y) and all(y < 0 for y in figure.data[1].y)


def test_a_band_reaches_from_low_to_high_where_both_are_known():
    band, *lines = figures.report_chart(CHARTS["lines"]).data
    assert list(band.x) == [1, 10, 10, 1]
    assert list(band.y) == [30, 60, 40, 10]
    assert [list(line.y) for line in lines] == [[20, 50, 80], [40, 60, None]]
    assert lines[0].name == "from &lt;nothing&gt;"


def test_shares_of_labels_from_one_to_all_have_equal_room():
    axis = figures.report_chart(CHARTS["lines"]).layout.xaxis
    assert axis.type == "log" and list(axis.tickvals) == [1, 10, 100]


def test_few_shares_far_from_1_have_equal_room_too_each_with_its_tick():
    lines = [{"name": "a", "x": [10, 50, 100], "y": [1, 2, 3]}]
    axis = figures.report_chart({"kind": "lines", "x_title": "share of labels, %", "lines": lines}).layout.xaxis
    assert axis.type == "log" and list(axis.ticktext) == ["10", "50", "100"]


@pytest.mark.parametrize(("epochs", "step"), [(1, 1), (2, 1), (10, 1), (30, None)])
def test_epochs_are_whole_numbers_on_an_even_scale(epochs: int, step: int | None):
    lines = [{"name": "a", "x": list(range(1, epochs + 1)), "y": [0.5] * epochs}]
    axis = figures.report_chart({"kind": "lines", "x_title": "epoch", "lines": lines}).layout.xaxis
    assert (axis.dtick, axis.tickformat, axis.type) == (step, "d", None)


def test_a_quiet_line_is_thin_grey_and_dashed_behind_the_others_and_takes_no_colour_from_them():
    known = {"x": [1, 100], "y": [20, 50], "low": [10, 40], "high": [30, 60]}
    lines = [
        {"name": "pixels", "quiet": True, **known},
        {"name": "PCA", "quiet": True, **known},
        {"name": "a", **known},
    ]
    band, line, *quiet = figures.report_chart({"kind": "lines", "x_title": "labels, %", "lines": lines}).data
    assert band.fill == "toself" and line.name == "a" and line.line.color == figures.PALETTE[0]
    assert [trace.name for trace in quiet] == ["pixels", "PCA"]
    assert all(trace.line.color == figures.GREY and trace.line.dash != "solid" for trace in quiet)
    assert all(trace.line.width < line.line.width and trace.zorder < 0 for trace in quiet)
    assert quiet[0].marker.symbol != quiet[1].marker.symbol


def test_a_bar_carries_its_interval():
    (bar,) = figures.report_chart(CHARTS["bars"]).data
    assert list(bar.x) == [20, 80]
    assert list(bar.error_x.arrayminus) == [None, 10] and list(bar.error_x.array) == [None, 5]


def test_each_group_of_bars_has_its_whole_name_above_it_and_a_level_is_drawn():
    """A name that only one line has keeps its place among the others."""
    right = "done <right>, which is a sentence of some length"
    lines = [
        {"name": "guess", "x": ["as it was", "matched"], "y": [0.1, 0.3]},
        {"name": "layer", "x": ["as it was", right], "y": [0.6, 0.9]},
    ]
    level = {"name": "chance", "value": 1 / 6}
    figure = figures.report_chart({"kind": "bars", "y_title": "share", "lines": lines, "level": level})
    assert [list(bar.y) for bar in figure.data] == [[0, 1], [0, 2]]
    names = [note.text for note in figure.layout.annotations if note.xref == "paper"]
    assert names == ["as it was", "matched", "done &lt;right&gt;, which is a sentence of some<br>length"]
    first, second = figure.data
    assert first.offset + first.width == pytest.approx(second.offset)  # below one another, and none on the other
    assert second.offset + second.width < 1 + first.offset
    assert figure.layout.xaxis.tickformat == ".0%"
    assert [shape.x0 for shape in figure.layout.shapes] == [1 / 6] * 3
    for place, shape in enumerate(figure.layout.shapes):  # over the bars of each group, and through no name
        assert shape.y0 == pytest.approx(place + first.offset)
        assert shape.y1 == pytest.approx(place + second.offset + second.width)


def test_a_heat_map_says_its_numbers():
    figure = figures.report_chart(CHARTS["heat"])
    written = {(note.x, note.y): note.text for note in figure.layout.annotations}
    assert written == {
        (0, 0): ".10",
        (1, 0): ".95",
        (0, 1): ".50",
        (1, 1): "–",
        (0, 2): ".25",
        (1, 2): "-.10",
    }  # below 0 the number stays
    assert list(figure.layout.yaxis.ticktext) == ["pixels", "SimCLR", "BYOL"]
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]  # the first row on top
    assert (figure.data[0].zmin, figure.data[0].zmax) == (0, 0.95)  # and only the colour is that of 0


def test_a_heat_map_has_no_negative_nothing():
    figure = figures.report_chart({"kind": "heat", "x": ["yaw"], "y": ["pixels"], "z": [[-0.001]]})
    assert [note.text for note in figure.layout.annotations] == [".00"]


def test_what_is_compared_fills_its_chart_and_nothing_lies_on_its_edge():
    near = [{"epoch": epoch, "top1": share} for epoch, share in enumerate((0.86, 0.91, 0.95))]
    low, high = figures.overlaid_curves({"a": near}, "top1", "right, %").layout.yaxis.range
    assert 80 < low < 86 and 95 < high < 100
    point = figures.Point("one", "fine-tuned", 100, 0.92, 0.89, 0.95)
    low, high = figures.cost_against_accuracy([point], "s", ("PCA + LDA", 0.84)).layout.yaxis.range
    assert 80 < low < 84 and high > 95


def test_a_perfect_model_has_a_line_too():
    perfect = figures.roc_curves({"perfect": ([0.0, 0.0, 1.0], [0.0, 1.0, 1.0])}).data[0]
    assert (list(perfect.x), list(perfect.y)) == ([pytest.approx(0.1), 100], [100, 100])


def test_another_kind_is_refused():
    with pytest.raises(ValueError, match="pie"):
        figures.report_chart({"kind": "pie"})
