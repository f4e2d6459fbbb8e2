"""Photos added later make a new version: what was there stays on its side, with its corrections; the old set stays."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from facessl import config, recipes
from facessl.dataset import open_dataset
from facessl.errors import DatasetError
from facessl.images import encode_jpeg
from facessl.preparation._inherit import Inherited
from facessl.sources import Photo, synthetic
from facessl.studio import Studio
from tests.conftest import run_here

SETTINGS = {"source": "folder", "size": 64, "min_photos": 4, "train_share": 0.6, "val_share": 0.2, "workers": 1}


def photos(path: Path, people: dict[str, range]) -> Path:
    """Write a zip of generated photos: people by name, their photos by number."""
    with zipfile.ZipFile(path, "w") as archive:
        for person, which in people.items():
            for photo in which:
                face = synthetic.render(ord(person[0]), photo, size=160)
                archive.writestr(f"{person}/{photo:03d}.jpg", encode_jpeg(face))
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``mine`` with Ann, Bob and too few photos of Cid; corrected; and ``mine@2`` with more of all and of Eve."""
    home = tmp_path_factory.mktemp("versions")
    first = photos(home / "first.zip", {"Ann": range(8), "Bob": range(8), "Cid": range(2)})
    run_here(home, "prepare", name="mine", path=str(first), **SETTINGS)
    studio = Studio(home)
    studio.edit("mine", "rename", person="Ann", to="Anna")
    studio.edit("mine", "exclude", photo=int(studio.dataset("mine").rows("train")[0]))
    second = photos(home / "second.zip", {"Ann": range(5, 14), "Cid": range(2, 6), "Eve": range(5)})
    settings = {"source": "folder", "path": str(second), "parent": "mine", "workers": 1}
    made = recipes.build(config.PrepareRecipe, settings)
    recipe = version(studio, made)
    run_here(home, "prepare", edits={"mine": 2}, **recipe.model_dump())
    return home


def version(studio: Studio, recipe: config.PrepareRecipe) -> config.PrepareRecipe:
    from facessl import preparation

    named = recipe.model_copy(update={"name": studio.free_name(recipe.parent)})
    return preparation.version_of(named, studio.workspace)


def test_what_an_adder_should_know_is_said(home: Path) -> None:
    parent = Inherited.of(open_dataset(home, "mine"))
    there, new = Photo("Ann", parent.photos[0].path), Photo("Ann", "elsewhere.jpg")
    notes = parent.notes([there, new], home)
    assert "mine@2 was made of mine too; what it added is not in this set." in notes
    assert "1 of the added photos have the path of one that was there already; both are in the set." in notes
    assert Inherited.of(open_dataset(home, "mine@2")).notes([new], home) == []
    said = open_dataset(home, "mine@2").info["notes"]
    assert any(note.startswith("3 of the added photos") for note in said)  # Ann's 5, 6 and 7


def test_what_was_there_stays_as_it_was(home: Path) -> None:
    old, new = open_dataset(home, "mine"), open_dataset(home, "mine@2")
    count = len(old.table)
    assert new.info["inherited"] == count
    assert new.info["version"] == 2 and new.info["recipe"]["parent"] == "mine"
    named = (old.table["split"] != "unlabelled") & (old.table["status"] == "kept")
    assert new.table["split"][:count][named].tolist() == old.table["split"][named].tolist()
    assert new.table["box_x"][:count].equals(old.table["box_x"])
    assert np.array_equal(new.faces[: len(old.faces)], old.faces)


def test_the_settings_are_the_parents(home: Path) -> None:
    assert open_dataset(home, "mine@2").size == 64


def test_corrections_come_along(home: Path) -> None:
    new = open_dataset(home, "mine@2")
    assert new.people == ["Anna", "Bob", "Cid", "Eve"]
    left_out = new.table[new.table["status"] == "excluded"]
    assert len(left_out) == 1
    assert (new.table["person"] == "Ann").sum() == 0


def test_who_has_enough_photos_now_is_somebody(home: Path) -> None:
    table = open_dataset(home, "mine@2").table
    cid = table[table["named"] == "Cid"]
    assert len(cid) == 6
    assert set(cid["person"]) == {"Cid"} and "unlabelled" not in set(cid["split"])
    assert {"train", "val", "test"} <= set(cid["split"])


def test_a_photo_that_was_there_already_stays_on_its_side(home: Path) -> None:
    """Ann's photos 5 to 7 came twice."""
    new = open_dataset(home, "mine@2")
    twice = new.table[new.table["group"] >= 0]
    assert len(twice) >= 6 and new.info["counts"]["crossed_now"] == 0
    assert (twice.groupby("group")["split"].nunique() == 1).all()
    sides = twice[twice["status"] == "kept"].groupby("group")["split_before"].nunique()
    assert int((sides > 1).sum()) == new.info["counts"]["crossed_before"]  # recounted from the table


def test_every_photo_is_found_again(home: Path) -> None:
    studio = Studio(home)
    table = studio.dataset("mine@2").table
    for photo in (0, len(table) - 1):
        row = table.iloc[photo]
        image = studio.photo("mine@2", photo)
        assert image.shape[:2] == (row["height"], row["width"])


def test_the_crops_on_disk_are_those_of_the_table(home: Path) -> None:
    new = open_dataset(home, "mine@2")
    files = list((new.path / "scaled").rglob("*.jpg"))
    assert len(files) == int((new.table["status"] == "kept").sum())
    assert (new.path / "scaled" / "test" / "Eve").is_dir()


def test_the_studio_names_the_version_and_refuses_a_missing_parent(home: Path) -> None:
    studio = Studio(home)
    with pytest.raises(DatasetError, match="no prepared set 'nothing'"):
        studio.start("prepare", {"source": "folder", "path": str(home / "second.zip"), "parent": "nothing"})
