"""LFW as published, from a local copy or through scikit-learn's own fetcher, which gets a small stand-in here."""

import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sklearn.datasets import _lfw

from facessl.errors import ImageError, SourceError
from facessl.sources import Photo, _downloads, lfw
from facessl.sources.lfw import Options, check, open_source
from tests.sources.fetching import cut_off, seconds_of, serve, silence
from tests.sources.test_folder import JPEG, make_tar, make_tree, make_zip

SMALL = {"lfw/Ann_Lee/Ann_Lee_0001.jpg": JPEG, "lfw/Ann_Lee/Ann_Lee_0002.jpg": JPEG, "lfw/Bo/Bo_0001.jpg": JPEG}


@pytest.fixture(autouse=True)
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACESSL_HOME", str(tmp_path / "workspace"))
    return tmp_path / "workspace" / "downloads"


@pytest.fixture
def published(tmp_path: Path) -> dict[str, Path]:
    """What scikit-learn downloads, small: as it insists on a person with 530 photos, there is one."""
    files = {f"lfw_funneled/Bo/Bo_{number:04d}.jpg": JPEG for number in range(1, 531)}
    files |= {"lfw_funneled/Ann_Lee/Ann_Lee_0001.jpg": JPEG, "lfw_funneled/pairs_01.txt": b"pairs"}
    archive = make_tar(tmp_path / "lfw-funneled.tgz", files)
    return dict.fromkeys(("lfw-funneled.tgz", "pairs.txt", "pairsDevTrain.txt", "pairsDevTest.txt"), archive)


@pytest.mark.parametrize("kind", ["zip", "tgz", "folder"])
def test_a_local_copy_is_read_with_names_as_people_write_them(kind: str, tmp_path: Path) -> None:
    make = {"zip": make_zip, "tgz": make_tar, "folder": make_tree}[kind]
    path = make(tmp_path / f"lfw.{kind}", SMALL)
    check(Options(), path)
    source = open_source(Options(), path)
    assert [(photo.person, photo.path) for photo in source.photos] == [
        ("Ann Lee", "lfw/Ann_Lee/Ann_Lee_0001.jpg"),
        ("Ann Lee", "lfw/Ann_Lee/Ann_Lee_0002.jpg"),
        ("Bo", "lfw/Bo/Bo_0001.jpg"),
    ]
    assert source.notes == ("LFW: 3 photos of 2 people. When complete, 13,233 of 5,749.",)
    assert source.read(source.photos[0]).shape == (24, 24, 3)
    with pytest.raises(ImageError):
        source.read(Photo(None, "lfw/x.jpg"))
    source.close()


@pytest.mark.parametrize("name", ["lfw/Ann/1.jpg", "lfw/Ann/Bo_0001.jpg", "Ann_0001.jpg", "lfw/Ann/Ann_0001.png"])
def test_what_is_not_lfw_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="use the source folder"):
        open_source(Options(), make_zip(tmp_path / "other.zip", SMALL | {name: JPEG}))


def test_it_is_fetched_once_as_files(
    published: dict[str, Path], downloads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = serve(monkeypatch, _lfw, published)
    check(Options(), "")
    assert not downloads.exists()  # checking fetches nothing
    source = open_source(Options(), "")
    assert len(source.photos) == 531
    assert source.read(source.photos[0]).shape == (24, 24, 3)  # whole and in colour
    assert "Left out 1 file that is no picture (1 × .txt)." in source.notes
    assert asked.count("lfw-funneled.tgz") == 1
    assert open_source(Options(), "").photos == source.photos
    assert asked.count("lfw-funneled.tgz") == 1


def test_two_at_once_fetch_once(published: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = serve(monkeypatch, _lfw, published, seconds=0.1)
    with ThreadPoolExecutor(3) as pool:
        opened = list(pool.map(lambda _: open_source(Options(), ""), range(3)))
    assert {len(source.photos) for source in opened} == {531}
    assert asked.count("lfw-funneled.tgz") == 1


def test_an_unpacking_that_was_killed_is_done_again(
    published: dict[str, Path], downloads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(monkeypatch, _lfw, published)

    def half(archive: tarfile.TarFile, path: str) -> None:
        archive.extract("lfw_funneled/Bo/Bo_0001.jpg", path)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(_lfw, "tarfile_extractall", half)
        with pytest.raises(KeyboardInterrupt):
            open_source(Options(), "")
    (downloads / "scikit-learn" / "lfw_home" / "lfw-funneled.tgz.part_x1").write_bytes(b"the first megabytes")
    assert len(open_source(Options(), "").photos) == 531
    assert not list(downloads.rglob("*.part_*"))


def test_without_a_network_one_sentence_says_what_to_do(downloads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut_off(monkeypatch)

    def fetch() -> None:
        with pytest.raises(SourceError) as refused, pytest.warns(UserWarning):
            open_source(Options(), "")
        sentence = str(refused.value)
        assert "Name or service not known" in sentence
        assert f"download lfw-funneled.tgz elsewhere and put it into {downloads}, or give its path." in sentence
        assert "http" not in sentence

    assert seconds_of(fetch) < 10
    make_tar(downloads / "lfw-funneled.tgz", SMALL)
    assert len(open_source(Options(), "").photos) == 3


def test_a_network_that_is_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_downloads, "_TIMEOUT", 0.2)
    with silence(monkeypatch), pytest.raises(SourceError, match="put it into"), pytest.warns(UserWarning):
        open_source(Options(), "")


def test_what_scikit_learn_does_not_offer_is_asked_for_at_once(downloads: Path) -> None:
    with pytest.raises(SourceError, match=r"download lfw-deepfunneled\.zip"):
        check(Options(variant="deepfunneled"), "")
    downloads.mkdir(parents=True)
    make_zip(downloads / "lfw-deepfunneled.zip", SMALL)
    check(Options(variant="deepfunneled"), "")
    assert len(open_source(Options(variant="deepfunneled"), "").photos) == 3


def test_a_local_copy_that_is_not_there_is_said_so_at_once(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="check the path"):
        check(Options(), tmp_path / "lfw.zip")


@pytest.mark.realdata
def test_the_published_zip_is_complete(real_data: Path) -> None:
    source = open_source(Options(), real_data / "lfw-deepfunneled.zip")
    assert source.notes == ("LFW: 13,233 photos of 5,749 people. It is complete.",)
    assert len({photo.person for photo in source.photos}) == lfw.PEOPLE
    assert source.read(source.photos[0]).shape == (250, 250, 3)
