"""One network learns in two processes as it does in one."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from facessl import checkpoints, config, recipes, runs, worker
from facessl.distributed import World
from facessl.finetuning import finetune
from facessl.pretraining import pretrain
from facessl.run import Run
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


def test_a_run_of_two_processes_goes_on_in_one(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = new_run(workspace, "pretrain", processes=2)
    assert worker.work(workspace, run.id) == "finished", run.log_text()
    assert [row["epoch"] for row in run.metrics()] == [0, 1, 2]
    more = recipes.build(config.PretrainRecipe, run.recipe().model_dump() | {"processes": 1, "epochs": 3})
    monkeypatch.setattr(Run, "recipe", lambda self: more)
    pretrain(run, workspace)
    assert [row["epoch"] for row in run.metrics()] == [0, 1, 2, 3]
    assert checkpoints.load_state(run.path)["epoch"] == 3


def test_what_is_wrong_is_said_once_by_the_first(workspace: Path) -> None:
    run = new_run(workspace, "finetune", processes=2, init="20200101-000000-nobody")
    assert worker.work(workspace, run.id) == "failed"
    assert "no trained model" in run.status().error
