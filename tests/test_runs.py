"""Run folders: what is written can be read, a dead worker is seen, nothing is half there."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from facessl import attending, jobs, revision, runs, turns
from facessl.config import EmbedRecipe, PretrainRecipe
from facessl.errors import RecipeError, RunError, Stopped
from facessl.run import Run, timed
from facessl.states import RESUMABLE


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return runs.create(tmp_path, "embed", EmbedRecipe(seed=7), title="A map")


@pytest.fixture
def learning(tmp_path: Path) -> Run:
    return runs.create(tmp_path, "pretrain", PretrainRecipe(epochs=10), title="A pre-training")


def test_a_run_keeps_its_recipe(run: Run) -> None:
    assert run.recipe() == EmbedRecipe(seed=7)
    assert (run.kind, run.title, run.status().state) == ("embed", "A map", "stopped")


def test_a_copied_workspace_keeps_the_order_of_its_runs(run: Run, tmp_path: Path) -> None:
    """A copy's files are all of today, in the order of the copying."""
    older = Run(run.path.rename(run.path.with_name("20261130-081103-embed-map-4d8b")))
    newer = Run(shutil.copytree(older.path, older.path.with_name("20261130-081104-embed-map-ec35")))
    os.utime(newer.path / "config.json", ns=(1, 1))
    assert [r.id for r in runs.list_all(tmp_path)] == [newer.id, older.id]


def test_runs_are_listed_newest_first_and_found_by_part_of_their_id(run: Run, tmp_path: Path) -> None:
    newer = runs.create(tmp_path, "embed", EmbedRecipe(), title="Newer")
    assert [r.id for r in runs.list_all(tmp_path)] == [newer.id, run.id]
    assert runs.find(tmp_path, newer.id[-4:]) == newer
    with pytest.raises(RunError, match="no run"):
        runs.find(tmp_path, "nothing")
    with pytest.raises(RunError, match="no run"):
        runs.find(tmp_path, "../runs")


def test_a_folder_being_made_is_not_listed(tmp_path: Path) -> None:
    (tmp_path / "runs" / ".making").mkdir(parents=True)
    (tmp_path / "runs" / "half").mkdir()
    assert runs.list_all(tmp_path) == []


def test_an_unfinished_last_line_is_not_there_yet(run: Run) -> None:
    run.log_metrics(epoch=1, loss=0.5)
    with open(run.path / "metrics.jsonl", "a") as file:
        file.write('{"epoch": 2, "lo')
    assert run.metrics() == [{"epoch": 1, "loss": 0.5}]


def test_rows_of_lost_work_are_cut(run: Run) -> None:
    for epoch in (0, 1, 2, 3):
        run.log_metrics(epoch=epoch)
    run.cut_metrics(1)
    assert [row["epoch"] for row in run.metrics()] == [0, 1]


def test_a_state_that_is_no_known_word_is_what_the_lock_says(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.update(state="flying")
    assert run.status().state == "interrupted" and run.status().state in RESUMABLE
    assert not run.has_died()  # nobody takes up by itself what another version may have ended
    monkeypatch.setattr(Run, "is_alive", lambda self: True)
    assert run.status().state == "running"


def test_a_run_is_alive_exactly_while_a_process_holds_it(run: Run) -> None:
    run.update(state="running")
    assert run.status().state == "interrupted"
    lock = str(run.path / "run.lock")
    code = f"import fcntl; f = open({lock!r}, 'a'); fcntl.flock(f, fcntl.LOCK_EX); print(); input()"
    holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout
    holder.stdout.readline()
    assert run.status().state == "running"
    run.request_stop()
    assert run.status().state == "stopping"
    with pytest.raises(RunError, match="still running"):
        runs.delete([run])
    holder.kill()
    holder.wait()
    assert run.status().state == "interrupted"


def test_a_stop_is_seen_and_the_wait_for_a_turn_ends(run: Run, tmp_path: Path) -> None:
    other = runs.create(tmp_path, "embed", EmbedRecipe(), title="Other")
    with attending.held(other), turns.turn(tmp_path, other, ["cpu"]):
        run.request_stop()
        with pytest.raises(Stopped), attending.held(run), turns.turn(tmp_path, run, ["cpu"]):
            pytest.fail("the queue let two runs work at once")
    assert list((tmp_path / "queue" / "cpu").iterdir()) == []


def test_the_ticket_of_a_killed_run_blocks_nobody(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "queue" / "cpu"
    folder.mkdir(parents=True)
    (folder / f"{1:020d}-{run.id}").touch()  # its worker is gone: nobody holds the lock
    other = runs.create(tmp_path, "embed", EmbedRecipe(), title="Other")
    with attending.held(other), turns.turn(tmp_path, other, ["cpu"]):
        assert [t.name.split("-", 1)[1] for t in folder.iterdir()] == [other.id]


def test_a_resumed_run_does_not_wait_behind_its_own_lost_ticket(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "queue" / "cpu"
    folder.mkdir(parents=True)
    (folder / f"{1:020d}-{run.id}").touch()
    with attending.held(run), turns.turn(tmp_path, run, ["cpu"]):
        assert len(list(folder.iterdir())) == 1


def test_two_workers_never_hold_one_run(run: Run) -> None:
    with attending.held(run), pytest.raises(RunError, match="already"), attending.held(run):
        pytest.fail("two held it")


def test_children_of_a_stopped_run_stop_with_a_reason(run: Run, tmp_path: Path) -> None:
    child = runs.create(tmp_path, "embed", EmbedRecipe(), title="Child", after=[run.id])
    with pytest.raises(Stopped, match="A map"):
        attending.wait_for_parents(tmp_path, child)
    run.update(state="failed")
    with pytest.raises(RunError, match="failed"):
        attending.wait_for_parents(tmp_path, child)
    run.update(state="finished")
    attending.wait_for_parents(tmp_path, child)


# -- pause, time, and what else a worker writes down -------------------------------------------------------------


def until(met: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_pause_waits_until_it_is_cleared_and_is_no_working_time(learning: Run) -> None:
    learning.request_pause()
    with attending.held(learning):
        learning.update(state="running", message="Epoch 1.")
        with timed(learning):
            waiting = threading.Thread(target=learning.wait_while_paused)
            waiting.start()
            until(lambda: learning.status().state == "paused")
            assert learning.status().message == "Paused; it keeps its place and its memory."
            time.sleep(0.7)
            assert waiting.is_alive()
            learning.clear_pause()
            waiting.join(5)
            assert not waiting.is_alive() and learning.status().state == "running"
            time.sleep(0.2)
    assert 0.2 <= learning.status().seconds < 0.7


def test_without_a_pause_nothing_is_written(learning: Run) -> None:
    before = (learning.path / "status.json").stat().st_mtime_ns
    learning.wait_while_paused()
    assert (learning.path / "status.json").stat().st_mtime_ns == before


def test_a_stop_ends_a_pause(learning: Run) -> None:
    learning.request_pause()
    threading.Timer(0.3, learning.request_stop).start()
    start = time.monotonic()
    with pytest.raises(Stopped):
        learning.wait_while_paused()
    assert time.monotonic() - start < 2


def test_working_time_is_written_down_while_it_passes(run: Run) -> None:
    run.update(seconds=100.0)
    with timed(run):
        time.sleep(0.3)
        run.beat()
        assert 100.3 <= run.written().seconds < 102
    time.sleep(0.3)
    run.update(message="later")
    assert run.status().seconds < 100.6


def test_numbers_that_json_has_not_do_not_stop_the_writing(run: Run) -> None:
    run.update(images_per_second=float("inf"), seconds_left=float("nan"), step=np.int64(3))
    status = run.status()
    assert (status.images_per_second, status.seconds_left, status.step) == (0.0, None, 3)
    run.log_metrics(epoch=1, loss=float("nan"), knn=np.float32(0.5), rows=[float("-inf"), 1.0])
    line = (run.path / "metrics.jsonl").read_text()
    assert json.loads(line) == {"epoch": 1, "loss": None, "knn": 0.5, "rows": [None, 1.0]} and "NaN" not in line


def test_what_auto_came_to_is_kept_and_the_list_keeps_its_order(run: Run, tmp_path: Path) -> None:
    newer = runs.create(tmp_path, "embed", EmbedRecipe(), title="Newer")
    assert run.resolved() == {}
    run.resolved(device="cpu", threads=2)
    assert run.resolved(precision="bf16") == {"device": "cpu", "threads": 2, "precision": "bf16"}
    assert run.config["resolved"] == run.resolved()
    assert run.recipe() == EmbedRecipe(seed=7)
    assert [r.id for r in runs.list_all(tmp_path)] == [newer.id, run.id]


def test_half_written_files_of_dead_processes_are_removed(run: Run) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    names = (".state.{}.partial", ".model.{}.partial", ".embeddings.{}.partial.npy", ".gallery.{}.partial.npz")
    for name in names:
        (run.path / name.format(dead.pid)).touch()
    (run.path / ".preview.jpg.partial").touch()
    living = run.path / f".about.json.{os.getpid()}.partial"
    living.touch()
    with attending.held(run):
        assert [path.name for path in run.path.glob(".*")] == [living.name]
    assert run.status().state == "stopped"


def test_a_start_is_not_refused_because_somebody_looks(run: Run) -> None:
    with open(run.path / "run.lock", "a") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)  # as ``is_alive`` does, for an instant
        threading.Timer(0.2, looking.close).start()
        with attending.held(run):
            pass


# -- other settings when it goes on ------------------------------------------------------------------------------


def test_some_settings_can_change_and_it_is_written_down(learning: Run) -> None:
    learning.update(epoch=4, epochs=10)
    learning.resolved(device="cpu", precision="bf16", threads=2, torch="2")
    revision.revise(learning, {"epochs": "30", "precision": "fp32"})
    recipe = learning.recipe()
    assert (recipe.epochs, recipe.precision, recipe.batch_size) == (30, "fp32", 64)
    (change,) = learning.config["changes"]
    assert change.pop("when")
    assert change == {
        "epoch": 4,
        "from": {"epochs": 10, "precision": "auto"},
        "to": {"epochs": 30, "precision": "fp32"},
    }
    assert learning.resolved() == {"device": "cpu", "threads": 2, "torch": "2"}
    revision.revise(learning, {"device": "cpu"})
    assert learning.resolved() == {"torch": "2"}
    revision.revise(learning, {"epochs": 30})
    assert len(learning.config["changes"]) == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epochs": 3}, "learnt for 4 epochs"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"backbone": "tinyvgg"}, "backbone belongs to what the run is"),
        ({"seed": 1}, "start a new run"),
    ],
)
def test_what_cannot_change_is_refused(learning: Run, changes: dict[str, Any], said: str) -> None:
    learning.update(epoch=4, epochs=10)
    before = (learning.path / "config.json").read_text()
    with pytest.raises(RecipeError, match=said) as refused:
        revision.revise(learning, changes)
    assert "\n" not in str(refused.value)
    assert (learning.path / "config.json").read_text() == before


def test_within_an_epoch_there_is_no_going_back_to_those_before(learning: Run) -> None:
    """Ten epochs of five steps: after 31 the seventh has begun, and after 30 it has not."""
    learning.update(state="stopped", epoch=6, epochs=10, step=31, steps=50)
    with pytest.raises(RecipeError, match=r"stopped within epoch 7; ask for 7 epochs or more\.$"):
        revision.checked(learning, {"epochs": 6})
    assert revision.checked(learning, {"epochs": 7}).model_dump()["epochs"] == 7
    learning.update(step=30)
    assert revision.checked(learning, {"epochs": 6}).model_dump()["epochs"] == 6


def test_a_map_has_no_settings_to_change(run: Run) -> None:
    with pytest.raises(RecipeError, match="its settings cannot change"):
        revision.revise(run, {"seed": 1})


def test_a_finished_run_goes_on_only_for_more_epochs(learning: Run, tmp_path: Path) -> None:
    learning.update(state="finished", epoch=10, epochs=10)
    with pytest.raises(RunError, match="is finished"):
        jobs.start(tmp_path, learning)
    for changes in ({"epochs": 10}, {"learning_rate": 0.1}):
        with pytest.raises(RecipeError, match="ask for more"):
            revision.checked(learning, changes)
    with pytest.raises(RecipeError, match="was deleted"):
        revision.checked(learning, {"epochs": 11})
    (learning.path / "state.pt").touch()
    assert revision.checked(learning, {"epochs": 11}).model_dump()["epochs"] == 11


# -- a person's words --------------------------------------------------------------------------------------------


def test_a_title_and_a_note_stay_whatever_the_worker_writes(run: Run) -> None:
    run.describe(title="  Maps of\nthe team ")
    run.describe(note="the first\nthat worked")
    run.update(state="finished")
    run.resolved(device="cpu")
    again = Run(run.path)
    assert (again.title, again.note) == ("Maps of the team", "the first\nthat worked")
    assert again.config["title"] == "Maps of the team"


@pytest.mark.parametrize("words", [{"title": " "}, {"title": "x" * 121}, {"note": "x" * 4001}])
def test_words_without_end_and_no_words_are_refused(run: Run, words: dict[str, str]) -> None:
    with pytest.raises(RunError) as refused:
        run.describe(**words)
    assert "\n" not in str(refused.value) and (run.title, run.note) == ("A map", "")


def test_runs_deleted_together_go_together_or_not_at_all(run: Run, learning: Run, tmp_path: Path) -> None:
    with attending.held(learning), pytest.raises(RunError, match="still running"):
        runs.delete([run, learning])
    assert len(runs.list_all(tmp_path)) == 2
    runs.delete([run, learning])
    assert list((tmp_path / "runs").iterdir()) == []


def test_runs_made_in_one_second_meet_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The four digits are drawn: of 300 runs two have the same ones in half of all cases."""
    drawn = iter(["3f2a"] * 5 + ["9c01", "3f2a"])
    monkeypatch.setattr(runs.secrets, "token_hex", lambda size: next(drawn))
    second = datetime(2026, 11, 23, 12, 0, 0)
    monkeypatch.setattr(runs, "datetime", SimpleNamespace(now=lambda: second))
    made = [runs.create(tmp_path, "embed", EmbedRecipe(), title=str(number)) for number in range(2)]
    assert [run.id[-4:] for run in made] == ["3f2a", "9c01"]
