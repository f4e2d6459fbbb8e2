"""A run whose process ends without a word comes back by itself, once; what ends a worker leaves nothing behind.

The runs wait for another one that this process holds, so that no worker ever loads anything heavy.
"""

import gc
import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from facessl import attending, jobs, runs, states, turns
from facessl.config import EmbedRecipe, PretrainRecipe
from facessl.errors import RunError
from facessl.run import Run
from facessl.studio import Studio
from tests.processes import worker_of

ROOT = Path(__file__).parents[1]


def until(met: Callable[[], bool], seconds: float = 30) -> float:
    """Wait until something is so, and return for how long."""
    start = time.monotonic()
    while not met():
        assert time.monotonic() - start < seconds
        time.sleep(0.02)
    return time.monotonic() - start


def gone(pid: int) -> bool:
    """Return whether a process has ended; who started it may not have asked how yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[Run]:
    """A run that works for as long as the test."""
    made = runs.create(tmp_path, "pretrain", PretrainRecipe(), title="The parent")
    with attending.held(made):
        made.update(state="running")
        yield made
        for run in runs.list_all(tmp_path):
            run.request_stop()
    until(lambda: not any(run.is_alive() for run in runs.list_all(tmp_path)))


@pytest.fixture
def waiting(tmp_path: Path, parent: Run) -> Run:
    """A run whose worker waits for the parent."""
    run = runs.create(tmp_path, "pretrain", PretrainRecipe(epochs=20), title="The child", after=[parent.id])
    jobs.start(tmp_path, run)
    until(lambda: works(run) or not run.is_alive())
    assert works(run), run.log_text()
    return run


def kill(run: Run) -> None:
    os.kill(worker_of(run), signal.SIGKILL)
    until(lambda: not run.is_alive())


def works(run: Run) -> bool:
    return run.is_alive() and run.written().message == "Waiting for: The parent."


def test_it_comes_back_once_and_a_second_death_leaves_a_sentence(waiting: Run, tmp_path: Path) -> None:
    (waiting.path / ".state.pt.999999999.partial").touch()
    waiting.update(epoch=6, epochs=20, seconds=50.0)
    kill(waiting)
    assert waiting.status().state == "interrupted"
    assert jobs.revive(tmp_path) == [waiting]
    until(lambda: works(waiting))
    status = waiting.status()
    assert (status.state, status.attempts, status.epoch) == ("queued", 2, 6)
    assert status.notice == "Taken up again after its process ended."
    assert not list(waiting.path.glob(".*.partial"))
    assert jobs.revive(tmp_path) == []
    kill(waiting)
    assert jobs.revive(tmp_path) == [] and jobs.revive(tmp_path) == []
    status = waiting.status()
    assert status.state == "interrupted" and not waiting.is_alive()
    assert status.message == "Its process ended twice in epoch 7; look at the log, then resume it."
    Studio(tmp_path).resume(waiting.id)
    until(lambda: works(waiting))
    assert waiting.status().notice == ""
    kill(waiting)
    assert jobs.revive(tmp_path) == []
    assert waiting.status().message.startswith("Its process ended 3 times in epoch 7")


def test_a_paused_run_that_died_comes_back_paused(waiting: Run, tmp_path: Path) -> None:
    waiting.request_pause()
    waiting.update(state="paused")
    kill(waiting)
    assert jobs.revive(tmp_path) == [waiting]
    until(lambda: works(waiting))
    assert waiting.pause_requested()
    waiting.request_stop()
    until(lambda: not waiting.is_alive())
    Studio(tmp_path).resume(waiting.id)
    assert not waiting.pause_requested() and not waiting.stop_requested()


def test_in_a_later_epoch_it_comes_back_again(waiting: Run, tmp_path: Path) -> None:
    waiting.update(epoch=6, epochs=20)
    kill(waiting)
    assert jobs.revive(tmp_path) == [waiting]
    until(lambda: works(waiting))
    waiting.update(epoch=7)
    kill(waiting)
    assert jobs.revive(tmp_path) == [waiting]
    until(lambda: works(waiting))


def test_of_many_that_look_at_once_one_takes_it_up(waiting: Run, tmp_path: Path) -> None:
    kill(waiting)
    command = "import sys; from pathlib import Path; from facessl import jobs; input(); "
    command += "print(len(jobs.revive(Path(sys.argv[1]))))"
    pipe = subprocess.PIPE
    apps = [
        subprocess.Popen([sys.executable, "-c", command, str(tmp_path)], cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
        for _ in range(4)
    ]
    for app in apps:
        assert app.stdin
        app.stdin.write("\n")
        app.stdin.flush()
    assert sorted(int(app.communicate(timeout=60)[0]) for app in apps) == [0, 0, 0, 1]
    until(lambda: works(waiting))
    assert waiting.status().attempts == 2


def test_what_was_stopped_or_ended_does_not_come_back(waiting: Run, tmp_path: Path) -> None:
    worker = worker_of(waiting)
    os.kill(worker, signal.SIGSTOP)  # so that the stop finds it dead
    waiting.request_stop()
    os.kill(worker, signal.SIGKILL)
    until(lambda: not waiting.is_alive())
    assert jobs.revive(tmp_path) == []
    assert waiting.status().state == "stopped"
    for state in ("failed", "finished", "stopped"):
        waiting.update(state=state)
        assert jobs.revive(tmp_path) == []


def test_what_builds_on_a_failed_run_does_not_come_back(tmp_path: Path) -> None:
    parent = runs.create(tmp_path, "embed", EmbedRecipe(), title="The parent")
    parent.update(state="failed")
    child = runs.create(tmp_path, "embed", EmbedRecipe(), title="The child", after=[parent.id])
    child.update(state="queued")
    assert jobs.revive(tmp_path) == []
    assert (child.status().state, child.status().message) == (
        "stopped",
        "Waits for The parent, which did not finish.",
    )


def test_who_waits_for_a_run_that_died_goes_on_waiting(tmp_path: Path) -> None:
    parent = runs.create(tmp_path, "embed", EmbedRecipe(), title="The parent")
    parent.update(state="running")  # and nobody holds it
    child = runs.create(tmp_path, "embed", EmbedRecipe(), title="The child", after=[parent.id])
    waits = threading.Thread(target=attending.wait_for_parents, args=(tmp_path, child))
    waits.start()
    until(lambda: "whose process ended" in child.written().message)
    parent.update(state="finished")
    waits.join(5)
    assert not waits.is_alive()


def test_a_listing_starts_nothing_and_the_studio_of_the_app_does(waiting: Run, tmp_path: Path) -> None:
    kill(waiting)
    subprocess.run(
        [sys.executable, "-m", "facessl", "runs", "--workspace", str(tmp_path)], cwd=ROOT, check=True, timeout=60
    )
    assert not waiting.is_alive()
    studio = Studio(tmp_path)
    studio.watch()
    until(lambda: works(waiting), seconds=10)
    watcher = studio._watcher
    studio.watch()
    assert studio._watcher is watcher
    del studio
    gc.collect()
    assert watcher
    watcher.join(60)  # it may be starting a process just now, on a busy machine
    assert not watcher.is_alive()  # nobody watches for a studio that is gone


# -- what is left behind -----------------------------------------------------------------------------------------


def test_a_stop_in_the_queue_is_obeyed_within_a_second(waiting: Run) -> None:
    waiting.request_stop()
    assert until(lambda: waiting.written().state == "stopped") < 1.5


def test_a_worker_whose_run_is_deleted_ends(waiting: Run, tmp_path: Path) -> None:
    worker = worker_of(waiting)
    shutil.rmtree(waiting.path)
    assert until(lambda: gone(worker)) < 3
    assert turns.queue(tmp_path) == []


def test_a_killed_app_leaves_its_runs_going_and_the_next_finds_them(tmp_path: Path, parent: Run) -> None:
    run = runs.create(tmp_path, "pretrain", PretrainRecipe(), title="The child", after=[parent.id])
    command = "import sys, time; from facessl.studio import Studio; from pathlib import Path; "
    command += "Studio(Path(sys.argv[1])).resume(sys.argv[2]); print(flush=True); time.sleep(60)"
    app = subprocess.Popen([sys.executable, "-c", command, str(tmp_path), run.id], cwd=ROOT, stdout=subprocess.PIPE)
    assert app.stdout
    app.stdout.readline()
    app.kill()
    app.wait()
    until(lambda: works(run))
    assert [found.title for found in Studio(tmp_path).active()] == ["The parent", "The child"]
    assert jobs.revive(tmp_path) == []
    worker = worker_of(run)
    Studio(tmp_path).stop(run.id)
    until(lambda: gone(worker), seconds=3)
    assert run.status().state == "stopped"


HANGS = """
import subprocess, sys, threading, time
from pathlib import Path
from facessl import attending, jobs, runs, states
from facessl.run import Run, timed
run = Run(Path(sys.argv[1]))
with attending.held(run), attending.attended(run, own_process=True):
    attending.keep_room(run)
    run.update(state="running", message="Hanging.")
    child = subprocess.Popen(["sleep", "600"])
    with timed(run):
        print(child.pid, flush=True)
        if sys.argv[2] == "hangs":
            time.sleep(600)
        how = {"state": "failed", "message": "m", "error": "e"}
        threading.Thread(target=attending.end_at_once, args=(run,), kwargs=how).start()
        while True:
            run.update(state="running")
"""


def hang(run: Run, how: str) -> tuple[subprocess.Popen[str], int]:
    command = [sys.executable, "-c", HANGS, str(run.path), how]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    return process, int(process.stdout.readline())


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return runs.create(tmp_path, "embed", EmbedRecipe(), title="A map")


def test_work_that_hangs_ends_within_three_seconds_of_a_stop(run: Run) -> None:
    process, child = hang(run, "hangs")
    run.request_stop()
    start = time.monotonic()
    assert process.wait(10) == 0
    assert time.monotonic() - start < 3
    assert run.written().state == "stopped" and run.written().message == states.STOPPED
    assert not run.is_alive() and not (run.path / "room").exists()
    until(lambda: gone(child), seconds=2)


def test_work_that_hangs_ends_when_its_run_is_deleted(run: Run) -> None:
    process, child = hang(run, "hangs")
    shutil.rmtree(run.path)
    assert process.wait(3) == 0
    until(lambda: gone(child), seconds=2)


def test_a_helper_ends_with_its_worker(run: Run) -> None:
    code = "import sys, time; from pathlib import Path; from facessl import attending; from facessl.run import Run\n"
    code += "with attending.helping(Run(Path(sys.argv[1]))): print(flush=True); time.sleep(600)"
    command = [sys.executable, "-c", code, str(run.path)]
    with attending.held(run), attending.with_helpers():
        helper = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert helper.stdout
        helper.stdout.readline()
        time.sleep(0.5)
        assert helper.poll() is None
    assert helper.wait(3) == 0
    alone = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)  # torchrun's own ones have no worker
    assert alone.stdout
    alone.stdout.readline()
    time.sleep(0.5)
    assert alone.poll() is None
    alone.kill()
    alone.wait()


def test_two_processes_that_write_the_status_keep_each_others_words(run: Run) -> None:
    code = "import sys; from pathlib import Path; from facessl.run import Run; run = Run(Path(sys.argv[1])); input()\n"
    code += "for n in range(300): run.update(**{sys.argv[2]: n + 1})"
    pipe = subprocess.PIPE
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(run.path), name], cwd=ROOT, stdin=pipe, text=True)
        for name in ("step", "epoch")
    ]
    for writer in writers:
        assert writer.stdin
        writer.stdin.write("\n")
        writer.stdin.flush()
    seen = [(0, 0)]
    while any(writer.poll() is None for writer in writers):
        status = run.written()
        seen.append((status.step, status.epoch))
    assert (run.written().step, run.written().epoch) == (300, 300)
    assert all(before[i] <= after[i] for before, after in itertools.pairwise(seen) for i in (0, 1))


def test_what_other_threads_write_does_not_undo_the_last_word(run: Run) -> None:
    process, child = hang(run, "ends")
    assert process.wait(10) == 0
    status = run.status()
    assert (status.state, status.message, status.error) == ("failed", "m", "e")
    until(lambda: gone(child), seconds=2)


def test_a_last_word_does_not_contradict_an_earlier_one(run: Run) -> None:
    run.update(state="finished", message="Finished.")
    code = "import sys; from pathlib import Path; from facessl import attending; from facessl.run import Run; "
    code += "attending.end_at_once(Run(Path(sys.argv[1])), state='stopped', message='m')"
    subprocess.run([sys.executable, "-c", code, str(run.path)], cwd=ROOT, check=True, timeout=60)
    assert run.status().state == "finished"


def test_working_time_survives_a_kill(run: Run) -> None:
    process, child = hang(run, "hangs")
    time.sleep(2.5)
    process.kill()
    process.wait()
    os.kill(child, signal.SIGKILL)
    status = run.status()
    assert status.state == "interrupted" and 1.0 <= status.seconds <= 3.5
    time.sleep(0.5)
    assert run.status().seconds == status.seconds


def test_a_run_that_works_cannot_be_changed(waiting: Run, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="already being worked on"):
        jobs.start(tmp_path, waiting, changes={"epochs": 30})
    assert "changes" not in waiting.config
