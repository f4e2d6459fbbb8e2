"""A piece of the fuzz run on every test run, and proof that it would see a crash and a hang."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from facessl.errors import ImageError
from facessl.images import read_image
from tests.fuzz import images


def test_damaged_pictures_neither_crash_nor_hang() -> None:
    command = [sys.executable, "-m", "tests.fuzz.images", "--cases", "300", "--seed", "1"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = [int(number) for number in re.findall(r"(\d+) (?:read|refused|crashed|hung)", done.stdout)]
    assert sum(counts) == 300
    assert min(counts[:2]) > 30  # it is not all rubbish, nor all untouched
    assert counts[2:] == [0, 0]


def test_every_original_can_be_read() -> None:
    for name, data in images.originals().items():
        assert sorted(read_image(data).shape) == [3, 40, 48], name


def test_a_case_follows_from_its_seed_and_number() -> None:
    pictures = images.originals()
    assert images.damaged(pictures, 0, 7) == images.damaged(pictures, 0, 7)
    assert images.damaged(pictures, 0, 7) != images.damaged(pictures, 1, 7)


def _refuse(data: bytes) -> None:
    raise ImageError("No.")


def _fail(data: bytes) -> None:
    raise KeyError("a bug")


def _spin(data: bytes) -> None:
    while True:
        pass


@pytest.mark.parametrize(
    ("read", "found"),
    [
        (len, images.READ),
        (_refuse, images.REFUSED),
        (_fail, images.CRASHED),
        (lambda data: os.kill(os.getpid(), signal.SIGSEGV), images.CRASHED),
        (lambda data: bytes(2 * images.MEMORY), images.CRASHED),
        (_spin, images.HUNG),
    ],
    ids=["read", "refused", "exception", "signal", "memory", "hang"],
)
def test_each_outcome_is_told_apart(
    read: Callable[[bytes], object], found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "CPU_SECONDS", 1)
    assert images.outcome(b"data", read) == found
