"""The queues, one a device: a run draws a ticket, and the oldest living ticket works.

Everybody who looks at the folder ``queue`` sees the same. Waiting needs no torch.
"""

import contextlib
import fcntl
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from facessl.run import Run

_POLL_SECONDS = 0.2


class Place(NamedTuple):
    """Where a run stands."""

    queue: str  # cpu, gpu0, gpu1, …
    position: int  # 0 works; 1 is the next
    run: Run


def queue(workspace: Path) -> list[Place]:
    """Return who works and who waits, queue by queue in the order of their turns."""
    return [
        Place(folder.name, position, run)
        for folder in _queues(workspace)
        for position, run in enumerate(_line(workspace, folder.name))
    ]


@contextlib.contextmanager
def turn(workspace: Path, run: Run, queues: Sequence[str], count: int = 1) -> Iterator[tuple[str, ...]]:
    """Wait for the run's turn, keep it while inside, and say in which queues.

    Args:
        workspace: Where the queues are.
        run: Held by this process.
        queues: Those that would do; the shortest are taken, and a waiting run changes to one that has become empty.
        count: How many of them the run needs at once, at most as many as there are.
    """
    mine = _draw(workspace, run, queues, min(count, len(queues)))
    try:
        while (ahead := _ahead(workspace, run, mine)) != []:
            run.check_stop()
            if ahead is None:  # somebody cleared the queue away
                mine = _draw(workspace, run, queues, len(mine))
                continue
            if count == 1 and (empty := _move(workspace, run, mine[0], queues)):
                mine = (empty,)
                continue
            behind = ahead[-1]
            paused = ", which is paused" if behind.pause_requested() else ""
            run.say(f"{_ordinal(len(ahead))} in the queue, behind: {behind.title}{paused}.")
            time.sleep(_POLL_SECONDS)
        yield mine
    finally:
        for name in mine:
            _take_back(workspace, run, name)


def _draw(workspace: Path, run: Run, queues: Sequence[str], count: int) -> tuple[str, ...]:
    """Draw the next ticket in the shortest queues.

    Numbers grow under a lock: by the clock, a later ticket could look around before an earlier one lies there, and
    both would work. All tickets of a run have one number, so that two runs never wait for each other.
    """
    with _drawing(workspace):
        for folder in _queues(workspace):
            _take_back(workspace, run, folder.name)  # of an attempt that was killed: it would wait behind itself
        lengths = {name: len(_line(workspace, name)) for name in queues}
        chosen = tuple(sorted(sorted(queues, key=lengths.__getitem__)[:count]))
        tickets = [ticket for folder in _queues(workspace) for ticket in folder.iterdir()]
        number = max((_number(ticket) for ticket in tickets), default=0) + 1
        for name in chosen:
            _lay(workspace, run, name, number)
        return chosen


def _move(workspace: Path, run: Run, name: str, queues: Sequence[str]) -> str | None:
    """Change to a queue in which nobody is; return it, or None when there is none."""
    if len(queues) == 1:
        return None
    with _drawing(workspace):
        empty = next((other for other in queues if not _line(workspace, other)), None)
        if empty is None:
            return None
        number = next(_number(t) for t in (workspace / "queue" / name).glob(f"*-{run.id}"))
        _lay(workspace, run, empty, number)
        _take_back(workspace, run, name)
        return empty


def _ahead(workspace: Path, run: Run, names: Sequence[str]) -> list[Run] | None:
    """Return who stands before a run, in that one of its queues in which most do; None if it stands in one no more."""
    lines = [_line(workspace, name) for name in names]
    if not all(run in line for line in lines):
        return None
    return max((line[: line.index(run)] for line in lines), key=len)


def _line(workspace: Path, name: str) -> list[Run]:
    """Return the living runs in a queue, in the order of their tickets; forget the tickets of dead ones."""
    folder = workspace / "queue" / name
    line = []
    for ticket in sorted(folder.iterdir(), key=_number) if folder.is_dir() else ():
        run = Run(workspace / "runs" / ticket.name.split("-", 1)[1])
        if run.path.is_dir() and run.is_alive():
            line.append(run)
        else:
            ticket.unlink(missing_ok=True)  # its worker was killed before it could take it back
    return line


def _queues(workspace: Path) -> list[Path]:
    folder = workspace / "queue"
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


@contextlib.contextmanager
def _drawing(workspace: Path) -> Iterator[None]:
    folder = workspace / "queue"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _lay(workspace: Path, run: Run, name: str, number: int) -> None:
    folder = workspace / "queue" / name
    folder.mkdir(exist_ok=True)
    (folder / f"{number:020d}-{run.id}").touch()


def _take_back(workspace: Path, run: Run, name: str) -> None:
    for ticket in (workspace / "queue" / name).glob(f"*-{run.id}"):
        ticket.unlink(missing_ok=True)


def _number(ticket: Path) -> int:
    return int(ticket.name.split("-", 1)[0])


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
