"""A probe says what a pre-training takes, leaves nothing that was learnt, and what a page shows is what was drawn."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facessl import batches, config, devices, pretraining, probe, recipes, runs, seen, worker
from facessl.batches import FaceBatches
from facessl.dataset import FaceDataset
from facessl.encoder import Encoder
from facessl.errors import RecipeError, RunError
from facessl.run import Run
from facessl.studio import Studio
from tests.conftest import run_here
from tests.tiny import make_set

SMALL = {"dataset": "tiny", "backbone": "tinyvgg", "image_size": 32, "batch_size": 8, "threads": 1, "device": "cpu"}
FACES = 28  # 3 people × 8 train faces, and 4 nameless


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    make_set(tmp_path)
    return tmp_path


@pytest.fixture
def steps_taken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Which batches were asked for; the first costs a second, each other 50 ms, beside what it costs anyhow."""
    asked: list[tuple[int, int]] = []
    real = FaceBatches.__call__

    def slow(self: FaceBatches, epoch: int, step: int) -> Any:
        asked.append((epoch, step))
        time.sleep(1.0 if len(asked) == 1 else 0.05)
        return real(self, epoch, step)

    monkeypatch.setattr(FaceBatches, "__call__", slow)
    return asked


def test_an_epoch_is_estimated_from_steps_after_the_first(workspace: Path, steps_taken: list[tuple[int, int]]) -> None:
    found = run_here(workspace, "probe", **SMALL, epochs=100).result()
    assert found
    assert steps_taken == [(0, 0), (0, 1), (0, 2), (1, 0)]  # an epoch of 28 faces has three batches of 8
    assert (found["faces"], found["steps_an_epoch"]) == (FACES, 3)
    assert 0.05 <= found["seconds_a_step"] < 0.5  # the first step is not measured
    epoch = 3 * found["seconds_a_step"] + found["seconds_of_a_look"]
    assert found["seconds_an_epoch"] == pytest.approx(epoch, abs=0.01)
    assert found["seconds_in_all"] == pytest.approx(100 * epoch, rel=0.05)
    assert found["images_per_second"] == pytest.approx(8 / found["seconds_a_step"], rel=0.01)
    assert 50 < found["memory_mib"] < 100_000 and np.isfinite(found["loss"])


def test_a_look_at_many_faces_counts_for_all_of_them(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_LOOKED_AT", 1)

    def slow(self: Any, faces: np.ndarray) -> np.ndarray:
        time.sleep(0.02 * len(faces))
        return np.zeros((len(faces), 4), np.float32)

    monkeypatch.setattr(Encoder, "descriptors", slow)
    found = run_here(workspace, "probe", **SMALL).result()
    assert found
    assert found["seconds_of_a_look"] >= 0.02 * (FACES + 3)  # and one val face of each person


def test_nothing_that_was_learnt_stays(workspace: Path) -> None:
    run = run_here(workspace, "probe", **SMALL)
    assert not list(run.path.glob("*.pt")) and not list(run.path.glob("*.safetensors"))
    assert not (run.path / "model.json").exists()
    assert Studio(workspace).models() == []
    assert Studio(workspace).runs("pretrain") == []


def test_a_loss_that_is_no_number_is_said(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = recipes.build(config.ProbeRecipe, {**SMALL, "optimizer": "sgd", "learning_rate": 10, "precision": "fp32"})
    run = runs.create(workspace, "probe", recipe, title="too fast")
    render = batches.views.to_input
    monkeypatch.setattr(batches.views, "to_input", lambda pictures: render(pictures) * float("inf"))
    with pytest.raises(RunError, match="no number since epoch 1, step 1"):
        probe.probe(run, workspace)
    assert not (run.path / "state.pt").exists()


def test_what_cannot_be_pretrained_is_not_estimated(workspace: Path) -> None:
    studio = Studio(workspace)
    with pytest.raises(RecipeError):
        studio.estimate({**SMALL, "batch_size": 1})
    assert studio.runs() == []


def test_only_a_few_probes_are_kept(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facessl.jobs.start", lambda workspace, run, changes=None: run.update(state="finished"))
    monkeypatch.setattr("facessl.studio._PROBES_KEPT", 4)
    studio = Studio(workspace)
    made = [studio.estimate({**SMALL, "seed": seed}).id for seed in range(6)]
    assert [run.id for run in studio.runs("probe")] == made[::-1][:4]


def test_a_probe_s_work_is_known_to_the_worker() -> None:
    assert set(worker._WORK) == set(config.RECIPES)


@pytest.mark.parametrize("epoch", [0, 2])
def test_the_views_shown_are_those_that_the_network_sees(workspace: Path, epoch: int) -> None:
    recipe = recipes.build(config.PretrainRecipe, {**SMALL, "seed": 5})
    run = runs.create(workspace, "pretrain", recipe, title="a run")
    dataset = FaceDataset(workspace / "datasets" / "tiny")
    pool, labels = pretraining.faces_to_learn_from(dataset, [], named_only=False)
    trained_on = FaceBatches(pool, labels, 2, recipe, devices.compute("cpu", "fp32", 1))(epoch, 0)
    shown = seen.first_views(run, workspace, epoch, 4)
    assert len(shown) == 2 and shown[0].shape == (4, 32, 32, 3)
    assert all(np.array_equal(one, other[:4]) for one, other in zip(shown, trained_on.pictures, strict=True))


def test_a_batch_that_changed_on_the_way_is_the_one_shown(workspace: Path) -> None:
    run = runs.create(workspace, "pretrain", recipes.build(config.PretrainRecipe, {**SMALL}), title="a run")
    assert len(seen.first_views(run, workspace, 0, 20)[0]) == 8
    Run(run.path).resolved(batch_size=6)
    assert len(seen.first_views(run, workspace, 0, 20)[0]) == 6


def test_a_method_of_names_has_one_view(workspace: Path) -> None:
    recipe = recipes.build(config.PretrainRecipe, {**SMALL, "method": "supervised"})
    run = runs.create(workspace, "pretrain", recipe, title="a run")
    assert len(seen.first_views(run, workspace, 0, 4)) == 1


def test_the_step_that_warms_up_is_not_measured(workspace: Path, steps_taken: list[tuple[int, int]]) -> None:
    found = run_here(workspace, "probe", **SMALL, steps=1).result()
    assert found and len(steps_taken) == 2
    assert found["seconds_a_step"] < 0.5  # the median of both would be more
