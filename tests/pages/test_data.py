import base64
import io
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from facessl import files, overview, runs, suspects
from facessl.config import RECIPES, DetectorsRecipe, PrepareRecipe
from facessl.errors import FaceSSLError
from facessl.recipes import build
from facessl.run import Run
from facessl.studio import Studio
from pages._shared.data import browse, compared
from pages._shared.data.corrections import REDRAWN
from pages._shared.data.overview import table_file
from pages._shared.data.photo import facts
from pages._shared.dataset_view import VIEWS
from pages._shared.found import found_strip
from pages._shared.words import plain
from tests.pages.made import mapped, open_page, tiny_set, words
from tests.pages.test_home import counted_set
from tests.tiny import make_set


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The settings that the form would have started a preparation with."""
    settings: list[dict[str, Any]] = []

    def start(self: Studio, kind: str, given: dict[str, Any]) -> Run:
        recipe = build(PrepareRecipe, given)
        settings.append(recipe.model_dump())
        return runs.create(self.workspace, kind, recipe, title="a preparation")

    monkeypatch.setattr(Studio, "start", start)
    return settings


def test_without_a_set_it_opens_the_form(empty_workspace: Path) -> None:
    app = open_page("data")
    assert not app.exception
    assert "There is no set yet" in words(app)
    assert app.session_state["data-tabs"] == "Prepare a new set"
    assert [select.value for select in app.selectbox if select.label == "Where the photos come from"] == ["synthetic"]


def test_the_untouched_form_prepares_generated_faces(empty_workspace: Path, asked: list[dict[str, Any]]) -> None:
    app = open_page("data")
    button = next(button for button in app.button if button.label == "Prepare the set")
    app = button.click().run()
    assert not app.exception
    assert asked == [build(PrepareRecipe, {}).model_dump()]


def test_a_folder_is_asked_for_its_path_and_named_after_it(
    empty_workspace: Path, asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACESSL_PHOTO_ROOTS", "/photos")
    app = open_page("data")
    app.selectbox(key="prepare-source").select("folder").run()
    app.segmented_control(key="prepare-how").set_value("A folder or zip on this machine").run()
    app = app.text_input(key="prepare-path").input("/photos/My Friends.zip").run()
    button = next(button for button in app.button if button.label == "Prepare the set")
    button.click().run()
    assert asked[0]["source"] == "folder" and asked[0]["path"] == "/photos/My Friends.zip"
    assert asked[0]["name"] == "my-friends"


def test_a_name_that_is_taken_is_not_made_a_version(empty_workspace: Path) -> None:
    for name in ("demo", "demo-2"):
        runs.create(empty_workspace, "prepare", build(PrepareRecipe, {"name": name}), title="a preparation")
    names = [field.value for field in open_page("data").text_input if field.label == "Name of the set"]
    assert names == ["demo-3"]


def test_failed_preparations_are_folded_away_below_the_form(empty_workspace: Path) -> None:
    failed = runs.create(empty_workspace, "prepare", build(PrepareRecipe, {"name": "a"}), title="Prepare a")
    failed.update(state="failed", error="There is no photo.")
    app = open_page("data")
    folded = [e for e in app.expander if e.label == "1 preparation that came to no set"]
    assert [error.value for error in folded[0].error] == ["There is no photo."]
    assert len(app.error) == 1


def test_what_is_refused_is_one_sentence(empty_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise FaceSSLError("There is no photo in that folder; choose another.")

    monkeypatch.setattr(Studio, "start", refuse)
    app = open_page("data")
    app = next(button for button in app.button if button.label == "Prepare the set").click().run()
    assert not app.exception
    assert [error.value for error in app.error] == ["There is no photo in that folder; choose another."]


def test_a_number_out_of_range_is_refused_by_its_label(empty_workspace: Path, asked: list[dict[str, Any]]) -> None:
    for field, said in {
        "prepare-min_photos": "Least photos of a person",
        "prepare-options-synthetic-people": "People",
    }.items():
        app = open_page("data")
        app.number_input(key=field).set_value(-3)
        app = next(button for button in app.button if button.label == "Prepare the set").click().run()
        assert not app.exception and asked == []
        assert [error.value.startswith(plain(f"{said}: must be")) for error in app.error] == [True]


def test_a_stopped_preparation_can_be_resumed(empty_workspace: Path) -> None:
    run = runs.create(empty_workspace, "prepare", build(PrepareRecipe, {}), title="Prepare demo")
    run.update(state="stopped", message="Stopped on request.")
    app = open_page("data")
    assert not app.exception
    assert "Resume" in [button.label for button in app.button]


# -- a set to look at --------------------------------------------------------------------------------------------


def open_tab(app: AppTest, view: str) -> AppTest:
    app.session_state["data-tabs-next"] = view
    app = app.run()
    assert not app.exception
    return app


def open_view(view: str) -> AppTest:
    return open_tab(open_page("data"), view)


def click(app: AppTest, key: str) -> AppTest:
    app = app.button(key=key).click().run()
    assert not app.exception
    return app


def marked_set(workspace: Path) -> pd.DataFrame:
    """Write the tiny set with refused photos, copies, flaws and several faces; return the table that is on disk."""
    counted_set(workspace)
    path = workspace / "datasets" / "tiny" / "faces.parquet"
    table = pd.read_parquet(path)
    table.loc[[0, 21], ["status", "reason"]] = ["no face", "No face was found."]
    table.loc[[22], ["status", "reason"]] = ["poor", "The face is dark."]
    table.loc[[5, 6, 7, 25], "group"] = [5, 5, 7, 7]
    table.loc[3:9, "flaws"] = "blurred, dark"
    table.loc[[11, 12], "found"] = 2
    table.loc[::2, "aligned"] = True
    rng = np.random.default_rng(0)
    for column in ("sharpness", "brightness", "contrast", "turn", "box_w"):
        table[column] = rng.normal(100, 20, len(table)).astype(np.float32)
    table.to_parquet(path, index=False)
    return table


@pytest.fixture
def table(empty_workspace: Path) -> pd.DataFrame:
    return marked_set(empty_workspace)


def numbers_of(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def test_every_number_of_the_overview_is_recounted_from_the_file(table: pd.DataFrame) -> None:
    app = open_view("Overview")
    kept = table[table["status"] == "kept"]
    copies = table[table["group"] >= 0]
    sides = kept[kept["group"] >= 0].assign(side=lambda t: t["split"].replace("unlabelled", "train"))
    assert numbers_of(app) == {
        "People with a name": f"{table.loc[table['person'] != '', 'person'].nunique()}",
        "Photos": f"{len(table)}",
        "Faces in use": f"{len(kept)}",
        "Turned level": f"{100 * kept['aligned'].mean():.1f} %",
        "There twice": f"{copies['group'].nunique()}",
        "Crossed before": "–",  # of a set whose making did not look
        "Cross now": f"{(sides.groupby('group')['side'].nunique() > 1).sum()}",
    }
    text = words(app)
    split = kept["split"].value_counts()
    assert " · ".join(f"{part} {split[part]}" for part in ("unlabelled", "train", "val", "test")) in text
    assert f"{(kept['flaws'] != '').sum()} faces with a flaw" in text
    assert f"{(kept['found'] > 1).sum()} faces from photos with several faces" in text


def test_people_with_most_faces_have_their_mean_face_first(table: pd.DataFrame, empty_workspace: Path) -> None:
    kept = table[(table["status"] == "kept") & (table["person"] != "")]["person"].value_counts()
    order = sorted(kept.index, key=lambda name: (-kept[name], name))
    assert overview.by_faces(Studio(empty_workspace).dataset("tiny")) == order
    assert order != sorted(order)  # or this would not show anything


def test_charts_of_what_is_alike_are_drawn_when_asked_for(empty_workspace: Path) -> None:
    def drawn(app: AppTest) -> int:
        return sum("data-alike-" in chart.proto.id for chart in app.get("plotly_chart"))

    path = make_set(empty_workspace, people=3, photos=40) / "dataset.json"  # of one quality, but for the turn: unknown
    path.write_text(json.dumps({**json.loads(path.read_text()), "counts": {}, "created": "2026-01-02T03:04:05"}))
    app = open_view("Overview")
    assert drawn(app) == 0
    assert drawn(app.toggle(key="data-alike-all").set_value(True).run()) == 5


def figure_of(app: AppTest, key: str) -> dict[str, Any]:
    chart = next(chart for chart in app.get("plotly_chart") if key in chart.proto.id)
    return json.loads(chart.proto.spec or chart.proto.figure.spec)


def values(field: Any) -> list[float]:
    """Return a trace's numbers, whether plotly keeps them as a list or as packed bytes."""
    if isinstance(field, dict):
        return np.frombuffer(base64.b64decode(field["bdata"]), dtype=field["dtype"]).tolist()
    return list(field)


def test_the_charts_of_the_overview_hold_the_numbers_of_the_file(table: pd.DataFrame) -> None:
    app = open_view("Overview")
    kept = table[(table["status"] == "kept") & (table["label"] >= 0)]
    order = kept["person"].value_counts(sort=False).sort_index().sort_values(ascending=False, kind="stable").index
    for trace in figure_of(app, "data-people")["data"]:
        wanted = [((kept["person"] == p) & (kept["split"] == trace["name"])).sum() for p in order]
        assert values(trace["x"]) == wanted
    folders = table.loc[table["named"] != "", "named"].value_counts()
    assert sorted(values(figure_of(app, "data-folders")["data"][0]["x"])) == sorted(folders.tolist())
    in_use, others = figure_of(app, "data-quality-sharpness")["data"]
    assert sum(values(in_use["y"])) == (table["status"] == "kept").sum()
    assert sum(values(others["y"])) == (table["status"] != "kept").sum()


def test_what_was_measured_on_no_face_is_said_and_not_drawn(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)  # its faces are level, and nobody asked where their heads turn
    app = open_view("Overview")
    charts = {
        chart.proto.id.split("data-quality-")[1] for chart in app.get("plotly_chart") if "quality" in chart.proto.id
    }
    assert "angle" in charts and "turn" not in charts
    assert "Known of none of these faces, as no eyes were looked for or found: turn of the head." in words(app)


def test_numbers_follow_the_corrections(table: pd.DataFrame, empty_workspace: Path) -> None:
    Studio(empty_workspace).edit("tiny", "exclude", person="Person 1")
    numbers = numbers_of(open_view("Overview"))
    gone = (table["person"] == "Person 1") & (table["status"] == "kept")
    assert numbers["Faces in use"] == str((table["status"] == "kept").sum() - gone.sum())
    assert numbers["People with a name"] == "2" and numbers["Photos"] == str(len(table))


def test_a_copy_on_two_sides_is_a_warning(empty_workspace: Path) -> None:
    table = marked_set(empty_workspace)
    table.loc[[1, 18], "group"] = 1  # train and test
    table.to_parquet(empty_workspace / "datasets" / "tiny" / "faces.parquet", index=False)
    app = open_view("Overview")
    assert numbers_of(app)["Cross now"] == "1"
    assert "1 picture lies on several sides" in words(app)


def test_the_file_to_take_along_is_that_of_the_set_until_it_is_corrected(
    table: pd.DataFrame, empty_workspace: Path
) -> None:
    studio = Studio(empty_workspace)
    path = empty_workspace / "datasets" / "tiny" / "faces.parquet"
    assert table_file(studio.dataset("tiny")) == path.read_bytes()
    studio.edit("tiny", "rename", person="Person 0", to="Ada")
    assert set(pd.read_parquet(io.BytesIO(table_file(studio.dataset("tiny"))))["person"]) == {
        "Ada", "Person 1", "Person 2", "",
    }  # fmt: skip


# -- browse ------------------------------------------------------------------------------------------------------


def test_filters_narrow_the_faces(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    app = open_view("Browse")
    app.selectbox(key="data-person-tiny").select("Person 1")
    app = app.selectbox(key="data-split").select("val").run()
    assert "2 photos" in words(app)
    app = app.selectbox(key="data-person-tiny").select("(no name)").run()
    assert "No photo fits these filters" in words(app)


SLOW: dict[str, Callable[[Any], bool]] = {
    "no flaw": lambda row: row.flaws == "",
    "any flaw": lambda row: row.flaws != "",
    "dark": lambda row: "dark" in row.flaws.split(", "),
    "small": lambda row: "small" in row.flaws.split(", "),
    "several faces": lambda row: row.found > 1,
    "copies": lambda row: row.group >= 0,
    "all": lambda row: True,
}


@pytest.mark.parametrize("quality", SLOW)
def test_rows_are_picked_as_a_slow_reading_picks_them(table: pd.DataFrame, quality: str) -> None:
    picked = browse.pick_rows(table, None, quality=quality, status="kept", person="Person 0", order="Sharp first")
    fits = [row for row in table.itertuples() if SLOW[quality](row)]
    fits = [row for row in fits if row.status == "kept" and row.person == "Person 0"]
    assert picked.tolist() == [row.Index for row in sorted(fits, key=lambda row: -row.sharpness)]


def test_what_is_not_known_comes_last_in_either_order(table: pd.DataFrame) -> None:
    table.loc[4, "sharpness"] = np.nan
    assert browse.pick_rows(table, None, order="Sharp first")[-1] == 4
    assert browse.pick_rows(table, None, order="Blurred first")[-1] == 4


def test_every_order_and_filter_draws(empty_workspace: Path) -> None:
    marked_set(empty_workspace)
    app = open_view("Browse")
    for order in browse.ORDERS:
        app = app.selectbox(key="data-order").select(order).run()
        assert not app.exception, order
    for quality in browse.QUALITY:
        app = app.selectbox(key="data-quality").select(quality).run()
        assert not app.exception, quality


def test_a_wrong_name_stands_first_among_the_suspects_and_says_why(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    run = mapped(empty_workspace)  # each person in a corner of their own
    Studio(empty_workspace).edit("tiny", "name", photo=3, to="Person 2")
    app = open_view("Browse")
    app = app.selectbox(key="data-order").select("Suspects first").run()
    assert not app.exception
    assert app.selectbox(key="data-by-browse-tiny").value == run.id
    assert "look right" in words(app)
    app.session_state["data-open-tiny"] = 3
    app = app.run()
    assert "10 of its 10 nearest are “Person 0”, none bears its name." in [w.value for w in app.warning]
    assert "1 of 64" in words(app)


def test_the_comparison_is_left_to_a_thread(empty_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a large set: photos stand as they came until all are compared."""
    ready = threading.Event()
    really = suspects.near

    def slow(*given: Any) -> Any:
        ready.wait(60)
        return really(*given)

    monkeypatch.setattr(suspects, "near", slow)
    monkeypatch.setattr(compared, "_PATIENCE", 0.01)
    tiny_set(empty_workspace)
    app = open_view("Browse")
    app = app.selectbox(key="data-order").select("Suspects first").run()
    assert not app.exception
    assert "Until then photos stand as they came." in words(app)
    ready.set()
    work = compared.neighbourhood(Studio(empty_workspace).dataset("tiny"), "pixels")
    work.future.result(60)
    assert "look right" in words(app.run())


def test_photos_that_are_gone_leave_a_sentence(empty_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise FaceSSLError("The folder is no longer where it was.")

    counted_set(empty_workspace)
    monkeypatch.setattr(Studio, "photo", gone)
    app = open_view("Browse")
    app = app.segmented_control(key="data-how").set_value("Photo → found → aligned").run()
    assert not app.exception
    assert "The folder is no longer where it was." in words(app)
    app.session_state["data-open-tiny"] = 5
    app = app.run()
    assert not app.exception
    assert "The folder is no longer where it was." in words(app)


def test_real_photos_are_shown_with_what_was_found(prepared_workspace: Path) -> None:
    app = open_view("Browse")
    app = app.segmented_control(key="data-how").set_value("Photo → found → aligned").run()
    assert not app.exception
    assert "· train · kept" in words(app)


# -- one photo ---------------------------------------------------------------------------------------------------


def edits_of(workspace: Path) -> list[str]:
    return [edit.sentence() for edit in Studio(workspace).dataset("tiny").edits if not edit.undone]


def test_a_photo_is_left_out_and_brought_back(table: pd.DataFrame, empty_workspace: Path) -> None:
    app = open_view("Browse")
    app.session_state["data-open-tiny"] = 4
    app = click(app.run(), "data-leave-out")
    assert Studio(empty_workspace).dataset("tiny").table["status"][4] == "excluded"
    assert "Photo 4 left out." in words(app)
    assert "no longer among the 60 listed" in words(app)
    app = click(app, "data-undo-last-photo")
    assert Studio(empty_workspace).dataset("tiny").table["status"][4] == "kept"
    app = click(click(app, "data-leave-out"), "data-keep")
    assert Studio(empty_workspace).dataset("tiny").table["status"][4] == "kept"
    assert edits_of(empty_workspace) == ["edit 1 undone", "edit 3 undone"]  # undone, and not kept on top of it


def test_a_photo_of_somebody_else_gets_another_name(table: pd.DataFrame, empty_workspace: Path) -> None:
    app = open_view("Browse")
    app.session_state["data-open-tiny"] = 4
    app = app.run()
    assert app.button(key="data-rename").disabled
    app = app.selectbox(key="data-name-tiny-4-0").select("Person 2").run()
    app = click(app, "data-rename")
    assert Studio(empty_workspace).dataset("tiny").table["person"][4] == "Person 2"
    click(app, "data-unname")
    assert Studio(empty_workspace).dataset("tiny").table["person"][4] == ""


def test_one_steps_through_the_list(table: pd.DataFrame) -> None:
    app = open_view("Browse")
    app.session_state["data-open-tiny"] = 1  # photo 0 is not in use
    app = app.run()
    assert app.button(key="data-previous").disabled
    app = click(app, "data-next")
    assert app.session_state["data-open-tiny"] == 2
    assert click(app, "data-previous").session_state["data-open-tiny"] == 1


def test_the_facts_are_those_of_the_table(table: pd.DataFrame) -> None:
    told = facts(table.iloc[5].to_dict())
    assert told["File"] == "p0/5.png" and told["Person"] == "Person 0" and told["Flaws"] == "blurred, dark"
    assert told["Sharpness"] == f"{table['sharpness'][5]:,.0f}"
    assert all(isinstance(text, str) and text for text in told.values())


# -- what was refused --------------------------------------------------------------------------------------------


def test_what_was_refused_is_counted_and_kept_after_all(table: pd.DataFrame, empty_workspace: Path) -> None:
    app = open_view("Refused")
    assert "**3 photos** of 64 are not in use." in words(app)
    assert len(app.get("button_group")) or "No face was found." in words(app)
    app = click(app, "data-back-21")
    assert Studio(empty_workspace).dataset("tiny").table["status"][21] == "kept"
    assert "**2 photos** of 64" in words(app)
    click(app, "data-undo-last-refused")
    assert Studio(empty_workspace).dataset("tiny").table["status"][21] == "no face"


def test_the_undo_stands_where_the_correction_was_made_until_the_next_action(table: pd.DataFrame) -> None:
    app = click(open_view("Refused"), "data-back-21")
    assert "data-undo-last-refused" in [button.key for button in app.button]
    app = click(app, "data-closer-22")  # another photo, opened above the page
    assert not [button.key for button in app.button if (button.key or "").startswith("data-undo-last")]
    app.session_state["data-tabs"] = "People and history"
    app = app.run()
    assert [b.key for b in app.button if (b.key or "").startswith("data-undo-")] == ["data-undo-1"]  # the history's


def test_the_undo_stays_while_the_page_only_draws_itself_anew(table: pd.DataFrame) -> None:
    app = click(open_view("Refused"), "data-back-21")
    app.session_state[REDRAWN] = True
    assert "data-undo-last-refused" in [button.key for button in app.run().button]
    assert "data-undo-last-refused" not in [button.key for button in app.run().button]


def test_a_refused_photo_is_looked_at_and_kept(table: pd.DataFrame, empty_workspace: Path) -> None:
    app = click(open_view("Refused"), "data-closer-21")
    assert app.session_state["data-open-tiny"] == 21
    app = click(app, "data-keep")
    assert Studio(empty_workspace).dataset("tiny").table["status"][21] == "kept"
    assert "Photo 21 kept after all." in words(app)
    undo = [button.key for button in app.button if (button.key or "").startswith("data-undo-last")]
    assert undo == ["data-undo-last-photo"]  # in the dialog, and not on the tab beneath it


def test_a_refused_photo_says_which_file_it_is(table: pd.DataFrame) -> None:
    shown = words(open_view("Refused"))
    for row in table[table["status"] != "kept"].to_dict("records"):
        assert row["path"] in shown
        assert row["status"] != "unreadable" or shown.count(row["reason"]) == 1


def test_a_nameless_face_shows_the_folder_it_came_from() -> None:
    page = pd.DataFrame({"person": ["Ann", "", ""], "named": ["Ann", "Cid", ""], "face": [0, 1, 2]})
    assert browse._captions(page, None, next(iter(browse.ORDERS))) == ["Ann", "(Cid)", "no name"]


def test_nothing_refused_is_said(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    assert "Every photo of this set is in use." in words(open_view("Refused"))


# -- people and history ------------------------------------------------------------------------------------------


def test_the_people_are_recounted_from_the_file(table: pd.DataFrame) -> None:
    shown = open_view("People and history").dataframe[0].value
    named = table[table["person"] != ""]
    for row in shown.to_dict("records"):
        mine = named[named["person"] == row["Person"]]
        kept = mine[mine["status"] == "kept"]
        split = kept["split"].value_counts()
        assert (row["Photos"], row["Faces"], row["Not used"]) == (len(mine), len(kept), len(mine) - len(kept))
        assert [row["Train"], row["Val"], row["Test"]] == [split[part] for part in ("train", "val", "test")]
    assert len(shown) == 3


def test_a_merge_is_said_before_it_happens_and_can_be_undone(table: pd.DataFrame, empty_workspace: Path) -> None:
    app = open_view("People and history")
    assert app.button(key="data-rename-person").disabled
    app = app.text_input(key="data-who-tiny-name-Person 0").input("Person 1").run()
    kept = table[table["status"] == "kept"]["person"].value_counts()
    total = kept["Person 0"] + kept["Person 1"]
    assert f"make {total}." in app.warning[0].value
    assert app.button(key="data-rename-person").label == "Merge the two"
    app = click(app, "data-rename-person")
    assert Studio(empty_workspace).dataset("tiny").people == ["Person 1", "Person 2"]
    app = click(app, "data-undo-1")
    assert Studio(empty_workspace).dataset("tiny").people == ["Person 0", "Person 1", "Person 2"]
    photos = (table["person"] == "Person 0").sum()
    assert f"~~“Person 0” merged into “Person 1”, {photos} photos~~ · undone" in words(app)
    assert "data-undo-1" not in [button.key for button in app.button]


def test_a_person_is_left_out_and_brought_back(table: pd.DataFrame, empty_workspace: Path) -> None:
    app = open_view("People and history")
    app = app.selectbox(key="data-who-tiny").select("Person 2").run()
    app = click(app, "data-exclude-person")
    assert Studio(empty_workspace).dataset("tiny").people == ["Person 0", "Person 1"]
    app = click(app, "data-return-1")
    assert Studio(empty_workspace).dataset("tiny").people == ["Person 0", "Person 1", "Person 2"]
    assert "Runs that are there already keep what they saw" in words(app)


# -- detectors ---------------------------------------------------------------------------------------------------


def compared_detectors(workspace: Path, rows: list[dict[str, Any]]) -> None:
    """Write a finished comparison on the tiny set."""
    run = runs.create(workspace, "detectors", build(DetectorsRecipe, {"dataset": "tiny"}), title="Detectors on tiny")
    run.update(state="finished", message="Finished.", seconds=3.0)
    files.write_json(run.path / "result.json", {"dataset": "tiny", "device": "CPU", "rows": rows})


def detector_row(name: str, found: int, several: int, agreement: dict[str, float]) -> dict[str, Any]:
    return {
        "name": name, "photos": 20, "found": found, "one": found - several, "several": several,
        "faces": found + several, "eyes": 9, "ms_per_photo": 4.25, "agreement": agreement,
    }  # fmt: skip


def test_a_comparison_of_detectors_is_started_on_this_set(
    empty_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[str, dict[str, Any]]] = []

    def start(self: Studio, kind: str, settings: dict[str, Any]) -> None:
        build(RECIPES[kind], settings)
        started.append((kind, settings))

    monkeypatch.setattr(Studio, "start", start)
    counted_set(empty_workspace)
    app = open_view("Detectors")
    assert "made with Haar, step 1.2" in words(app)
    app.number_input(key="detectors-tiny-photos").set_value(-3)
    next(button for button in app.button if button.label == "Compare the detectors").click().run()
    assert [error.value for error in app.error] == [plain("Photos: must be 1 or more, got -3.")]
    app.number_input(key="detectors-tiny-photos").set_value(200)
    next(button for button in app.button if button.label == "Compare the detectors").click().run()
    assert started == [("detectors", {"dataset": "tiny", "photos": 200, "weights": "", "seed": 0})]


def test_detectors_are_compared_by_what_they_found(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    first, second = {"Haar, step 1.2": 0.95, "YuNet": 0.85}, {"Haar, step 1.1": 0.95, "YuNet": 0.8}
    third = {"Haar, step 1.1": 0.85, "Haar, step 1.2": 0.8}
    rows = [
        detector_row("Haar, step 1.1", 18, 2, first),
        detector_row("Haar, step 1.2", 17, 1, second),
        detector_row("YuNet", 20, 6, third),
    ]
    compared_detectors(empty_workspace, rows)
    app = open_view("Detectors")
    shown = app.dataframe[0].value
    assert shown["A face"].tolist() == [90, 85, 100]
    assert shown["Photos with one"].tolist() == [16, 16, 14]
    assert shown["With several"].tolist() == [2, 1, 6]
    assert "Haar, step 1.2 and YuNet differ most" in words(app) and "80.0 % of them" in words(app)
    assert "YuNet is not among them" not in words(app)
    compared_detectors(empty_workspace, rows[:1])
    assert "YuNet is not among them" in words(open_view("Detectors"))


# -- any set, any name -------------------------------------------------------------------------------------------

NAMES = ["*bold* [x](http://e.org) <b>b</b> $a$ :smile:", "x" * 300, "😀 Zoë", "line one\nline two", "- | `c`"]


def every_view(app: AppTest) -> str:
    """Open each view, and a photo; return all that was said."""
    said = []
    for view in VIEWS:
        app = open_tab(app, view)
        said.append(words(app))
    app.session_state["data-open-tiny"] = 0
    said.append(words(open_tab(app, "Browse")))
    return "\n".join(said)


def rewrite(workspace: Path, **columns: object) -> None:
    path = workspace / "datasets" / "tiny" / "faces.parquet"
    pd.read_parquet(path).assign(**columns).to_parquet(path, index=False)
    table = pd.read_parquet(path)
    json_path = path.with_name("dataset.json")
    people = sorted(set(table.loc[table["label"] >= 0, "person"]))
    json_path.write_text(json.dumps({**json.loads(json_path.read_text()), "people": people}))


def test_names_are_never_markup_wherever_they_stand(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    person = [NAMES[i % 5] for i in range(64)]
    labels = [sorted(NAMES).index(name) for name in person]
    rewrite(empty_workspace, person=person, named=person, label=labels, split="train")
    Studio(empty_workspace).edit("tiny", "exclude", photo=1)
    Studio(empty_workspace).edit("tiny", "rename", person=NAMES[0], to=NAMES[0] + "!")
    said = every_view(open_page("data"))
    assert "<b>b</b>" not in said.replace("\\<b\\>b\\</b\\>", "")
    assert "[x](" not in said
    assert "line one\nline two" not in said


def test_a_set_without_names_has_every_view(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    rewrite(empty_workspace, person="", named="", label=-1, split="unlabelled")
    said = every_view(open_page("data"))
    assert "Nobody in this set has a name" in said
    assert "came without folders of people" in said
    assert "too few named faces" in said


def test_a_set_of_one_person_has_every_view(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    rewrite(empty_workspace, person="Ada", named="Ada", label=0, split="train")
    assert "nobody to tell apart" in every_view(open_page("data"))


def test_a_set_with_everybody_left_out_has_every_view(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    for person in ("Person 0", "Person 1", "Person 2"):
        Studio(empty_workspace).edit("tiny", "exclude", person=person)
    for photo in range(60, 64):
        Studio(empty_workspace).edit("tiny", "exclude", photo=photo)
    assert "No face is in use." in every_view(open_page("data"))


def test_a_set_with_nothing_readable_has_every_view(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    status = ["kept"] + ["unreadable"] * 63
    rewrite(empty_workspace, status=status, face=[0] + [-1] * 63, reason=[""] + ["Damaged."] * 63)
    np.save(empty_workspace / "datasets" / "tiny" / "faces.npy", np.zeros((1, 32, 32, 3), np.uint8))
    every_view(open_page("data"))


def test_very_many_people_are_counted_by_their_photos(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    path = empty_workspace / "datasets" / "tiny" / "faces.parquet"
    one = pd.read_parquet(path).iloc[[0] * 400].reset_index(drop=True)
    people = [f"Somebody {i:03d}" for i in range(400)]
    one = one.assign(photo=range(400), face=range(400), person=people, named=people, label=range(400))
    one.to_parquet(path, index=False)
    np.save(path.with_name("faces.npy"), np.zeros((400, 32, 32, 3), np.uint8))
    rewrite(empty_workspace)
    app = open_view("Overview")
    assert not app.exception
    assert values(figure_of(app, "data-people")["data"][0]["x"])[0] == 400


# -- how a face was found ----------------------------------------------------------------------------------------


def test_the_box_is_drawn_where_it_was_found() -> None:
    from PIL import Image

    photo = np.zeros((100, 100, 3), dtype=np.uint8)
    row = {f"box_{side}": value for side, value in zip("xywh", (20, 30, 40, 50), strict=True)}
    row |= {f"{eye}_eye_{axis}": np.nan for eye in ("left", "right") for axis in "xy"}
    strip = np.asarray(Image.open(io.BytesIO(found_strip(photo, row, None, height=100))).convert("RGB")).astype(int)
    assert strip.shape[1] == 100 + 6 + 100  # photo, gap, found box
    yellow = (strip[:, :100, 0] > 150) & (strip[:, :100, 2] < 120)
    rows, columns = np.nonzero(yellow)
    assert abs(columns.min() - 20) <= 2 and abs(columns.max() - 60) <= 2
    assert abs(rows.min() - 30) <= 2 and abs(rows.max() - 80) <= 2
