"""One operating-system process a run: started here, outliving the app; see ``attending`` for what it does.

The starter takes ``run.lock`` and hands the open file to the worker, so there is no moment at which a started run
looks dead. A worker waits for the runs it builds on, then for its turn (``turns``). A run whose process ended without
a word is taken up again by whoever calls ``revive``, once an epoch.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from facessl import attending, files, revision, runs, states
from facessl.errors import RunError
from facessl.run import Run
from facessl.states import Status

_ENDING = 8 * attending.MISSED  # tries to take the lock of a process that is about to end: some four seconds


def start(workspace: Path, run: Run, *, changes: Mapping[str, Any] | None = None) -> None:
    """Start (or resume) a run's worker process and return at once.

    Args:
        workspace: Where the run is.
        run: A run that nobody works on.
        changes: Settings that the run goes on with, see ``revision.revise``. A finished run goes on when they ask for
            more epochs than it has.

    Raises:
        RunError: A worker already has the run, it is finished, or its settings cannot be read any more.
        RecipeError: The changes cannot be made.
    """
    if not changes or run.kind == states.DAMAGED:  # else revise asks, and another setting may be the cure
        run.recipe()
    # A process says that its run is stopped some moments before it is gone.
    with _taken(run, _ENDING if run.written().state in states.RESUMABLE else attending.MISSED) as lock:
        left = run.written()
        if changes:
            revision.revise(run, changes)
        elif left.state == "finished" and not run.wants_more():
            more = " ask for more epochs (--epochs) to go on, or" if run.kind in states.PAUSABLE else ""
            raise RunError(f"{run.id} is finished;{more} start a new run to change something.")
        if left.state in states.ACTIVE and not changes:  # with other settings it may fare better
            run.count_death(left)  # nobody else saw it
        run.clear_pause()
        _spawn(workspace, run, lock, notice="")


def revive(workspace: Path) -> list[Run]:
    """Take up again the runs whose process ended without a word, and return them: each once an epoch.

    One that died before in the same epoch, or that somebody meanwhile wanted stopped, or that builds on a run which
    failed, gets its last word instead. However many call this at once, a run is taken up by one of them.
    """
    revived = []
    for run in reversed(runs.list_all(workspace)):  # what others build on comes first
        with contextlib.suppress(FileNotFoundError):  # deleted while we look
            if run.has_died() and _revive(workspace, run):
                revived.append(run)
    return revived


def _revive(workspace: Path, run: Run) -> bool:
    try:
        with _taken(run, tries=1) as lock:
            left = run.written()
            if left.state not in states.ACTIVE:
                return False
            if run.stop_requested():
                _settle(run, left, state="stopped", message=states.STOPPED)
                return False
            if lost := _failed_parent(workspace, run):
                _settle(run, left, state="stopped", message=f"Waits for {lost.title}, which did not finish.")
                return False
            deaths = run.count_death(left)
            if deaths > 1:
                often = "twice" if deaths == 2 else f"{deaths} times"
                when = f" in epoch {min(left.epoch + 1, left.epochs)}" if left.epochs else ""
                said = f"Its process ended {often}{when}; look at the log, then resume it."
                _settle(run, left, state="interrupted", message=said)
                return False
            _spawn(workspace, run, lock, notice="Taken up again after its process ended.")
            return True
    except RunError:
        return False  # somebody else is at it


def _settle(run: Run, left: Status, **how: str) -> None:
    """Write the last word for a worker that can no longer do so."""
    run.update(**how, seconds=left.seconds, counted_at=None, seconds_left=None, finished=files.now())


def _failed_parent(workspace: Path, run: Run) -> Run | None:
    for parent in attending.parents(workspace, run):
        if parent.status().state in states.RESUMABLE and not parent.has_died():
            return parent
    return None


def _spawn(workspace: Path, run: Run, lock: int, *, notice: str) -> None:
    """Start the worker of a run whose lock this process holds."""
    (run.path / "stop").unlink(missing_ok=True)
    run.update(
        state="queued", message="Waiting for its turn.", notice=notice, error="", finished="", seconds_left=None,
        seconds=run.written().seconds, counted_at=None,  # a dead worker's clock has gone on ticking
    )  # fmt: skip
    with open(run.path / "log.txt", "ab") as log:
        if notice:
            run.log(notice)
        process = subprocess.Popen(
            [sys.executable, "-m", "facessl", "work", run.id],
            cwd=Path(__file__).parents[1],
            env={**os.environ, "FACESSL_HOME": str(workspace.resolve()), attending.LOCK_FD: str(lock)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=[lock],
            start_new_session=True,  # closing the terminal or the app does not take the training with it
        )
    attending.let_outlive(process)


@contextlib.contextmanager
def _taken(run: Run, tries: int = attending.MISSED) -> Iterator[int]:
    """Hold the run's lock as a file that a worker can inherit; RunError when another process has it."""
    lock = os.open(run.path / "run.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        attending.take_lock(run, lock, tries)
        yield lock
    finally:
        os.close(lock)
