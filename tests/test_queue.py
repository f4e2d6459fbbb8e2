"""The queues: one works, the others wait in the order in which they came, and everybody can see it."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from facessl import attending, runs, turns
from facessl.config import EmbedRecipe
from facessl.errors import Stopped
from facessl.run import Run

MakeRun = Callable[..., Run]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    def make(title: str = "A map") -> Run:
        return runs.create(tmp_path, "embed", EmbedRecipe(), title=title)

    return make


class Worker(threading.Thread):
    """Takes its turn as a worker process does, and keeps it until it is told to go."""

    def __init__(self, workspace: Path, run: Run, queues: list[str], count: int = 1) -> None:
        super().__init__(daemon=True)
        self.workspace, self.own, self.queues, self.count = workspace, run, queues, count
        self.got: tuple[str, ...] = ()
        self.go = threading.Event()
        self.start()

    def run(self) -> None:
        with attending.held(self.own), turns.turn(self.workspace, self.own, self.queues, self.count) as taken:
            self.got = taken
            self.go.wait(30)

    def until(self, met: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not met():
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.fixture
def worker(tmp_path: Path, make_run: MakeRun) -> Iterator[Callable[..., Worker]]:
    made: list[Worker] = []

    def start(title: str, queues: list[str], count: int = 1) -> Worker:
        made.append(Worker(tmp_path, make_run(title), queues, count))
        one = made[-1]
        one.until(lambda: any(place.run == one.own for place in turns.queue(tmp_path)))
        return one

    yield start
    for one in made:
        one.go.set()
    for one in made:
        one.join(10)


ONE_WORKER = """
import os, sys, time
from pathlib import Path
from facessl import attending, turns
from facessl.run import Run
workspace, run_id = Path(sys.argv[1]), sys.argv[2]
run = Run(workspace / "runs" / run_id)
print(flush=True)
input()
with attending.held(run), turns.turn(workspace, run, ["cpu"]):
    working = os.open(workspace / "working", os.O_CREAT | os.O_EXCL)  # fails where another works
    time.sleep(0.05)
    os.close(working)
    os.unlink(workspace / "working")
"""


def test_of_many_that_come_at_once_one_works_at_a_time(tmp_path: Path, make_run: MakeRun) -> None:
    ids = [make_run(str(number)).id for number in range(6)]
    command = [sys.executable, "-c", ONE_WORKER, str(tmp_path)]
    pipe = subprocess.PIPE
    workers = [subprocess.Popen([*command, i], stdin=pipe, stdout=pipe, stderr=pipe, text=True) for i in ids]
    for process in workers:
        assert process.stdout
        process.stdout.readline()
    for process in workers:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    for process in workers:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
    assert list((tmp_path / "queue" / "cpu").iterdir()) == []


def test_a_later_ticket_has_a_higher_number_whatever_the_clock_says(
    tmp_path: Path, make_run: MakeRun, worker: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = worker("first", ["cpu"])
    first.until(lambda: first.got == ("cpu",))
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    worker("second", ["cpu"])
    assert [(place.position, place.run.title) for place in turns.queue(tmp_path)] == [(0, "first"), (1, "second")]


def test_everybody_sees_who_waits_behind_whom(tmp_path: Path, worker: Callable[..., Worker]) -> None:
    first, second, third = (worker(title, ["cpu"]) for title in ("first", "second", "third"))
    seen = [(place.queue, place.position, place.run.title) for place in turns.queue(tmp_path)]
    assert seen == [("cpu", 0, "first"), ("cpu", 1, "second"), ("cpu", 2, "third")]
    third.until(lambda: third.own.status().message == "2nd in the queue, behind: second.")
    second.until(lambda: second.own.status().message == "1st in the queue, behind: first.")
    first.go.set()
    second.until(lambda: second.got == ("cpu",))
    third.until(lambda: third.own.status().message == "1st in the queue, behind: second.")


def test_who_waits_behind_a_paused_run_is_told_so(worker: Callable[..., Worker]) -> None:
    first, second = (worker(title, ["cpu"]) for title in ("first", "second"))
    first.own.request_pause()
    second.until(lambda: second.own.status().message == "1st in the queue, behind: first, which is paused.")
    first.own.clear_pause()
    second.until(lambda: second.own.status().message == "1st in the queue, behind: first.")


def test_no_two_tickets_have_one_number(tmp_path: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    lay = turns._lay

    def lay_late(*where: Any) -> None:
        time.sleep(0.02)  # time for the others to look around meanwhile
        lay(*where)

    monkeypatch.setattr(turns, "_lay", lay_late)
    drawing, numbers = [make_run(str(number)) for number in range(8)], threading.Barrier(8)

    def draw(run: Run) -> None:
        with attending.held(run):
            numbers.wait(10)
            turns._draw(tmp_path, run, ["cpu"], 1)
            numbers.wait(10)  # the tickets of the dead would be forgotten

    threads = [threading.Thread(target=draw, args=(run,)) for run in drawing]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    tickets = [path.name.split("-")[0] for path in (tmp_path / "queue" / "cpu").iterdir()]
    assert sorted(map(int, tickets)) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_the_shortest_queue_is_taken(tmp_path: Path, worker: Callable[..., Worker]) -> None:
    for title, queue in (("a", "gpu0"), ("b", "gpu0"), ("c", "gpu1")):
        worker(title, [queue])
    worker("d", ["gpu0", "gpu1"])
    assert [(p.queue, p.position) for p in turns.queue(tmp_path) if p.run.title == "d"] == [("gpu1", 1)]


def test_each_gpu_works_on_its_own(worker: Callable[..., Worker]) -> None:
    gpus = ["gpu0", "gpu1"]
    first = worker("first", ["gpu0"])
    second = worker("second", gpus)
    second.until(lambda: second.got == ("gpu1",))
    third = worker("third", ["cpu"])
    third.until(lambda: third.got == ("cpu",))
    first.until(lambda: first.got == ("gpu0",))


def test_who_waits_changes_to_a_gpu_that_has_become_free(worker: Callable[..., Worker]) -> None:
    worker("long", ["gpu0"])
    short = worker("short", ["gpu1"])
    waiting = worker("waiting", ["gpu0", "gpu1"])
    short.until(lambda: short.got == ("gpu1",))
    assert waiting.got == ()
    short.go.set()
    waiting.until(lambda: waiting.got == ("gpu1",))


def test_a_run_on_two_gpus_waits_for_both_and_nobody_for_ever(worker: Callable[..., Worker]) -> None:
    gpus = ["gpu0", "gpu1"]
    first = worker("first", ["gpu1"])
    both, too = worker("both", gpus, 2), worker("both too", gpus, 2)
    time.sleep(0.5)
    assert both.got == too.got == ()
    first.go.set()
    both.until(lambda: both.got == ("gpu0", "gpu1"))
    assert too.got == ()
    both.go.set()
    too.until(lambda: too.got == ("gpu0", "gpu1"))


def test_a_waiting_run_can_leave_the_queue_at_once(
    tmp_path: Path, make_run: MakeRun, worker: Callable[..., Worker]
) -> None:
    worker("first", ["cpu"])
    run = make_run("waiting")
    threading.Timer(0.3, run.request_stop).start()
    start = time.monotonic()
    with pytest.raises(Stopped), attending.held(run), turns.turn(tmp_path, run, ["cpu"]):
        pytest.fail("two work at once")
    assert time.monotonic() - start < 1.3
    assert [place.run.title for place in turns.queue(tmp_path)] == ["first"]


@pytest.mark.parametrize(
    ("number", "word"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (22, "22nd")]
)
def test_places_are_said_as_people_say_them(number: int, word: str) -> None:
    assert turns._ordinal(number) == word
