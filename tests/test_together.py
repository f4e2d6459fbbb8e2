"""One network learns in two processes as it does in one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from facessl import checkpoints, config, recipes, revision, runs, worker
from facessl.distributed import World
from facessl.finetuning import finetune
from facessl.pretraining import pretrain
from facessl.run import Run
from tests import plain_head
from tests.tiny import make_set

SMALL = {
    "dataset": "tiny", "backbone": "tinyvgg", "image_size": 32, "batch_size": 8, "epochs": 2, "device": "cpu",
    "precision": "fp32", "threads": 1,
}  # fmt: skip


def new_run(workspace: Path, kind: str, **settings: object) -> Run:
    return runs.create(workspace, kind, recipes.build(config.RECIPES[kind], {**SMALL, **settings}), title="test")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    make_set(tmp_path)
    return tmp_path


def test_a_share_is_a_share() -> None:
    shares = [World(rank, 4).share(12) for rank in range(4)]
    assert [list(range(12))[share] for share in shares] == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]


def test_two_processes_learn_what_one_does(workspace: Path) -> None:
    # TinyVGG has no batch norm, which on a CPU sees each process's faces alone.
    alone, shared = new_run(workspace, "finetune"), new_run(workspace, "finetune", processes=2)
    finetune(alone, workspace)
    assert worker.work(workspace, shared.id) == "finished", shared.log_text()
    one, two = (load_file(run.path / "model.safetensors") for run in (alone, shared))
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=1e-3, atol=1e-4, msg=name)
    for mine, theirs in zip(alone.metrics(), shared.metrics(), strict=True):
        assert theirs["loss"] == pytest.approx(mine["loss"], rel=1e-4)
    assert shared.resolved()["processes"] == 2
    assert shared.result()["metrics"]["photos"] == 3


def test_two_processes_pretrain_as_one_does_on_the_joined_batch_and_one_goes_on(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SimCLR's loss is that of all pairs of the batch: shares that saw only their own pairs would learn another."""
    monkeypatch.setattr("facessl.methods._head.projection", plain_head.projection)
    alone, shared = new_run(workspace, "pretrain"), new_run(workspace, "pretrain", processes=2)
    pretrain(alone, workspace)
    done = under_torchrun(workspace, "tests.plain_head", str(workspace), shared.id)
    assert done.returncode == 0, done.stderr
    assert_alike(alone, shared)
    more = recipes.build(config.PretrainRecipe, shared.recipe().model_dump() | {"processes": 1, "epochs": 3})
    monkeypatch.setattr(Run, "recipe", lambda self: more)
    pretrain(shared, workspace)
    assert [row["epoch"] for row in shared.metrics()] == [0, 1, 2, 3]
    assert checkpoints.load_state(shared.path)["epoch"] == 3


def test_a_run_of_one_process_goes_on_in_two_as_if_in_one(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facessl.methods._head.projection", plain_head.projection)
    steady = {"schedule": "constant", "warm_up": 0.0}  # the rate of a step does not ask how many follow
    whole, begun = (new_run(workspace, "pretrain", epochs=n, **steady) for n in (3, 2))
    pretrain(whole, workspace)
    pretrain(begun, workspace)
    revision.revise(begun, {"epochs": 3, "processes": 2})
    done = under_torchrun(workspace, "tests.plain_head", str(workspace), begun.id)
    assert done.returncode == 0, done.stderr
    assert begun.resolved()["processes"] == 2
    assert [row["epoch"] for row in begun.metrics()] == [0, 1, 2, 3]
    assert_alike(whole, begun)


def assert_alike(one: Run, two: Run) -> None:
    """Assert that two pre-trainings ended with the same weights to 1e-3, and had the same losses to 1e-4."""
    weights, others = (checkpoints.load_state(run.path)["modules"] for run in (one, two))
    assert weights.keys() == others.keys()
    for name, tensor in weights.items():
        torch.testing.assert_close(others[name], tensor, rtol=1e-3, atol=1e-4, msg=name)
    for mine, theirs in zip(one.metrics()[1:], two.metrics()[1:], strict=True):
        assert theirs["loss"] == pytest.approx(mine["loss"], rel=1e-4)


def under_torchrun(workspace: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a module with its words in two processes, as the README does it."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.run(
        [*torchrun, "-m", *words], cwd=Path(__file__).parents[1], capture_output=True, text=True,
        env={**os.environ, "FACESSL_HOME": str(workspace), "OMP_NUM_THREADS": "1"}, check=False,
    )  # fmt: skip


def test_the_documented_command_under_torchrun(workspace: Path) -> None:
    small = ["--backbone", "tinyvgg", "--image-size", "32", "--batch-size", "8", "--epochs", "1", "--threads", "1"]
    done = under_torchrun(workspace, "facessl", "pretrain", "--dataset", "tiny", *small, "--device", "cpu", "--json")
    assert done.returncode == 0, done.stderr
    (answer,) = (json.loads(line) for line in done.stdout.splitlines())  # one process answers
    run = runs.find(workspace, answer["run"])
    assert run.status().state == "finished" and run.resolved()["processes"] == 2
    assert [row["epoch"] for row in run.metrics()] == [0, 1]


def test_what_is_wrong_under_torchrun_is_said_once_and_first(workspace: Path) -> None:
    done = under_torchrun(workspace, "facessl", "pretrain", "--dataset", "tiny", "--epochs", "many")
    own = [line for line in done.stderr.splitlines() if line.startswith("facessl: ")]
    assert done.returncode == 1 and not (workspace / "runs").exists()
    assert len(own) == 2 and "epochs: must be a whole number, got 'many'" in own[0] and "torchrun's" in own[1]


def test_what_is_wrong_is_said_once_by_the_first(workspace: Path) -> None:
    run = new_run(workspace, "finetune", processes=2, init="20200101-000000-nobody")
    assert worker.work(workspace, run.id) == "failed"
    assert "no trained model" in run.status().error
