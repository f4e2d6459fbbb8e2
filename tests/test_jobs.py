"""Real worker processes: they outlive their starter, stop when asked, and survive a kill."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from facessl import attending, jobs, recipes, runs, states
from facessl.backbones import resnet18
from facessl.config import PretrainRecipe
from facessl.errors import RunError
from facessl.run import Run
from facessl.studio import Studio
from tests.conftest import run_here
from tests.processes import worker_of
from tests.proofs import kills
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
def studio(tmp_path: Path) -> Iterator[Studio]:
    make_set(tmp_path)
    made = Studio(tmp_path)
    yield made
    for run in made.active():  # of a test that failed
        made.stop(run.id)


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


def wait_for_end(run: Run) -> None:
    """A run says that it is stopped before its process is gone: soon it is, also where others keep the machine busy."""
    deadline = time.monotonic() + 20
    while run.is_alive():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_killed_at_some_moment_it_goes_on_to_the_same_weights(studio: Studio) -> None:
    # At twenty, with ResNet18 in bf16 on two threads: python -m tests.proofs.kills
    ((_, epoch),) = kills.prove(studio, 1, **SMALL, epochs=15)
    assert epoch > 0


def test_a_failure_is_one_sentence_and_frees_the_queue_for_a_run_that_leaves_a_usable_model(studio: Studio) -> None:
    weights = studio.workspace / "weights" / resnet18.IMAGENET_FILE
    weights.parent.mkdir()
    weights.write_bytes(b"not what torchvision made")
    bad = studio.start("pretrain", {**SMALL, "init": "imagenet", "backbone": "resnet18"})
    wait(bad, "failed")
    assert bad.status().error and "\n" not in bad.status().error and "Traceback" not in bad.status().error
    good = studio.start("pretrain", {**SMALL, "epochs": 1})
    assert good.status().state in states.ACTIVE
    wait(good, "finished", "failed")
    assert good.status().state == "finished", good.log_text()
    result = good.result()
    assert result and {"run", "dataset", "device", "seconds", "images_per_second", "metrics"} <= result.keys()
    assert studio.models("tiny")[0].id == good.id
    assert studio.gallery(good.id).people == ("Person 0", "Person 1", "Person 2")


def test_killed_in_front_of_everybody_it_comes_back_to_where_it_was(studio: Studio) -> None:
    studio.watch()
    run = studio.start("pretrain", {**SMALL, "epochs": 2000})
    wait_for_epoch(run, 3)
    psutil.Process(worker_of(run)).kill()
    while (status := run.status()).attempts < 2 or status.state != "running":
        assert not status.error and status.state != "failed"
        time.sleep(0.05)
    reached = len(run.metrics())
    assert status.notice == "Taken up again after its process ended."
    wait_for_epoch(run, reached + 1)
    studio.stop(run.id)
    wait(run, "stopped", seconds=30)
    assert [row["epoch"] for row in run.metrics()] == list(range(len(run.metrics())))


def test_a_pause_keeps_the_process_and_the_place_and_a_stop_the_place(studio: Studio) -> None:
    run = studio.start("pretrain", {**SMALL, "epochs": 2000})
    with pytest.raises(RunError, match="nothing to pause"):
        studio.pause(run.id)
    wait_for_epoch(run, 1)
    worker = worker_of(run)
    assert psutil.Process(worker).nice() == min(19, psutil.Process().nice() + 10)  # the pages come first
    studio.pause(run.id)
    wait(run, "paused", seconds=10)
    reached, before = len(run.metrics()), run.status()
    time.sleep(2)
    assert len(run.metrics()) == reached and run.status().seconds - before.seconds < 0.5
    studio.resume(run.id)
    wait_for_epoch(run, reached + 1)
    assert worker_of(run) == worker and run.status().state == "running"
    studio.pause(run.id)
    wait(run, "paused", seconds=10)
    studio.stop(run.id)
    assert run.status().state in ("stopping", "stopped")
    wait(run, "stopped", seconds=30)
    wait_for_end(run)
    reached = run.status().epoch
    studio.resume(run.id)
    wait_for_epoch(run, reached + 2)
    studio.stop(run.id)
    wait(run, "stopped", seconds=30)
    assert [row["epoch"] for row in run.metrics()] == list(range(len(run.metrics())))


def test_who_resumes_while_the_stopped_process_ends_waits_for_it(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runs.create(studio.workspace, "pretrain", recipes.build(PretrainRecipe, SMALL), title="a test's")
    run.update(state="stopped")
    started: list[str] = []
    monkeypatch.setattr(jobs, "_spawn", lambda workspace, run, lock, notice: started.append(run.id))
    with attending.held(run):
        late = threading.Thread(target=studio.resume, args=(run.id,))
        late.start()
        time.sleep(1.2)
        assert started == []
    late.join(timeout=5)
    assert started == [run.id]


def test_a_finished_run_goes_on_for_more_epochs(studio: Studio) -> None:
    run = run_here(studio.workspace, "pretrain", **SMALL, epochs=2)
    first = run.result()
    with pytest.raises(RunError, match="is finished"):
        studio.resume(run.id)
    studio.resume(run.id, {"epochs": 3, "learning_rate": 2e-4})
    assert run.result() == first
    wait(run, "finished", "failed")
    assert run.status().state == "finished", run.log_text()
    assert [row["epoch"] for row in run.metrics()] == [0, 1, 2, 3]
    assert run.config["changes"][0]["to"] == {"epochs": 3, "learning_rate": 2e-4}
    assert run.result() != first


def test_a_stop_while_torch_is_loaded_ends_the_process_within_three_seconds(studio: Studio) -> None:
    run = studio.start("pretrain", {**SMALL, "epochs": 2000})
    wait(run, "running")
    assert run.written().message == "Starting."
    studio.stop(run.id)
    wait_for_end(run)
    assert run.status().state == "stopped"


def test_the_helpers_of_a_killed_preparation_end_too(tmp_path: Path) -> None:
    recipe = {"people": 40, "photos": 20, "workers": 2, "name": "many", "size": 64}
    run = Studio(tmp_path).start("prepare", recipe)
    deadline = time.monotonic() + 60
    while run.status().step == 0:
        assert time.monotonic() < deadline and run.is_alive(), run.log_text()
        time.sleep(0.02)
    worker = psutil.Process(worker_of(run))
    helpers = worker.children(recursive=True)
    assert len(helpers) >= 2
    worker.kill()
    _, left = psutil.wait_procs(helpers, timeout=5)
    assert left == []
    assert run.status().state == "interrupted"
