import json
from pathlib import Path

import pytest

from facessl import presets
from facessl.config import ViewRecipe
from facessl.errors import RecipeError
from facessl.studio import Studio

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
