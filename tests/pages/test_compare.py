import csv
import io
import json
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from facessl.studio import Studio
from pages._shared import results
from pages._shared.compare import board
from pages._shared.compare.names import names_of
from pages._shared.words import label
from tests.pages.made import APP, finetuned, make_run, open_page, pretrained, tiny_set, words
from tests.tiny import make_set


@pytest.fixture
def two_runs(empty_workspace: Path) -> Path:
    tiny_set(empty_workspace)
    first = pretrained(empty_workspace)
    finetuned(empty_workspace, "All labels", right=6, init=first.id, learning_rate=0.001)
    finetuned(empty_workspace, "A quarter", right=3, init="scratch", label_fraction=0.25)
    return empty_workspace


def test_without_faces_it_leads_to_data(empty_workspace: Path) -> None:
    app = open_page("compare")
    assert not app.exception
    assert "Prepare a set first" in words(app)


def test_without_finished_runs_it_leads_to_pretrain(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    app = open_page("compare")
    assert not app.exception
    assert "No run on **tiny** is finished yet" in words(app)


def test_networks_and_plain_methods_stand_in_one_table_best_first(two_runs: Path) -> None:
    app = open_page("compare")
    assert not app.exception
    table = app.dataframe[0].value
    assert table["What"].tolist()[0] == "All labels"
    assert table["top-1"].tolist() == sorted(table["top-1"], reverse=True)
    # Plain methods are measured once for each share of the labels that a run used.
    assert (table["What"] == "PCA + SVM").sum() == 2
    assert sorted(set(table["Labels used"])) == [25, 100]  # numbers, which sort as such
    assert set(table["Photos"]) == {6}
    assert set(table["Split"]) == {"test"}


def test_knn_on_val_is_a_table_of_its_own(two_runs: Path) -> None:
    app = open_page("compare")
    table = app.dataframe[1].value
    assert table["What"].tolist() == ["SimCLR of the tests", "Normalised pixels", "Untrained ResNet18", "Raw pixels"]
    assert table["k-NN"].tolist() == pytest.approx([500 / 6, 50, 200 / 6, 100 / 6])
    assert set(table["Split"]) == {"val"}


def test_only_settings_that_differ_are_listed(two_runs: Path) -> None:
    app = open_page("compare")
    listed = app.dataframe[2].value
    assert listed.columns.tolist() == ["Run", label("init"), label("learning_rate"), label("label_fraction")]
    rows = {run: settings for run, *settings in listed.values.tolist()}
    assert rows["All labels"] == ["SimCLR of the tests", "0.001", "1"]
    assert rows["A quarter"] == ["scratch", "0.0003", "0.25"]


def test_csv_has_every_score_with_the_settings_of_its_run(two_runs: Path) -> None:
    runs = Studio(two_runs).runs("finetune")
    scores = [score for run in runs if (score := results.test_score(run))]
    scores += [score for run in runs for score in results.baseline_scores(run)]
    rows = list(csv.DictReader(io.StringIO(board.as_csv(scores, runs))))
    assert [row["name"] for row in rows] == [score.name for score in scores]
    assert [float(row["share (0-1)"]) for row in rows] == [score.share for score in scores]
    assert [row["macro_f1 (0-1)"] for row in rows] == [str(score.macro_f1 or "") for score in scores]
    by_name = {row["name"]: row for row in rows}
    assert by_name["All labels"]["learning_rate"] == "0.001" and by_name["A quarter"]["labels (0-1)"] == "0.25"
    assert {"photos", "split", "low (0-1)", "high (0-1)"} < rows[0].keys()
    assert by_name["PCA + SVM"]["learning_rate"] == ""  # it has none


def test_trained_runs_of_the_studio_are_shown(trained_workspace: Path) -> None:
    app = open_page("compare")
    assert not app.exception
    assert any(name.startswith("a finetune of the tests") for name in app.dataframe[0].value["What"])


def test_the_first_sentence_says_who_wins_and_whether_that_can_be_chance(two_runs: Path) -> None:
    app = open_page("compare")
    (said,) = [box.value for box in app.info if "best network" in box.value]  # green only where it is no chance
    assert said.startswith("**All labels** is the best network on **tiny**: 6 of 6 test photos named rightly (100.0 %")
    assert "leads the best plain method, PCA + SVM (66.7 %), by 33.3 points" in said
    # 3 photos of 6 only one of them got right, all of them the first: a coin thrown 3 times, 2 × 1 / 8.
    assert "3 photos only the first got right, 0 only the second: this can be chance (p = 0.25)." in said


@pytest.mark.parametrize(
    ("plain", "box", "said"),
    [  # of six photos only the network got right so many: a coin that falls six times alike, and twice
        (0, "success", "by 100.0 points, and not by chance (McNemar p = 0.031)."),
        (4, "info", "by 33.3 points, which can be chance (McNemar p = 0.50)."),
    ],
)
def test_green_is_only_a_lead_over_plain_methods_that_is_no_chance(
    empty_workspace: Path, plain: int, box: str, said: str
) -> None:
    tiny_set(empty_workspace)
    finetuned(empty_workspace, "Alone", right=6, plain={"majority": 0, "PCA + LDA": plain}, paired=True)
    for page in ("compare", "finetune"):
        app = open_page(page)
        assert not app.exception
        assert [one.value for one in getattr(app, box) if one.value.endswith(said)]  # and not that it is an old one


def test_one_run_is_judged_and_nobody_is_missing(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    finetuned(empty_workspace, "Alone", right=2)
    app = open_page("compare")
    assert not app.exception
    assert app.warning[0].value.startswith("**Alone** is the best network")
    assert "The network is not ahead here" in app.warning[0].value
    assert "An earlier version judged it" in app.warning[0].value  # what plain methods answered was not kept
    assert not [box for box in app.selectbox if box.label == "First model"]


def test_pre_training_alone_is_said_to_recognise(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    pretrained(empty_workspace)
    app = open_page("compare")
    assert not app.exception
    assert app.info[0].value.startswith(
        "**SimCLR of the tests** recognises faces best of the networks: 83.3 % of 6 val photos lie next to the right "
        "person (frozen). "
        "The network leads the best plain method, Normalised pixels (50.0 %), by 33.3 points. "
        "With 6 val photos the 95 % intervals overlap, so this is not settled."
    )


def test_an_untrained_network_is_a_plain_method_of_its_own_for_each_backbone(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    for backbone in ("resnet18", "tinyvgg"):
        pretrained(empty_workspace, backbone=backbone)
        finetuned(empty_workspace, backbone, right=3, backbone=backbone,
                  plain={f"untrained {backbone}, linear layer": 2, "PCA + SVM": 4})  # fmt: skip
    named, recognised = (table.value["What"].tolist() for table in open_page("compare").dataframe[:2])
    assert {"Untrained resnet18, linear layer", "Untrained tinyvgg, linear layer"} <= set(named)
    assert named.count("PCA + SVM") == 1
    assert {"Untrained ResNet18", "Untrained TinyVGG"} <= set(recognised) and recognised.count("Raw pixels") == 1


def test_the_best_of_many_is_said_to_be_one(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    for number, right in enumerate((6, 4, 3), start=1):
        finetuned(empty_workspace, f"Run {number}", right=right, seed=number)
        said = words(open_page("compare"))
        assert ("picked from 3 by these very photos" in said) == (number == 3)


def test_networks_that_were_judged_on_other_photos_are_listed_and_not_ranked(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    before = finetuned(empty_workspace, "Before", right=6, plain={"PCA + SVM": 5, "majority": 2})
    finetuned(empty_workspace, "After", right=4, seed=1, plain={"PCA + SVM": 3})
    answers = pd.read_parquet(before.path / "predictions.parquet")
    answers["face"] = [0, *answers["face"][1:]]  # a photo that is no test photo any more
    answers.to_parquet(before.path / "predictions.parquet", index=False)
    app = open_page("compare")
    said = words(app)
    assert not app.exception and "**After** is the best network on **tiny**: 4 of 6" in said
    assert "1 network was judged on other test photos, for the set has changed, and is not ranked here." in said
    table = app.dataframe[0].value
    assert list(zip(table["What"], table["Split"], strict=True)) == [
        ("After", "test"), ("PCA + SVM", "test"),
        ("Before", "test, other photos"), ("Majority", "test, other photos"),  # whatever they reached there
    ]  # fmt: skip
    assert "Not all were judged on the same test photos" in said


def test_a_set_that_was_changed_since_its_networks_were_judged_is_said_to_be(two_runs: Path) -> None:
    assert "The set was changed since" not in words(open_page("compare"))
    Studio(two_runs).edit("tiny", "exclude", photo=18)  # one of the first person's two test photos
    app = open_page("compare")
    assert not app.exception and "its test part is another now" in words(app)


def test_the_set_last_worked_on_is_shown_at_first(two_runs: Path) -> None:
    make_set(two_runs, "another")  # first by name, and nothing was done with it
    assert open_page("compare").selectbox(key="compare-dataset").value == "tiny"


def test_a_run_at_work_is_announced(two_runs: Path) -> None:
    import fcntl

    run = make_run(two_runs, "finetune", "At work")
    run.update(state="running")
    with open(run.path / "run.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        app = open_page("compare")
    assert "1 run on this set still at work" in words(app)
    assert "At work" not in app.multiselect[0].options


def test_the_link_says_which_runs_and_is_obeyed(two_runs: Path) -> None:
    app = open_page("compare")
    picker = app.multiselect[0]
    assert app.query_params["run"] == picker.value
    assert len(picker.value) == 3
    one = picker.value[1]
    picker.set_value([one]).run()
    assert app.query_params["run"] == one
    linked = AppTest.from_file(str(APP), default_timeout=120).run().switch_page("pages/compare.py")
    linked.query_params["run"] = [one]
    assert linked.run().multiselect[0].value == [one]


def test_a_link_to_runs_that_are_gone_says_so(two_runs: Path) -> None:
    runs = Studio(two_runs).runs("finetune")
    app = open_page("compare")
    app.query_params["run"] = [runs[0].id, "20200101-000000-finetune-gone-0000"]
    other = opened_afresh(app)
    assert not other.exception
    assert "asks for 20200101-000000-finetune-gone-0000, which is no finished run of this set" in words(other).replace(
        "\\", ""
    )
    assert "asks for" not in words(open_page("compare"))


def test_what_is_chosen_stays_when_a_run_comes_at_that_moment(two_runs: Path) -> None:
    app = open_page("compare")
    one = app.multiselect[0].value[1]
    app.multiselect[0].set_value([one])
    finetuned(two_runs, "The best of all", right=6)
    app.run()
    assert not app.exception
    assert len(app.multiselect[0].options) == 4 and app.multiselect[0].value == [one]
    assert app.query_params["run"] == one
    app.multiselect[0].set_value([])
    finetuned(two_runs, "One more", right=6)
    app.run()
    assert len(app.multiselect[0].options) == 5 and app.multiselect[0].value == []


def test_what_is_chosen_stays_when_runs_change_their_names(two_runs: Path) -> None:
    app = open_page("compare")
    studio = Studio(two_runs)
    one, other = studio.runs("finetune")
    app.multiselect[0].set_value([one.id])
    one.describe(title=other.title)  # both are told apart by their settings from now on
    app.run()
    assert any(option.startswith(f"{other.title} · ") for option in app.multiselect[0].options)
    assert app.multiselect[0].value == [one.id]
    studio.delete(one.id)  # nothing of what was chosen is left, so it begins anew
    assert app.run().multiselect[0].value == open_page("compare").multiselect[0].value != []


def test_the_choice_is_told_to_the_browser_at_each_drawing(two_runs: Path) -> None:
    app = open_page("compare")
    for _ in range(2):
        picker = app.run().multiselect[0].proto
        assert picker.set_value and len(picker.raw_values) == 3


def test_each_set_keeps_what_was_chosen_of_it(two_runs: Path) -> None:
    make_set(two_runs, "other")
    finetuned(two_runs, "Of the other", right=6, dataset="other")
    app = open_page("compare")
    app = app.selectbox(key="compare-dataset").set_value("tiny").run()
    one = app.multiselect[0].value[1]
    app.multiselect[0].set_value([one]).run()
    app = app.selectbox(key="compare-dataset").set_value("other").run()
    assert not app.exception and len(app.multiselect[0].value) == 1 and app.multiselect[0].value != [one]
    assert "The link asks for" not in words(app)
    app = app.selectbox(key="compare-dataset").set_value("tiny").run()
    assert app.multiselect[0].value == [one]


def opened_afresh(app: AppTest) -> AppTest:
    """Return the page as somebody else sees it who has only the link."""
    other = AppTest.from_file(str(APP), default_timeout=120).run().switch_page("pages/compare.py")
    for name, value in app.query_params.items():
        other.query_params[name] = value
    return other.run()


def test_a_link_opened_afresh_shows_what_was_chosen(two_runs: Path) -> None:
    """Along which axis, in which unit of cost, all settings or those that differ: in the controls and the charts."""
    write_costs(two_runs)
    app = open_page("compare")
    assert not {"by", "cost", "tab", "all-finetune"} & set(app.query_params)  # as it is at first, a link stays short
    chosen = {"compare-by": "time", "compare-cost": "images"}
    for key, word in chosen.items():
        next(group for group in app.button_group if group.key == key).set_value(word).run()
    app.toggle(key="compare-all-finetune").set_value(True).run()
    other = opened_afresh(app)
    assert not other.exception
    assert {group.key: group.value for group in other.button_group if group.key in chosen} == chosen
    assert other.toggle(key="compare-all-finetune").value is True
    titles = [figure_titles(page) for page in (open_page("compare"), app, other)]
    assert titles[0] != titles[1] == titles[2]
    assert "images seen" in titles[1] and "training time, s" in titles[0]


def write_costs(workspace: Path) -> None:
    """Give each run a time and a number of images, without which no chart of costs is drawn."""
    for run in Studio(workspace).runs():
        run.log_metrics(epoch=3, val_top1=0.5, seconds=1.0)
        run.update(step=3, steps=3)
        run.resolved(batch_size=16)


def figure_titles(app: AppTest) -> list[str]:
    """Return what the horizontal axes of the page's charts are called."""
    specs = [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]
    return [spec["layout"].get("xaxis", {}).get("title", {}).get("text", "") for spec in specs]


@pytest.mark.parametrize("tab", ["Runs", "Pairs", "Studies"])
def test_a_link_opens_the_tab_that_was_open(two_runs: Path, tab: str) -> None:
    app = open_page("compare")
    app.session_state["compare-tabs"] = tab
    other = opened_afresh(app.run())
    assert not other.exception
    assert other.session_state["compare-tabs"] == tab


def test_a_link_that_asks_for_what_is_not_there_shows_the_page_as_it_is_at_first(two_runs: Path) -> None:
    write_costs(two_runs)
    app = open_page("compare")
    for name in ("by", "cost", "tab", "all-finetune"):
        app.query_params[name] = "<b>nonsense</b>"
    other = opened_afresh(app)
    assert not other.exception
    assert figure_titles(other) == figure_titles(open_page("compare"))


def test_two_models_person_by_person(two_runs: Path) -> None:
    app = open_page("compare")
    assert (
        "Of 3 people with test photos, the first model finds 2 more often, the second 0; for 1 they do the same."
        in (words(app))
    )
    table = app.dataframe[-1].value
    # All labels got everybody; A quarter the first three of six photos: Person 0's two and one of Person 1's.
    by_name = table.set_index("Person")
    assert by_name["First"].to_dict() == {"Person 0": 100, "Person 1": 100, "Person 2": 100}
    assert by_name["Second"].to_dict() == {"Person 0": 100, "Person 1": 50, "Person 2": 0}
    assert table["Difference"].tolist() == [100, 50, 0]


def test_runs_of_one_title_are_told_apart_by_what_differs(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    runs = [finetuned(empty_workspace, "The same", right=4, seed=seed) for seed in (1, 2)]
    runs += [finetuned(empty_workspace, "The same", right=4, seed=2)]
    other = finetuned(empty_workspace, "Another", right=4)
    named = names_of([*runs, other])
    assert len(set(named.values())) == 4
    assert named[other.id] == "Another"
    assert named[runs[0].id] == f"The same · seed 1 · {runs[0].id[-4:]}"
    app = open_page("compare")
    assert not app.exception
    assert sorted(app.multiselect[0].options) == sorted(named.values())


def test_runs_of_one_title_that_began_elsewhere_say_where(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    before = [pretrained(empty_workspace, epochs=epochs) for epochs in (2, 7)]
    runs = [finetuned(empty_workspace, "The same", right=4, init=run.id) for run in before]
    named = names_of([*runs, *before])
    for run, epochs in zip(runs, (2, 7), strict=True):
        assert named[run.id] == f"The same · from one of epochs {epochs} · {run.id[-4:]}"


def test_thirty_runs_are_shown(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    for seed in range(30):
        finetuned(empty_workspace, "The same", right=seed % 7, seed=seed)
    app = open_page("compare")
    assert not app.exception
    assert len(app.dataframe[0].value) == 34  # and four plain methods
    assert len(app.multiselect[0].options) == 30
    assert len(app.multiselect[0].value) == 4  # the best
