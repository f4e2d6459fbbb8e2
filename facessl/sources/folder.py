"""Photos as people have them: a folder or a zip, a folder a person or all in one heap."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from facessl.errors import ImageError, SourceError
from facessl.images import read_image
from facessl.sources import Photo, Source
from facessl.sources._archive import Archive
from facessl.sources._layout import ARCHIVES, PICTURES, looks_like_picture, suffix, understand
from facessl.sources._tree import Tree

TITLE = "Folder or zip"
REFERENCE = "One folder per person, as in LFW: Huang et al. 2007, https://vis-www.cs.umass.edu/lfw/"


class Options(BaseModel):
    """How the folders are meant."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    layout: Literal["auto", "people", "flat"] = Field(
        "auto", description="people: a folder per person; flat: no names, all unlabelled; auto: see which it is."
    )


class _Files:
    """The source: what is listed in a folder or zip; a file is read when its photo is."""

    def __init__(self, store: Archive | Tree, photos: Sequence[Photo], notes: Sequence[str]) -> None:
        self._store = store
        self._known = {photo.path for photo in photos}
        self.photos = photos
        self.notes = notes

    def read(self, photo: Photo) -> np.ndarray:
        """Return the picture, shape (H, W, 3) uint8 RGB; raise ImageError if it cannot be read."""
        if photo.path not in self._known:
            raise ImageError(f"{photo.path} is not among these photos; open the source it came from.")
        return read_image(self._store.read(photo.path))

    def close(self) -> None:
        self._store.close()


def open_source(options: Options, path: str | Path) -> Source:
    """List the photos of a folder or zip; no picture is read yet.

    A file counts as a photo by its ending or, where that says nothing, by its first bytes. A single outer folder
    is looked through. A zip is read in place.

    Raises:
        SourceError: There is nothing at ``path``, nothing in it, or nothing safe.
    """
    store = _open_store(path)
    try:
        pictures, notes = _pictures(store, str(path))
    except SourceError:
        store.close()
        raise
    photos, understood = understand(pictures, options.layout)
    return _Files(store, photos, (*understood, *store.notes, *notes))


def _open_store(path: str | Path) -> Archive | Tree:
    if not str(path).strip():
        raise SourceError("Say where the photos are: give the path of a folder or a zip.")
    place = Path(path).expanduser()
    try:
        if place.is_dir():
            return Tree(place)
        if place.is_file():
            return Archive(place)
    except (ValueError, PermissionError) as error:
        raise SourceError(f"{path} cannot be opened ({error}); give the path of a folder or a zip.") from error
    raise SourceError(f"There is no folder or zip at {path}; check the path.")


def _pictures(store: Archive | Tree, path: str) -> tuple[list[str], list[str]]:
    """Return the paths of the pictures, and a note on the other files."""
    others: Counter[str] = Counter()
    pictures = []
    for file in store.files:
        if suffix(file) in PICTURES or (suffix(file) not in ARCHIVES and looks_like_picture(store.head(file))):
            pictures.append(file)
        else:
            others[suffix(file) or "no ending"] += 1
    kinds = ", ".join(f"{number:,} × {kind}" for kind, number in others.most_common(5))
    if not pictures:
        there = f"only other files ({kinds})" if others else "nothing in it"
        raise SourceError(f"{Path(path).name or path} holds no photos, {there}; give a folder or zip with pictures.")
    notes = [f"Left out {others.total():,} files that are no pictures ({kinds})."] if others else []
    if ARCHIVES & set(others):
        notes.append("Archives inside are not opened; unpack them first if they hold photos.")
    return pictures, notes
