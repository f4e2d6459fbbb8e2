"""A data set of kaggle.com, by a stand-in for kagglehub: the package is optional, and there is no network here."""

import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from facessl.errors import SourceError
from facessl.sources.kaggle import Options, check, open_source
from tests.sources.test_folder import JPEG, make_tree, make_zip

S1 = "hemantsoni042/celebrity-images-for-facerecognition"

# As much of the package as is used; files of a data set come from $KAGGLE_STANDIN.
STANDIN = """
import os, shutil
from kagglehub import exceptions
calls = []
def dataset_download(handle, path=None, *, force_download=False, output_dir=None):
    calls.append(handle)
    os.makedirs(output_dir, exist_ok=True)
    if "KAGGLE_STANDIN" not in os.environ:
        raise ConnectionError("HTTPSConnectionPool(host='api.kaggle.com')")
    if handle == "nobody/nothing":
        raise exceptions.NotFoundError("404 https://www.kaggle.com/api?key=secret")
    if os.listdir(output_dir) and not force_download:
        raise FileExistsError(output_dir)
    shutil.rmtree(output_dir)
    shutil.copytree(os.environ["KAGGLE_STANDIN"], output_dir)
    return output_dir
"""
EXCEPTIONS = "\n".join(
    f"class {name}Error(Exception): pass"
    for name in ("Backend", "Credential", "DataCorruption", "NotFound", "Unauthenticated")
)


@pytest.fixture(autouse=True)
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACESSL_HOME", str(tmp_path / "workspace"))
    for name in [name for name in sys.modules if name.partition(".")[0] == "kagglehub"]:
        monkeypatch.delitem(sys.modules, name)
    return tmp_path / "workspace" / "downloads" / "kaggle"


@pytest.fixture
def kagglehub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the stand-in, without a network."""
    package = {"kagglehub/__init__.py": STANDIN.encode(), "kagglehub/exceptions.py": EXCEPTIONS.encode()}
    monkeypatch.syspath_prepend(make_tree(tmp_path / "packages", package))


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = make_tree(tmp_path / "kaggle", {"celebs/Anna/1.jpg": JPEG, "celebs/Bo/1.jpg": JPEG, "about.csv": b"a,b"})
    monkeypatch.setenv("KAGGLE_STANDIN", str(files))


def refused(options: Options) -> str:
    with pytest.raises(SourceError) as error:
        open_source(options, "")
    return str(error.value)


def test_the_ready_made_choice_is_the_set_of_the_first_study() -> None:
    assert Options().handle == S1


def test_it_is_fetched_once_and_read_as_a_folder(kagglehub: None, network: None, downloads: Path) -> None:
    check(Options(), "")
    assert not downloads.exists()  # checking fetches nothing
    source = open_source(Options(), "")
    assert [(photo.person, photo.path) for photo in source.photos] == [
        ("Anna", "celebs/Anna/1.jpg"),
        ("Bo", "celebs/Bo/1.jpg"),
    ]
    assert source.read(source.photos[0]).shape == (24, 24, 3)
    open_source(Options(layout="flat"), "")
    assert sys.modules["kagglehub"].calls == [S1]


def test_a_download_that_was_cut_off_is_done_again(kagglehub: None, network: None, downloads: Path) -> None:
    make_tree(downloads / f".{S1.replace('/', '--')}.partial", {"celebs/Anna/1.jpg": b"half"})
    assert len(open_source(Options(), "").photos) == 2


def test_without_the_package_the_way_by_hand_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    sentence = refused(Options())
    assert "kagglehub" in sentence and "is missing" in sentence
    assert f"download its zip from kaggle.com/datasets/{S1} in a browser and use the source folder" in sentence
    with pytest.raises(SourceError, match="is missing"):
        check(Options(), "")


def test_without_the_network_the_way_by_hand_is_told(kagglehub: None, downloads: Path) -> None:
    sentence = refused(Options(handle="some/set/versions/3"))
    assert "kaggle.com/datasets/some/set in a browser" in sentence and "api" not in sentence
    assert not list(downloads.glob("[!.]*"))


def test_a_set_that_does_not_exist_is_told_without_addresses(kagglehub: None, network: None) -> None:
    assert "secret" not in refused(Options(handle="nobody/nothing"))


def test_a_zip_downloaded_by_hand_is_read(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "archive.zip", {"Anna/1.jpg": JPEG, "Bo/1.jpg": JPEG})
    check(Options(), path)
    assert {photo.person for photo in open_source(Options(), path).photos} == {"Anna", "Bo"}


@pytest.mark.parametrize("handle", ["", "one", "../../x", "a/..", "a/b/c", "a b/c", "a/b\n", "https://kaggle.com/a/b"])
def test_a_handle_is_an_owner_and_a_name(handle: str) -> None:
    with pytest.raises(ValidationError):
        Options(handle=handle)
