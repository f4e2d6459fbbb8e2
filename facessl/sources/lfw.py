"""Labeled Faces in the Wild: the photos as published, in colour and 250 px, fetched or from a local copy."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from facessl.errors import SourceError
from facessl.sources import Photo, Source, folder
from facessl.sources._downloads import downloads, impatient, one_at_a_time, why

TITLE = "Labeled Faces in the Wild"
REFERENCE = "Huang et al. 2007, https://vis-www.cs.umass.edu/lfw/"

PHOTOS, PEOPLE = 13_233, 5_749  # of the whole collection
_MOST_PHOTOS_OF_ONE = 530  # George W. Bush's
_BY_HAND = {  # what may lie in the downloads, as published
    "funneled": ("lfw-funneled.tgz",),
    "deepfunneled": ("lfw-deepfunneled.zip", "lfw-deepfunneled.tgz"),
    "original": ("lfw.tgz",),
}
_UNPACKED = {"funneled": "lfw_funneled", "original": "lfw"}  # the folders that scikit-learn makes


class Options(BaseModel):
    """Which of the published versions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: Literal["funneled", "deepfunneled", "original"] = Field(
        "funneled",
        description="funneled: turned and shifted into place; deepfunneled: the same, better, but scikit-learn cannot "
        "fetch it; original: as found. A local copy is what it is. The first two are aligned as a whole: the middle of "
        "each photo (detector middle, 0.44) tells people apart better than boxes that are found in them.",
    )


class _Lfw:
    """The photos of an opened folder or archive, under their people's names."""

    def __init__(self, files: Source) -> None:
        self._files = files
        people = [_person(photo.path) for photo in files.photos]
        self.photos: Sequence[Photo] = tuple(
            Photo(person, photo.path) for person, photo in zip(people, files.photos, strict=True)
        )
        of_all = "It is complete." if len(people) == PHOTOS else f"When complete, {PHOTOS:,} of {PEOPLE:,}."
        understood = f"LFW: {len(people):,} photos of {len(set(people)):,} people. {of_all}"
        self.notes: Sequence[str] = (understood, *files.notes[1:])  # the first one says that all are nameless

    def read(self, photo: Photo) -> np.ndarray:
        """Return the photo, shape (H, W, 3) uint8 RGB; raise ImageError if it cannot be read."""
        return self._files.read(photo)

    def close(self) -> None:
        self._files.close()


def check(options: Options, path: str | Path) -> None:
    """Raise SourceError for what can be told at once; what is not here is fetched by the job."""
    if str(path).strip():
        folder.check(folder.Options(), path)
    elif _present(options.variant) is None and options.variant not in _UNPACKED:
        raise SourceError(f"scikit-learn does not fetch this version of LFW; {_by_hand(options.variant)}.")


def open_source(options: Options, path: str | Path) -> Source:
    """List the photos; without a ``path`` they are fetched by scikit-learn, once, into ``<workspace>/downloads``.

    Args:
        options: Which version is fetched.
        path: A zip, tgz or folder of LFW as published, or "".

    Raises:
        SourceError: It cannot be fetched, or what is at ``path`` is not LFW.
    """
    if str(path).strip():
        place = Path(path)
    else:
        check(options, path)
        place = _present(options.variant) or _fetched(options.variant)
    files = folder.open_source(folder.Options(layout="flat"), place)
    try:
        return _Lfw(files)
    except SourceError:
        files.close()
        raise


def _person(path: str) -> str:
    """Return who is on ``…/Ann_Lee/Ann_Lee_0003.jpg``: the authors wrote names with underscores for spaces."""
    name, _, number = path.rpartition("/")[2].rpartition("_")
    if path.split("/")[-2:-1] != [name] or not (number[:4].isdecimal() and number[4:] == ".jpg"):
        raise SourceError(
            "This does not look like LFW, whose files are called Name/Name_0001.jpg; use the source folder for it."
        )
    return name.replace("_", " ")


def _present(variant: str) -> Path | None:
    """Return the photos of a version where they have been fetched, or put by hand, before."""
    places = [downloads() / name for name in (f"lfw-{variant}", *_BY_HAND[variant])]
    return next((place for place in places if place.exists()), None)


def _by_hand(variant: str) -> str:
    return f"download {_BY_HAND[variant][0]} elsewhere and put it into {downloads()}, or give its path"


def _fetched(variant: str) -> Path:
    """Fetch and unpack the photos, and return their folder."""
    place = downloads() / f"lfw-{variant}"
    try:
        with one_at_a_time(downloads()):
            if not place.is_dir():  # another process may have fetched it while this one waited
                _fetch(variant).rename(place)
    except (OSError, ValueError) as error:  # a ValueError says that the person it insists on is not there
        raise SourceError(f"LFW could not be fetched ({why(error)}); {_by_hand(variant)}.") from error
    return place


def _fetch(variant: str) -> Path:
    """Let scikit-learn download and unpack, and return where its photos are; OSError when that fails."""
    from sklearn.datasets import fetch_lfw_people

    home = downloads() / "scikit-learn"
    photos = home / "lfw_home" / _UNPACKED[variant]
    if photos.exists() and photos.with_name(_BY_HAND[variant][0]).exists():
        shutil.rmtree(photos)  # the fetcher deletes the archive when all is unpacked: it was killed on the way
    for cut_off in home.rglob("*.part_*"):
        cut_off.unlink()
    with impatient():
        # It is called for what it leaves on the disk. It insists on loading somebody, scaled: one person, 1 pixel.
        fetch_lfw_people(
            data_home=home,
            funneled=variant == "funneled",
            min_faces_per_person=_MOST_PHOTOS_OF_ONE,
            slice_=(slice(0, 1), slice(0, 1)),
            resize=None,
            n_retries=1,
            delay=0.5,
        )
    return photos
