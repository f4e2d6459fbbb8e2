"""One operating-system process a run: started here, outliving the app, queueing one a device.

The starter takes ``run.lock`` and hands the open file to the worker, so there is no moment at which a started run
looks dead. A worker waits for the runs it builds on, then draws a ticket in its device's queue; the oldest living
ticket works. Waiting needs no torch.
"""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from facessl import runs
from facessl.errors import FaceSSLError, RunError, Stopped
from facessl.runs import Run

_LOCK_FD = "FACESSL_LOCK_FD"
_POLL_SECONDS = 0.3


def start(workspace: Path, run: Run) -> None:
    """Start (or resume) a run's worker process and return at once.

    Raises:
        RunError: A worker already has the run, or it is finished.
    """
    lock = os.open(run.path / "run.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(f"{run.id} is already being worked on.") from None
        if run.status().state == "finished":
            raise RunError(f"{run.id} is finished; start a new run to change something.")
        (run.path / "stop").unlink(missing_ok=True)
        run.update(state="queued", message="Waiting for its turn.", error="", finished="", seconds_left=None)
        with open(run.path / "log.txt", "ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "facessl", "work", run.id],
                cwd=Path(__file__).parents[1],
                env={**os.environ, "FACESSL_HOME": str(workspace.resolve()), _LOCK_FD: str(lock)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[lock],
                start_new_session=True,  # closing the terminal or the app does not take the training with it
            )
    finally:
        os.close(lock)
    # Someone has to collect the exit status, or a finished worker stays a zombie while the app lives.
    threading.Thread(target=process.wait, name=f"reap-{run.id}", daemon=True).start()


@contextlib.contextmanager
def held(run: Run) -> Iterator[None]:
    """Hold the run's lock in this process: the one inherited from ``start``, or a fresh one.

    Raises:
        RunError: Another process has it.
    """
    inherited = os.environ.pop(_LOCK_FD, None)
    lock = int(inherited) if inherited else os.open(run.path / "run.lock", os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(lock, False)  # helpers of the worker must not keep a dead run looking alive
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(f"{run.id} is already being worked on.") from None
        yield
    finally:
        os.close(lock)


def wait_for_parents(workspace: Path, run: Run) -> None:
    """Return when every run that this one builds on is finished.

    Raises:
        RunError: One of them failed. Stopped: one of them was stopped, or this one was.
    """
    for run_id in run.config["after"]:
        parent = runs.find(workspace, run_id)
        while (status := parent.status()).state in runs.ACTIVE:
            run.check_stop()
            _say_once(run, f"Waiting for: {parent.title}.")
            time.sleep(_POLL_SECONDS)
        if status.state in ("stopped", "interrupted"):
            raise Stopped(f"Waits for {parent.title}, which was stopped; resume that first.")
        if status.state == "failed":
            raise RunError(f"{parent.title}, which this builds on, failed; mend that first, then resume this.")


@contextlib.contextmanager
def turn(workspace: Path, run: Run, queue: str) -> Iterator[None]:
    """Wait for the run's turn in a queue and keep it while inside."""
    folder = workspace / "queue" / queue
    folder.mkdir(parents=True, exist_ok=True)
    for lost in folder.glob(f"*-{run.id}"):  # of an attempt that was killed: it would wait behind itself
        lost.unlink(missing_ok=True)
    ticket = folder / f"{time.time_ns():020d}-{run.id}"
    ticket.touch()
    try:
        while (first := _first_living(workspace, folder)) != ticket:
            run.check_stop()
            _say_once(run, f"Waiting for its turn behind: {_title_of(workspace, first) if first else 'another run'}.")
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        ticket.unlink(missing_ok=True)


@contextlib.contextmanager
def stopping_at_once(run: Run) -> Iterator[None]:
    """Let a stop request end what is done meanwhile wherever it waits: a download in a library asks nobody.

    For the process's main thread only, and for work that may be broken off anywhere.

    Raises:
        Stopped: Somebody asked for it.
    """
    done = threading.Event()
    before = signal.signal(signal.SIGUSR1, lambda *_: run.check_stop())

    def watch() -> None:
        while not done.wait(_POLL_SECONDS):
            if run.stop_requested():
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
                return

    watcher = threading.Thread(target=watch, name="stop", daemon=True)
    watcher.start()
    try:
        yield
    except FaceSSLError:
        run.check_stop()  # the stop may have been taken for a broken connection
        raise
    finally:
        done.set()
        watcher.join()
        signal.signal(signal.SIGUSR1, before)


def _first_living(workspace: Path, folder: Path) -> Path | None:
    for ticket in sorted(folder.iterdir()):
        run = Run(workspace / "runs" / ticket.name.split("-", 1)[1])
        if run.path.is_dir() and run.is_alive():
            return ticket
        ticket.unlink(missing_ok=True)  # its worker was killed before it could take it back
    return None


def _title_of(workspace: Path, ticket: Path) -> str:
    return Run(workspace / "runs" / ticket.name.split("-", 1)[1]).title


def _say_once(run: Run, message: str) -> None:
    if runs.read_json(run.path / "status.json")["message"] != message:
        run.update(message=message)
