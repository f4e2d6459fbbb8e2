"""Where photos come from. A plug-in here exports ``open_source(options, path) -> Source``.

Where opening may take long (it downloads or unpacks), it also exports ``check(options, path) -> None``, which is
quick, touches no network and raises SourceError for what can be told in advance.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from facessl.errors import SourceError


@dataclass(frozen=True)
class Photo:
    """One picture as it came, before anything looked into it."""

    person: str | None  # None: nobody has said who it is
    path: str  # inside the source, unique, "/" between its parts
    factors: Mapping[str, float] = field(default_factory=dict)  # what a generated photo was made of


class Source(Protocol):
    """An opened source. Opening lists the photos; only ``read`` looks at pixels."""

    photos: Sequence[Photo]  # always in the same order
    notes: Sequence[str]  # how the input was understood, in sentences for people

    def read(self, photo: Photo) -> np.ndarray:
        """Return the picture, shape (H, W, 3) uint8 RGB.

        Raises:
            ImageError: This one cannot be read.
            SourceError: None can any more, because the source is gone.
        """
        ...

    def close(self) -> None: ...


def tidy_name(name: str) -> str:
    """Return a person's name without blanks about it, and with one between its words: nobody sees a second one."""
    return re.sub(r"[^\S\n]+", " ", name.strip())


def allowed(path: str | Path) -> Path:
    """Return a path on this machine that somebody typed into the browser, if the operator allows it.

    ``FACESSL_PHOTO_ROOTS`` lists directories, parted like ``PATH``: what lies in or below one of them, links
    followed, may be taken in. Where it is not set, these are the home folder and the one the studio was started
    in; set but empty, none may. Commands do not ask: whoever types them has a shell.

    Raises:
        SourceError: The path lies elsewhere, or cannot be one.
    """
    if not str(path).strip() or "\0" in str(path):
        raise SourceError("That is no path; say where the photos are.")
    roots = os.environ.get("FACESSL_PHOTO_ROOTS", os.pathsep.join(map(str, (Path.home(), Path.cwd()))))
    # realpath and not resolve(): a link that leads to itself is no reason to fail here
    place = Path(os.path.realpath(Path(path).expanduser()))
    if any(place.is_relative_to(os.path.realpath(Path(root).expanduser())) for root in roots.split(os.pathsep) if root):
        return place
    raise SourceError(
        "Photos may not be taken from there. Use a folder that the operator allows (those in FACESSL_PHOTO_ROOTS; "
        "where that is not set, your home folder), upload a zip, or prepare it by command."
    )
