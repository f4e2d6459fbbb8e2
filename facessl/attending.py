"""What a worker's process does beside its work: hold its run, heed a stop, wait for others, end with its run."""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

from facessl import files, runs, states
from facessl.errors import FaceSSLError, RunError, Stopped
from facessl.run import Run

LOCK_FD = "FACESSL_LOCK_FD"  # tells a worker which open file holds its run's lock
MISSED = 25  # tries to take a lock, _POLL_SECONDS / 10 apart: an onlooker may be looking at it just now
_HELPER = "FACESSL_HELPER"
_POLL_SECONDS = 0.2
_GRACE_SECONDS = 1.0  # for a stopped worker to save and end by itself; it shall be gone within 3 s, also under load
_BEAT_SECONDS = 1.0  # so much working time at most is forgotten when a worker is killed
_NICE = 10  # of 19
_OF_THE_SESSION = Path("/proc/self/autogroup")
_ROOM = 1 << 17  # bytes: a status and a traceback
_saved_first: list[Callable[[], None]] = []  # see saving_first
_outliving = set[int]()  # see let_outlive
_breakable = threading.Event()  # a process works on one run


# -- its run -----------------------------------------------------------------------------------------------------


def take_lock(run: Run, lock: int, tries: int = MISSED) -> None:
    """Take a run's lock in an open file of it; RunError when another process has it."""
    for missed in range(tries):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            time.sleep(_POLL_SECONDS / 10 if missed + 1 < tries else 0)
    raise RunError(f"{run.id} is already being worked on.") from None


def has_own_process() -> bool:
    """Return whether ``start`` made this process, so that nothing but the run ends with it; before ``held`` only."""
    return LOCK_FD in os.environ


def give_way() -> None:
    """Let the pages come first from now on; for a process that does nothing but a run's work.

    Whoever works on a run beside other things keeps the priority: nobody can take it back.
    """
    os.nice(_NICE)
    # Linux may share the machine by sessions (autogroup): a session of one's own is nice to others only as a whole.
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):  # not Linux, or not allowed here
            _OF_THE_SESSION.write_text(str(_NICE))


@contextlib.contextmanager
def held(run: Run) -> Iterator[None]:
    """Hold the run's lock in this process: the one inherited from ``start``, or a fresh one.

    Raises:
        RunError: Another process has it.
    """
    inherited = os.environ.pop(LOCK_FD, None)
    lock = int(inherited) if inherited else os.open(run.path / "run.lock", os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(lock, False)  # helpers of the worker must not keep a dead run looking alive
    try:
        take_lock(run, lock)
        files.sweep(run.path)
        yield
    finally:
        os.close(lock)


@contextlib.contextmanager
def attended(run: Run, *, own_process: bool) -> Iterator[None]:
    """Keep the run's working time written down meanwhile.

    A process of the run's own also ends when its run is deleted, and a short while after a stop was asked for if it
    has not ended by itself: everything a worker leaves on disk is whole at any moment, and imports, long steps and
    libraries ask nobody whether they may go on.
    """
    done = threading.Event()
    watcher = threading.Thread(target=_attend, args=(run, own_process, done), name="attend", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _attend(run: Run, own_process: bool, done: threading.Event) -> None:
    stopped_at: float | None = None
    beaten_at = time.monotonic()
    while not done.wait(_POLL_SECONDS):
        now = time.monotonic()
        if own_process and not run.path.is_dir():
            leave()
        if own_process and run.stop_requested():
            stopped_at = stopped_at or now
            if _breakable.is_set() or now - stopped_at >= _GRACE_SECONDS:
                for save in list(_saved_first):
                    save()
                end_at_once(run, state="stopped", message=states.STOPPED)
        if now - beaten_at >= _BEAT_SECONDS:
            beaten_at = now
            with contextlib.suppress(OSError):  # the work meets the same disk, and says what is wrong with it
                run.beat()


@contextlib.contextmanager
def saving_first(save: Callable[[], None]) -> Iterator[None]:
    """Let ``save`` be called, from another thread, before a stop ends the process in the middle of what is inside."""
    _saved_first.append(save)
    try:
        yield
    finally:
        _saved_first.remove(save)


@contextlib.contextmanager
def breakable() -> Iterator[None]:
    """Say that what is done meanwhile leaves nothing behind: a worker that is told to stop then ends without grace.

    For imports and for reading into memory, which cannot look whether somebody wants a stop.
    """
    _breakable.set()
    try:
        yield
    finally:
        _breakable.clear()


def end_at_once(run: Run, *, state: str, message: str, error: str = "") -> NoReturn:
    """End this process and its helpers here and now, from any thread; the run's status says how it ended.

    Nothing is saved any more; what the run last saved is what it resumes from. A state that says already how the run
    ended stays.
    """
    _end_children()  # first: one of them may write the status too
    give_room_back(run)
    with contextlib.suppress(OSError):  # a disk that cannot be written on cannot keep the process alive
        run.log(error or message)
        run.last_word(
            state=state, message=message, error=error, seconds_left=None, counted_at=None, finished=files.now()
        )
    leave()


@contextlib.contextmanager
def with_helpers() -> Iterator[None]:
    """Let the processes that are started meanwhile know that they help a worker; see ``helping``."""
    os.environ[_HELPER] = "1"
    try:
        yield
    finally:
        del os.environ[_HELPER]


@contextlib.contextmanager
def helping(run: Run) -> Iterator[None]:
    """End this process when it helps a worker of this machine and that is gone: nobody is left whom it could help."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_POLL_SECONDS):
            if not run.path.is_dir() or not run.is_alive():
                leave()

    if _HELPER in os.environ:
        threading.Thread(target=watch, name="helping", daemon=True).start()
    try:
        yield
    finally:
        done.set()


def let_outlive(process: subprocess.Popen[bytes]) -> None:
    """Spare a child, and its children, when this process ends: it works on a run of its own."""
    _outliving.add(process.pid)

    def reap() -> None:
        process.wait()
        _outliving.discard(process.pid)

    # Someone has to collect the exit status, or a finished worker stays a zombie while the app lives.
    threading.Thread(target=reap, name=f"reap-{process.pid}", daemon=True).start()


def _end_children() -> None:
    import psutil

    spared = set(_outliving)
    for child in psutil.Process().children(recursive=True):  # each after its parent
        with contextlib.suppress(psutil.NoSuchProcess):
            if child.pid in spared or child.ppid() in spared:
                spared.add(child.pid)
            else:
                child.kill()


def leave() -> NoReturn:
    """End this process here and now: torch and its threads take seconds to be put away."""
    _end_children()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)  # the lock goes back with the process


def keep_room(run: Run) -> None:
    """Take some room on the disk, so that there is enough to say so when it is full."""
    (run.path / "room").write_bytes(bytes(_ROOM))


def give_room_back(run: Run) -> None:
    (run.path / "room").unlink(missing_ok=True)


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


# -- the runs that it builds on ----------------------------------------------------------------------------------


def wait_for_parents(workspace: Path, run: Run) -> None:
    """Return when every run that this one builds on is finished.

    Raises:
        RunError: One of them failed. Stopped: one of them was stopped, or this one was.
    """
    for parent in parents(workspace, run):
        while True:
            died = parent.has_died()
            status = parent.status()
            if not died and status.state not in states.ACTIVE:
                break
            run.check_stop()
            run.say(f"Waiting for: {parent.title}{', whose process ended; resume it' if died else ''}.")
            time.sleep(_POLL_SECONDS)
        if status.state in ("stopped", "interrupted"):
            raise Stopped(f"Waits for {parent.title}, which was stopped; resume that first.")
        if status.state == "failed":
            raise RunError(f"{parent.title}, which this builds on, failed; mend that first, then resume this.")


def parents(workspace: Path, run: Run) -> list[Run]:
    """Return the runs that must be finished before this one begins."""
    return [runs.find(workspace, run_id) for run_id in run.config["after"]]
