"""The Olivetti faces, from the published MATLAB file or through scikit-learn's own fetcher, both by stand-ins."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from sklearn.datasets import _olivetti_faces

from facessl.errors import ImageError, SourceError
from facessl.sources import Photo
from facessl.sources.olivetti import Options, check, open_source
from tests.sources.fetching import cut_off, seconds_of, serve


@pytest.fixture(autouse=True)
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACESSL_HOME", str(tmp_path / "workspace"))
    return tmp_path / "workspace" / "downloads"


@pytest.fixture
def faces() -> np.ndarray:
    """400 upright portraits, (400, 64, 64): each is its own noise, from 0 to 255."""
    return np.random.default_rng(0).integers(0, 256, (400, 64, 64)).astype(np.uint8)


@pytest.fixture
def mat(faces: np.ndarray, tmp_path: Path) -> Path:
    """The file as published: a column a portrait, each stored column by column."""
    path = tmp_path / "olivettifaces.mat"
    savemat(path, {"faces": np.stack([face.flatten(order="F") for face in faces], axis=1)}, do_compression=True)
    return path


def test_the_published_file_gives_forty_people_upright(mat: Path, faces: np.ndarray) -> None:
    source = open_source(Options(), mat)
    assert len(source.photos) == 400
    assert [photo.person for photo in source.photos[::10]] == [f"Subject {number:02d}" for number in range(1, 41)]
    for index in (0, 9, 10, 399):
        image = source.read(source.photos[index])
        assert image.dtype == np.uint8
        assert (image == faces[index][..., None]).all()
    assert source.photos[11] == Photo("Subject 02", "s02/02.png")
    with pytest.raises(ImageError):
        source.read(Photo(None, "s41/01.png"))


def test_fetched_or_given_they_are_the_same_and_no_pickle_is_kept(
    mat: Path, downloads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = serve(monkeypatch, _olivetti_faces, {"olivettifaces.mat": mat})
    check(Options(), "")
    assert not downloads.exists()  # checking fetches nothing
    fetched, given = open_source(Options(), ""), open_source(Options(), mat)
    assert fetched.photos == given.photos
    assert all((fetched.read(photo) == given.read(photo)).all() for photo in given.photos[::37])
    open_source(Options(), "")
    assert asked == ["olivettifaces.mat"]
    assert {file.name for file in downloads.iterdir()} - {".lock"} == {"olivetti.npy"}


def test_without_a_network_one_sentence_says_what_to_do(
    mat: Path, downloads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off(monkeypatch)

    def fetch() -> None:
        with pytest.raises(SourceError) as refused, pytest.warns(UserWarning):
            open_source(Options(), "")
        assert f"download olivettifaces.mat elsewhere and put it into {downloads}" in str(refused.value)
        assert "http" not in str(refused.value)

    assert seconds_of(fetch) < 10
    mat.rename(downloads / mat.name)
    assert len(open_source(Options(), "").photos) == 400


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x04\x95."])
def test_another_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "olivettifaces.mat"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="as published"):
        open_source(Options(), path)


def test_other_arrays_and_damage_are_refused(mat: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.mat"
    savemat(other, {"faces": np.zeros((100_000, 300), np.uint8)}, do_compression=True)  # 30 MB in 30 kB
    with pytest.raises(SourceError, match="as published"):
        open_source(Options(), other)
    data = mat.read_bytes()
    for damaged in (data[:5000], data[:500] + b"x" * 50 + data[550:]):
        other.write_bytes(damaged)
        with pytest.raises(SourceError, match="as published"):
            open_source(Options(), other)


def test_a_file_that_is_not_there_is_said_so_at_once(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="check the path"):
        check(Options(), tmp_path / "olivettifaces.mat")
