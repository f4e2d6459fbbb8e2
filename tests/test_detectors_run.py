"""The run that compares detectors on a set, and a set prepared with YuNet."""

import os
from pathlib import Path

import pytest

from facessl import config, resolve
from facessl.dataset import open_dataset
from facessl.errors import ModelError
from facessl.studio import Studio
from tests.conftest import run_here

MODELS = Path(os.environ.get("FACESSL_TEST_MODELS") or Path(__file__).parents[2] / "shared" / "models")


@pytest.fixture
def yunet() -> Path:
    files = sorted(MODELS.glob("face_detection_yunet*.onnx"))
    if not files:
        pytest.skip(f"no YuNet file in {MODELS} (set FACESSL_TEST_MODELS)")
    return files[-1]


def test_haar_is_compared_at_three_steps(prepared_home: Path) -> None:
    run = run_here(prepared_home, "detectors", dataset="demo", photos=12)
    rows = (run.result() or {})["rows"]
    assert [row["name"] for row in rows] == ["Haar, step 1.1", "Haar, step 1.2", "Haar, step 1.3"]
    assert {row["photos"] for row in rows} == {12}
    for row in rows:
        assert row["one"] + row["several"] == row["found"] <= 12
        assert row["ms_per_photo"] > 0
    # The set was made with step 1.2: what that found then, it finds now.
    assert rows[1]["found"] >= 11


@pytest.mark.realdata
def test_yunet_stands_beside_it_where_its_file_is(prepared_home: Path, yunet: Path) -> None:
    run = run_here(prepared_home, "detectors", dataset="demo", photos=6, weights=str(yunet))
    assert (run.result() or {})["rows"][-1]["name"] == "YuNet"


@pytest.mark.realdata
def test_a_set_is_prepared_with_yunet_and_its_photos_are_identified_with_it(tmp_path: Path, yunet: Path) -> None:
    settings = {"people": 2, "photos": 8, "size": 48, "min_photos": 4, "name": "by-yunet"}
    run_here(tmp_path, "prepare", detector="yunet", weights=str(yunet), **settings)
    made = open_dataset(tmp_path, "by-yunet")
    assert made.info["recipe"]["detector"] == "yunet"
    assert len(made.rows()) >= 12


def test_the_file_in_the_workspace_is_taken_by_itself(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    for name in ("face_detection_yunet_2023mar.onnx", "face_detection_yunet_2026may.onnx"):
        (tmp_path / "weights" / name).touch()
    assert resolve.yunet_file("", tmp_path).endswith("2026may.onnx")
    assert resolve.yunet_file("own.onnx", tmp_path) == str(Path("own.onnx").resolve())


def test_yunet_without_its_file_is_refused_before_there_is_a_run(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="yunet needs its file"):
        Studio(tmp_path).start("prepare", {"source": "synthetic", "detector": "yunet", "name": "x"})
    assert Studio(tmp_path).runs() == []


def test_a_model_of_few_labels_knows_only_those_photos(trained_home: Path) -> None:
    pretrained = next(run for run in Studio(trained_home).runs("pretrain"))
    parent = pretrained.config["recipe"]
    same = {name: parent[name] for name in ("backbone", "backbone_options", "image_size")}
    run = run_here(
        trained_home,
        "finetune",
        dataset="demo",
        init=pretrained.id,
        epochs=1,
        batch_size=8,
        label_fraction=0.25,
        **same,
    )
    result = run.result() or {}
    known = Studio(trained_home).gallery(run.id)
    assert len(known.labels) == result["metrics"]["train_photos"] == result["identification"]["known_photos"] == 16
    assert result["identification"]["split"] == "test"
    assert (pretrained.result() or {})["identification"]["split"] == "val"
    assert isinstance(run.recipe(), config.FinetuneRecipe)
