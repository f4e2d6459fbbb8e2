"""What a worker says when its work cannot go on."""

import errno
import os
import socket
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from facessl import distributed, files, preparation, runs, starting, worker
from facessl.cli import main
from facessl.config import PrepareRecipe
from facessl.distributed import World
from facessl.errors import SourceError
from facessl.preparation import _chunks
from facessl.recipes import build
from facessl.run import Run
from facessl.sources import synthetic
from facessl.studio import Studio
from tests.tiny import make_set

ROOT = Path(__file__).parents[1]


@pytest.fixture
def preparing(tmp_path: Path) -> Run:
    """A preparation of two photos that has not begun."""
    from facessl.images import encode_jpeg

    source = synthetic.open_source(synthetic.Options(people=3, photos=5), "")
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for number, photo in enumerate(source.photos[:2]):
            archive.writestr(f"{number}.jpg", encode_jpeg(source.read(photo)))
    recipe = build(PrepareRecipe, {"source": "folder", "path": str(tmp_path / "photos.zip"), "name": "photos"})
    return runs.create(tmp_path, "prepare", recipe, title="a preparation")


@pytest.fixture
def given_way(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps by which this process made itself less urgent; it stays as it is."""
    steps: list[int] = []
    monkeypatch.setattr(os, "nice", steps.append)
    return steps


def test_work_beside_other_things_keeps_the_priority_of_its_process(
    preparing: Run, tmp_path: Path, given_way: list[int]
) -> None:
    assert worker.work(tmp_path, preparing.id) == "finished"
    assert given_way == []


def test_a_command_that_does_nothing_but_a_run_gives_way_once(
    preparing: Run, tmp_path: Path, given_way: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["work", preparing.id, "--workspace", str(tmp_path)]
    assert main(words) == 0 and given_way == [10]
    # A helper was started by its worker, and has that one's priority.
    monkeypatch.setattr(distributed, "launched", lambda: World(1, 2))
    monkeypatch.setattr(worker, "take_part", lambda *_: None)
    assert main(words) == 0 and given_way == [10]


@pytest.mark.parametrize("own_session", [True, False])
def test_a_session_gives_way_as_a_whole_only_where_it_is_the_runs_own(own_session: bool) -> None:
    shared = Path("/proc/self/autogroup")
    if not shared.exists() or not shared.read_text():  # it says nothing for a process in a container's own group
        pytest.skip("this system does not share by sessions")
    code = "from facessl import attending; attending.give_way(); print(open('/proc/self/autogroup').read())"
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, check=True, capture_output=True, text=True, start_new_session=own_session, cwd=ROOT)
    mine = shared.read_text().split()[-1]
    assert said.stdout.split()[-1] == ("10" if own_session else mine)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_training_under_torchrun_gives_way_in_all_its_processes(
    tmp_path: Path, given_way: list[int], monkeypatch: pytest.MonkeyPatch, rank: int
) -> None:
    make_set(tmp_path)
    monkeypatch.setattr(distributed, "launched", lambda: World(rank, 2))
    monkeypatch.setattr(distributed, "join", lambda kind: None)
    monkeypatch.setattr(World, "agree", lambda self, word: word)
    monkeypatch.setattr(worker, "work", lambda *_: "finished")
    monkeypatch.setattr(starting, "follow", lambda run: {})
    starting.start(Studio(tmp_path), kind="pretrain", detach=False, dataset="tiny", device="cpu")
    assert given_way == [10]


def test_a_disk_without_any_room_left_is_still_said(
    preparing: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_json = files.write_json
    disk = {"full": False}

    def write(path: Path, value: Any) -> None:
        # Full means: only what the worker gives back can be written on.
        if disk["full"] and (preparing.path / "room").exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        write_json(path, value)

    def write_part(*_: object) -> None:
        disk["full"] = True
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "write_json", write)
    with monkeypatch.context() as patched:
        patched.setattr(_chunks, "write_part", write_part)
        assert worker.work(tmp_path, preparing.id) == "failed"
    assert preparing.status().error == "The disk is full; make room, then resume this."
    assert not (tmp_path / "datasets" / "photos").exists()
    disk["full"] = False
    assert worker.work(tmp_path, preparing.id) == "finished"
    assert not (preparing.path / "room").exists()


def test_a_file_that_is_gone_is_named(preparing: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "faces.npy")

    monkeypatch.setattr(_chunks, "write_part", gone)
    assert worker.work(tmp_path, preparing.id) == "failed"
    assert preparing.status().error == "A file could not be read or written: No such file or directory (faces.npy)."


def test_a_stop_ends_a_download_that_says_nothing(
    preparing: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent, other = socket.socketpair()
    silent.settimeout(20)  # so that the test fails where nothing stops it

    def fetch(*_: object) -> None:
        try:
            silent.recv(1)
        except Exception as error:
            raise SourceError("The photos could not be fetched.") from error

    monkeypatch.setattr(preparation, "open_recipe_source", fetch)
    threading.Timer(0.5, preparing.request_stop).start()
    start = time.monotonic()
    with silent, other:
        assert worker.work(tmp_path, preparing.id) == "stopped"
    assert time.monotonic() - start < 3
