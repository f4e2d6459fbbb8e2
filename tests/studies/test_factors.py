"""What an embedding knows: a factor that was planted is found, one that only a person's face tells is not."""

from pathlib import Path

import numpy as np
import pytest

from facessl import files, runs
from facessl.dataset import open_dataset
from facessl.errors import DatasetError
from facessl.studies import factors
from facessl.studies._readout import folds, read_out, spanned
from tests.conftest import run_here


def fine() -> None:
    """Nobody wants a stop."""


def test_reads_out_what_is_there_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    vectors, groups = rng.normal(size=(3000, 12)), np.repeat(np.arange(10), 300)
    noise = rng.normal(size=3000)
    half = vectors[:, 0] + noise  # as much noise as signal: R² one half
    targets = np.stack([vectors @ rng.normal(size=12), half, noise], axis=1)
    found = read_out(vectors, targets, groups, np.arange(3000) % 5 > 0, seed=0, check=fine)
    assert found[0].score == pytest.approx(1, abs=0.01)
    assert found[1].score == pytest.approx(0.5, abs=0.2) and found[1].low < found[1].score < found[1].high
    assert found[2].score < 0.05 and found[2].faces == 600


def test_what_only_a_person_tells_is_not_known_of_other_people() -> None:
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(12), 20)
    vectors = np.eye(12)[groups] + rng.normal(0, 0.01, (240, 12))  # who it is, and nothing besides
    trait = rng.normal(size=12)[groups, None]
    found = read_out(vectors, trait, groups, np.arange(240) % 5 > 0, seed=0, check=fine)
    assert found[0].score < 0.1


def test_no_person_is_in_two_folds() -> None:
    groups = np.repeat(np.arange(7), 4)
    parts = folds(groups, seed=0)
    assert sorted(np.concatenate(parts)) == list(range(7)) and len(parts) == 5


def test_nothing_is_lost_where_there_are_more_pixels_than_faces() -> None:
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(2)
    near, far, target = rng.normal(size=(20, 90)), rng.normal(size=(7, 90)), rng.normal(size=20)
    rows, asked = spanned(near, far)
    spread = (near - near.mean(axis=0)).std()
    whole = Ridge(3.0).fit((near - near.mean(axis=0)) / spread, target).predict((far - near.mean(axis=0)) / spread)
    assert rows.shape == (20, 20) and Ridge(3.0).fit(rows, target).predict(asked) == pytest.approx(whole)


def test_real_photos_are_refused_in_one_sentence(prepared_home: Path) -> None:
    dataset = open_dataset(prepared_home, "demo")
    info = {**dataset.info, "recipe": {**dataset.info["recipe"], "source": "folder"}}
    dataset.__dict__["info"] = info
    with pytest.raises(DatasetError, match="made of real photos, whose pose, light and hair nobody recorded"):
        factors.steps(dataset, factors.Options(), prepared_home)


def test_of_generated_faces_there_is_a_heat_map_with_chance_at_zero(prepared_home: Path) -> None:
    options: dict[str, object] = {"models": "nothing", "backbone": "tinyvgg", "image_size": 32}
    run = run_here(prepared_home, "study", edits={"demo": 0}, preset="factors", dataset="demo", **options)
    report = files.read_json(run.path / "report.json")
    runs.delete([run])
    heat = report["charts"][0]
    assert heat["x"] == ["person", *factors.FACTORS]
    assert heat["y"] == ["pixels", "PCA-whitened pixels", "untrained network"]
    assert all(0 <= value <= 1 for row in heat["z"] for value in row)
    assert report["tables"][0]["rows"][0]["person"]["split"] == "val and test"
