"""Light on the head: key light with its cast shadows, sky light, shine on skin and along strands of hair."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from facessl.sources._atlas import vector


@dataclass(frozen=True)
class Light:
    """The lamps of one photo, in camera space and light units."""

    key: np.ndarray  # (3,) unit vector towards the lamp
    colour: np.ndarray  # (3,) its strength per channel
    ambient: np.ndarray  # (3,)


def light_of(factors: Mapping[str, float], surroundings: np.ndarray) -> Light:
    """Return the lamps; ``surroundings`` is the mean colour of the background, (3,)."""
    a, e = np.deg2rad([factors["light_azimuth"], factors["light_elevation"]])
    key = vector(np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e))
    warmth = factors["warmth"]
    colour = vector(1 + 0.22 * warmth, 1.0, 1 - 0.28 * warmth) * (1.15 * factors["light_strength"])
    tone = surroundings / max(float(surroundings.mean()), 0.02)
    ambient = (0.7 + 0.3 * tone) * vector(1 - 0.06 * warmth, 1, 1 + 0.08 * warmth) * factors["ambient"]
    return Light(key, colour, ambient.astype(np.float32))


def cast_shadow(z: np.ndarray, key: np.ndarray, unit: float) -> np.ndarray:
    """Return how much of the key light is blocked by what stands higher, shape of ``z``, 0 to 1.

    Steps from each pixel towards the lamp over the depth image, at half size.
    """
    h, w = z.shape
    low = cv2.resize(z, ((w + 1) // 2, (h + 1) // 2), interpolation=cv2.INTER_AREA)
    blocked = np.zeros_like(low)
    for reach in (0.05, 0.10, 0.16, 0.24, 0.34, 0.48):
        dx, dy = key[0] * reach * unit / 2, -key[1] * reach * unit / 2
        move = np.array([[1, 0, -dx], [0, 1, -dy]], np.float32)
        there = cv2.warpAffine(low, move, low.shape[::-1], borderMode=cv2.BORDER_CONSTANT, borderValue=-9)
        over = there - low - np.float32(key[2] * reach + 0.02)
        blocked = np.maximum(blocked, np.clip(over * np.float32(1.2 / (0.04 + 0.25 * reach)), 0, 1) * (over < 0.6))
    return cv2.resize(cv2.GaussianBlur(blocked, (0, 0), 0.018 * unit), (w, h), interpolation=cv2.INTER_LINEAR)


def occlusion(z: np.ndarray, unit: float) -> np.ndarray:
    """Return how open each pixel is to the sky, about 0.5 to 1: what lies below its surroundings is darker."""
    h, w = z.shape
    low = cv2.resize(z, ((w + 1) // 2, (h + 1) // 2), interpolation=cv2.INTER_AREA)
    deep = cv2.GaussianBlur(low, (0, 0), 0.05 * unit) - low
    return cv2.resize(np.clip(1 - 4.0 * np.maximum(deep, 0), 0.55, 1), (w, h), interpolation=cv2.INTER_LINEAR)


@dataclass(frozen=True)
class Surface:
    """What light falls on; every plane is (h, w), for numpy is thrice as fast on planes as on (h, w, 3)."""

    colour: Sequence[np.ndarray]  # reflectance, three planes
    normal: Sequence[np.ndarray]  # in head space, three planes
    strand: Sequence[np.ndarray]  # the direction of the hair in head space, three planes
    hair: np.ndarray  # how much of a pixel is hair
    gloss: np.ndarray  # how much its skin shines


def shade(skin: Surface, turn: np.ndarray, light: Light, *, lit: np.ndarray, sky: np.ndarray) -> np.ndarray:
    """Return what the camera sees, light units, (h, w, 3).

    Args:
        skin: The visible surface.
        turn: Head space to camera space, (3, 3).
        light: The lamps.
        lit: Share of the key light that arrives, (h, w).
        sky: Share of the ambient light that arrives, (h, w).
    """
    half = light.key + vector(0, 0, 1)
    key_at, half_at, up_at = (turn.T @ v for v in (light.key, half / np.linalg.norm(half), vector(0, 1, 0)))
    key, up = _dot(skin.normal, key_at), _dot(skin.normal, up_at)
    mirrored, along = np.clip(_dot(skin.normal, half_at), 0, 1), _dot(skin.strand, half_at)
    grey = (skin.colour[0] + skin.colour[1] + skin.colour[2]) / 3
    oily = _power(mirrored, 5) * skin.gloss * 0.20 + _power(mirrored, 3) * 0.05
    silky = _power(np.clip(1 - along * along, 0, 1), 4) * 0.22 * np.clip(0.3 + key, 0, 1)
    silky = silky * (0.4 + 2.5 * grey) * sky * sky
    shine = (oily + (silky - oily) * skin.hair) * (0.225 + 0.675 * lit)
    sky = (0.75 + 0.25 * up) * sky
    planes = []
    for c, (wrap, depth) in enumerate(((0.34, 0.86), (0.20, 0.94), (0.16, 0.96))):  # light seeps furthest in red
        diffuse = np.clip((key + wrap) * (1 / (1 + wrap)), 0, 1) * (1 - depth + depth * lit)
        planes.append(skin.colour[c] * (diffuse * light.colour[c] + sky * light.ambient[c]) + shine * light.colour[c])
    return cv2.merge(planes)


def _dot(planes: Sequence[np.ndarray], vector: np.ndarray) -> np.ndarray:
    return planes[0] * vector[0] + planes[1] * vector[1] + planes[2] * vector[2]


def _power(x: np.ndarray, doublings: int) -> np.ndarray:
    """Return x to the power of 2 ** doublings."""
    for _ in range(doublings):
        x = x * x
    return x
