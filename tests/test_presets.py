import json
from pathlib import Path
from typing import Any

import pytest

from facessl import presets, runs
from facessl.cli import main
from facessl.config import EmbedRecipe, PretrainRecipe
from facessl.errors import RecipeError
from facessl.studio import Studio
from facessl.viewing import ViewRecipe

MINE = ViewRecipe(rotation=12.0, grey=0.1)


def test_what_was_saved_is_what_is_loaded(tmp_path: Path) -> None:
    assert presets.save(tmp_path, "Much  turned ", MINE) == "Much turned"
    assert presets.load(tmp_path, "Much turned") == MINE
    assert presets.names(tmp_path) == [*presets.BUILT_IN, "Much turned"]


def test_the_issues_presets_come_along(tmp_path: Path) -> None:
    assert {"SimCLR paper", "faces", "seed project"} <= set(presets.names(tmp_path))
    assert presets.load(tmp_path, "SimCLR paper").crop_min == 0.08


def test_the_file_holds_every_setting_and_can_be_passed_on(tmp_path: Path) -> None:
    presets.save(tmp_path / "a", "mine", MINE)
    content = json.loads((tmp_path / "a" / "presets" / "mine.json").read_text())
    assert content.keys() == ViewRecipe.model_fields.keys()
    (tmp_path / "b" / "presets").mkdir(parents=True)
    (tmp_path / "b" / "presets" / "passed on.json").write_text(json.dumps(content))
    assert presets.load(tmp_path / "b", "passed on") == MINE


@pytest.mark.parametrize(
    "name", ["", "  ", "..", "../mine", "a/b", "a\\b", ".hidden", "x" * 41, "mine.json", "a\0b", "*", "con:"]
)
def test_a_name_that_can_be_no_file_is_refused_in_one_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecipeError, match=r"^A preset's name is made of letters.*\.$"):
        presets.save(tmp_path, name, MINE)
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize("name", ["faces", "FACES", "simclr paper"])
def test_what_comes_along_is_neither_replaced_nor_deleted(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecipeError, match="comes along"):
        presets.save(tmp_path, name, MINE, replace=True)
    with pytest.raises(RecipeError, match=r"comes along|no preset"):
        presets.delete(tmp_path, name)


def test_a_name_that_is_taken_is_replaced_only_on_purpose(tmp_path: Path) -> None:
    presets.save(tmp_path, "mine", MINE)
    with pytest.raises(RecipeError, match="already"):
        presets.save(tmp_path, "mine", ViewRecipe())
    assert presets.load(tmp_path, "mine") == MINE
    presets.save(tmp_path, "mine", ViewRecipe(), replace=True)
    assert presets.load(tmp_path, "mine") == ViewRecipe()


def test_a_deleted_preset_is_gone_and_said_to_be(tmp_path: Path) -> None:
    presets.save(tmp_path, "mine", MINE)
    presets.delete(tmp_path, "mine")
    assert presets.names(tmp_path) == list(presets.BUILT_IN)
    for ask in (presets.load, presets.delete):
        with pytest.raises(RecipeError, match="no preset called 'mine'"):
            ask(tmp_path, "mine")


@pytest.mark.parametrize(
    "content",
    ["", "[]", "7", "not json", '{"grey": 7}', '{"unheard of": 1}', '{"crop_min": 0.9, "crop_max": 0.2}', "\udcff"],
)
def test_a_file_that_holds_no_views_is_refused_and_can_be_deleted(tmp_path: Path, content: str) -> None:
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "odd.json").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(RecipeError, match=r"'odd'.*elete it"):
        presets.load(tmp_path, "odd")
    presets.delete(tmp_path, "odd")
    assert "odd" not in presets.names(tmp_path)


def test_the_studio_keeps_presets_in_its_workspace(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    studio.save_preset("mine", MINE)
    assert Studio(tmp_path).preset("mine") == MINE
    studio.delete_preset("mine")
    assert "mine" not in studio.presets()


def command(capsys: pytest.CaptureFixture[str], home: Path, *words: str) -> tuple[int, Any, str]:
    code = main(["presets", *words, "--json", "--workspace", str(home)])
    out, err = capsys.readouterr()
    return code, json.loads(out) if out else None, err


def test_the_command_saves_settings_lists_and_deletes_them(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, answer, err = command(capsys, tmp_path, "--save", "mine", "--rotation", "12", "--grey", "0.1")
    assert code == 0, err
    assert answer == {"preset": "mine", **MINE.model_dump()}
    assert Studio(tmp_path).preset("mine") == MINE
    assert [row["preset"] for row in command(capsys, tmp_path)[1]] == [*presets.BUILT_IN, "mine"]
    assert command(capsys, tmp_path, "--delete", "mine")[:2] == (0, {"preset": "mine", "deleted": True})
    assert Studio(tmp_path).presets() == list(presets.BUILT_IN)


def test_the_command_saves_the_views_of_a_run_and_a_flag_counts_more(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run = runs.create(tmp_path, "pretrain", PretrainRecipe(dataset="few", views=MINE), title="few")
    assert command(capsys, tmp_path, "--save", "of a run", "--from", run.id, "--hue", "0.2")[0] == 0
    assert Studio(tmp_path).preset("of a run") == ViewRecipe(rotation=12.0, grey=0.1, hue=0.2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--save", "../mine"), "letters, digits"),
        (("--save", "faces"), "comes along"),
        (("--save", "mine"), "already"),
        (("--save", "new", "--crop-min", "1", "--crop-max", "0.05"), "must not be above"),
        (("--save", "new", "--from", "none"), "none"),
        (("--delete", "faces"), "comes along"),
        (("--delete", "nobody"), "no preset"),
        (("--rotation", "3"), "--save NAME"),
    ],
)
def test_what_the_command_refuses_is_one_line_and_changes_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    presets.save(tmp_path, "mine", MINE)
    code, answer, err = command(capsys, tmp_path, *words)
    assert code == 1 and answer is None and said in err and err.count("\n") == 1
    assert Studio(tmp_path).presets() == [*presets.BUILT_IN, "mine"]
    assert presets.load(tmp_path, "mine") == MINE


def test_the_command_replaces_only_on_purpose(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    presets.save(tmp_path, "mine", MINE)
    assert command(capsys, tmp_path, "--save", "mine", "--replace")[0] == 0
    assert presets.load(tmp_path, "mine") == ViewRecipe()


def test_a_map_has_no_views_to_save(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run = runs.create(tmp_path, "embed", EmbedRecipe(dataset="few"), title="few")
    code, _, err = command(capsys, tmp_path, "--save", "mine", "--from", run.id)
    assert code == 1 and "no views" in err


@pytest.mark.parametrize("name", ["Faces", "simclr paper"])
def test_what_comes_along_is_found_in_any_capitals(tmp_path: Path, name: str) -> None:
    assert presets.load(tmp_path, name) == presets.load(tmp_path, {"Faces": "faces"}.get(name, "SimCLR paper"))
