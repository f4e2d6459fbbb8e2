"""What is kept in memory: made once however many ask at once, bounded for each kind, nothing after a failure."""

import threading
from time import sleep

import pytest

from facessl.kept import Kept


def test_a_value_is_made_once_however_many_ask_at_once() -> None:
    kept, made, got = Kept(), [], []

    def make() -> object:
        made.append(1)
        sleep(0.05)
        return object()

    asking = [threading.Thread(target=lambda: got.append(kept.get(("model", "a"), make))) for _ in range(8)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert len(made) == 1
    assert len(set(map(id, got))) == 1


def test_the_least_recently_used_of_a_kind_goes_first_and_other_kinds_stay() -> None:
    kept = Kept({"map": 2})
    for name in ("a", "b"):
        kept.get(("map", name), name.upper)
    kept.get(("model", "x"), lambda: "X")
    kept.get(("map", "a"), lambda: "never made")
    kept.get(("map", "c"), lambda: "C")  # b was used longest ago
    assert kept.get(("map", "a"), lambda: "anew") == "A"
    assert kept.get(("model", "x"), lambda: "anew") == "X"
    assert kept.get(("map", "b"), lambda: "anew") == "anew"


def test_another_key_does_not_wait_for_a_slow_one() -> None:
    kept, release = Kept(), threading.Event()
    slow = threading.Thread(target=kept.get, args=(("model", "slow"), release.wait))
    slow.start()
    assert kept.get(("model", "fast"), lambda: 1) == 1
    release.set()
    slow.join()


def test_a_failure_keeps_nothing_and_the_next_try_may_succeed() -> None:
    kept = Kept()
    with pytest.raises(ZeroDivisionError):
        kept.get(("map", "a"), lambda: 1 / 0)
    assert kept.get(("map", "a"), lambda: 2) == 2
