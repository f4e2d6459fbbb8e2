"""The loop: it learns, it stops, and a resumed run ends as an undisturbed one, bit for bit."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.neighbors import KNeighborsClassifier

from facessl import checkpoints, config, pretraining, runs, training
from facessl.config import FinetuneRecipe, PretrainRecipe
from facessl.dataset import FaceDataset
from facessl.encoder import Encoder
from facessl.errors import ModelError, RunError, Stopped
from facessl.finetuning import finetune, labelled_share
from facessl.pretraining import pretrain
from facessl.runs import Run
from facessl.training import FacePool
from tests.tiny import make_set

SMALL = {"dataset": "tiny", "backbone": "tinyvgg", "image_size": 32, "batch_size": 8, "threads": 1, "device": "cpu"}


def new_run(workspace: Path, kind: str, **settings: object) -> Run:
    recipe = config.build(config.RECIPES[kind], {**SMALL, **settings})
    return runs.create(workspace, kind, recipe, title="test")


def stop_after(run: Run, monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """Ask the run to stop before its step number ``steps`` + 1."""
    asked = []

    def requested(self: Run) -> bool:
        asked.append(1)
        return self.id == run.id and len(asked) > steps

    monkeypatch.setattr(Run, "stop_requested", requested)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    make_set(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("backbone", "precision"), [("tinyvgg", "fp32"), ("tinyvgg", "bf16"), ("resnet18", "fp32")])
@pytest.mark.parametrize("steps", [2, 3, 5])
def test_a_stopped_and_resumed_run_ends_with_the_same_weights(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, steps: int, backbone: str, precision: str
) -> None:
    undisturbed = new_run(workspace, "pretrain", epochs=3, backbone=backbone, precision=precision)
    pretrain(undisturbed, workspace)
    stopped = new_run(workspace, "pretrain", epochs=3, backbone=backbone, precision=precision)
    with monkeypatch.context() as patch:
        stop_after(stopped, patch, steps)
        with pytest.raises(Stopped):
            pretrain(stopped, workspace)
    assert not (stopped.path / "model.json").exists()
    pretrain(stopped, workspace)
    expected, found = (load_file(r.path / "model.safetensors") for r in (undisturbed, stopped))
    assert expected.keys() == found.keys()
    for name, tensor in expected.items():
        assert torch.equal(tensor, found[name]), name
    curves = [[(row["epoch"], row.get("loss")) for row in r.metrics()] for r in (undisturbed, stopped)]
    assert curves[0] == curves[1]


def test_what_the_curve_says_is_true_of_the_model_that_is_left(workspace: Path) -> None:
    run = new_run(workspace, "pretrain", epochs=3, backbone="resnet18", precision="fp32", knn_k=1)
    said = pretrain(run, workspace)["metrics"]
    dataset, encoder = FaceDataset(workspace / "datasets" / "tiny"), Encoder.from_run(run.path, "cpu")
    known, probes = dataset.rows("train"), dataset.rows("val")
    rows = [encoder.embed(dataset.faces[some]) for some in (known, probes)]
    voted = KNeighborsClassifier(1).fit(rows[0], dataset.labels(known)).score(rows[1], dataset.labels(probes))
    assert said["knn_accuracy"] == pytest.approx(voted)


def test_another_seed_ends_elsewhere(workspace: Path) -> None:
    losses = set()
    for seed in (0, 1):
        run = new_run(workspace, "pretrain", epochs=1, seed=seed)
        losses.add(pretrain(run, workspace)["metrics"]["loss"])
    assert len(losses) == 2


def test_pretraining_never_sees_val_or_test(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[int] = set()
    take = FacePool.take

    def watched(self: FacePool, indices: np.ndarray) -> np.ndarray:
        seen.update(int(self._parts[0][1][i]) for i in indices)
        return take(self, indices)

    monkeypatch.setattr(FacePool, "take", watched)
    pretrain(new_run(workspace, "pretrain", epochs=2), workspace)
    dataset = FaceDataset(workspace / "datasets" / "tiny")
    assert seen and seen <= set(dataset.rows("train", "unlabelled").tolist())


def test_the_curve_begins_with_the_untrained_network_and_the_pixels(workspace: Path) -> None:
    run = new_run(workspace, "pretrain", epochs=2)
    result = pretrain(run, workspace)
    rows = run.metrics()
    assert [row["epoch"] for row in rows] == [0, 1, 2]
    assert {"knn_accuracy", "knn_pixels", "knn_photos", "spread"} <= rows[0].keys()
    assert rows[1]["chance"] == pytest.approx(math.log(2 * 8 - 1))
    assert result["metrics"]["knn_accuracy"] == rows[2]["knn_accuracy"]


def test_finetuning_learns_colours_frozen_or_not(workspace: Path) -> None:
    for mode, extra in (("finetune", {"epochs": 30, "learning_rate": 3e-3}), ("frozen", {})):
        run = new_run(workspace, "finetune", mode=mode, **extra)
        result = finetune(run, workspace)
        assert run.metrics()[-1]["train_top1"] > 0.9, mode
        assert result["metrics"]["photos"] == 3 and result["metrics"]["frozen"] == (mode == "frozen")
        assert (run.path / "report.json").exists() and (run.path / "predictions.parquet").exists()


def test_a_frozen_backbone_does_not_move(workspace: Path) -> None:
    parent = new_run(workspace, "pretrain", epochs=1)
    pretrain(parent, workspace)
    child = new_run(workspace, "finetune", mode="frozen", init=parent.id, epochs=3)
    finetune(child, workspace)
    before, after = (load_file(r.path / "model.safetensors") for r in (parent, child))
    for name in [name for name in after if name.startswith("backbone.")]:
        assert torch.equal(before[name], after[name]), name


def test_every_person_keeps_at_least_one_label(workspace: Path) -> None:
    dataset = FaceDataset(workspace / "datasets" / "tiny")
    rows = labelled_share(dataset, 0.01, seed=0)
    assert sorted(dataset.labels(rows)) == [0, 1, 2]
    assert len(labelled_share(dataset, 1.0, seed=0)) == len(dataset.rows("train"))


def test_a_loss_that_is_no_number_ends_the_run_with_advice(workspace: Path) -> None:
    run = new_run(workspace, "pretrain", epochs=30, learning_rate=10.0, precision="fp32", temperature=0.01)
    monkey = pytest.MonkeyPatch()
    monkey.setattr("facessl.losses.nt_xent", lambda *a, **k: torch.tensor(float("nan"), requires_grad=True))
    try:
        with pytest.raises(RunError, match=r"epoch 1, step 1.*learning rate"):
            pretrain(run, workspace)
    finally:
        monkey.undo()


def test_another_backbones_weights_are_refused(workspace: Path) -> None:
    parent = new_run(workspace, "pretrain", epochs=1)
    pretrain(parent, workspace)
    child = new_run(workspace, "finetune", init=parent.id, backbone="resnet18", epochs=1)
    with pytest.raises(ModelError, match="tinyvgg, not a resnet18"):
        finetune(child, workspace)


def test_the_learning_rate_warms_up_and_runs_out() -> None:
    rates = [training.learning_rate_at(step, 100, 1.0, "cosine") for step in range(100)]
    assert rates[0] == pytest.approx(1 / 5) and rates[4] == 1.0
    assert all(a >= b for a, b in itertools.pairwise(rates[5:])) and rates[-1] < 0.01
    assert training.learning_rate_at(99, 100, 1.0, "constant") == 1.0


def test_faces_of_a_set_of_another_size_join_in(tmp_path: Path) -> None:
    sets = [FaceDataset(make_set(tmp_path, name)) for name in ("one", "two")]
    np.save(sets[1].path / "faces.npy", np.full((34, 48, 48, 3), 7, np.uint8))
    pool = FacePool([(sets[0], np.array([3, 1])), (sets[1], np.array([5]))])
    found = pool.take(np.array([2, 0, 1]))
    assert found.shape == (3, 32, 32, 3) and (found[0] == 7).all()
    assert (found[1] == sets[0].faces[3]).all() and (found[2] == sets[0].faces[1]).all()


def test_a_damaged_state_or_model_says_what_to_do(workspace: Path) -> None:
    run = new_run(workspace, "pretrain", epochs=1)
    (run.path / "state.pt").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match=r"state\.pt"):
        pretrain(run, workspace)
    with pytest.raises(ModelError, match="no trained model"):
        checkpoints.load_model(run.path)
    (run.path / "model.json").write_text("{}")
    (run.path / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match="damaged"):
        checkpoints.load_model(run.path)


def test_recipes_are_what_they_say() -> None:
    assert isinstance(config.build(PretrainRecipe, SMALL), PretrainRecipe)
    assert isinstance(config.build(FinetuneRecipe, SMALL), FinetuneRecipe)


def test_the_faces_of_another_set_join_in_nameless_and_never_its_judges(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_set(workspace, "more", people=2, photos=20, unnamed=5)
    made: list[FacePool] = []
    original = FacePool.__init__

    def remembered(self: FacePool, parts: list[tuple[FaceDataset, np.ndarray]]) -> None:
        made.append(self)
        original(self, parts)
        self.joined = {dataset.name: set(rows.tolist()) for dataset, rows in parts}  # type: ignore[attr-defined]

    monkeypatch.setattr(FacePool, "__init__", remembered)
    pretrain(new_run(workspace, "pretrain", epochs=1, also=("more",)), workspace)
    joined = made[0].joined  # type: ignore[attr-defined]
    for name in ("tiny", "more"):
        dataset = FaceDataset(workspace / "datasets" / name)
        assert joined[name] == set(dataset.rows("train", "unlabelled").tolist())


def test_the_faces_that_are_watched_are_drawn_from_all_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_set(tmp_path, people=4, photos=20, unnamed=0)
    monkeypatch.setattr(pretraining, "_WATCHED_FACES", 24)
    watched: list[pretraining.Watch] = []
    begin = pretraining.Watch.__post_init__
    monkeypatch.setattr(pretraining.Watch, "__post_init__", lambda self: watched.append(self) or begin(self))
    pretrain(new_run(tmp_path, "pretrain", epochs=1), tmp_path)
    dataset = FaceDataset(tmp_path / "datasets" / "tiny")
    assert len(watched[0]._watched) == 24
    assert set(dataset.labels(watched[0]._watched)) == {0, 1, 2, 3}
