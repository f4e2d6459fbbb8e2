"""The loop: it learns, it stops, and a resumed run ends as an undisturbed one, bit for bit."""

import itertools
import math
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.neighbors import KNeighborsClassifier

from facessl import (
    checkpoints,
    config,
    devices,
    files,
    optimisers,
    pretraining,
    recipes,
    resolve,
    revision,
    runs,
    telling,
    training,
)
from facessl.batches import Batch, FaceBatches, FacePool
from facessl.cli import main
from facessl.config import FinetuneRecipe, PretrainRecipe
from facessl.dataset import FaceDataset
from facessl.distributed import ALONE, World
from facessl.encoder import Encoder
from facessl.errors import ModelError, RunError
from facessl.finetuning import finetune
from facessl.learnt import labelled_share
from facessl.losses import nt_xent
from facessl.methods import Method
from facessl.pretraining import pretrain
from facessl.run import Run
from tests.cut_off import cut_off
from tests.tiny import make_set

SMALL = {"dataset": "tiny", "backbone": "tinyvgg", "image_size": 32, "batch_size": 8, "threads": 1, "device": "cpu"}


def new_run(workspace: Path, kind: str, **settings: object) -> Run:
    recipe = recipes.build(config.RECIPES[kind], {**SMALL, **settings})
    return runs.create(workspace, kind, recipe, title="test")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    make_set(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("backbone", "precision"), [("tinyvgg", "fp32"), ("tinyvgg", "bf16"), ("resnet18", "fp32")])
def test_a_stopped_and_resumed_run_ends_with_the_same_weights(workspace: Path, backbone: str, precision: str) -> None:
    settings = {"epochs": 3, "backbone": backbone, "precision": precision}
    undisturbed = new_run(workspace, "pretrain", **settings)
    pretrain(undisturbed, workspace)
    for steps in (2, 3, 5):
        stopped = new_run(workspace, "pretrain", **settings)
        cut_off(pretrain, stopped, workspace, steps)
        assert not (stopped.path / "model.json").exists()
        pretrain(stopped, workspace)
        expected, found = (load_file(r.path / "model.safetensors") for r in (undisturbed, stopped))
        assert expected.keys() == found.keys()
        for name, tensor in expected.items():
            assert torch.equal(tensor, found[name]), (steps, name)
        curves = [[(row["epoch"], row.get("loss")) for row in r.metrics()] for r in (undisturbed, stopped)]
        assert curves[0] == curves[1], steps


def test_what_the_curve_says_is_true_of_the_model_that_is_left(workspace: Path) -> None:
    run = new_run(workspace, "pretrain", epochs=3, backbone="resnet18", precision="fp32", knn_k=1)
    said = pretrain(run, workspace)["metrics"]
    dataset, encoder = FaceDataset(workspace / "datasets" / "tiny"), Encoder.from_run(run.path, "cpu")
    known, probes = dataset.rows("train"), dataset.rows("val")
    rows = [encoder.embed(dataset.faces[some]) for some in (known, probes)]
    voted = KNeighborsClassifier(1).fit(rows[0], dataset.labels(known)).score(rows[1], dataset.labels(probes))
    assert said["knn_accuracy"] == pytest.approx(voted)


def test_a_lost_row_of_the_untrained_network_costs_its_figures_only(workspace: Path) -> None:
    run = new_run(workspace, "pretrain", epochs=2)
    cut_off(pretrain, run, workspace, 3)
    rows = run.path / "metrics.jsonl"
    rows.write_bytes(b"\x00" * 40 + b"\n" + b"\n".join(rows.read_bytes().split(b"\n")[1:]))
    said = pretrain(run, workspace)["metrics"]
    assert said["knn_untrained"] is None and said["knn_pixels"] is None
    assert said["knn_accuracy"] > 0 and said["knn_photos"] == len(
        FaceDataset(workspace / "datasets" / "tiny").rows("val")
    )


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
    assert {"knn_accuracy", "knn_pixels", "knn_whitened_pixels", "knn_photos", "spread"} <= rows[0].keys()
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


def test_a_gradient_that_is_no_number_ends_the_run_in_its_step(workspace: Path) -> None:
    """The loss of that step is still a number; what was saved before it stays what is resumed from."""
    method = replace(without_batch_norm(), loss=lambda outputs, labels: (outputs[0] * 0).sum().sqrt())  # slope 0 / 0
    loop = loop_of(workspace, method)
    loop.save()
    loop._one_step()
    assert loop.progress.loss_sum.item() == 0
    loop.save()
    with pytest.raises(RunError, match=r"gradient is no number since epoch 1, step 1; resume it with a learning rate"):
        loop._look()
    saved = checkpoints.load_state(loop.run.path)
    assert saved is not None and saved["step"] == 0
    assert all(tensor.isfinite().all() for tensor in saved["modules"].values())


def test_features_that_are_no_numbers_end_the_run_with_advice(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = new_run(workspace, "pretrain", epochs=3)
    learn = training._Loop.one_epoch

    def learn_and_burst(self: training._Loop) -> None:
        learn(self)
        if self.progress.epoch == 1:
            with torch.no_grad():
                for parameter in self.method.modules["backbone"].parameters():
                    parameter.fill_(1e30)

    monkeypatch.setattr(training._Loop, "one_epoch", learn_and_burst)
    with pytest.raises(RunError, match="features are no numbers after epoch 2; resume it with a learning rate below"):
        pretrain(run, workspace)
    saved = checkpoints.load_state(run.path)
    assert saved is not None and saved["epoch"] == 1
    assert max(tensor.abs().max() for tensor in saved["modules"].values()) < 1e3


def test_another_backbones_weights_are_refused(workspace: Path) -> None:
    parent = new_run(workspace, "pretrain", epochs=1)
    pretrain(parent, workspace)
    child = new_run(workspace, "finetune", init=parent.id, backbone="resnet18", epochs=1)
    with pytest.raises(ModelError, match="tinyvgg, not a resnet18"):
        finetune(child, workspace)


def test_the_learning_rate_warms_up_and_runs_out() -> None:
    rates = [optimisers.learning_rate_at(step, 100, 1.0, "cosine") for step in range(100)]
    assert rates[0] == pytest.approx(1 / 5) and rates[4] == 1.0
    assert all(a >= b for a, b in itertools.pairwise(rates[5:])) and rates[-1] < 0.01
    assert optimisers.learning_rate_at(99, 100, 1.0, "constant") == 1.0


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


def written_without(run: Run, setting: str) -> None:
    """Take a setting of the network out of a run's file: it is of before that could be chosen."""
    content = files.read_json(run.path / "config.json")
    del content["recipe"]["backbone_options"][setting]
    files.write_json(run.path / "config.json", content)


@pytest.mark.parametrize(
    ("backbone", "setting", "before"),
    [("tinyvgg", "places", {"places": 13}), ("resnet18", "stages", {"stem": "imagenet", "stages": 4})],
)
def test_a_run_of_before_a_setting_of_its_network_goes_on_with_the_same_network(
    workspace: Path, backbone: str, setting: str, before: dict[str, int]
) -> None:
    whole, run = (new_run(workspace, "pretrain", epochs=2, backbone=backbone, **before) for _ in range(2))
    pretrain(whole, workspace)
    cut_off(pretrain, run, workspace, 4)
    written_without(run, setting)
    pretrain(run, workspace)
    assert weights_of(run).keys() == weights_of(whole).keys()
    assert all(torch.equal(tensor, weights_of(run)[name]) for name, tensor in weights_of(whole).items())
    _, card = checkpoints.load_model(run.path)
    assert card["backbone_options"][setting] == before[setting]
    child = resolve.resolve("finetune", {"dataset": "tiny", "init": run.id, "device": "cpu"}, workspace)
    assert child.backbone_options[setting] == before[setting]


def test_within_an_epoch_a_run_is_not_taken_for_one_of_the_epochs_before(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its network has learnt from a part of epoch 2 as well: of one epoch it never was."""
    run = new_run(workspace, "pretrain", epochs=3)
    cut_off(pretrain, run, workspace, 4)  # an epoch has three steps
    run.update(state="stopped")
    assert main(["resume", run.id, "--epochs", "1", "--workspace", str(workspace)]) == 1
    assert capsys.readouterr().err == "facessl: It was stopped within epoch 2; ask for 2 epochs or more.\n"
    fewer = recipes.build(PretrainRecipe, run.recipe().model_dump() | {"epochs": 1})
    with monkeypatch.context() as patch, pytest.raises(RunError, match="within epoch 2; ask for 2"):
        patch.setattr(Run, "recipe", lambda self: fewer)  # also where the status was behind what was saved
        pretrain(run, workspace)
    assert not (run.path / "model.json").exists()
    revision.revise(run, {"epochs": 2})
    pretrain(run, workspace)
    assert [row["epoch"] for row in run.metrics()] == [0, 1, 2]


def test_what_was_learnt_by_another_network_is_said(workspace: Path) -> None:
    run = new_run(workspace, "pretrain", epochs=1, places=13)
    pretrain(run, workspace)
    content = files.read_json(run.path / "config.json")
    content["recipe"]["backbone_options"]["places"] = 5
    content["recipe"]["epochs"] = 2
    files.write_json(run.path / "config.json", content)
    with pytest.raises(ModelError, match=f"What {run.id} has learnt so far does not fit the network .* start a new"):
        pretrain(run, workspace)


def test_recipes_are_what_they_say() -> None:
    assert isinstance(recipes.build(PretrainRecipe, SMALL), PretrainRecipe)
    assert isinstance(recipes.build(FinetuneRecipe, SMALL), FinetuneRecipe)


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


# What a step does


def weights_of(run: Run) -> dict[str, torch.Tensor]:
    return load_file(run.path / "model.safetensors")


def test_a_batch_in_parts_has_the_gradients_of_the_whole_without_batch_norm(workspace: Path) -> None:
    found = []
    for parts in (1, 3):
        method, batch = without_batch_norm(), next_batch(workspace)
        loop = loop_of(workspace, method, accumulate=parts)
        loss = loop.gradients.of(batch, 0)
        found.append([loss, *(weight.grad for weight in method.modules.parameters())])
    for whole, parted in zip(*found, strict=True):
        torch.testing.assert_close(parted, whole, rtol=1e-4, atol=1e-6)
        assert whole.abs().sum() > 0


def without_batch_norm() -> Method:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, stride=2), torch.nn.ReLU(), torch.nn.Flatten())
    head = torch.nn.LazyLinear(16)
    modules = torch.nn.ModuleDict({"backbone": network, "head": head})
    head(network(torch.zeros(1, 3, 32, 32)))
    return Method(
        modules=modules,
        views=2,
        needs_labels=False,
        outputs=lambda views: head(network(torch.cat(tuple(views)))).chunk(2),
        loss=lambda outputs, labels: nt_xent(*outputs, 0.2),
        chance=lambda n: None,
    )


def batches_of(workspace: Path, **settings: object) -> FaceBatches:
    dataset = FaceDataset(workspace / "datasets" / "tiny")
    recipe = recipes.build(PretrainRecipe, {**SMALL, "precision": "fp32", **settings})
    rows = dataset.rows("train")
    return FaceBatches(FacePool([(dataset, rows)]), dataset.labels(rows), 2, recipe, devices.compute("cpu", "fp32", 1))


def next_batch(workspace: Path) -> Batch:
    return batches_of(workspace)(0, 0)


def loop_of(workspace: Path, method: Method, **settings: object) -> training._Loop:
    batches = batches_of(workspace, **settings)
    run = new_run(workspace, "pretrain", precision="fp32", **settings)
    return training._Loop(run, method, batches, run.recipe(), batches.compute, ALONE)


def test_the_gradients_length_is_what_it_is_by_hand_and_clipping_bounds_the_step(workspace: Path) -> None:
    method = without_batch_norm()
    loop = loop_of(workspace, method, optimizer="sgd", learning_rate=1.0, warm_up=0.0, weight_decay=0.0, clip_norm=1e-3)
    weights = list(method.modules.parameters())
    before = [weight.detach().clone() for weight in weights]
    loop._one_step()
    length = math.sqrt(sum(weight.grad.double().pow(2).sum().item() for weight in weights))
    assert length == pytest.approx(1e-3, rel=1e-3)  # what is left of the gradient
    assert loop.progress.norm_sum.item() > 0.01  # and what it was
    steps = [now.detach() - old for now, old in zip(weights, before, strict=True)]
    moved = math.sqrt(sum(step.double().pow(2).sum().item() for step in steps))
    assert moved == pytest.approx(1e-3, rel=1e-2)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "lars", "sgd"])
def test_every_optimiser_stops_and_resumes_to_the_same_weights(workspace: Path, optimizer: str) -> None:
    settings = {"epochs": 2, "precision": "fp32", "optimizer": optimizer, "clip_norm": 1.0}
    undisturbed, stopped = (new_run(workspace, "pretrain", **settings) for _ in "ab")
    pretrain(undisturbed, workspace)
    cut_off(pretrain, stopped, workspace, 4)
    pretrain(stopped, workspace)
    for name, tensor in weights_of(undisturbed).items():
        assert torch.equal(tensor, weights_of(stopped)[name]), name


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_the_loss_falls_in_every_number_format(workspace: Path, precision: str) -> None:
    run = new_run(workspace, "pretrain", epochs=6, precision=precision)
    pretrain(run, workspace)
    losses = [row["loss"] for row in run.metrics()[1:]]
    assert losses[-1] < losses[0]


def test_the_step_in_which_the_loss_went_wrong_is_named_however_late_it_is_seen(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = loop_of(workspace, without_batch_norm(), epochs=4)
    steps = loop.batches.steps
    loop.progress.epoch = 2
    for step in range(steps):
        if step == 1:
            monkeypatch.setattr(loop.gradients, "of", lambda *a: torch.tensor(float("inf")))
        loop._one_step()
    with pytest.raises(RunError, match=r"epoch 3, step 2;.*learning rate"):
        loop._look()


@dataclass(frozen=True)
class Recorded(World):
    """One of two processes, the other of which is only imagined; it writes down when it waits for the other."""

    waited: list[str] = field(default_factory=list)

    def agree(self, said: object) -> object:
        self.waited.append("agree")
        return "" if said is None else said

    def mean(self, tensor: torch.Tensor) -> torch.Tensor:
        self.waited.append("mean")
        return tensor

    def average_gradients(self, parameters: Iterable[torch.Tensor]) -> None:
        self.waited.append("gradients")


def test_all_processes_wait_for_each_other_at_the_same_places_however_the_time_runs(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited = []
    for rank, seconds in ((0, 0.0), (1, 0.0), (0, 60.0), (1, 60.0)):
        monkeypatch.setattr(training, "_SAVE_SECONDS", seconds)  # after every step, or never
        loop = loop_of(workspace, without_batch_norm(), epochs=1)
        loop.world = Recorded(rank, 2)
        loop.one_epoch()
        loop.finish_epoch(lambda epoch: {})
        waited.append(loop.world.waited)
    assert waited[0].count("gradients") == loop.batches.steps
    assert all(places == waited[0] for places in waited)


def test_a_full_memory_is_said_with_what_to_try(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        torch.empty(1 << 60, dtype=torch.uint8)

    monkeypatch.setattr(training._Loop, "_one_step", full)
    with pytest.raises(RunError, match=r"memory is full at batch size 8 of 32 px; try batch size 4, accumulate 2"):
        pretrain(new_run(workspace, "pretrain"), workspace)
    with pytest.raises(RunError, match=r"batch size 3 of 32 px; try accumulate 2, or smaller images"):
        pretrain(new_run(workspace, "pretrain", batch_size=3), workspace)


def test_a_run_goes_on_with_another_batch_size_as_far_into_the_epoch_as_it_was(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(workspace, "pretrain", epochs=2, batch_size=4)  # 28 faces: 7 steps
    cut_off(pretrain, run, workspace, 4)
    state = checkpoints.load_state(run.path)
    assert (state["epoch"], state["step"], state["steps"]) == (0, 4, 7)
    again = recipes.build(PretrainRecipe, run.recipe().model_dump() | {"batch_size": 14})
    monkeypatch.setattr(Run, "recipe", lambda self: again)
    pretrain(run, workspace)
    assert [row["epoch"] for row in run.metrics()] == [0, 1, 2]
    assert checkpoints.load_state(run.path)["steps"] == 2


def test_the_time_that_is_left_holds_the_looks_at_the_results(workspace: Path) -> None:
    """Three epochs are left, of 6 s of learning and 10 s of looking each."""
    loop = loop_of(workspace, without_batch_norm(), epochs=5)
    loop.progress.epoch, loop.progress.step, loop.progress.seconds, loop.progress.looking = 2, 0, 6.0, 10.0
    loop.say()
    assert loop.run.written().seconds_left == pytest.approx(48, abs=0.2)


def test_the_look_at_the_untrained_network_is_no_measure_of_those_to_come(workspace: Path) -> None:
    loop = loop_of(workspace, without_batch_norm(), epochs=5)

    def pixels_once(epoch: int) -> dict[str, float]:
        time.sleep(0.5 if epoch == 0 else 0.0)
        return {"spread": 0.5}

    loop.look_at_the_untrained(pixels_once)
    loop.progress.epoch, loop.progress.step, loop.progress.seconds = 2, 0, 6.0  # three epochs of 6 s are left
    loop.say()
    assert loop.run.written().seconds_left == pytest.approx(18, abs=0.2)


def test_a_state_of_something_else_is_said_to_be_damaged(workspace: Path) -> None:
    run = new_run(workspace, "pretrain")
    torch.save({"a": 1}, run.path / "state.pt")
    with pytest.raises(ModelError, match=r"state\.pt of .* is damaged and was laid aside"):
        pretrain(run, workspace)


def test_how_busy_a_gpu_is_is_told_where_its_driver_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    class NVMLError(Exception):
        pass

    def say(answer: int | Exception) -> int:
        if isinstance(answer, Exception):
            raise answer
        return answer

    card = devices.Compute(devices.DeviceInfo("cuda", "Card", "bf16", 8.0), "bf16", 1)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda: 2**21)
    for answer, told in ((73, 0.73), (RuntimeError("no driver"), None), (NVMLError("part of a card"), None)):
        monkeypatch.setitem(sys.modules, "pynvml", SimpleNamespace(NVMLError=NVMLError))
        monkeypatch.setattr(torch.cuda, "utilization", lambda answer=answer: say(answer))
        assert telling.memory(card).get("device_use") == told
    monkeypatch.setitem(sys.modules, "pynvml", None)  # not installed
    assert telling.memory(card) == {"memory_mib": 2}


def test_the_log_tells_of_every_epoch_and_of_a_death(workspace: Path) -> None:
    run = new_run(workspace, "pretrain", epochs=2)
    pretrain(run, workspace)
    lines = run.log_text().splitlines()
    assert "3 steps of 8 faces an epoch, from epoch 1, step 1." in lines[0]
    loss = next(row["loss"] for row in run.metrics() if row["epoch"] == 2)
    assert lines[1].endswith("4 faces fill no batch and are left out of each epoch, others every time.")  # of 28
    assert f"Epoch 2 of 2: loss {loss:.4g}, " in lines[3] and len(lines) == 4
    run.count_death(run.update(state="running", epoch=1, epochs=2, step=4))
    assert run.log_text().endswith("Its process ended without a word in epoch 2, after step 4.\n")


def test_the_log_says_that_there_are_fewer_faces_than_a_batch_was_to_hold(workspace: Path) -> None:
    run = new_run(workspace, "pretrain", epochs=1, batch_size=8192)
    pretrain(run, workspace)
    assert "1 steps of 28 faces" in run.log_text()
    assert "Batches of 8192 were asked for; there are 28 faces." in run.log_text()
