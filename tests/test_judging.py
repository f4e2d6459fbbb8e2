"""What a fine-tuning leaves beside its model: the report, each answer with the second, and the plain rows."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from facessl import config, files, judging, recipes, runs
from facessl.dataset import FaceDataset
from facessl.encoder import Encoder
from facessl.finetuning import finetune
from facessl.metrics import wilson_interval
from facessl.run import Run
from tests.tiny import make_set

SMALL = {"dataset": "tiny", "backbone": "tinyvgg", "image_size": 32, "batch_size": 8, "threads": 1, "device": "cpu"}


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run, dict]:
    workspace = tmp_path_factory.mktemp("judging")
    make_set(workspace, people=4, photos=20)
    recipe = recipes.build(config.FinetuneRecipe, {**SMALL, "epochs": 2, "precision": "fp32"})
    run = runs.create(workspace, "finetune", recipe, title="test")
    return workspace, run, finetune(run, workspace)


def test_every_answer_is_there_with_the_second_and_what_each_was_given(judged: tuple[Path, Run, dict]) -> None:
    workspace, run, result = judged
    dataset, encoder = FaceDataset(workspace / "datasets" / "tiny"), Encoder.from_run(run.path, "cpu")
    test = dataset.rows("test")
    table = pd.read_parquet(run.path / "predictions.parquet")
    assert table["face"].tolist() == test.tolist()
    logits = encoder.logits(dataset.faces[test]).astype(np.float64)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for row, own in zip(table.itertuples(), shares, strict=True):
        ranked = sorted(range(4), key=lambda label: -own[label])
        assert [row.predicted, row.second] == ranked[:2]
        assert [row.probability, row.second_probability] == pytest.approx(
            [own[label] for label in ranked[:2]], abs=1e-4
        )
    right = (table["predicted"] == table["label"]).mean()
    assert result["metrics"]["top1"] == pytest.approx(right)


def test_the_plain_rows_stand_beside_it_with_all_that_has_to_be_said(judged: tuple[Path, Run, dict]) -> None:
    _, run, result = judged
    report = files.read_json(run.path / "report.json")
    assert report["baselines"] == result["baselines"] and report["intervals"] == "95 %, Wilson"
    assert [row["name"] for row in report["baselines"]] == [
        "majority", "1-NN on pixels", "1-NN on normalised pixels", "1-NN on PCA-whitened pixels",
        "linear layer on PCA-whitened pixels", "PCA + SVM (rbf)", "PCA + SVM (linear)", "PCA + LDA",
        "untrained TinyVGG, linear layer",
    ]  # fmt: skip
    for row in report["baselines"]:
        assert row["photos"] == result["metrics"]["photos"] == 8
        assert (row["low"], row["high"]) == pytest.approx(wilson_interval(round(row["top1"] * 8), 8))
        assert 0 <= row["macro_f1"] <= 1
    answers = pd.read_parquet(run.path / "predictions.parquet")
    beside = pd.read_parquet(run.path / "plain_predictions.parquet")
    assert beside.columns.tolist() == ["face", "label", *(row["name"] for row in report["baselines"])]
    assert beside[["face", "label"]].equals(answers[["face", "label"]])
    for row in report["baselines"]:
        said = beside[row["name"]]
        assert row["top1"] == pytest.approx((said == beside["label"]).mean())
        assert row["macro_f1"] == pytest.approx(f1_score(beside["label"], said, average="macro", zero_division=0.0))
    macro = f1_score(answers["label"], answers["predicted"], average="macro", zero_division=0.0)
    assert result["metrics"]["macro_f1"] == pytest.approx(macro)


def test_the_untrained_network_is_the_one_a_run_from_scratch_begins_with(
    judged: tuple[Path, Run, dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, _, _ = judged
    seen: list[Encoder] = []
    build = judging._untrained
    monkeypatch.setattr(judging, "_untrained", lambda *args: seen.append(build(*args)) or seen[-1])
    recipe = recipes.build(config.FinetuneRecipe, {**SMALL, "epochs": 1, "mode": "frozen", "precision": "fp32"})
    frozen = runs.create(workspace, "finetune", recipe, title="test")
    finetune(frozen, workspace)
    faces = FaceDataset(workspace / "datasets" / "tiny").faces[:5]
    kept = Encoder.from_run(frozen.path, "cpu")  # its backbone never learnt
    np.testing.assert_allclose(seen[0].classified(faces), kept.classified(faces), atol=1e-4)


# -- what the network had seen of test ---------------------------------------------------------------------------


def begun_from(workspace: Path, **settings: object) -> Run:
    """Write a pre-training of a TinyVGG that was never trained: what it may have learnt from is asked only."""
    import torch

    from facessl import checkpoints
    from facessl.encoder import Encoder

    recipe = recipes.build(config.PretrainRecipe, {**SMALL, "epochs": 1, **settings})
    made = runs.create(workspace, "pretrain", recipe, title="before")
    torch.manual_seed(0)
    network = Encoder.untrained(recipe.backbone, recipe.backbone_options, 32, seed=0, device="cpu")
    card = {"backbone": recipe.backbone, "backbone_options": recipe.backbone_options, "image_size": 32, "people": []}
    checkpoints.save_model(made.path, network.weights(), {**card, "precision": "fp32", "device": "cpu"})
    return made


def probed(workspace: Path, **settings: object) -> dict:
    recipe = recipes.build(config.FinetuneRecipe, {**SMALL, "mode": "frozen", "epochs": 1, **settings})
    return finetune(runs.create(workspace, "finetune", recipe, title="probe"), workspace)


def leaking(workspace: Path) -> None:
    """Write a set, and another that has person 0's test photo in train; the rest of it are other pictures."""
    make_set(workspace)
    path = make_set(workspace, "other") / "faces.parquet"
    table = pd.read_parquet(path)
    table["split"] = "train"
    table.loc[table["label"] != 0, "hash"] = "f" * 16  # files of the same names
    table.to_parquet(path, index=False)


def test_test_photos_seen_in_pretraining_are_counted_through_also_and_init(tmp_path: Path) -> None:
    """Of three test photos, one a person, the other set gave person 0's to the first of three runs."""
    leaking(tmp_path)
    first = begun_from(tmp_path, also=("other",))
    second = begun_from(tmp_path, init=first.id)
    clean = probed(tmp_path, init=begun_from(tmp_path).id)
    assert clean["transductive"] == {"photos": 0, "of": 3, "with_names": 0, "unknown": []} and clean["notes"] == []
    found = probed(tmp_path, init=second.id)
    assert found["transductive"] == {"photos": 1, "of": 3, "with_names": 0, "unknown": []}
    (note,) = found["notes"]
    assert note.startswith("Transductive: the network learnt from 1 of the 3 test photos, nameless;")
    assert not found["metrics"]["names_before"]


def test_names_of_before_are_counted_and_said_of_a_frozen_network_with_few_labels(tmp_path: Path) -> None:
    """SupCon learnt all 24 names of train; the layer on top uses one of each of the three people."""
    make_set(tmp_path)
    named = begun_from(tmp_path, method="supcon")
    found = probed(tmp_path, init=named.id, label_fraction=0.1)
    figures = found["metrics"]
    assert (figures["frozen"], figures["train_photos"]) == (True, 3)
    assert (figures["names_before"], figures["photos_named_before"]) == (True, 24)
    assert any("learnt from names before (24 photos)" in note for note in found["notes"])
    twice = begun_from(tmp_path, init=named.id, method="supervised")
    assert probed(tmp_path, init=twice.id)["metrics"]["photos_named_before"] == 24  # the same photos again


def test_a_layer_on_top_leaves_no_names_in_the_network_and_a_fine_tuning_does(tmp_path: Path) -> None:
    make_set(tmp_path)
    for mode, named in (("frozen", 0), ("finetune", 6)):
        recipe = recipes.build(config.FinetuneRecipe, {**SMALL, "mode": mode, "epochs": 1, "label_fraction": 0.25})
        before = runs.create(tmp_path, "finetune", recipe, title="before")
        finetune(before, tmp_path)
        figures = probed(tmp_path, init=before.id)["metrics"]
        assert (figures["names_before"], figures["photos_named_before"]) == (named > 0, named)


def test_names_of_a_set_that_is_gone_are_said_without_their_number(tmp_path: Path) -> None:
    make_set(tmp_path)
    shutil.copytree(tmp_path / "datasets" / "tiny", tmp_path / "datasets" / "gone")
    named = begun_from(tmp_path, dataset="gone", method="supervised")
    shutil.rmtree(tmp_path / "datasets" / "gone")
    found = probed(tmp_path, init=named.id)
    assert found["metrics"]["names_before"] and found["transductive"]["unknown"] == ["the set gone"]
    assert any("learnt from names before, so" in note for note in found["notes"])
