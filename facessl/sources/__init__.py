"""Where photos come from. A plug-in here exports ``open_source(options, path) -> Source``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np


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
        """Return the picture, shape (H, W, 3) uint8 RGB; raise ImageError if it cannot be read."""
        ...

    def close(self) -> None: ...
