"""The parts of the Compare page one by one: what a run cost, whose answers can be paired, what is marked, reports."""

import csv
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from facessl import figures, studying
from facessl.significance import mcnemar
from pages._shared.compare import board, cells, charts, judged, names, report
from pages._shared.compare import people as compared
from pages._shared.compare.cost import cost_of
from pages._shared.compare.side import setting_name, unusual
from tests.pages.made import finetuned, make_run, tiny_set

# -- cost --------------------------------------------------------------------------------------------------------


def trained(workspace: Path, kind: str, seconds: list[float], steps: int, **settings: Any) -> Any:
    run = make_run(workspace, kind, "of the tests", **settings)
    for epoch, spent in enumerate(seconds, start=1):
        run.log_metrics(epoch=epoch, seconds=spent)
    run.update(step=steps, steps=steps)
    run.resolved(batch_size=16)
    return run


def test_a_run_costs_what_it_and_all_it_began_from_cost(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    first = trained(empty_workspace, "pretrain", [10, 20], steps=8)
    second = trained(empty_workspace, "pretrain", [5], steps=2, init=first.id)
    last = trained(empty_workspace, "finetune", [1, 2], steps=3, init=second.id)
    assert cost_of(first).seconds == 30
    assert cost_of(last).seconds == 38
    assert cost_of(last).images == 16 * (8 + 2 + 3)
    assert not cost_of(last).imagenet


def test_a_cost_that_nobody_knows_is_not_made_up(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    first = trained(empty_workspace, "pretrain", [10], steps=8)
    last = trained(empty_workspace, "finetune", [1], steps=3, init=first.id)
    borrowed = trained(empty_workspace, "finetune", [1], steps=3, init="imagenet")
    assert cost_of(make_run(empty_workspace, "finetune", "without figures")).seconds is None
    assert cost_of(borrowed).seconds == 1 and cost_of(borrowed).imagenet
    (first.path).rename(first.path.with_name(".gone"))
    assert cost_of(last).seconds is None and cost_of(last).images is None


# -- two models --------------------------------------------------------------------------------------------------


def test_answers_are_paired_only_on_the_same_photos_of_the_same_people(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    first, second = (finetuned(empty_workspace, title, right=right) for title, right in (("a", 6), ("b", 3)))
    test = judged.tested(first, second)
    assert test is not None and (test.only_first, test.only_second, test.both) == (3, 0, 3)
    path = second.path / "predictions.parquet"
    table = pd.read_parquet(path)
    table.iloc[::-1].to_parquet(path, index=False)  # in another order they are the same photos
    assert judged.tested(first, second) == test
    table.iloc[:5].to_parquet(path, index=False)
    assert judged.tested(first, second) is None


def test_a_person_called_otherwise_since_is_not_the_same_person(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    first = finetuned(empty_workspace, "before", right=6)
    one = judged.judged(first)
    assert one is not None
    renamed = judged.Judged(one.faces, one.labels, one.answers, ("Ada", *one.people[1:]))
    reordered = judged.Judged(one.faces, 2 - one.labels, 2 - one.answers, one.people[::-1])
    assert not one.same_photos_as(renamed)
    assert one.same_photos_as(reordered)  # the same names behind other numbers


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (7, 3, "7 photos only A got right, 3 only B: this can be chance (p = 0.34)."),
        (1, 12, "1 photo only A got right, 12 only B: this is hardly chance (p = 0.0034)."),
        (0, 60, "0 photos only A got right, 60 only B: this is hardly chance (p < 0.0001)."),
        (0, 0, "A and B got the same 4 photos right and wrong: there is no difference."),
    ],
)
def test_a_test_is_said_in_plain_words(first: int, second: int, said: str) -> None:
    right = [True] * first + [False] * second + [True] * 4
    other = [False] * first + [True] * second + [True] * 4
    assert judged.said(mcnemar(np.array(right), np.array(other)), "A", "B") == said


# -- settings ----------------------------------------------------------------------------------------------------


def test_what_is_unlike_most_is_marked() -> None:
    assert unusual(["20", "20", "40"]) == {"40"}
    assert unusual(["20", "40"]) == {"20", "40"}  # nobody leads
    assert unusual(["20", "20"]) == set()


def test_a_setting_is_told_in_words_and_without_powers_of_ten() -> None:
    assert [names.shown(value, {}) for value in (True, False, 3e-05, 0.5, 1e-4, 7, [], [1, 2], "abc")] == [
        "yes", "no", "0.00003", "0.5", "0.0001", "7", "none", "1, 2", "abc",
    ]  # fmt: skip


def test_a_nested_setting_says_where_it_belongs() -> None:
    assert setting_name("views.hue") == "Hue (views)"
    assert setting_name("options.temperature") == "Temperature"
    assert setting_name("seed") == "Seed"


# -- reports -----------------------------------------------------------------------------------------------------


def accuracy(share: float, how: str = "frozen", photos: int = 155) -> dict[str, Any]:
    return {"share": share, "low": share - 0.05, "high": share + 0.05, "photos": photos, "split": "test", "how": how}


TABLE: dict[str, Any] = {
    "title": "Theirs and ours", "note": "", "columns": ["What", "Theirs", "Ours", "Seeds"], "rows": [
        {"What": "Transfer", "Theirs": "0.71", "Ours": accuracy(0.9, "fine-tuned"), "Seeds": 3},
        {"What": "SimCLR", "Theirs": None, "Ours": accuracy(0.8), "Seeds": 5},
        {"What": "ImageNet", "Theirs": None, "Ours": "no weights here", "Seeds": None},
    ],
}  # fmt: skip


def test_an_accuracy_becomes_a_number_with_its_interval_and_what_all_share_is_said_once() -> None:
    columns, said = cells.spread_out(TABLE)
    assert columns["Ours"] == [pytest.approx(90), pytest.approx(80), None]
    assert columns["Ours · 95 % interval"] == ["85.0 % – 95.0 %", "75.0 % – 85.0 %", "no weights here"]
    assert columns["How"] == ["fine-tuned", "frozen", ""]
    assert columns["Seeds"] == [3, 5, None]
    assert said == "All accuracies: on test, 155 photos."


def test_where_photos_differ_each_row_says_how_many() -> None:
    rows = [{"What": "a", "Ours": accuracy(0.9)}, {"What": "b", "Ours": accuracy(0.8, photos=1200)}]
    columns, said = cells.spread_out({"title": "t", "columns": ["What", "Ours"], "rows": rows})
    assert columns["How"] == ["155 photos", "1,200 photos"]
    assert said == "All accuracies: frozen, on test."


def test_what_all_ways_share_is_said_once_and_leaves_a_column_that_fits() -> None:
    ways = ("fine-tuned, mean of 5 seeds, interval of both", "plain method, mean of 5 seeds, interval of both")
    rows = [{"What": way, "Ours": accuracy(0.9, way)} for way in ways]
    columns, said = cells.spread_out({"title": "t", "columns": ["What", "Ours"], "rows": rows})
    assert columns["How"] == ["fine-tuned", "plain method"]
    assert said == "All accuracies: mean of 5 seeds, interval of both, on test, 155 photos."
    rows.append(
        {"What": "c", "Ours": accuracy(0.9, "mean of 5 seeds, interval of both")}
    )  # of which nothing would stay
    columns, _ = cells.spread_out({"title": "t", "columns": ["What", "Ours"], "rows": rows})
    assert columns["How"] == [row["Ours"]["how"] for row in rows]


def test_where_the_accuracies_of_one_row_differ_each_says_how() -> None:
    rows = [
        {"What": "a", "Theirs": accuracy(0.2, "argmax"), "Ours": accuracy(0.9)},
        {"What": "b", "Theirs": accuracy(0.3, "argmax"), "Ours": accuracy(0.8, "fine-tuned")},
        {"What": "c", "Theirs": None, "Ours": accuracy(0.8, "fine-tuned")},
    ]
    columns, said = cells.spread_out({"title": "t", "columns": ["What", "Theirs", "Ours"], "rows": rows})
    assert columns["Ours · how"] == ["frozen", "fine-tuned", "fine-tuned"]
    assert "How" not in columns
    # What is the same all the way down a column takes no room beside it.
    assert "Theirs · how" not in columns and said.endswith("Theirs: argmax.")


def test_what_is_the_same_for_all_rows_of_a_model_is_said_below_the_table() -> None:
    """S1's table: a sentence in every row pushed what is compared out of sight."""
    rows = [
        {"model": model, "epoch": epoch, "Theirs": accuracy(0.2, way), "Ours": accuracy(0.9)}
        for model, way in (("SimCLR", "argmax"), ("ResNet18", "with names"))
        for epoch in (1, 2)
    ]
    rows[1]["Theirs"] = None  # one that was measured once is no other case
    columns, said = cells.spread_out({"title": "t", "columns": ["model", "epoch", "Theirs", "Ours"], "rows": rows})
    assert not any("how" in column.lower() for column in columns)
    assert "Theirs: argmax (SimCLR); with names (ResNet18). Ours: frozen." in said


def test_how_each_was_measured_stands_behind_all_that_is_compared() -> None:
    rows = [
        {"What": what, "Theirs": accuracy(0.2, theirs), "Ours": accuracy(0.9, ours)}
        for what, theirs, ours in (("a", "argmax", "frozen"), ("b", "matched", "frozen"), ("c", "argmax", "tuned"))
    ]
    columns, _ = cells.spread_out({"title": "t", "columns": ["What", "Theirs", "Ours"], "rows": rows})
    assert list(columns) == [
        "What", "Theirs", "Theirs · 95 % interval", "Ours", "Ours · 95 % interval", "Theirs · how", "Ours · how"
    ]  # fmt: skip


def test_an_interval_beside_its_accuracy_takes_its_own_room_and_a_remark_what_it_needs() -> None:
    shown = report._interval_column(["", "12.5 % – 100.0 %"], "")
    assert shown["label"] == "95 % interval" and shown["width"]
    assert report._interval_column(["12.5 % – 100.0 %", "the weights are not here"], "")["width"] is None


@pytest.mark.parametrize(("of", "label"), [("top-3", "Top-3, 95 %"), ("ours done right: top-1", "95 % interval")])
def test_an_interval_says_of_which_of_several_accuracies_it_is(of: str, label: str) -> None:
    shown = report._interval_column(["12.5 % – 100.0 %"], of)
    assert shown["label"] == label and shown["help"] == f"95 % interval of {of}"


def test_csv_of_a_report_holds_all_that_is_known_of_an_accuracy() -> None:
    rows = list(csv.DictReader(io.StringIO(cells.as_csv(TABLE))))
    assert rows[0]["Ours share (0-1)"] == "0.9" and rows[0]["Ours photos"] == "155" and rows[0]["Ours split"] == "test"
    assert float(rows[1]["Ours low (0-1)"]) == pytest.approx(0.75)
    assert rows[2]["Ours share (0-1)"] == "" and rows[2]["Ours how"] == "no weights here"
    assert [row["Theirs"] for row in rows] == ["0.71", "", ""]


def test_csv_of_a_report_holds_a_figure_and_its_interval_as_numbers() -> None:
    rows = [{"model": "SimCLR", "yaw": studying.figure(-0.001, (-0.002, 0.1))}, {"model": "majority"}]
    table = {"title": "t", "columns": ["model", "yaw"], "rows": rows}
    first, second = csv.DictReader(io.StringIO(cells.as_csv(table)))
    assert first == {"model": "SimCLR", "yaw": "-0.001", "yaw low": "-0.002", "yaw high": "0.1"}
    assert second == {"model": "majority", "yaw": "", "yaw low": "", "yaw high": ""}
    columns, _ = cells.spread_out(table)
    assert columns["yaw"] == ["0.00 (0.00 to 0.10)", ""]  # no negative nothing


def test_columns_of_a_kind_are_known_by_their_names_and_numbers() -> None:
    assert cells.is_share("its macro-F1") and cells.is_share("chance, knowing nothing") and not cells.is_share("epoch")
    assert not cells.is_share("NMI by chance")
    assert report._is_fine([0.05, None, 0.1534, 1]) and not report._is_fine([1.5, "censored"])
    assert not report._is_fine([1, 2]) and not report._is_fine([0.5, 30.0])
    assert cells._text(1 / 3) == "0.333"


def test_a_chart_that_is_saved_has_a_title_and_a_font_that_its_picture_has_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's web font stays behind; what was measured with it is cut in the wider one that stands in for it."""
    drawn: list[Any] = []
    monkeypatch.setattr(charts.st, "plotly_chart", lambda figure, **_: drawn.append(figure))
    figure = figures.roc_curves({"one": ([0.0, 1.0], [0.0, 1.0])})
    high = figure.layout.height
    charts.chart(figure, title="Which <model> says what of the pairs of a set", key="k", name="roc")
    layout = drawn[0].layout
    assert layout.font.family.startswith("Arial") and layout.legend.font.family is None
    # It is understood away from its page, and its title takes no room from it.
    assert layout.title.text == "<b>Which &lt;model&gt; says what of the pairs of a<br>set</b>"
    assert layout.height == high + 2 * 22 and layout.margin.t == 30 + 2 * 22


@pytest.mark.parametrize(
    ("better", "drawn", "title"),
    [(0, 40, "difference"), (3, 3, "find differently"), (30, 40, "the difference, person by person")],
)
def test_of_many_people_those_are_named_whom_two_models_find_differently(
    monkeypatch: pytest.MonkeyPatch, better: int, drawn: int, title: str
) -> None:
    people, photos = [f"Person {number}" for number in range(40)], np.full(40, 4)
    first = np.where(np.arange(40) < better, 1.0, 0.5)
    models = [SimpleNamespace(people=people, recall=lambda r=r: (r, photos)) for r in (first, np.full(40, 0.5))]
    shown: list[Any] = []
    monkeypatch.setattr(compared, "chart", lambda figure, title, **_: shown.extend([figure, title]))
    monkeypatch.setattr(compared, "table", lambda *_: None)
    compared.by_person(*models, ("one", "other"))  # type: ignore[arg-type]
    assert title in shown[1]
    named = shown[0].layout.yaxis.ticktext
    assert (len(named) == drawn) if drawn < 40 else named is None


def test_a_saved_picture_is_called_by_whole_words() -> None:
    called = charts._file_name("gen factors What a straight line reads out (0: no better than chance, 1: everything)")
    assert called == "gen-factors-what-a-straight-line-reads-out-0-no-better-than"
    assert charts._file_name("?") == "chart"


def test_of_many_rows_each_has_two_lines_and_of_equals_the_network_stands_first() -> None:
    long = "Frozen ResNet18 from SimCLR · ResNet18 on gen · seed 192 · epochs 2 · image side in pixels 40 · 00c0"
    assert names.row_height([long], lines=2) == names.row_height([long[:60]]) < names.row_height([long])


def test_csv_of_a_report_says_which_columns_are_shares() -> None:
    table = {"title": "t", "columns": ["What", "macro-F1", "chance"], "rows": [{"What": "a", "macro-F1": 0.5}]}
    (row,) = csv.DictReader(io.StringIO(cells.as_csv(table)))
    assert row == {"What": "a", "macro-F1 (0-1)": "0.5", "chance (0-1)": ""}


def test_few_seconds_are_told_to_a_tenth_and_names_get_the_lines_they_need() -> None:
    assert [board._rounded(seconds) for seconds in (None, 0.42, 9.94, 9.96, 123.4)] == [None, 0.4, 9.9, 10.0, 123.0]
    # Streamlit wraps text only in rows of more than 4 rem, which are 68 pixels here.
    assert names.row_height(["TinyVGG"]) < 68 < names.row_height(["Fine-tuned TinyVGG from SimCLR · TinyVGG on demo"])
