"""The Olivetti faces: ten small grey portraits of each of forty people, fetched or from a local copy."""

import struct
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from facessl.errors import ImageError, SourceError
from facessl.sources import Photo, Source
from facessl.sources._downloads import downloads, impatient, one_at_a_time, why
from facessl.sources._layout import shown

TITLE = "Olivetti faces"
REFERENCE = "Samaria and Harter 1994, https://doi.org/10.1109/ACV.1994.341300"

PEOPLE, EACH, SIDE = 40, 10, 64
_FILE = "olivettifaces.mat"
_MOST_BYTES = 50_000_000  # the published file has 4.1 MB
_DAMAGE = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    NotImplementedError,
    struct.error,
    zlib.error,
)


class Options(BaseModel):
    """There is nothing to choose."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class _Olivetti:
    """The source: 1.6 MB, held in memory. Nobody's name is known, so people are numbered as published."""

    def __init__(self, faces: np.ndarray) -> None:
        self._face_of = {
            f"s{index // EACH + 1:02d}/{index % EACH + 1:02d}.png": face for index, face in enumerate(faces)
        }
        self.photos: Sequence[Photo] = tuple(Photo(f"Subject {path[1:3]}", path) for path in self._face_of)
        self.notes: Sequence[str] = (f"{PEOPLE} people, {EACH} photos each, grey, {SIDE} × {SIDE} pixels.",)

    def read(self, photo: Photo) -> np.ndarray:
        """Return the photo, shape (64, 64, 3) uint8, its channels equal; ImageError if it is not one of these."""
        if photo.path not in self._face_of:
            raise ImageError(f"{shown(photo.path)} is not among the Olivetti faces; open the source it came from.")
        return np.repeat(self._face_of[photo.path][..., None], 3, axis=2)

    def close(self) -> None:
        """Nothing is held open."""


def check(options: Options, path: str | Path) -> None:
    """Raise SourceError when a local copy is named and not there; what is not here is fetched by the job."""
    if str(path).strip():
        _local(path)


def open_source(options: Options, path: str | Path) -> Source:
    """List the photos; without a ``path`` they are fetched by scikit-learn, once, into ``<workspace>/downloads``.

    Args:
        options: None.
        path: The file ``olivettifaces.mat``, or "".

    Raises:
        SourceError: They cannot be fetched, or the file is another one.
    """
    by_hand = downloads() / _FILE
    if not str(path).strip() and not by_hand.exists():
        return _Olivetti(_fetched())
    return _Olivetti(_read_mat(_local(path if str(path).strip() else by_hand)))


def _local(path: str | Path) -> Path:
    place = Path(path).expanduser()
    if not place.is_file() or place.stat().st_size > _MOST_BYTES:
        raise SourceError(f"There is no file {_FILE} at {shown(str(path))}; check the path.")
    return place


def _read_mat(path: Path) -> np.ndarray:
    """Return the faces of the published MATLAB file, (400, 64, 64) uint8; it stores each by columns."""
    from scipy.io import loadmat, whosmat
    from scipy.io.matlab import MatReadError

    try:
        known = {name: shape for name, shape, _ in whosmat(path)}  # before anything is unpacked
        if known.get("faces") != (SIDE * SIDE, PEOPLE * EACH):
            raise ValueError("no such faces")
        faces = np.asarray(loadmat(path, variable_names=["faces"])["faces"], dtype=np.float32)
    except (*_DAMAGE, MatReadError) as error:
        raise SourceError(f"{shown(path.name)} is not {_FILE} as published, or damaged; download it again.") from error
    return _as_bytes(faces.T.reshape(-1, SIDE, SIDE).transpose(0, 2, 1))


def _as_bytes(faces: np.ndarray) -> np.ndarray:
    """Return faces with the darkest pixel of all at 0 and the brightest at 255, as scikit-learn scales them."""
    faces = faces - faces.min()
    return np.rint(faces * (255 / max(float(faces.max()), 1e-9))).astype(np.uint8)


def _fetched() -> np.ndarray:
    """Return the faces, after fetching them where that was not done yet.

    They are kept as a plain array: what scikit-learn leaves is a pickle, which nobody should open a second time.
    """
    kept = downloads() / "olivetti.npy"
    if kept.exists():
        return np.load(kept)
    try:
        with one_at_a_time(downloads()):
            if not kept.exists():  # another process may have fetched it while this one waited
                _fetch(kept)
    except OSError as error:
        raise SourceError(
            f"The Olivetti faces could not be fetched ({why(error)}); download {_FILE} elsewhere and put it into "
            f"{downloads()}, or give its path."
        ) from error
    return np.load(kept)


def _fetch(kept: Path) -> None:
    """Let scikit-learn download the faces, and keep them; OSError when that fails."""
    from sklearn.datasets import fetch_olivetti_faces

    with tempfile.TemporaryDirectory(dir=kept.parent) as home:
        with impatient():
            faces = fetch_olivetti_faces(data_home=home, n_retries=1, delay=0.5)
        partial = Path(home, kept.name)
        np.save(partial, _as_bytes(faces.images))
        partial.replace(kept)
