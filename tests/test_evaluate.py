"""The run and the command ``evaluate``: which pairs, by which model, and what that model had seen of them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from facessl import (
    config,
    dataset,
    evaluating,
    learnt,
    models,
    pairs,
    recipes,
    resolve,
    run,
    runs,
    verification,
    worker,
)
from facessl.baselines import pixel_embeddings
from facessl.cli import main
from facessl.encoder import Encoder
from facessl.errors import DatasetError, FaceSSLError, ModelError, SourceError
from facessl.studio import Studio
from tests.conftest import run_here
from tests.tiny import make_set

PEOPLE = ["Ann_Lee", "Bo", "Cy_de_la_O"]
SMALL = {"dataset": "tiny", "backbone": "tinyvgg", "image_size": 32, "batch_size": 8, "epochs": 1, "device": "cpu"}


def rename_photos(folder: Path) -> None:
    """Give the photos of the tiny set LFW's names: person n // 10, numbers 1 to 10; the nameless are nobody's."""
    table = pd.read_parquet(folder / "faces.parquet")
    names = [*PEOPLE, "Nobody"]
    table["path"] = [f"lfw/{names[n // 10]}/{names[n // 10]}_{n % 10 + 1:04d}.jpg" for n in range(len(table))]
    table.to_parquet(folder / "faces.parquet", index=False)


def write_pairs(path: Path, folds: int = 3, each: int = 6) -> Path:
    """Write folds of random pairs of the three people's photos."""
    rng = np.random.default_rng(0)
    lines = [f"{folds}\t{each}"]
    for _ in range(folds):
        for _ in range(each):
            first, second = rng.choice(10, 2, replace=False) + 1
            lines.append(f"{PEOPLE[rng.integers(3)]}\t{first}\t{second}")
        for _ in range(each):
            one, other = rng.choice(3, 2, replace=False)
            lines.append(f"{PEOPLE[one]}\t{rng.integers(10) + 1}\t{PEOPLE[other]}\t{rng.integers(10) + 1}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the tiny set under LFW's names, its list of pairs, and a pre-training and a fine-tuning."""
    workspace = tmp_path_factory.mktemp("evaluate")
    rename_photos(make_set(workspace))
    write_pairs(workspace / "pairs.txt")
    first = run_here(workspace, "pretrain", **SMALL, whiten=4)
    run_here(workspace, "finetune", **SMALL, init=first.id, label_fraction=0.25, whiten=0)
    return workspace


def result(workspace: Path, **settings: object) -> dict[str, Any]:
    found = run_here(workspace, "evaluate", dataset="tiny", device="cpu", **settings).result()
    assert found is not None
    return found


def run_of(workspace: Path, kind: str) -> run.Run:
    return Studio(workspace).runs(kind)[0]


# -- the figures -------------------------------------------------------------------------------------------------


def test_pixels_on_a_list_are_what_a_slow_reading_says(home: Path) -> None:
    """Each pair's cosine, each fold's accuracy at the best threshold of the others, looked for among all."""
    found = result(home, model="pixels", pairs=str(home / "pairs.txt"), image_size=32)
    opened = dataset.open_dataset(home, "tiny")
    where = {path: row for row, path in enumerate(opened.crops["path"])}
    similarity, same, fold = [], [], []
    for pair in pairs.read(home / "pairs.txt"):
        rows = [where[f"lfw/{name}/{name}_{number:04d}.jpg"] for name, number in (pair.one, pair.other)]
        one, other = pixel_embeddings(opened.faces[rows], 32)
        similarity.append(float(one @ other))
        same.append(pair.one[0] == pair.other[0])
        fold.append(pair.fold)
    values, truth, number = np.array(similarity), np.array(same), np.array(fold)
    for row in found["folds"]:
        own = number == row["fold"]
        most = max(np.mean((values[~own] >= threshold) == truth[~own]) for threshold in [*values[~own], 2])
        assert np.mean((values[~own] >= row["threshold"]) == truth[~own]) == most
        assert row["accuracy"] == np.mean((values[own] >= row["threshold"]) == truth[own])
    metrics = found["metrics"]
    assert metrics["accuracy"] == pytest.approx(np.mean([row["accuracy"] for row in found["folds"]]))
    assert metrics["auc"] == pytest.approx(np.mean(values[truth][:, None] > values[~truth]))
    stored = pd.read_parquet(runs.find(home, found["run"]).path / "pairs.parquet")
    np.testing.assert_allclose(stored["similarity"], values, atol=1e-5)
    assert stored["same"].tolist() == same
    accepted = stored["similarity"] >= stored["threshold"]
    assert (accepted == stored["same"]).mean() == pytest.approx(metrics["accuracy"])


def test_a_result_says_everything(home: Path) -> None:
    found = result(home, model="pixels", pairs=str(home / "pairs.txt"))
    assert {"run", "dataset", "model", "device", "seconds", "metrics", "pairs", "transductive", "folds", "roc"} <= set(
        found
    )
    assert found["metrics"]["interval"] == "95 %, bootstrap over people"
    assert found["metrics"]["frozen"] is True
    assert found["metrics"]["auc_interval"] is None and any("3 people are too few" in note for note in found["notes"])
    assert found["metrics"]["tar_at_far_1e-2"] is None and any("Too few pairs" in note for note in found["notes"])
    assert (found["pairs"]["scored"], found["pairs"]["same"], found["pairs"]["folds"]) == (36, 18, 3)
    assert found["roc"]["far"][0] == 0 and found["roc"]["tar"][-1] == 1
    assert found["transductive"] == {
        "photos": 0, "of": found["pairs"]["photos_named"], "with_names": 0, "names_used": False, "unknown": [],
    }  # fmt: skip


def test_missing_faces_are_said_in_the_result(tmp_path: Path) -> None:
    folder = make_set(tmp_path)
    rename_photos(folder)
    table = pd.read_parquet(folder / "faces.parquet")
    table.loc[3, ["status", "face"]] = ["no face", -1]
    table.to_parquet(folder / "faces.parquet", index=False)
    found = result(tmp_path, model="pixels", pairs=str(write_pairs(tmp_path / "pairs.txt")))
    assert found["pairs"]["photos_missing"] == {"no face": 1}
    assert found["pairs"]["scored"] + found["pairs"]["left_out"] == 36 > found["pairs"]["scored"]
    assert "left out" in found["notes"][0]


def test_a_corrected_set_is_scored_as_it_stood(home: Path, tmp_path: Path) -> None:
    rename_photos(make_set(tmp_path))
    write_pairs(tmp_path / "pairs.txt")
    studio = Studio(tmp_path)
    studio.edit("tiny", "exclude", photo=0)
    now = studio.create("evaluate", {"dataset": "tiny", "pairs": str(tmp_path / "pairs.txt")})
    studio.edit("tiny", "exclude", photo=1)
    assert worker.work(tmp_path, now.id) == "finished"
    assert (now.result() or {})["pairs"]["photos_missing"] == {"excluded": 1}


def test_pairs_of_test_are_drawn_where_no_list_is_given(prepared_home: Path) -> None:
    found = run_here(prepared_home, "evaluate", dataset="demo", model="pixels", per_fold=5).result() or {}
    assert found["pairs"]["from"] == "test" and found["pairs"]["people"] == 4
    assert found["pairs"]["same"] == found["pairs"]["different"] <= 15
    assert any("4 people, too few for folds" in note for note in found["notes"])
    opened = dataset.open_dataset(prepared_home, "demo")
    stored = pd.read_parquet(runs.find(prepared_home, found["run"]).path / "pairs.parquet")
    assert set(stored["face_a"]) | set(stored["face_b"]) <= set(opened.rows("test").tolist())


# -- the models --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["untrained", "pixels", "pixels-whitened"])
def test_plain_models_learnt_from_nothing(model: str, home: Path) -> None:
    found = result(home, model=model, pairs=str(home / "pairs.txt"), backbone="tinyvgg", image_size=32)
    assert found["transductive"]["photos"] == 0
    assert 0 <= found["metrics"]["auc"] <= 1


def test_the_whitening_of_pixels_never_sees_a_face_of_the_pairs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[np.ndarray] = []
    whole = models._whitened_pixels

    def watched(faces: np.ndarray, known: np.ndarray, *rest: Any) -> np.ndarray:
        fitted.append(known)
        return whole(faces, known, *rest)

    monkeypatch.setattr(models, "_whitened_pixels", watched)
    found = result(home, model="pixels-whitened", pairs=str(home / "pairs.txt"))
    opened = dataset.open_dataset(home, "tiny")
    listed = pairs.find(pairs.read(home / "pairs.txt"), opened)
    asked = {opened.faces[row].tobytes() for row in np.unique(listed.faces)}
    learnt_from = {opened.faces[row].tobytes() for row in opened.rows("unlabelled", "train")}
    (known,) = fitted
    assert {face.tobytes() for face in known} == learnt_from - asked
    assert found["metrics"]["pairs"] == 36


def test_whitened_pixels_are_scikit_learns_whitening_of_other_faces(home: Path) -> None:
    from sklearn.decomposition import PCA

    rng = np.random.default_rng(0)
    shapes = rng.normal(0, 1, (12, 16 * 16 * 3)) * 40 * 0.8 ** np.arange(12)[:, None]  # some vary more than others
    faces = np.clip(128 + rng.normal(size=(60, 12)) @ shapes, 0, 255).astype(np.uint8).reshape(60, 16, 16, 3)
    model = models.Model("pixels-whitened", image_size=16)
    heard: list[int] = []
    rows = models.embed(model, faces[:20], home, fitted_on=lambda: faces[20:], progress=heard.append)
    pixels = (pixel_embeddings(faces, 16) + pixel_embeddings(faces[:, :, ::-1], 16)) / 2
    pca = PCA(10, svd_solver="full").fit(pixels[20:])
    expected = pca.transform(pixels[:20]) / pca.explained_variance_**0.375  # three quarters of a standard deviation
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert rows.shape == (20, 10)  # a direction for every four faces
    np.testing.assert_allclose(rows @ rows.T, expected @ expected.T, atol=0.02)
    assert heard == [20]


def test_a_map_can_be_drawn_of_whitened_pixels_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_set(tmp_path)
    monkeypatch.setattr("facessl.embeddings.project", lambda rows, **_: np.zeros((len(rows), 2)))  # UMAP compiles
    run = run_here(tmp_path, "embed", dataset="tiny", model="pixels-whitened", image_size=16)
    stored = np.load(run.path / "embeddings.npy")
    np.testing.assert_allclose(np.linalg.norm(stored, axis=1), 1, atol=1e-5)


def test_a_run_s_encoder_is_what_is_compared(home: Path) -> None:
    run = run_of(home, "pretrain")
    found = result(home, model=run.id, pairs=str(home / "pairs.txt"))
    stored = pd.read_parquet(runs.find(home, found["run"]).path / "pairs.parquet")
    opened = dataset.open_dataset(home, "tiny")
    encoder = Encoder.from_run(run.path, "cpu")
    one, other = (encoder.embed(opened.faces[stored[side].to_numpy()]) for side in ("face_a", "face_b"))
    np.testing.assert_allclose(stored["similarity"], (one * other).sum(axis=1), atol=1e-4)


def test_a_network_that_went_wrong_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Encoder, "embed", lambda self, faces, progress: np.full((len(faces), 4), np.nan, np.float32))
    run = Studio(home).create("evaluate", {"dataset": "tiny", "model": "untrained", "pairs": str(home / "pairs.txt")})
    with pytest.raises(ModelError, match="no finite number for 36 of 36 pairs"):
        evaluating.evaluate(run, home)


# -- what the model had seen -------------------------------------------------------------------------------------


def test_the_photos_a_pretraining_saw_are_counted(home: Path) -> None:
    found = result(home, model=run_of(home, "pretrain").id, pairs=str(home / "pairs.txt"))
    named = {photo for pair in pairs.read(home / "pairs.txt") for photo in (pair.one, pair.other)}
    seen = {photo for photo in named if photo[1] <= 8}  # of ten photos a person the first eight are train
    assert found["transductive"] == {
        "photos": len(seen), "of": len(named), "with_names": 0, "names_used": False, "unknown": [],
    }  # fmt: skip
    assert any(note.startswith(f"Transductive: the model learnt from {len(seen)} of") for note in found["notes"])


def test_a_fine_tuning_counts_its_names_and_what_it_began_from(home: Path) -> None:
    tuned = run_of(home, "finetune")
    known = learnt.learnt_from(tuned, home)
    assert [(len(one.rows), len(one.named)) for one in known.seen] == [
        (6, 6),
        (28, 0),
    ]  # 2 of 8 of each; 24 train, 4 nameless
    assert known.gone == []
    found = result(home, model=tuned.id, pairs=str(home / "pairs.txt"))
    before = result(home, model=run_of(home, "pretrain").id, pairs=str(home / "pairs.txt"))
    assert found["transductive"]["photos"] == before["transductive"]["photos"]
    assert 0 < found["transductive"]["with_names"] <= 6 and found["transductive"]["names_used"]
    assert found["metrics"]["frozen"] is False
    assert any("not LFW's setting without supervision" in note for note in found["notes"])


def exposure(workspace: Path, protocol: pairs.Protocol, **settings: object) -> tuple[dict[str, Any], list[str]]:
    """Return what is said of a pre-training with these settings; it was made, and need not be trained for that."""
    recipe = recipes.build(config.PretrainRecipe, SMALL | settings)
    run = runs.create(workspace, "pretrain", recipe, title="of other photos")
    return evaluating._exposure(learnt.learnt_from(run, workspace), protocol)


def test_a_network_is_frozen_for_as_long_as_no_name_moved_it(tmp_path: Path) -> None:
    """Neither on top of it, nor in a run that it began from; the runs are made, and need not be trained for that."""

    def made(kind: str, **settings: object) -> str:
        recipe = recipes.build(config.RECIPES[kind], SMALL | settings)
        return runs.create(tmp_path, kind, recipe, title="made").id

    make_set(tmp_path)
    nameless, named = made("pretrain"), made("pretrain", method="supcon")
    tuned = made("finetune", init=nameless)
    frozen = {
        "pixels": True, nameless: True, named: False, tuned: False,
        made("pretrain", method="supervised"): False,
        made("pretrain", init=nameless): True,
        made("pretrain", init=named): False,
        made("finetune", mode="frozen", init=nameless): True,
        made("finetune", mode="frozen", init=tuned): False,
        made("finetune", mode="frozen", init=made("finetune", mode="frozen", init=nameless)): True,
    }  # fmt: skip
    assert {model: not evaluating._known(model, tmp_path).by_names for model in frozen} == frozen


def test_another_set_of_the_same_photos_is_seen_through(tmp_path: Path) -> None:
    for name in ("tiny", "large"):
        rename_photos(make_set(tmp_path, name))
    listed = pairs.find(pairs.read(write_pairs(tmp_path / "pairs.txt")), dataset.open_dataset(tmp_path, "tiny"))
    told, _ = exposure(tmp_path, listed, dataset="large")
    assert told["photos"] > 0 and not told["names_used"]
    named, notes = exposure(tmp_path, listed, dataset="large", method="supervised")
    assert named["photos"] == named["with_names"] == told["photos"] and named["names_used"]
    assert any("The model learnt from names, those of" in note for note in notes)


def test_drawn_test_photos_that_another_set_gave_to_training_are_counted(tmp_path: Path) -> None:
    make_set(tmp_path, people=3, photos=30)
    folder = make_set(tmp_path, "other", people=3, photos=30)
    table = pd.read_parquet(folder / "faces.parquet")
    table["split"] = "train"
    table.to_parquet(folder / "faces.parquet", index=False)
    drawn = pairs.draw(dataset.open_dataset(tmp_path, "tiny"), 10, 0)
    assert exposure(tmp_path, drawn)[0]["photos"] == 0
    leaked, _ = exposure(tmp_path, drawn, also=("other",))
    assert leaked["photos"] == leaked["of"] == drawn.told["photos_named"] > 0


def test_what_is_gone_is_said_to_be_unknown(tmp_path: Path) -> None:
    rename_photos(make_set(tmp_path))
    listed = pairs.find(pairs.read(write_pairs(tmp_path / "pairs.txt")), dataset.open_dataset(tmp_path, "tiny"))
    told, notes = exposure(tmp_path, listed, also=("large",), init="20260101-000000-gone")
    assert told["unknown"] == ["the set large", "the run 20260101-000000-gone"]
    assert any("cannot be read here: the set large, the run 20260101-000000-gone." in note for note in notes)


# -- asking for it -----------------------------------------------------------------------------------------------


def test_the_command_prints_its_metrics_with_intervals(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    end = run_of(home, "pretrain").id[-4:]  # a run may be named by the end of its id
    words = ["evaluate", "--dataset", "tiny", "--model", end, "--pairs", str(home / "pairs.txt"), "--device", "cpu"]
    assert main([*words, "--workspace", str(home), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {"accuracy", "accuracy_se", "accuracy_interval", "auc", "auc_interval", "eer", "threshold"} <= set(
        answer["metrics"]
    )
    assert answer["model"] == run_of(home, "pretrain").id
    assert Studio(home).run(answer["run"]).title.startswith("Pairs of tiny by a pretrain of the tests")
    assert main(["evaluate", "--dataset", "tiny", "--model", "none", "--workspace", str(home)]) == 1
    assert "no run 'none'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"pairs": "nowhere.txt"}, SourceError, "cannot be read"),
        ({"dataset": "plain", "pairs": "pairs.txt"}, DatasetError, "plain holds none of the pairs"),
        ({"dataset": "plain"}, DatasetError, "no pairs to compare"),
        ({"pairs": "same.txt"}, SourceError, "line 1"),
        ({"model": "2026-no-such-run", "pairs": "pairs.txt"}, FaceSSLError, "no run"),
        ({"device": "cuda", "pairs": "pairs.txt"}, FaceSSLError, "cuda"),
        ({"dataset": "whole", "model": "pixels-whitened", "pairs": "pairs.txt"}, DatasetError, "choose pixels instead"),
    ],
)
def test_what_cannot_work_is_refused_before_there_is_a_run(
    settings: dict[str, str], error: type[FaceSSLError], words: str, tmp_path: Path
) -> None:
    rename_photos(make_set(tmp_path))
    make_set(tmp_path, "plain")
    rename_photos(make_set(tmp_path, "whole", unnamed=0))
    everybody = [f"{person}\t{n}\t{n + 1}" for person in PEOPLE for n in range(1, 10)]
    others = [f"{PEOPLE[n % 3]}\t{n % 10 + 1}\t{PEOPLE[(n + 1) % 3]}\t1" for n in range(27)]
    (tmp_path / "pairs.txt").write_text("\n".join(["27", *everybody, *others]))
    (tmp_path / "same.txt").write_text("Ann_Lee\t1\t2\n")
    if "pairs" in settings:
        settings = settings | {"pairs": str(tmp_path / settings["pairs"])}
    with pytest.raises(error, match=words):
        Studio(tmp_path).start("evaluate", {"dataset": "tiny", **settings})
    assert Studio(tmp_path).runs() == []


def test_the_list_is_found_again_from_anywhere(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    recipe = resolve.resolve("evaluate", {"dataset": "tiny", "pairs": "pairs.txt"}, home)
    assert isinstance(recipe, config.EvaluateRecipe) and recipe.pairs == str(home / "pairs.txt")


def test_a_stop_ends_it(home: Path) -> None:
    run = Studio(home).create("evaluate", {"dataset": "tiny", "model": "pixels", "pairs": str(home / "pairs.txt")})
    run.request_stop()
    assert worker.work(home, run.id) == "stopped"
    assert run.result() is None


def test_a_run_that_was_judged_is_not_deleted_unasked(home: Path) -> None:
    run = run_of(home, "finetune")
    judged = result(home, model=run.id, pairs=str(home / "pairs.txt"))["run"]
    assert judged in [user.id for user in Studio(home).dependants(run.id)]


# -- LFW's own lists ---------------------------------------------------------------------------------------------


@pytest.mark.realdata
def test_lfws_lists_are_read_as_published(real_data: Path) -> None:
    """Counts from https://vis-www.cs.umass.edu/lfw/README.txt; 7,701 photos, no person in two folds."""
    listed = pairs.read(real_data / "pairs.txt")
    photos = {photo for pair in listed for photo in (pair.one, pair.other)}
    assert len(photos) == 7701
    fold_of: dict[str, set[int]] = {}
    for pair in listed:
        for person, _ in (pair.one, pair.other):
            fold_of.setdefault(person, set()).add(pair.fold)
    assert {len(folds) for folds in fold_of.values()} == {1}
    for fold in range(1, 11):
        assert [pair.same for pair in listed if pair.fold == fold] == [True] * 300 + [False] * 300
    for name, each in (("pairsDevTrain.txt", 1100), ("pairsDevTest.txt", 500)):
        part = pairs.read(real_data / name)
        assert [pair.same for pair in part] == [True] * each + [False] * each
        assert {pair.fold for pair in part} == {1}


def test_constant_embeddings_are_chance(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Encoder, "embed", lambda self, faces, progress: np.eye(1, 4, dtype=np.float32).repeat(len(faces), 0)
    )
    metrics = result(home, model="untrained", pairs=str(home / "pairs.txt"))["metrics"]
    assert (metrics["accuracy"], metrics["auc"], metrics["eer"]) == (0.5, 0.5, 0.5)
    assert verification.FEWEST_PEOPLE > 3
