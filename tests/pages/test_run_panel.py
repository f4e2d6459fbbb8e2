"""The panel of a run offers what its state and kind allow, and says what befell it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from facessl import attending, runs
from facessl.config import EmbedRecipe, PretrainRecipe
from facessl.run import Run
from pages._shared.run_panel import is_live
from pages._shared.widgets import run_name
from pages._shared.words import plain
from tests.pages.made import words

PANEL = """
from facessl import runs
from facessl.config import default_workspace
from pages._shared.run_panel import run_panel
for run in runs.list_all(default_workspace()):
    if run.kind in {kinds}:
        run_panel(run, key="t")
"""


@pytest.fixture
def learning(empty_workspace: Path) -> Run:
    return runs.create(empty_workspace, "pretrain", PretrainRecipe(), title="it learns")


@pytest.fixture
def living(learning: Run) -> Iterator[Run]:
    with attending.held(learning):
        learning.update(state="running", message="Epoch 2 of 5.", step=1, steps=4)
        yield learning


def panel(*kinds: str) -> AppTest:
    app = AppTest.from_string(PANEL.format(kinds=kinds or ("pretrain",)), default_timeout=60).run()
    assert not app.exception
    return app


def buttons(app: AppTest) -> dict[str, bool]:
    """Return the labels of the buttons that can be pressed (True) or not."""
    return {button.label: not button.disabled for button in app.button}


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception
    return app


def test_a_running_one_can_be_paused_and_stopped(living: Run) -> None:
    app = panel()
    assert buttons(app) == {"Pause": True, "Stop": True}
    press(app, "Pause")
    assert living.pause_requested()
    assert buttons(app) == {"Pausing": False, "Stop": True}


def test_a_paused_one_goes_on_or_stops(living: Run) -> None:
    living.request_pause()
    living.update(state="paused", message="Paused; it keeps its place and its memory.")
    app = panel()
    assert buttons(app) == {"Resume": True, "Stop": True}
    press(app, "Resume")
    assert not living.pause_requested()
    living.update(state="running")
    press(panel(), "Stop")
    assert living.stop_requested() and buttons(panel()) == {"Stopping": False}


def test_a_map_cannot_be_paused_and_a_waiting_run_only_leaves_the_queue(empty_workspace: Path, living: Run) -> None:
    living.update(state="queued", message="1st in the queue, behind: another.")
    assert buttons(panel()) == {"Stop": True}
    mapping = runs.create(empty_workspace, "embed", EmbedRecipe(), title="a map")
    with attending.held(mapping):
        mapping.update(state="running")
        assert buttons(panel("embed")) == {"Stop": True}


def test_a_run_that_died_twice_says_so_and_can_be_resumed(learning: Run) -> None:
    said = "Its process ended twice in epoch 7; look at the log, then resume it."
    learning.update(state="interrupted", message=said)
    app = panel()
    assert said in words(app) and buttons(app)["Resume"]


def test_a_run_that_came_back_says_so(living: Run) -> None:
    living.update(notice="Taken up again after its process ended.")
    assert "Taken up again after its process ended." in words(panel())


def test_deleting_names_what_goes_as_well(empty_workspace: Path, learning: Run) -> None:
    learning.update(state="finished")
    child = runs.create(empty_workspace, "embed", EmbedRecipe(model=learning.id), title="a map_of it")
    app = panel()
    assert "a map\\_of it" in words(app)
    press(app, "Delete 2 runs")
    assert not learning.path.exists() and not child.path.exists()


def test_what_goes_as_well_can_be_told_apart_where_two_have_one_title(empty_workspace: Path, learning: Run) -> None:
    learning.update(state="stopped")
    users = [runs.create(empty_workspace, "embed", EmbedRecipe(model=learning.id), title="alike") for _ in range(2)]
    said = words(panel())
    assert all(f"- {plain(run_name(user))}" in said for user in users)
    assert run_name(users[0]) != run_name(users[1])


def test_a_run_that_died_is_watched_until_somebody_has_said_what_becomes_of_it(learning: Run) -> None:
    """The studio takes it up again, or writes its last word; the page must not stop looking before that."""
    with attending.held(learning):
        learning.update(state="running", epoch=3, epochs=9)
    assert learning.status().state == "interrupted" and is_live(learning, learning.status())
    learning.update(state="interrupted", message="Its process ended twice in epoch 4; look at the log, then resume it.")
    assert not is_live(learning, learning.status())
    assert "ended twice in epoch 4" in words(panel())


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("- a note", r"\- a note"), ("1. of two", r"1\. of two"), ("3.5 s a step", "3.5 s a step"),
        ("first\n+ second\n\n    third", "first  \n\\+ second  \n  \nthird"), ("a\n---", "a  \n\\---"),
        ("a|b &lt; c", r"a\|b \&lt; c"),
    ],
)  # fmt: skip
def test_what_was_typed_begins_no_list_heading_or_code(typed: str, written: str) -> None:
    assert plain(typed) == written


def test_a_title_is_shown_as_it_was_typed(learning: Run) -> None:
    learning.describe(title="- [a](b) **c** :red[d]")
    assert r"**\- \[a\]\(b\) \*\*c\*\* \:red\[d\]**" in words(panel())
