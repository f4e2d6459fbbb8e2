"""What a fine-tuning leaves beside its model: the report, each answer with the second, and the plain rows."""

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
