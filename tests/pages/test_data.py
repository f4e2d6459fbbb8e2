from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facessl import runs
from facessl.config import PrepareRecipe, build
from facessl.errors import FaceSSLError
from facessl.runs import Run
from facessl.studio import Studio
from pages._shared.dataset_view import person_counts
from pages._shared.found import found_strip
from tests.pages.made import open_page, words
from tests.pages.test_home import counted_set


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
    assert app.session_state["data-tabs"] == "Prepare a new set"
    assert [select.value for select in app.selectbox if select.label == "Where the photos come from"] == ["synthetic"]


def test_the_untouched_form_prepares_generated_faces(empty_workspace: Path, asked: list[dict[str, Any]]) -> None:
    app = open_page("data")
    button = next(button for button in app.button if button.label == "Prepare the set")
    app = button.click().run()
    assert not app.exception
    assert asked == [build(PrepareRecipe, {}).model_dump()]


def test_a_folder_is_asked_for_its_path_and_named_after_it(empty_workspace: Path, asked: list[dict[str, Any]]) -> None:
    app = open_page("data")
    app.selectbox(key="prepare-source").select("folder").run()
    app.segmented_control(key="prepare-how").set_value("A folder or zip on this machine").run()
    app = app.text_input(key="prepare-path").input("/photos/My Friends.zip").run()
    button = next(button for button in app.button if button.label == "Prepare the set")
    button.click().run()
    assert asked[0]["source"] == "folder" and asked[0]["path"] == "/photos/My Friends.zip"
    assert asked[0]["name"] == "my-friends"


def test_what_is_refused_is_one_sentence(empty_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise FaceSSLError("There is no photo in that folder; choose another.")

    monkeypatch.setattr(Studio, "start", refuse)
    app = open_page("data")
    app = next(button for button in app.button if button.label == "Prepare the set").click().run()
    assert not app.exception
    assert [error.value for error in app.error] == ["There is no photo in that folder; choose another."]


def test_a_stopped_preparation_can_be_resumed(empty_workspace: Path) -> None:
    run = runs.create(empty_workspace, "prepare", build(PrepareRecipe, {}), title="Prepare demo")
    run.update(state="stopped", message="Stopped on request.")
    app = open_page("data")
    assert not app.exception
    assert "Resume" in [button.label for button in app.button]


def test_a_set_shows_its_people_and_faces(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    app = open_page("data")
    assert not app.exception
    figures = {metric.label: metric.value for metric in app.metric}
    assert figures["People with a name"] == "3" and figures["Faces"] == "64"
    assert "unlabelled 4, train 48, val 6, test 6" in words(app)
    assert "No photo was refused." in words(app)


def test_filters_narrow_the_faces(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    app = open_page("data")
    app.selectbox(key="data-person-tiny").select("Person 1")
    app = app.selectbox(key="data-split").select("val").run()
    assert "2 photos" in words(app)
    app = app.selectbox(key="data-person-tiny").select("(no name)").run()
    assert "No photo fits these filters" in words(app)


def test_photos_that_are_gone_leave_a_sentence(empty_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise FaceSSLError("The folder is no longer where it was.")

    counted_set(empty_workspace)
    monkeypatch.setattr(Studio, "photo", gone)
    app = open_page("data")
    app = app.segmented_control(key="data-how").set_value("Photo → found → aligned").run()
    assert not app.exception
    assert "The folder is no longer where it was." in words(app)


def test_real_photos_are_shown_with_what_was_found(prepared_workspace: Path) -> None:
    app = open_page("data")
    app = app.segmented_control(key="data-how").set_value("Photo → found → aligned").run()
    assert not app.exception
    assert "· train · kept" in words(app)


def test_counts_are_per_person_and_split(empty_workspace: Path) -> None:
    counted_set(empty_workspace)
    dataset = Studio(empty_workspace).dataset("tiny")
    assert person_counts(dataset.table, dataset.people) == {"train": [16] * 3, "val": [2] * 3, "test": [2] * 3}


def test_the_box_is_drawn_where_it_was_found() -> None:
    from PIL import Image

    photo = np.zeros((100, 100, 3), dtype=np.uint8)
    row = {f"box_{side}": value for side, value in zip("xywh", (20, 30, 40, 50), strict=True)}
    row |= {f"{eye}_eye_{axis}": np.nan for eye in ("left", "right") for axis in "xy"}
    strip = np.asarray(Image.open(_file(found_strip(photo, row, None, height=100))).convert("RGB")).astype(int)
    assert strip.shape[1] == 100 + 6 + 100  # photo, gap, found box
    yellow = (strip[:, :100, 0] > 150) & (strip[:, :100, 2] < 120)
    rows, columns = np.nonzero(yellow)
    assert abs(columns.min() - 20) <= 2 and abs(columns.max() - 60) <= 2
    assert abs(rows.min() - 30) <= 2 and abs(rows.max() - 80) <= 2


def _file(content: bytes) -> Any:
    import io

    return io.BytesIO(content)
