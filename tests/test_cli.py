"""Commands: one JSON object on one line, exit codes, errors in one line."""

import json
from pathlib import Path

import cv2
import pytest

from facessl import config
from facessl.cli import main
from facessl.studio import Studio


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
        assert capsys.readouterr().out == "nothing yet\n"


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
