"""Fine-tuning's own settings: each does what its paper says, resumes exactly, and is not there by default."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, log_loss, top_k_accuracy_score
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight
from torch import Tensor, nn

from facessl import checkpoints, devices, files, heads, optimisers, recipes, registry, runs, training, worker
from facessl.batches import FaceBatches, FacePool
from facessl.config import FinetuneRecipe
from facessl.dataset import FaceDataset, open_dataset
from facessl.encoder import Encoder, build_backbone
from facessl.errors import DatasetError
from facessl.finetuning import Watch, balanced, finetune
from facessl.run import Run
from tests.cut_off import cut_off
from tests.tiny import make_set

SMALL = {
    "dataset": "tiny", "backbone": "resnet18", "stem": "imagenet", "stages": 2, "image_size": 32, "batch_size": 8,
    "threads": 1, "device": "cpu", "precision": "fp32", "epochs": 2,
}  # fmt: skip


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    make_set(tmp_path)
    return tmp_path


def new_run(workspace: Path, **settings: object) -> Run:
    recipe = recipes.build(FinetuneRecipe, {**SMALL, **settings})
    return runs.create(workspace, "finetune", recipe, title="test")


def weights_of(run: Run) -> dict[str, Tensor]:
    return load_file(run.path / "model.safetensors")


# By default nothing is there


def plain_loop(workspace: Path, recipe: FinetuneRecipe) -> dict[str, Tensor]:
    """Train as was done before there were these settings, written down without the loop."""
    dataset = FaceDataset(workspace / "datasets" / "tiny")
    rows = dataset.rows("train")
    torch.manual_seed(recipe.seed)
    backbone = build_backbone(recipe.backbone, recipe.backbone_options)
    classifier = nn.Linear(backbone.feature_dim, len(dataset.people))
    modules = nn.ModuleDict({"backbone": backbone, "classifier": classifier}).to(memory_format=torch.channels_last)
    pool, compute = FacePool([(dataset, rows)]), devices.compute("cpu", "fp32", 1)
    batches = FaceBatches(pool, dataset.labels(rows), 1, recipe, compute)
    optimizer = torch.optim.Adam(
        modules.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    for epoch in range(recipe.epochs):
        modules.train()
        for step in range(batches.steps):
            done, total = epoch * batches.steps + step, recipe.epochs * batches.steps
            rate = optimisers.learning_rate_at(done, total, recipe.learning_rate, recipe.schedule, recipe.warm_up)
            optimizer.param_groups[0]["lr"] = rate
            batch = batches(epoch, step)
            optimizer.zero_grad()
            logits = classifier(backbone(batch.views(slice(None))[0]))
            nn.functional.cross_entropy(logits, batch.labels).backward()
            optimizer.step()
    return dict(modules.state_dict())


@pytest.mark.parametrize("backbone", ["resnet18", "tinyvgg"])
def test_without_its_settings_fine_tuning_is_what_it_was_bit_for_bit(workspace: Path, backbone: str) -> None:
    options = {} if backbone == "tinyvgg" else {"stem": "imagenet", "stages": 2}
    settings = {name: value for name, value in SMALL.items() if name not in ("stem", "stages")} | options
    recipe = recipes.build(FinetuneRecipe, {**settings, "backbone": backbone})
    run = runs.create(workspace, "finetune", recipe, title="test")
    finetune(run, workspace)
    found = weights_of(run)
    for name, tensor in plain_loop(workspace, recipe).items():
        assert torch.equal(found[name], tensor), name


# Stopped and resumed

EVERYTHING = {
    "layer_decay": {"layer_decay": 0.5},
    "layer_decay lars": {"layer_decay": 0.5, "optimizer": "lars"},
    "freeze_stages": {"freeze_stages": 2},
    "class_weights": {"class_weights": "balanced"},
    "label_smoothing": {"label_smoothing": 0.2},
    "patience": {"patience": 2, "epochs": 4},
    "patience frozen": {"patience": 2, "epochs": 4, "mode": "frozen"},
    "head": {"head": "embedding"},
    "all": {
        "head": "embedding",
        "layer_decay": 0.7, "freeze_stages": 1, "class_weights": "balanced", "label_smoothing": 0.1, "patience": 3,
        "accumulate": 2, "optimizer": "adamw",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", EVERYTHING)
def test_each_setting_stops_and_resumes_to_the_same_weights(workspace: Path, name: str) -> None:
    whole, stopped = (new_run(workspace, **EVERYTHING[name]) for _ in "ab")
    expected = finetune(whole, workspace)
    cut_off(finetune, stopped, workspace, 4)  # in the middle of the second of epochs of three steps
    found = finetune(stopped, workspace)
    weights = weights_of(stopped)
    for weight, tensor in weights_of(whole).items():
        assert torch.equal(tensor, weights[weight]), weight
    assert found["metrics"] == expected["metrics"]
    assert found.get("early_stop") == expected.get("early_stop")


# Stages


@pytest.mark.parametrize("frozen", [0, 1, 2, 3])
def test_frozen_stages_keep_their_weights_and_what_batch_norm_remembers(workspace: Path, frozen: int) -> None:
    run = new_run(workspace, freeze_stages=frozen)
    finetune(run, workspace)
    torch.manual_seed(0)
    before = build_backbone("resnet18", run.recipe().backbone_options).state_dict()
    after = weights_of(run)
    changed = {name for name, tensor in before.items() if not torch.equal(tensor, after[f"backbone.{name}"])}
    stages = ({"conv1", "bn1"}, {"layer1"}, {"layer2"})
    still = set().union(*stages[:frozen])
    assert changed == {name for name in before if name.split(".")[0] not in still}


def test_each_stage_steps_as_far_as_its_share_says(workspace: Path) -> None:
    """One step of plain gradient descent: how far a weight goes is rate times gradient, and the gradients are equal."""
    far: list[dict[str, Tensor]] = []
    once = {"optimizer": "sgd", "epochs": 1, "batch_size": 24, "weight_decay": 0.0, "learning_rate": 0.1}
    for decay in (1.0, 0.25):
        run = new_run(workspace, layer_decay=decay, **once)
        finetune(run, workspace)
        torch.manual_seed(0)
        start = build_backbone("resnet18", run.recipe().backbone_options).state_dict()
        far.append({name: weights_of(run)[f"backbone.{name}"] - start[name] for name in start})
    for weight, share in (("layer2.0.conv1", 0.25), ("layer1.0.conv1", 0.25**2), ("conv1", 0.25**3)):
        torch.testing.assert_close(far[1][f"{weight}.weight"], share * far[0][f"{weight}.weight"], rtol=1e-3, atol=1e-7)
        assert far[0][f"{weight}.weight"].abs().max() > 1e-4
    rates = [row["learning_rate"] for row in run.metrics() if row["epoch"] == 1]
    assert rates == [pytest.approx(0.1)]  # the curve shows the classifier's


# The loss


def losses(labels: np.ndarray, logits: Tensor, people: int, **settings: object) -> Tensor:
    supervised = registry.load("methods", "supervised")
    weights = settings.pop("weights", None)
    backbone = nn.Identity()
    backbone.feature_dim = 4
    method = supervised.build(backbone, supervised.Options(**settings), people, weights=weights)
    return method.loss((logits,), torch.from_numpy(labels))


def test_balanced_weights_are_scikit_learns_and_so_is_the_loss() -> None:
    labels = np.repeat([0, 1, 2], [12, 3, 1])
    np.testing.assert_allclose(balanced(labels, 3), compute_class_weight("balanced", classes=np.arange(3), y=labels))
    assert np.mean(np.array(balanced(labels, 3))[labels]) == pytest.approx(1)
    logits = torch.randn(16, 3, generator=torch.Generator().manual_seed(0))
    expected = log_loss(
        labels, logits.double().softmax(1).numpy(), sample_weight=compute_sample_weight("balanced", labels)
    )
    assert losses(labels, logits, 3, weights=balanced(labels, 3)).item() == pytest.approx(expected, abs=1e-5)
    assert losses(labels, logits, 3).item() == pytest.approx(log_loss(labels, logits.softmax(1).numpy()), abs=1e-5)


def test_somebody_without_a_photo_counts_like_anybody() -> None:
    assert balanced(np.array([0, 0, 0, 2]), 3) == pytest.approx([4 / 6, 1, 2])


def test_weighted_parts_add_up_to_the_whole() -> None:
    labels, weights = np.array([0, 0, 0, 1, 2, 2]), [0.5, 4.0, 1.5]
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    whole = losses(labels, logits, 3, weights=weights)
    parts = [losses(labels[part], logits[part], 3, weights=weights) for part in (slice(0, 3), slice(3, 6))]
    assert whole.item() == pytest.approx(sum(part.item() for part in parts) / 2)


def test_label_smoothing_is_szegedys() -> None:
    """Section 7: the loss is (1 - e) H(truth, p) + e H(uniform, p)."""
    labels, logits = np.array([0, 2]), torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.5, 0.1]])
    p = logits.double().softmax(1)
    by_hand = [-0.9 * p[i, y].log() - 0.1 * p[i].log().sum() / 3 for i, y in enumerate(labels)]
    assert losses(labels, logits, 3, label_smoothing=0.1).item() == pytest.approx(float(sum(by_hand)) / 2, abs=1e-6)


def test_as_many_weights_as_people() -> None:
    with pytest.raises(ValueError, match="3 people need as many weights, got 2"):
        losses(np.array([0, 1]), torch.zeros(2, 3), 3, weights=[1.0, 1.0])


@pytest.mark.parametrize("setting", [{"class_weights": "balanced"}, {"label_smoothing": 0.3}])
@pytest.mark.parametrize("mode", ["finetune", "frozen"])
def test_what_the_loss_is_told_reaches_it(workspace: Path, mode: str, setting: dict[str, object]) -> None:
    thin_out(workspace)
    plain, other = new_run(workspace, mode=mode), new_run(workspace, mode=mode, **setting)
    losses = [finetune(run, workspace) and run.metrics()[-1]["loss"] for run in (plain, other)]
    assert losses[0] != losses[1]


def thin_out(workspace: Path) -> None:
    """Leave person 0 two train photos, so that there is something to balance."""
    path = workspace / "datasets" / "tiny" / "faces.parquet"
    table = pd.read_parquet(path)
    gone = table.index[(table["label"] == 0) & (table["split"] == "train")][2:]
    table.loc[gone, ["label", "split", "person"]] = [-1, "unlabelled", ""]
    table.to_parquet(path, index=False)


# What is measured after each epoch


@pytest.mark.parametrize(("people", "shares"), [(3, (1,)), (4, (1, 3)), (6, (1, 3, 5))])
def test_after_each_epoch_it_is_measured_who_is_among_the_likeliest(
    tmp_path: Path, people: int, shares: tuple[int, ...]
) -> None:
    """The shares of the end, by scikit-learn; where all people are among so many, it would always be 1."""
    make_set(tmp_path, people=people, photos=20)
    run = new_run(tmp_path)
    finetune(run, tmp_path)
    dataset, encoder = FaceDataset(tmp_path / "datasets" / "tiny"), Encoder.from_run(run.path)
    rows = dataset.rows("val")
    logits = encoder.classify(encoder.classified(dataset.faces[rows]))
    wanted = {f"val_top{k}": top_k_accuracy_score(dataset.labels(rows), logits, k=k) for k in shares}
    last = run.metrics()[-1]
    assert {name: value for name, value in last.items() if "val_top" in name} == pytest.approx(wanted)


# Early stop


def test_the_best_epoch_is_what_is_kept_and_judged(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Val is best after epoch 2; two epochs later training ends with the weights that epoch 2 had."""
    said = iter([0.3, 0.9, 0.5, 0.6])
    measured = {"train": 0.0}

    def figures(self: object, epoch: int) -> dict[str, float]:
        return {} if epoch == 0 else {"val_top1": next(said), "val_loss": 1.0, **measured}

    monkeypatch.setattr("facessl.finetuning.Watch.__call__", figures)
    early = new_run(workspace, epochs=30, patience=2, schedule="constant", warm_up=0.0)
    result = finetune(early, workspace)
    monkeypatch.undo()
    two = new_run(workspace, epochs=2, schedule="constant", warm_up=0.0)
    judged = finetune(two, workspace)
    for name, tensor in weights_of(two).items():
        assert torch.equal(weights_of(early)[name], tensor), name
    assert result["metrics"] == judged["metrics"]
    assert [row["epoch"] for row in early.metrics() if row["epoch"]] == [1, 2, 3, 4]
    stop = result["early_stop"]
    assert (stop["epoch"], stop["best_epoch"], stop["early"]) == (4, 2, True)
    assert stop["why"] in early.log_text() and "after epoch 4 of 30" in stop["why"]
    assert checkpoints.load_state(early.path)["epoch"] == 4


def probe_by_scikit_learn(workspace: Path, run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Return what a linear probe on a run's network gives the val faces, and their people."""
    dataset, encoder = FaceDataset(workspace / "datasets" / "tiny"), Encoder.from_run(run.path, "cpu")
    train, val = (dataset.rows(split) for split in ("train", "val"))
    read = encoder.classified(dataset.faces[train])
    probe = LogisticRegression(C=1 / (1e-3 * len(read)), max_iter=1000).fit(read, dataset.labels(train))
    return probe.predict_proba(encoder.classified(dataset.faces[val])), dataset.labels(val)


def test_the_curve_begins_with_the_probe_that_fine_tuning_begins_as(workspace: Path) -> None:
    """A network whose every stage stays is the one it began as, so scikit-learn can read it afterwards."""
    run = new_run(workspace, head="embedding", freeze_stages=3, epochs=1)
    finetune(run, workspace)
    first = run.metrics()[0]
    shares, people = probe_by_scikit_learn(workspace, run)
    assert first["epoch"] == 0
    assert first["val_top1"] == pytest.approx((shares.argmax(axis=1) == people).mean())
    assert first["val_loss"] == pytest.approx(log_loss(people, shares, labels=[0, 1, 2]), abs=1e-3)
    by_chance = new_run(workspace, epochs=1)
    finetune(by_chance, workspace)
    assert [row["epoch"] for row in by_chance.metrics()] == [1]


def test_a_balanced_fine_tuning_begins_as_a_balanced_probe(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    thin_out(workspace)
    asked: list[bool] = []
    begin = heads.become_a_probe
    monkeypatch.setattr(heads, "become_a_probe", lambda *a, balanced: asked.append(balanced) or begin(*a))
    for weights in ("none", "balanced"):
        finetune(new_run(workspace, head="embedding", class_weights=weights, epochs=1), workspace)
    assert asked == [False, False, True, True]  # as it begins, and as it is fitted anew


@pytest.mark.parametrize("val", [True, False])
def test_at_the_end_the_classifier_is_a_probe_of_what_the_network_has_become(workspace: Path, val: bool) -> None:
    if not val:
        without_val(workspace)
    as_it_learnt, fitted = (new_run(workspace, head="embedding", refit=refit) for refit in (False, True))
    assert "refit" not in finetune(as_it_learnt, workspace)
    result = finetune(fitted, workspace)
    left, right = weights_of(as_it_learnt), weights_of(fitted)
    assert all(torch.equal(left[name], tensor) for name, tensor in right.items() if not name.startswith("classifier"))
    dataset, encoder = FaceDataset(workspace / "datasets" / "tiny"), Encoder.from_run(fitted.path, "cpu")
    if not val:
        assert result["refit"] == {}
        return
    shares, people = probe_by_scikit_learn(workspace, fitted)
    logits = torch.from_numpy(encoder.logits(dataset.faces[dataset.rows("val")]))
    np.testing.assert_allclose(logits.softmax(1).numpy(), shares, atol=1e-3)
    told = {"val_top1_before": fitted.metrics()[-1]["val_top1"], "val_top1": (shares.argmax(1) == people).mean()}
    assert result["refit"] == pytest.approx({**told, "val_photos": len(people)})
    features = new_run(workspace, epochs=1)  # begins by chance on averaged features, and stays what it learnt
    assert "refit" not in finetune(features, workspace)


@pytest.mark.parametrize(
    ("settings", "refit"), [({"head": "embedding"}, False), ({}, True), ({"mode": "frozen"}, True)]
)
def test_a_run_of_before_was_not_fitted_anew(workspace: Path, settings: dict[str, object], refit: bool) -> None:
    """Where there would have been nothing to fit, it is as one of today."""
    run = new_run(workspace, **settings)
    content = files.read_json(run.path / "config.json")
    del content["recipe"]["refit"]
    run.rewrite_config(content)
    assert run.config["recipe"]["refit"] is refit


@pytest.mark.parametrize("stopped_after", [0, 4, None])  # steps; an epoch has three
def test_the_probe_is_kept_where_no_epoch_is_better_also_by_a_run_that_was_stopped(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, stopped_after: int | None
) -> None:
    right = [0.9, 0.5, 0.6, 0.7]
    said = {"val_loss": 1.0, "train_top1": 1.0}
    monkeypatch.setattr("facessl.finetuning.Watch.__call__", lambda self, epoch: {"val_top1": right[epoch], **said})
    run = new_run(workspace, head="embedding", epochs=9, patience=2)
    if stopped_after is not None:
        cut_off(finetune, run, workspace, stopped_after)
    result = finetune(run, workspace)
    assert (result["early_stop"]["best_epoch"], result["early_stop"]["epoch"]) == (0, 2)
    assert "the linear probe that it began as is kept" in run.log_text()
    torch.manual_seed(0)
    for name, tensor in build_backbone("resnet18", run.recipe().backbone_options).state_dict().items():
        assert torch.equal(weights_of(run)[f"backbone.{name}"], tensor), name
    shares, _ = probe_by_scikit_learn(workspace, run)
    dataset, encoder = FaceDataset(workspace / "datasets" / "tiny"), Encoder.from_run(run.path, "cpu")
    logits = encoder.logits(dataset.faces[dataset.rows("val")])
    np.testing.assert_allclose(torch.from_numpy(logits).softmax(1).numpy(), shares, atol=1e-3)


def without_val(workspace: Path) -> None:
    path = workspace / "datasets" / "tiny" / "faces.parquet"
    table = pd.read_parquet(path)
    table.loc[table["split"] == "val", "split"] = "train"
    table.to_parquet(path, index=False)


def test_without_val_faces_there_is_nothing_to_stop_by(workspace: Path) -> None:
    without_val(workspace)
    with pytest.raises(DatasetError, match="no val faces to stop early by; set patience to 0"):
        finetune(new_run(workspace, patience=2), workspace)


def test_without_patience_the_last_epoch_counts(workspace: Path) -> None:
    run = new_run(workspace)
    assert "early_stop" not in finetune(run, workspace)
    assert "best" not in checkpoints.load_state(run.path)


def test_all_processes_stop_early_together(workspace: Path) -> None:
    run = new_run(workspace, processes=2, epochs=30, patience=1, learning_rate=1e-6)
    assert worker.work(workspace, run.id) == "finished", run.log_text()
    stop = run.result()["early_stop"]
    assert stop["early"] and stop["epoch"] == run.metrics()[-1]["epoch"] == stop["best_epoch"] + 1
    assert run.status().message == f"Finished. {stop['why']}"
    assert run.log_text().count(stop["why"]) == 1


def test_a_loop_that_is_over_is_not_gone_on_with(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between its last epoch and the end, it judges the same weights and learns no more."""
    run = new_run(workspace, epochs=30, patience=1, learning_rate=1e-6)
    first = finetune(run, workspace)
    expected = weights_of(run)
    epochs = len(run.metrics())
    assert epochs < 30
    monkeypatch.setattr(training._Loop, "one_epoch", lambda self: pytest.fail("it learnt on"))
    again = finetune(run, workspace)
    assert again["early_stop"] == first["early_stop"] and len(run.metrics()) == epochs
    assert run.status().step == run.status().steps  # its bar stands at the end, and not at the third that was needed
    for name, tensor in weights_of(run).items():
        assert torch.equal(tensor, expected[name]), name


def test_after_each_epoch_macro_f1_is_scikit_learns(workspace: Path) -> None:
    """A stand-in for the network answers by the face's first byte."""
    dataset = open_dataset(workspace, "tiny")

    def answers(faces: np.ndarray) -> np.ndarray:
        return np.asarray(faces)[:, 0, 0, 0] % len(dataset.people)

    encoder = SimpleNamespace(classified=answers, classify=lambda known: np.eye(3, dtype=np.float32)[known])
    rows = dataset.rows("train")
    found = Watch(dataset, encoder, rows, cached=False)(1)  # type: ignore[arg-type]
    for split in ("train", "val"):
        part = dataset.rows(split)
        expected = f1_score(dataset.labels(part), answers(dataset.faces[part]), average="macro", zero_division=0)
        assert found[f"{split}_macro_f1"] == pytest.approx(expected)
    assert 0 < found["train_macro_f1"] < 1
