"""Run folders: what is written can be read, a dead worker is seen, nothing is half there."""

import subprocess
import sys
from pathlib import Path

import pytest

from facessl import jobs, runs
from facessl.config import EmbedRecipe
from facessl.errors import RunError, Stopped
from facessl.runs import Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return runs.create(tmp_path, "embed", EmbedRecipe(seed=7), title="A map")


def test_a_run_keeps_its_recipe(run: Run) -> None:
    assert run.recipe() == EmbedRecipe(seed=7)
    assert (run.kind, run.title, run.status().state) == ("embed", "A map", "stopped")


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
    with jobs.held(other), jobs.turn(tmp_path, other, ["cpu"]):
        run.request_stop()
        with pytest.raises(Stopped), jobs.held(run), jobs.turn(tmp_path, run, ["cpu"]):
            pytest.fail("the queue let two runs work at once")
    assert list((tmp_path / "queue" / "cpu").iterdir()) == []


def test_the_ticket_of_a_killed_run_blocks_nobody(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "queue" / "cpu"
    folder.mkdir(parents=True)
    (folder / f"{1:020d}-{run.id}").touch()  # its worker is gone: nobody holds the lock
    other = runs.create(tmp_path, "embed", EmbedRecipe(), title="Other")
    with jobs.held(other), jobs.turn(tmp_path, other, ["cpu"]):
        assert [t.name.split("-", 1)[1] for t in folder.iterdir()] == [other.id]


def test_a_resumed_run_does_not_wait_behind_its_own_lost_ticket(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "queue" / "cpu"
    folder.mkdir(parents=True)
    (folder / f"{1:020d}-{run.id}").touch()
    with jobs.held(run), jobs.turn(tmp_path, run, ["cpu"]):
        assert len(list(folder.iterdir())) == 1


def test_two_workers_never_hold_one_run(run: Run) -> None:
    with jobs.held(run), pytest.raises(RunError, match="already"), jobs.held(run):
        pytest.fail("two held it")


def test_children_of_a_stopped_run_stop_with_a_reason(run: Run, tmp_path: Path) -> None:
    child = runs.create(tmp_path, "embed", EmbedRecipe(), title="Child", after=[run.id])
    with pytest.raises(Stopped, match="A map"):
        jobs.wait_for_parents(tmp_path, child)
    run.update(state="failed")
    with pytest.raises(RunError, match="failed"):
        jobs.wait_for_parents(tmp_path, child)
    run.update(state="finished")
    jobs.wait_for_parents(tmp_path, child)
