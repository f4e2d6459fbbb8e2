"""Work in the background: in order, what goes wrong is told, and nobody's exit waits for it."""

import subprocess
import sys
import threading
import time

import pytest

from pages._shared.background import Background

FOREVER = """
import time
from pages._shared.background import Background
Background(1, "test").submit(time.sleep, 60)
time.sleep(0.2)
"""


def test_work_is_done_in_the_order_in_which_it_was_asked_for() -> None:
    done: list[int] = []
    there = Background(1, "test")
    futures = [there.submit(done.append, number) for number in range(5)]
    futures[-1].result(5)
    assert done == [0, 1, 2, 3, 4]


def test_so_many_things_go_on_at_once_as_there_are_threads() -> None:
    both = threading.Barrier(2)
    there = Background(2, "test")
    for future in [there.submit(both.wait, 5), there.submit(both.wait, 5)]:
        future.result(5)


def test_what_went_wrong_is_told_to_who_asks_and_the_thread_goes_on() -> None:
    there = Background(1, "test")
    broken, whole = there.submit(int, "no number"), there.submit(int, "7")
    with pytest.raises(ValueError, match="no number"):
        broken.result(5)
    assert whole.result(5) == 7


def test_a_process_ends_in_the_middle_of_the_work() -> None:
    start = time.monotonic()
    subprocess.run([sys.executable, "-c", FOREVER], check=True, timeout=30)
    assert time.monotonic() - start < 20
