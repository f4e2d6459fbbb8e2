"""A person's head, baked once: everything a photo of them looks up on the map."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from facessl.sources import _mane
from facessl.sources._atlas import GRID, directions
from facessl.sources._hair import grow
from facessl.sources._person import Person, draw_person
from facessl.sources._shape import bare_head
from facessl.sources._skin import beard_mask, brow_mask, gloss, linear, skin_colour


@dataclass(frozen=True)
class Head:
    """Arrays over the map, float32: radius (G, G); colour = linear RGB + hair cover, normal = xyz + gloss,
    strand = xyz of the hair's direction + how open to the sky, each (G, G, 4); mane = the strands of long hair."""

    person: Person
    radius: np.ndarray
    hair: np.ndarray
    colour: np.ndarray
    normal: np.ndarray
    strand: np.ndarray
    mane: np.ndarray | None


def _surface(radius: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (normal, tangent along u, tangent along v) of the height field, each (3, G, G), unit length."""
    points = directions() * radius
    tu = np.gradient(points, axis=2)
    tv = -np.gradient(points, axis=1)
    normal = np.cross(tu, tv, axis=0)
    return _unit(normal), _unit(tu), _unit(tv)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / (np.sqrt((vectors * vectors).sum(0)) + 1e-9)).astype(np.float32)


def _stack(planes: np.ndarray, last: np.ndarray) -> np.ndarray:
    return np.dstack([*planes, last]).astype(np.float32)


def _paint(
    person: Person, rng: np.random.Generator, cover: np.ndarray, shade: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return (colour, what is hair), head hair, brows and beard laid over the skin."""
    skin = skin_colour(person, rng)
    tone = linear(person.hair)
    brows = brow_mask(person, rng)
    beard = beard_mask(person, rng)
    base = linear(person.skin)  # grey brows and beards are darker than the skin too: that is what makes them seen
    for mask, share in ((beard, 0.75), (brows * 0.9, 0.45)):
        dark = np.minimum(tone * 0.55 + 0.004, base * share)
        skin = skin + (dark - skin) * mask[..., None]
    strands = tone * np.clip(shade, 0.12, 2)[..., None]
    colour = skin + (strands - skin) * cover[..., None]
    furry = beard if person.beard not in ("none", "stubble") else 0 * beard
    return colour, np.maximum(cover, furry)


def bake(person: Person) -> Head:
    """Build the head; about 60 ms."""
    rng = np.random.default_rng(person.texture_seed)
    skin, earless = bare_head(person)
    hair = grow(person, earless, rng)
    skin = skin + (earless - skin) * hair.cover  # hair lies over the ears, not along them
    colour, cover = _paint(person, rng, hair.cover, hair.shade)
    fur = cover - hair.cover
    radius = skin + hair.height + 0.03 * np.maximum(fur, 0)
    normal, tu, tv = _surface(cv2.GaussianBlur(radius, (0, 0), 0.8))
    strand = _unit(tu * hair.strands[0] + tv * hair.strands[1] + 0.10 * normal * (hair.shade - 1))
    low = cv2.GaussianBlur(radius, (0, 0), 0.045 * GRID)
    sky = np.clip(1 + 2.2 * np.minimum(radius - low, 0.05), 0.55, 1.08) * (1 + (hair.open - 1) * hair.cover)
    return Head(
        person=person,
        radius=radius.astype(np.float32),
        hair=hair.height,
        colour=np.dstack([colour, cover]).astype(np.float32),
        normal=_stack(normal, gloss(person) * (1 - 0.7 * np.maximum(fur, 0))),
        strand=_stack(strand, sky),
        mane=_mane.bake(person, rng),
    )


@lru_cache(maxsize=8)
def head_of(seed: int, index: int) -> Head:
    """Return the baked head of a person; the last few stay in memory."""
    return bake(draw_person(seed, index))
