"""Photos as people have them: a folder, a zip or a tar, a folder a person or all in one heap."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from facessl.errors import ImageError, SourceError
from facessl.images import read_image
from facessl.sources import Photo, Source
from facessl.sources._archive import Archive
from facessl.sources._layout import ARCHIVES, PICTURES, Layout, looks_like_picture, shown, suffix, understand
from facessl.sources._tar import Tar, is_packed, is_tar
from facessl.sources._tree import Tree

TITLE = "Folder or zip"
REFERENCE = "One folder per person, as in LFW: Huang et al. 2007, https://vis-www.cs.umass.edu/lfw/"


class Options(BaseModel):
    """How the folders are meant."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    layout: Layout = Field(
        "auto",
        description="people: a folder per person; splits: people below train, val and test; innermost: the last "
        "folder is the person; flat: no names, all unlabelled; auto: see which it is, and say so.",
    )


class _Store(Protocol):
    """What holds files: a folder, a zip, a tar."""

    files: list[str]
    notes: list[str]

    def head(self, file: str) -> bytes: ...
    def read(self, file: str) -> bytes: ...
    def close(self) -> None: ...


class _Files:
    """The source: what is listed in a folder or archive; a file is read when its photo is."""

    def __init__(self, store: _Store, photos: Sequence[Photo], notes: Sequence[str]) -> None:
        self._store = store
        self._known = {photo.path for photo in photos}
        self.photos = photos
        self.notes = notes

    def read(self, photo: Photo) -> np.ndarray:
        """Return the picture, shape (H, W, 3) uint8 RGB; raise ImageError if it cannot be read."""
        if photo.path not in self._known:
            raise ImageError(f"{shown(photo.path)} is not among these photos; open the source it came from.")
        return read_image(self._store.read(photo.path))

    def close(self) -> None:
        self._store.close()


def check(options: Options, path: str | Path) -> None:
    """Raise SourceError for what can be told without unpacking: a compressed tar is opened by the job."""
    place = _place(path)
    if not (place.is_file() and is_packed(place)):
        open_source(options, path).close()


def open_source(options: Options, path: str | Path) -> Source:
    """List the photos of a folder, zip or tar; no picture is read yet.

    A file counts as a photo by its ending or, where that says nothing, by its first bytes. A single outer folder
    is looked through. Archives are read in place; a compressed tar is first decompressed into the workspace.

    Raises:
        SourceError: There is nothing at ``path``, nothing in it, or nothing safe.
    """
    place = _place(path)
    store = _open_store(place)
    try:
        pictures, notes = _pictures(store, place.name)
    except SourceError:
        store.close()
        raise
    photos, understood = understand(pictures, options.layout)
    return _Files(store, photos, (*understood, *store.notes, *notes))


def _place(path: str | Path) -> Path:
    """Return where the photos are; SourceError when there is nothing or nothing that may be opened."""
    if not str(path).strip():
        raise SourceError("Say where the photos are: give the path of a folder or a zip.")
    place = Path(path).expanduser()
    try:
        if place.is_dir():
            return place
        if place.is_file():
            place.open("rb").close()
            return place
    except (ValueError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else "the path is none"
        raise SourceError(f"{shown(str(path))} cannot be opened ({reason}); give the path of a folder or a zip.") from (
            error
        )
    raise SourceError(f"There is no folder or zip at {shown(str(path))}; check the path.")


def _open_store(place: Path) -> _Store:
    if place.is_dir():
        return Tree(place)
    return Tar(place) if is_tar(place) else Archive(place)


def _pictures(store: _Store, name: str) -> tuple[list[str], list[str]]:
    """Return the paths of the pictures, and a note on the other files."""
    others: Counter[str] = Counter()
    pictures = []
    for file in store.files:
        if suffix(file) in PICTURES or (suffix(file) not in ARCHIVES and looks_like_picture(store.head(file))):
            pictures.append(file)
        else:
            others[suffix(file) or "no ending"] += 1
    most = sorted(others.items(), key=lambda kind: (-kind[1], kind[0]))[:5]
    kinds = ", ".join(f"{number:,} × {shown(kind)}" for kind, number in most)
    if not pictures:
        there = f"holds no photos, only other files ({kinds})" if others else "is empty"
        raise SourceError(f"{shown(name)} {there}; give a folder or zip with pictures.")
    left = "1 file that is no picture" if others.total() == 1 else f"{others.total():,} files that are no pictures"
    notes = [f"Left out {left} ({kinds})."] if others else []
    if ARCHIVES & set(others):
        notes.append("Archives inside are not opened; unpack them first if they hold photos.")
    return pictures, notes
