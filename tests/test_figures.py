"""The charts show the numbers they were given, stay the same byte for byte, and can be told apart by everybody."""

import base64
import itertools
import math
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest

from facessl import figures
from facessl.figures._below import legend_name

NAMES = [f"Person {i}" for i in range(70)]
ROWS: list[dict[str, Any]] = [
    {"epoch": 0, "knn_accuracy": 0.25},
    {"epoch": 1, "loss": 5.0, "knn_accuracy": 0.5, "train_top1": 0.6, "val_top1": 0.4},
    {"epoch": 2, "loss": 4.5, "knn_accuracy": None, "train_top1": 0.8, "val_top1": 0.5},
]


def numbers(field: Any) -> list[float]:
    """Return a trace's numbers, whether plotly keeps them as a list or as packed bytes."""
    if isinstance(field, dict):
        return np.frombuffer(base64.b64decode(field["bdata"]), dtype=field["dtype"]).tolist()
    return list(field)


def test_figures_wait_until_pandas_is_loaded_by_whoever_loads_it() -> None:
    """Plotly takes a pandas that another thread has half loaded for a whole one, and fails."""
    code = """
import sys, threading, time
threading.Thread(target=lambda: __import__("pandas")).start()
while "pandas" not in sys.modules:
    time.sleep(0.001)
from facessl import figures
sys.exit(not hasattr(sys.modules["pandas"], "Series"))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def under(chance: float, rows: list[dict[str, Any]] = ROWS) -> list[dict[str, Any]]:
    """Return the rows with the loss of a network that has learnt nothing."""
    return [{**row, "chance": chance} if "loss" in row else row for row in rows]


def lines_of(figure: Any) -> list[float]:
    return [shape.y0 for shape in figure.layout.shapes]


def a_map(count: int, groups: int) -> Any:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, count)).astype(np.float32)
    return figures.embedding_map(x, y, np.arange(count) % groups, NAMES[:groups], np.arange(count) + 7)


EVERY = {
    "loss": lambda: figures.loss_curve(under(5.5)),
    "knn": lambda: figures.knn_curve(ROWS, {"pixels": 0.3, "untrained network": 0.25}),
    "accuracy": lambda: figures.accuracy_curves(ROWS),
    "run": lambda: figures.run_curve(ROWS, {"loss": "loss"}, title="loss", smoothing=0.6, over={"other": ROWS[1:]}),
    "people": lambda: figures.photos_per_person(NAMES[:3], {"train": [1, 5, 2], "val": [1, 1, 1]}),
    "many people": lambda: figures.photos_per_person(NAMES, {"train": list(range(70))}),
    "map": lambda: a_map(50, 5),
    "large map": lambda: a_map(1500, 62),
    "confusion": lambda: figures.confusion([[3, 1], [0, 4]], NAMES[:2]),
    "large confusion": lambda: figures.confusion(np.eye(70, dtype=int), NAMES),
    "bars": lambda: figures.similarity_bars([("Ada", 0.8), ("Bo", 0.4)], 0.6),
    "histogram": lambda: figures.impostor_histogram(np.linspace(0, 0.5, 20), np.linspace(0.4, 1, 20), 0.45),
}


@pytest.mark.parametrize("name", EVERY)
def test_the_same_data_give_the_same_bytes(name: str):
    assert EVERY[name]().to_json() == EVERY[name]().to_json()


@pytest.mark.parametrize("name", EVERY)
def test_every_figure_has_the_one_look(name: str):
    layout = EVERY[name]().layout
    assert layout.paper_bgcolor == layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert layout.font.size == 15
    assert layout.font.color is None  # the page's theme colours the text
    assert layout.height >= 150


def test_the_loss_is_drawn_under_the_line_of_nothing_learnt():
    figure = figures.loss_curve(under(math.log(255)))
    assert (numbers(figure.data[0].x), numbers(figure.data[0].y)) == ([1, 2], [5.0, 4.5])
    assert lines_of(figure) == [math.log(255)]
    assert [(shape.name, shape.showlegend) for shape in figure.layout.shapes] == [("nothing learnt", True)]
    assert not figure.layout.annotations  # along the line it would lie on a curve that begins there
    assert not figures.loss_curve(ROWS).layout.shapes


def test_the_line_of_nothing_learnt_steps_where_a_run_went_on_with_another_batch_size():
    rows = [{"epoch": n, "loss": 4.0, "chance": math.log(127 if n <= 3 else 1023)} for n in range(1, 6)]
    figure = figures.loss_curve(rows)
    assert [(shape.x0, shape.x1, shape.y0, shape.y1) for shape in figure.layout.shapes] == [
        (1, 3.5, math.log(127), math.log(127)), (3.5, 5, math.log(1023), math.log(1023)),
    ]  # fmt: skip
    assert [shape.showlegend for shape in figure.layout.shapes] == [True, None]


def test_each_run_laid_over_has_its_own_line_of_nothing_learnt_where_they_differ():
    own, other = under(math.log(127)), under(math.log(1023))
    figure = figures.loss_curve(own, over={"larger batches": other, "no such number": ROWS})
    assert lines_of(figure) == [math.log(127), math.log(1023)]
    colours = [trace.line.color for trace in figure.data]
    assert [shape.line.color for shape in figure.layout.shapes] == colours[:2]
    assert [shape.name for shape in figure.layout.shapes] == ["nothing learnt", "nothing learnt, larger batches"]
    assert all(shape.showlegend for shape in figure.layout.shapes) and not figure.layout.annotations
    bottom, top = figure.layout.yaxis.range
    assert bottom == 0 and top > math.log(1023)
    alike = figures.loss_curve(own, over={"the same": own})
    assert lines_of(alike) == [math.log(127)] and alike.layout.shapes[0].name == "nothing learnt"


def test_a_run_laid_over_with_its_own_steps_is_named_once():
    own = under(math.log(127))
    steps = [{"epoch": n, "loss": 4.0, "chance": math.log(127 if n <= 3 else 1023)} for n in range(1, 6)]
    shapes = figures.loss_curve(own, over={"it": steps}).layout.shapes
    assert [shape.name for shape in shapes if shape.showlegend] == ["nothing learnt", "nothing learnt, it"]
    assert len(shapes) == 3


def test_two_figures_of_two_runs_are_a_colour_a_run_and_a_dash_a_figure():
    rows = [{"epoch": 1, "alignment": 0.5, "uniformity": -1.0}]
    fields = {"alignment": "alignment", "uniformity": "uniformity"}
    lines = figures.run_curve(rows, fields, title="", over={"other": rows}).data
    assert len({line.line.color for line in lines[:2]}) == len({line.line.color for line in lines[2:]}) == 1
    assert lines[0].line.color != lines[2].line.color
    assert [line.line.dash for line in lines] == ["solid", "dash"] * 2
    alone = figures.run_curve(rows, fields, title="").data
    assert alone[0].line.color != alone[1].line.color


@pytest.mark.parametrize("weight", [0.0, 0.3, 0.9])
def test_smoothing_is_pandas_exponential_mean(weight: float):
    values = np.random.default_rng(0).normal(size=50)
    expected = pd.Series(values).ewm(alpha=1 - weight, adjust=True).mean()
    assert figures.smoothed(list(values), weight) == pytest.approx(list(expected))


def test_a_smoothing_that_forgets_nothing_is_refused():
    with pytest.raises(ValueError, match="1"):
        figures.smoothed([1.0], 1.0)


def test_what_was_measured_stays_faint_behind_the_smoothed_line():
    figure = figures.loss_curve(ROWS, smoothing=0.5)
    measured, averaged = figure.data
    assert (numbers(measured.y), measured.opacity < 0.5) == ([5.0, 4.5], True)
    # By hand: weights 1/2 and 1/4 of what was seen, made to sum to 1.
    assert numbers(averaged.y) == pytest.approx([5.0, (0.5 * 4.5 + 0.25 * 5.0) / 0.75], rel=1e-5)
    assert figure.layout.showlegend is False


def test_another_run_is_laid_over_in_another_colour():
    figure = figures.knn_curve(ROWS, {}, over={"<b>other": ROWS[1:]})
    own, other = figure.data
    assert (numbers(own.y), numbers(other.y)) == ([25, 50], [50])
    assert own.line.color != other.line.color
    assert other.name == "&lt;b&gt;other" and figure.layout.showlegend
    assert figure.layout.hovermode == "x unified"


def test_thousands_of_epochs_are_thinned_and_keep_their_ends_and_peaks():
    rows = [{"epoch": epoch, "loss": 5 - epoch / 5000} for epoch in range(1, 5001)]
    rows[3333]["loss"] = 40.0
    line = figures.loss_curve(rows).data[0]
    x, y = numbers(line.x), numbers(line.y)
    assert len(x) <= 1000 and (x[0], x[-1]) == (1, 5000) and x == sorted(x)
    assert (x[y.index(40.0)], line.mode) == (3334, "lines")


def test_accuracies_are_in_percent_and_gaps_are_left_out():
    figure = figures.knn_curve(ROWS, {"pixels": 0.3, "untrained network": 0.25})
    assert (numbers(figure.data[0].x), numbers(figure.data[0].y)) == ([0, 1], [25, 50])
    assert sorted(lines_of(figure)) == [25, 30]
    assert not figures.knn_curve(ROWS, {}).layout.shapes
    train, val = figures.accuracy_curves(ROWS).data
    assert (train.name, numbers(train.y)) == ("train", [60, 80])
    assert (val.name, numbers(val.y)) == ("validation", [40, 50])


def test_the_lines_to_beat_are_named_in_the_legend():
    figure = figures.knn_curve(ROWS, {"normalised pixels": 0.25, "untrained network": 0.26})
    assert [(shape.name, shape.showlegend) for shape in figure.layout.shapes] == [
        ("normalised pixels 25 %", True), ("untrained network 26 %", True)
    ]  # fmt: skip
    assert figure.layout.showlegend and not figures.knn_curve(ROWS, {}).layout.showlegend
    assert len({shape.line.dash for shape in figure.layout.shapes}) == 2


def ticks_of(figure: Any) -> list[float]:
    """Return the ticks that fit the range of the vertical axis."""
    low, high = figure.layout.yaxis.range
    step = figure.layout.yaxis.dtick
    return [n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


@pytest.mark.parametrize("height", [0.0071, 0.07, 0.32, 0.47, 0.5, 0.83, 1.0])
def test_the_axes_begin_at_zero_and_a_tick_stands_above_all_that_is_drawn(height: float):
    rows = [{"epoch": epoch, "loss": 9 * height * share, "knn_accuracy": height * share} for epoch, share in
            ((1, 0.5), (2, 0.9))]  # fmt: skip
    for figure, line in ((figures.loss_curve(under(9 * height, rows)), 9 * height),
                         (figures.knn_curve(rows, {"pixels": height}), 100 * height)):  # fmt: skip
        ticks = ticks_of(figure)
        assert ticks[0] == 0 and line <= ticks[-1] * (1 + 1e-9) and ticks[-2] < line
        assert 3 <= len(ticks) <= 8
        assert figure.layout.yaxis.range[0] == 0


@pytest.mark.parametrize("highest", [0.94, 0.991, 1.0])
def test_an_axis_of_accuracies_that_come_near_100_has_its_tick(highest: float):
    rows = [{"epoch": epoch, "train_top1": share, "val_top1": 0.3} for epoch, share in ((1, 0.5), (2, highest))]
    for figure in (figures.accuracy_curves(rows), figures.overlaid_curves({"one": rows}, "train_top1", "right, %")):
        assert ticks_of(figure)[-1] == 100


@pytest.mark.parametrize(("name", "lines"), [
    ("Fine-tuned TinyVGG from SimCLR · TinyVGG on g", ["Fine-tuned TinyVGG from", "SimCLR · TinyVGG on g"]),
    ("k-NN <b>", ["k-NN &lt;b&gt;"]),
    ("", ["–"]),
])  # fmt: skip
def test_a_long_name_in_a_legend_breaks_into_lines_of_about_one_length(name: str, lines: list[str]):
    assert legend_name(name).split("<br>") == lines


def test_a_loss_below_zero_has_a_tick_below_it():
    rows = [{"epoch": 1, "loss": 0.4}, {"epoch": 2, "loss": -0.33}]
    assert min(ticks_of(figures.loss_curve(rows))) <= -0.33


def test_a_long_name_laid_over_takes_no_height_from_the_chart():
    name = "A run with a very long name that somebody gave it, and more of it still · 11-22 23:10 · 1a2b"
    alone, laid = figures.loss_curve(ROWS), figures.loss_curve(ROWS, over={name: ROWS})

    def inner(figure: Any) -> int:
        return int(figure.layout.height - figure.layout.margin.t - figure.layout.margin.b)

    assert inner(laid) >= inner(alone) - 70  # the axis' title is counted in the margin there
    assert laid.layout.legend.yref == "container" and laid.data[1].name.replace("<br>", " ") == name


def test_nothing_measured_yet_is_an_empty_chart():
    assert numbers(figures.accuracy_curves([]).data[0].x) == []


def test_bars_are_the_counts_most_first():
    train, val = figures.photos_per_person(["Ada", "7", "Cy"], {"train": [1, 5, 2], "val": [1, 1, 3]}).data
    assert (numbers(train.x), numbers(val.x)) == ([5, 2, 1], [1, 3, 1])
    assert list(train.customdata) == ["7", "Cy", "Ada"]
    tall = figures.photos_per_person(NAMES, {"train": list(range(70))}).data[0]
    assert numbers(tall.y) == list(range(69, -1, -1))


def test_people_whose_shortened_names_are_the_same_stay_apart():
    names = ["Maximiliane Charlotte of A", "Maximiliane Charlotte of B"]
    figure = figures.photos_per_person(names, {"train": [3, 2]})
    assert numbers(figure.data[0].y) == [0, 1]
    assert len(figure.layout.yaxis.ticktext) == 2


@pytest.mark.parametrize(("count", "kind"), [(60, "scatter"), (1001, "scattergl")])
def test_the_map_holds_every_point_once_with_its_face(count: int, kind: str):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, count)).astype(np.float32)
    groups = rng.integers(-1, 5, count)
    figure = figures.embedding_map(x, y, groups, NAMES[:5], np.arange(count) + 1000)
    seen = {}
    for trace in figure.data:
        assert trace.type == kind
        for place, face in zip(zip(numbers(trace.x), numbers(trace.y), strict=True), trace.customdata, strict=True):
            seen[face[0]] = (*place, trace.name)
    assert sorted(seen) == list(range(1000, 1000 + count))
    for i in range(count):
        name = NAMES[groups[i]] if groups[i] >= 0 else "not named"
        assert seen[1000 + i] == (x[i], y[i], name)
    assert figure.data[0].marker.color == figures.GREY  # the nameless lie beneath


def test_points_that_are_not_selected_turn_grey():
    assert all(trace.unselected.marker.color == figures.GREY for trace in a_map(50, 5).data)
    assert a_map(50, 5).layout.dragmode == "lasso"


def test_62_people_look_different():
    looks = {(trace.marker.color, trace.marker.symbol) for trace in a_map(1500, 62).data}
    assert len(looks) == 62


def test_a_large_map_is_light():
    """13,233 points cost 0.4 MB at most, or a lasso waits for the line."""
    assert len(a_map(13_233, 62).to_json()) < 400_000


def test_confusion_shows_shares_and_can_be_clicked():
    matrix = np.array([[6, 2, 0], [0, 5, 0], [0, 0, 0]])
    figure = figures.confusion(matrix, ["Ada", "Bo", "Cy"])
    shares = np.array(numbers(figure.to_dict()["data"][0]["z"])).reshape(3, 3)
    assert shares == pytest.approx(np.array([[0.75, 0.25, 0], [0, 1, 0], [0, 0, 0]]))
    points = figure.data[1]
    assert [list(cell) for cell in points.customdata] == [[0, 0, 6], [0, 1, 2], [1, 1, 5]]
    assert (numbers(points.x), numbers(points.y)) == ([0, 1, 1], [0, 0, 1])  # x is the answer
    assert points.hovertext[1] == "Ada taken for Bo: 2 of 8"
    assert [note.text for note in figure.layout.annotations] == ["6", "2", "5"]


def test_similarity_bars_part_at_the_threshold():
    figure = figures.similarity_bars([("Ada", 0.8), ("Bo", 0.6), ("Cy", -0.1)], 0.6)
    assert numbers(figure.data[0].x) == [0.8, 0.6, -0.1]
    assert list(figure.data[0].marker.color) == [figures.ACCENT, figures.ACCENT, figures.GREY]
    assert figure.layout.shapes[0].x0 == 0.6
    assert figure.layout.xaxis.range[0] == -0.1


def test_the_histogram_counts_everybody_once():
    impostors, genuine = np.random.default_rng(0).uniform(-1, 1, (2, 57))
    figure = figures.impostor_histogram(impostors, genuine, 0.5)
    assert all(sum(trace.y) == pytest.approx(100, abs=0.05) for trace in figure.data)
    assert figures.impostor_histogram(np.zeros(0), np.zeros(0), 0.5).data[0].y is not None


def test_names_are_never_markup():
    figure = figures.embedding_map(np.zeros(1), np.zeros(1), np.zeros(1, int), ["<b>Ada</b>"])
    assert figure.data[0].name == "&lt;b&gt;Ada&lt;/b&gt;"


# -- colours -----------------------------------------------------------------------------------------------------

# Machado et al. 2009, severity 1: what people without one kind of cone see, in linear RGB.
SIGHT = {
    "all cones": np.eye(3),
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
}


def linear(colour: str) -> np.ndarray:
    encoded = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    t = to_xyz @ np.clip(rgb, 0, 1) / [0.9505, 1, 1.089]
    f = np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("sight", SIGHT)
def test_any_two_colours_differ_for_everybody(sight: str):
    seen = [lab(np.array(SIGHT[sight]) @ linear(colour)) for colour in figures.PALETTE]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 20


@pytest.mark.parametrize("colour", [*figures.PALETTE, figures.ACCENT, figures.GREY])
@pytest.mark.parametrize("page", ["#fcfbf9", "#14171a"])
def test_colours_stand_out_in_light_and_dark(colour: str, page: str):
    weights = np.array([0.2126, 0.7152, 0.0722])
    one, other = sorted([linear(colour) @ weights, linear(page) @ weights])
    assert (other + 0.05) / (one + 0.05) > 2.2


def test_on_a_map_of_many_people_no_legend_takes_the_room_and_pointing_says_who_it_is():
    x = np.arange(62, dtype=np.float32)
    many = figures.embedding_map(x, x, np.arange(62), [f"Person {i}" for i in range(62)])
    assert not many.layout.showlegend
    assert {trace.hovertemplate for trace in many.data} == {f"Person {i}<extra></extra>" for i in range(62)}
    assert figures.embedding_map(x[:8], x[:8], np.arange(8), NAMES).layout.showlegend
