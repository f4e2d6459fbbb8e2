"""What an embedding knows: a factor that was planted is found, one that only a person's face tells is not."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from facessl import files, recipes, resolve, runs
from facessl.config import RECIPES
from facessl.dataset import open_dataset
from facessl.errors import DatasetError, FaceSSLError, RecipeError
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
    assert heat["y"] == ["pixels", "PCA-whitened pixels", "untrained network"] and heat["first"]
    rows = report["tables"][0]["rows"]
    assert {"majority", "PCA + SVM (rbf)", "PCA + LDA"} <= {row["model"] for row in rows[3:]}
    assert all(row["person"]["photos"] == rows[0]["person"]["photos"] for row in rows)
    for row, numbers in zip(rows, heat["z"], strict=False):  # the same figures, also below 0
        assert [100 * row[name]["value"] for name in factors.FACTORS] == numbers[1:]
    assert report["tables"][0]["rows"][0]["person"]["split"] == "val and test"


def test_networks_are_read_of_each_face_as_it_is_and_not_of_its_mean_with_its_mirror_image(
    prepared_home: Path,
) -> None:
    """A vector that is the same for a face and its mirror image cannot know to which side it looks."""
    dataset = open_dataset(prepared_home, "demo")
    options = factors.Options(backbone="tinyvgg", image_size=32)
    small = {"dataset": "demo", "backbone": "tinyvgg", "image_size": 32, "batch_size": 16}
    run = run_here(prepared_home, "pretrain", epochs=1, **small)
    try:
        turned = open_dataset(prepared_home, "demo")
        turned.__dict__["faces"] = np.asarray(dataset.faces).copy()
        rows = dataset.rows("test", "val")
        turned.faces[rows] = turned.faces[rows][:, :, ::-1]
        for name in ("pixels-whitened", "untrained", run.id):
            one, other = (
                factors._vectors(name, seen, rows, options, prepared_home, fine) for seen in (dataset, turned)
            )
            assert not np.allclose(one, other, atol=1e-3)
            assert one.shape[1] > 1 and np.isfinite(one).all()
    finally:
        runs.delete([run])


def test_each_nameless_method_is_asked_unless_told_otherwise(prepared_home: Path) -> None:
    from facessl import methods

    steps = factors.steps(open_dataset(prepared_home, "demo"), factors.Options(), prepared_home)
    assert [step.settings["method"] for step in steps if step.kind == "pretrain"] == methods.nameless()


def test_what_is_asked_anyway_may_be_named_and_an_unknown_word_is_answered_without_a_command(
    prepared_home: Path,
) -> None:
    dataset = open_dataset(prepared_home, "demo")
    named = factors.steps(dataset, factors.Options(models="pixels, untrained,simclr"), prepared_home)
    assert named == factors.steps(dataset, factors.Options(models="simclr"), prepared_home)
    with pytest.raises(RecipeError, match="'eigenfaces' is unknown here; name nothing, untrained") as refused:
        factors.steps(dataset, factors.Options(models="eigenfaces"), prepared_home)
    with pytest.raises(ValidationError, match="name a model or more"):
        factors.Options(models=" ,")
    assert "python -m" not in str(refused.value)


def test_a_stem_is_that_of_every_network_that_brings_none(prepared_home: Path) -> None:
    """The untrained network is the methods' own before they learn; another stem reads the same faces otherwise."""
    dataset = open_dataset(prepared_home, "demo")
    options = factors.Options(models="simclr", stem="imagenet", image_size=32)
    steps = factors.steps(dataset, options, prepared_home)
    assert [step.settings.get("stem") for step in steps if step.kind == "pretrain"] == ["imagenet"]
    rows = dataset.rows("test")[:4]
    by_stem = {
        stem: factors._vectors(
            "untrained", dataset, rows, options.model_copy(update={"stem": stem}), prepared_home, fine
        )
        for stem in ("auto", "medium", "imagenet")
    }
    assert np.array_equal(by_stem["auto"], by_stem["medium"])
    assert not np.allclose(by_stem["auto"], by_stem["imagenet"], atol=1e-3)
    with pytest.raises(RecipeError, match="tinyvgg has no stems"):
        factors.steps(dataset, options.model_copy(update={"backbone": "tinyvgg"}), prepared_home)


@pytest.mark.parametrize(
    "options, because",
    [({"models": "pixels", "backbone": "foo"}, "no backbone called 'foo'"), ({"device": "cuda:7"}, "no cuda")],
)
def test_a_study_that_could_never_work_is_refused_before_it_exists(
    prepared_home: Path, options: dict[str, str], because: str
) -> None:
    recipe = recipes.build(RECIPES["study"], {"preset": "factors", "dataset": "demo", **options})
    with pytest.raises(FaceSSLError, match=because):
        resolve.check(recipe, prepared_home)


def test_a_set_without_names_is_refused_before_anything_is_trained(prepared_home: Path) -> None:
    dataset = open_dataset(prepared_home, "demo")
    dataset.__dict__["people"] = []
    with pytest.raises(DatasetError, match="fewer than two named people"):
        factors.steps(dataset, factors.Options(), prepared_home)


def test_the_report_of_plain_names_leaves_them_where_they_are(prepared_home: Path) -> None:
    options = factors.Options(models="pixels,untrained")
    report = factors.answer(open_dataset(prepared_home, "demo"), options, {}, prepared_home, {})
    assert report.sentences == ["No model is read yet."]


def test_a_sentence_holds_no_tables_short_names() -> None:
    low, high = {"low": -0.002, "high": 0.1, "score": -0.001}, {"low": 0.5, "high": 0.7, "score": 0.6}
    person = {"low": 0.4, "high": 0.6, "accuracy": 0.5, "chance": 0.2}
    known = {name: high if name.startswith("light") else low for name in factors.FACTORS}
    read = {
        "PCA-whitened pixels": {"person": person, "factors": dict.fromkeys(factors.FACTORS, low)},
        "SimCLR": {"person": person, "factors": known},
    }
    assert factors._sentences(read) == [
        "SimCLR knows more about the side of the light and the height of the light than PCA-whitened pixels."
    ]
