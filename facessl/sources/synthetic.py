"""Generated faces: people who do not exist, photographed under known light and pose.

No download, no licence, nobody's privacy; the same seed draws the same bytes. As each factor of each photo is
recorded, the studio can show what an embedding encodes, which no collection of real faces allows.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from facessl.errors import ImageError
from facessl.sources import Photo, Source
from facessl.sources._factors import Nuisance, draw_factors
from facessl.sources._names import person_name
from facessl.sources._person import draw_person

__all__ = ["REFERENCE", "TITLE", "Options", "open_source", "person_name", "render"]

TITLE = "Generated faces"
REFERENCE = (
    "Each head is a height field, drawn by relief mapping: Policarpo, Oliveira and Comba 2005, Real-time relief "
    "mapping on arbitrary polygonal surfaces, https://doi.org/10.1145/1053427.1053453"
)


class Options(BaseModel):
    """Who is drawn, how often, how large."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    people: int = Field(24, ge=2, le=1000, description="how many people are drawn")
    photos: int = Field(40, ge=1, le=1000, description="photos of each of them")
    photo_size: int = Field(256, ge=64, le=1024, description="side of a photo in pixels")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="Another seed draws other people")
    first_person: int = Field(0, ge=0, description="index of the first person; a high one draws strangers")
    unnamed: int = Field(0, ge=0, le=100_000, description="further photos, of further people, that nobody has named")


class _Drawn:
    """The source: a list of what can be drawn; a photo is drawn when it is read."""

    def __init__(self, options: Options, first_photo: int = 0) -> None:
        self._options = options
        self._drawing_of: dict[str, tuple[int, int]] = {}
        photos: list[Photo] = []
        o = options
        for person in range(o.first_person, o.first_person + o.people):
            photos += self._portray(person, range(first_photo, first_photo + o.photos), named=True)
        for start in range(0, o.unnamed, o.photos):
            person = o.first_person + o.people + start // o.photos
            photos += self._portray(person, range(min(o.photos, o.unnamed - start)), named=False)
        self.photos: Sequence[Photo] = tuple(photos)
        self.notes: Sequence[str] = _notes(options)

    def _portray(self, person: int, photos: range, *, named: bool) -> list[Photo]:
        name = person_name(person)
        slug = name.replace(" ", "_") if named else "unnamed"
        traits = draw_person(self._options.seed, person).traits()
        drawn = draw_factors(self._options.seed, person, photos, Nuisance())
        rows = zip(*(values.tolist() for values in drawn.values()), strict=True)
        result = []
        for photo, row in zip(photos, rows, strict=True):
            number = photo + 1 if named else len(self._drawing_of) + 1
            path = f"{slug}/{slug}_{number:04d}.png"
            self._drawing_of[path] = (person, photo)
            result.append(Photo(name if named else None, path, dict(zip(drawn, row, strict=True)) | traits))
        return result

    def read(self, photo: Photo) -> np.ndarray:
        """Draw the photo, shape (size, size, 3) uint8 RGB; raise ImageError if it is not one of these."""
        if photo.path not in self._drawing_of:
            raise ImageError(f"{photo.path} is not among these generated faces; open the source as it was when listed.")
        person, index = self._drawing_of[photo.path]
        return render(person, index, seed=self._options.seed, size=self._options.photo_size)

    def close(self) -> None:
        """Nothing is held open."""


def _notes(options: Options) -> tuple[str, ...]:
    notes = [
        f"{options.people} generated people, {options.photos} photos each, seed {options.seed}; none of them exists."
    ]
    if options.unnamed:
        notes.append(f"{options.unnamed} further photos, of other people, have no name.")
    return tuple(notes)


def open_source(options: Options, path: Path | None = None) -> Source:
    """List the photos of made-up people; nothing is drawn yet. ``path`` is not used."""
    return _Drawn(options)


def left_out(options: Options, people: int, photos: int) -> Source:
    """Return photos of ``people`` whom ``open_source`` with the same options does not draw: strangers."""
    first = options.first_person + options.people + -(-options.unnamed // options.photos)
    changed = {"people": people, "photos": photos, "first_person": first, "unnamed": 0}
    return _Drawn(options.model_copy(update=changed))


def unseen(options: Options, photos: int) -> Source:
    """Return ``photos`` further photos of each named person, none of which ``open_source`` draws."""
    return _Drawn(options.model_copy(update={"photos": photos, "unnamed": 0}), first_photo=options.photos)


def photo_factors(person_index: int, photo_index: int, *, seed: int = 0) -> Mapping[str, float]:
    """Return the factors of one photo of one person, as recorded in ``Photo.factors``."""
    drawn = draw_factors(seed, person_index, range(photo_index, photo_index + 1), Nuisance())
    return {name: float(values[0]) for name, values in drawn.items()} | draw_person(seed, person_index).traits()


def render(person_index: int, photo_index: int, *, seed: int = 0, size: int = 256) -> np.ndarray:
    """Draw any photo of any person, also one beyond those of a source: a new photo of a known face, or a stranger.

    Returns:
        The photo, (size, size, 3) uint8 RGB, the same bytes for the same arguments.
    """
    from facessl.sources import _render  # OpenCV takes its time to import: only drawing needs it

    return _render.render(seed, person_index, photo_index, photo_factors(person_index, photo_index, seed=seed), size)
