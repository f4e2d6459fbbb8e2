"""Commands: one JSON object on one line, exit codes, errors in one line."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Literal, get_args, get_origin

import cv2
import pandas as pd
import pytest

from facessl import config, recipes, registry, resolve, runs
from facessl.cli import main
from facessl.errors import DatasetError, FaceSSLError, RecipeError
from facessl.studio import Studio
from tests.conftest import run_here
from tests.tiny import leave_model, make_set


def call(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, object, str]:
    """Run a command with --json and return (exit code, its JSON, stderr)."""
    code = main([str(word) for word in words] + ["--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out.splitlines()[-1]) if out else None, err


@pytest.mark.parametrize("kind", ["sources", "methods", "backbones"])
def test_listings_are_arrays(kind: str, capsys: pytest.CaptureFixture[str], empty_workspace: Path) -> None:
    code, answer, _ = call(capsys, kind)
    assert code == 0 and isinstance(answer, list) and {"name", "title", "reference"} <= answer[0].keys()


def test_an_empty_workspace_lists_nothing(capsys: pytest.CaptureFixture[str], empty_workspace: Path) -> None:
    for listing in ("datasets", "runs"):
        assert call(capsys, listing)[:2] == (0, [])
        assert main([listing]) == 0
        assert capsys.readouterr().out == "There is nothing to list.\n"


def test_the_whole_path_by_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    where = ("--workspace", tmp_path)
    code, prepared, err = call(
        capsys, "prepare", "--source", "synthetic", "--people", 3, "--photos", 12, "--size", 48, "--min-photos", 5,
        "--name", "few", *where,
    )  # fmt: skip
    assert code == 0, err
    assert {"dataset", "people", "photos", "counts", "seconds"} <= prepared.keys()
    assert (prepared["dataset"], prepared["people"], prepared["photos"]) == ("few", 3, 36)
    small = ("--dataset", "few", "--backbone", "tinyvgg", "--image-size", 32, "--batch-size", 8, "--epochs", 1, *where)
    code, pretrained, err = call(capsys, "pretrain", *small)
    assert code == 0, err
    code, finetuned, err = call(capsys, "finetune", "--init", pretrained["run"], "--label-fraction", 0.5, *small)
    assert code == 0, err
    for answer in (pretrained, finetuned):
        assert {"run", "dataset", "device", "seconds", "images_per_second", "metrics"} <= answer.keys()
    code, embedded, err = call(capsys, "embed", "--dataset", "few", "--model", pretrained["run"], *where)
    assert code == 0 and embedded["metrics"]["faces"] > 0, err
    image, _name = Studio(tmp_path).sample(finetuned["run"], stranger=False, seed=1) or (None, "")
    cv2.imwrite(str(tmp_path / "photo.png"), image[:, :, ::-1])
    code, answer, err = call(capsys, "identify", "--model", finetuned["run"], tmp_path / "photo.png", *where)
    assert code == 0, err
    face = answer["faces"][0]
    assert {"box", "person", "similarity", "threshold", "nearest"} <= face.keys()
    assert (face["person"] is None) == (face["similarity"] < face["threshold"])
    assert len(call(capsys, "runs", *where)[1]) == 4
    assert call(capsys, "datasets", *where)[1][0]["dataset"] == "few"
    code, _, err = call(capsys, "prepare", "--name", "few", *where)
    assert code == 1 and "few" in err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["pretrain", "--dataset", "nothing"], "prepare one first"),
        (["pretrain", "--epochs", "none"], "epochs"),
        (["pretrain", "--method", "magic"], "choose one of"),
        (["prepare", "--source", "folder", "--path", "/nowhere/at/all", "--name", "x"], "/nowhere/at/all"),
        (["identify", "--model", "none", "x.jpg"], "no run"),
        (["resume", "none"], "no run"),
        (["stop", "none"], "no run"),
    ],
)
def test_errors_are_one_line_and_leave_nothing(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str], empty_workspace: Path
) -> None:
    assert main(words) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("facessl: ") and err.count("\n") == 1 and sentence in err
    assert not (empty_workspace / "runs").exists() or not list((empty_workspace / "runs").iterdir())


def test_every_setting_is_a_flag(capsys: pytest.CaptureFixture[str]) -> None:
    for kind, recipe in config.RECIPES.items():
        with pytest.raises(SystemExit):
            main([kind, "--help"])
        shown = capsys.readouterr().out
        carriers = {carried_by for _, _, carried_by in recipe.PLUGINS} | {"views", "quality"}
        for name in recipe.model_fields.keys() - carriers:
            assert f"--{name.replace('_', '-')}" in shown, f"{kind} has no flag for {name}"
        words = " ".join(shown.split())
        for plugins, _, _ in recipe.PLUGINS:  # and what it may be
            assert f"One of {', '.join(registry.names(plugins))}." in words
        for name, field in recipe.model_fields.items():
            if get_origin(field.annotation) is Literal:
                assert f"One of {', '.join(map(str, get_args(field.annotation)))}." in words, name


def test_a_run_may_be_named_by_the_end_of_its_id_and_brings_its_network(tmp_path: Path) -> None:
    """What the README promises; the recipe then holds the whole id, and what the network was trained with."""
    make_set(tmp_path)
    pretraining = recipes.build(config.PretrainRecipe, {"dataset": "tiny", "backbone": "tinyvgg", "image_size": 48})
    run = runs.create(tmp_path, "pretrain", pretraining, title="a test's")
    leave_model(run.path)
    end = run.id[-4:]
    recipe = resolve.resolve("finetune", {"dataset": "tiny", "init": end}, tmp_path)
    assert (recipe.init, recipe.backbone, recipe.image_size) == (run.id, "tinyvgg", 48)
    assert resolve.resolve("embed", {"dataset": "tiny", "model": end}, tmp_path).model == run.id
    with pytest.raises(RecipeError, match="image_size 48, not 64"):
        resolve.resolve("finetune", {"dataset": "tiny", "init": end, "image_size": "64"}, tmp_path)


def test_a_setting_of_the_backbone_cannot_differ_from_the_runs(tmp_path: Path) -> None:
    make_set(tmp_path)
    settings = {"dataset": "tiny", "backbone": "resnet18", "stages": 2}
    run = runs.create(tmp_path, "pretrain", recipes.build(config.PretrainRecipe, settings), title="a test's")
    leave_model(run.path)
    for kind in ("pretrain", "finetune"):
        with pytest.raises(RecipeError, match="trained with stages 2, not 4; leave stages out"):
            resolve.resolve(kind, {"dataset": "tiny", "init": run.id, "stages": "4"}, tmp_path)
        same = resolve.resolve(kind, {"dataset": "tiny", "init": run.id, "stages": "2"}, tmp_path)
        assert same.backbone_options == run.recipe().backbone_options
        left_open = {"stages": "0", "stem": "auto"}  # as a form or a script says what the picture, or a run, decides
        opened = resolve.resolve(kind, {"dataset": "tiny", "init": run.id, **left_open}, tmp_path)
        assert opened.backbone_options == run.recipe().backbone_options


@pytest.mark.parametrize("kind", ["pretrain", "finetune", "embed", "evaluate"])
def test_a_backbone_without_imagenet_weights_is_refused_before_the_start(tmp_path: Path, kind: str) -> None:
    make_set(tmp_path)
    start = {"model" if kind in ("embed", "evaluate") else "init": "imagenet"}
    with pytest.raises(RecipeError, match="There are no ImageNet weights of tinyvgg"):
        resolve.resolve(kind, {"dataset": "tiny", "backbone": "tinyvgg", **start}, tmp_path)


def test_early_stop_without_val_photos_is_refused_before_the_start(tmp_path: Path) -> None:
    table = make_set(tmp_path) / "faces.parquet"
    pd.read_parquet(table).replace({"split": {"val": "train"}}).to_parquet(table, index=False)
    resolve.resolve("finetune", {"dataset": "tiny"}, tmp_path)
    with pytest.raises(DatasetError, match="tiny has no val faces to stop early by"):
        resolve.resolve("finetune", {"dataset": "tiny", "patience": 2}, tmp_path)


def test_a_reader_that_has_seen_enough_is_no_fault(tmp_path: Path) -> None:
    command = f"{sys.executable} -m facessl methods --workspace {tmp_path} | true"
    done = subprocess.run(
        command, shell=True, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1]
    )
    assert done.stderr == ""


def test_what_learns_from_names_needs_some(tmp_path: Path) -> None:
    make_set(tmp_path, people=0)
    with pytest.raises(DatasetError, match="supcon learns from names, and nobody in tiny has one"):
        resolve.resolve("pretrain", {"dataset": "tiny", "method": "supcon"}, tmp_path)


@pytest.mark.parametrize(
    ("kind", "settings", "sentence"),
    [
        ("pretrain", {"device": "cuda"}, "cuda"),
        ("finetune", {"init": "nothing"}, "no run"),
        ("embed", {"seed": 2**32}, "seed"),
        ("finetune", {"dataset": "alone"}, "fewer than two"),
        ("finetune", {"dataset": "untested"}, "no test faces"),
        ("pretrain", {"dataset": "single"}, "too few faces"),
    ],
)
def test_what_cannot_work_is_refused_before_there_is_a_run(kind, settings, sentence, tmp_path: Path) -> None:
    make_set(tmp_path)
    make_set(tmp_path, "alone", people=1)
    make_set(tmp_path, "untested", people=2, photos=4)
    make_set(tmp_path, "single", people=0, unnamed=1)
    with pytest.raises(FaceSSLError, match=sentence):
        Studio(tmp_path).start(kind, {"dataset": "tiny", **settings})
    assert Studio(tmp_path).runs() == []


def test_a_wrong_flag_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["identify", "--model", "x", "--false-accept-rate", "abc", "y.jpg"])
    err = capsys.readouterr().err
    assert stop.value.code == 2
    assert err.count("\n") == 1 and "a share lies between 0 and 1, got 'abc'" in err


@pytest.mark.parametrize("name", ["my demo", "", "../x"])
def test_a_demo_with_an_impossible_name_is_refused_in_a_sentence(
    capsys: pytest.CaptureFixture[str], name: str, tmp_path: Path
) -> None:
    assert main(["demo", "--name", name, "--workspace", str(tmp_path)]) == 1
    assert "letters, digits" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_preset_gives_the_views_and_a_flag_counts_more(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, object]] = []
    monkeypatch.setattr(Studio, "start", lambda self, kind, settings: asked.append(settings) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["pretrain", "--preset", "SimCLR paper", "--hue", "0.1", "--workspace", str(tmp_path)])
    made = recipes.build(config.PretrainRecipe, asked[0])
    assert (made.views.crop_min, made.views.grey, made.views.hue) == (0.08, 0.2, 0.1)
    code, _, err = call(capsys, "pretrain", "--preset", "none such", "--workspace", tmp_path)
    assert code == 1 and "no preset called 'none such'" in err
    names = [row["preset"] for row in call(capsys, "presets", "--workspace", tmp_path)[1]]
    assert {"faces", "SimCLR paper", "seed project"} <= set(names)


def test_a_run_is_named_noted_taken_further_and_deleted_with_what_builds_on_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    make_set(tmp_path)
    where = ("--workspace", tmp_path)
    small = {"dataset": "tiny", "backbone": "tinyvgg", "image_size": 32, "batch_size": 8, "device": "cpu"}
    made = run_here(tmp_path, "pretrain", **small, epochs=1)
    run, first = made.id, made.result()
    assert call(capsys, "rename", run, "Best so far", *where)[1]["title"] == "Best so far"
    assert call(capsys, "note", run, "as in the talk\n- and again", *where)[0] == 0
    assert main(["runs", *map(str, where)]) == 0
    (row,) = capsys.readouterr().out.splitlines()[1:]  # a row a run, whatever its note
    assert "as in the talk - and again" in row
    assert call(capsys, "queue", *where)[1] == []
    code, answer, err = call(capsys, "pause", run, *where)
    assert (code, answer) == (1, None) and "nothing to pause" in err
    code, _, err = call(capsys, "resume", run, *where)
    assert code == 1 and "is finished; ask for more epochs (--epochs) to go on" in err
    code, further, err = call(capsys, "resume", run, "--epochs", 2, "--learning-rate", 1e-4, *where)
    assert code == 0, err
    assert further["run"] == run and further["metrics"] != first["metrics"]
    (row,) = runs.find(tmp_path, run).config["changes"]
    assert row["from"] == {"epochs": 1, "learning_rate": 1e-3} and row["to"] == {"epochs": 2, "learning_rate": 1e-4}
    child = Studio(tmp_path).create("finetune", {"dataset": "tiny", "init": run, "epochs": 1}).id
    code, _, err = call(capsys, "delete", run, *where)
    assert code == 1 and "--with-dependants" in err
    code, gone, _ = call(capsys, "delete", run, "--with-dependants", *where)
    assert code == 0 and sorted(gone["deleted"]) == sorted([run, child])
    assert call(capsys, "runs", *where)[1] == []
