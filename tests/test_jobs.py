"""Real worker processes: they outlive their starter, stop when asked, and survive a kill."""

import os
import signal
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file

from facessl import runs
from facessl.runs import Run
from facessl.studio import Studio
from tests.tiny import make_set

SMALL = {
    "dataset": "tiny",
    "backbone": "tinyvgg",
    "image_size": 32,
    "batch_size": 8,
    "threads": 1,
    "device": "cpu",
    "precision": "fp32",
}


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    make_set(tmp_path)
    return Studio(tmp_path)


def wait(run: Run, *states: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while run.status().state not in states:
        assert time.monotonic() < deadline, f"{run.status()}\n{run.log_text()}"
        time.sleep(0.05)


def wait_for_epoch(run: Run, epoch: int) -> None:
    deadline = time.monotonic() + 120
    while not any(row["epoch"] >= epoch for row in run.metrics()):
        assert time.monotonic() < deadline and run.is_alive(), f"{run.status()}\n{run.log_text()}"
        time.sleep(0.02)


def worker_of(run: Run) -> int:
    """Return the process id of the worker that holds the run."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"work" in words and run.id.encode() in words:
                return int(entry.name)
    raise AssertionError("no worker")


def test_a_run_finishes_in_its_own_process_and_leaves_a_usable_model(studio: Studio) -> None:
    run = studio.start("pretrain", {**SMALL, "epochs": 2})
    assert run.status().state in runs.ACTIVE
    wait(run, "finished", "failed")
    assert run.status().state == "finished", run.log_text()
    result = run.result()
    assert result and {"run", "dataset", "device", "seconds", "images_per_second", "metrics"} <= result.keys()
    assert studio.models("tiny")[0].id == run.id
    assert studio.gallery(run.id).people == ("Person 0", "Person 1", "Person 2")


def test_stop_then_resume(studio: Studio) -> None:
    run = studio.start("pretrain", {**SMALL, "epochs": 2000})
    wait_for_epoch(run, 2)
    studio.stop(run.id)
    assert run.status().state in ("stopping", "stopped")
    wait(run, "stopped", seconds=10)
    assert not run.is_alive()
    reached = run.status().epoch
    studio.resume(run.id)
    wait_for_epoch(run, reached + 2)
    studio.stop(run.id)
    wait(run, "stopped", seconds=10)
    epochs = [row["epoch"] for row in run.metrics()]
    assert epochs == list(range(len(epochs)))


def test_killed_at_any_moment_it_resumes_to_the_same_weights(studio: Studio) -> None:
    undisturbed = studio.start("pretrain", {**SMALL, "epochs": 12})
    wait(undisturbed, "finished", "failed")
    killed = studio.start("pretrain", {**SMALL, "epochs": 12})
    for epoch in (1, 4, 8):
        wait_for_epoch(killed, epoch)
        os.kill(worker_of(killed), signal.SIGKILL)
        wait(killed, "interrupted", seconds=10)
        studio.resume(killed.id)
    wait(killed, "finished", "failed")
    assert killed.status().state == "finished", killed.log_text()
    expected, found = (load_file(r.path / "model.safetensors") for r in (undisturbed, killed))
    assert all((expected[name] == found[name]).all() for name in expected)
    assert [row["epoch"] for row in killed.metrics()] == list(range(13))


def test_a_failure_is_one_sentence_and_frees_the_queue(studio: Studio) -> None:
    bad = studio.start("pretrain", {**SMALL, "init": "imagenet", "backbone": "tinyvgg"})
    wait(bad, "failed")
    assert bad.status().error and "\n" not in bad.status().error and "Traceback" not in bad.status().error
    good = studio.start("pretrain", {**SMALL, "epochs": 1})
    wait(good, "finished", "failed")
    assert good.status().state == "finished", good.log_text()
