"""What moves in a face: lids, irises and lips, drawn afresh for each photo."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from facessl.sources._atlas import smoothstep, vector
from facessl.sources._person import Person
from facessl.sources._shape import features
from facessl.sources._skin import linear

Window = tuple[slice, slice]  # rows and columns


@dataclass(frozen=True)
class Canvas:
    """A window of the picture while it is painted; every array is (h, w) but for colour (h, w, 3)."""

    colour: np.ndarray  # reflectance, painted in place
    shine: np.ndarray  # how much of a lamp it throws back, painted in place
    u: np.ndarray  # where on the resting face each pixel lies
    v: np.ndarray
    pixel: float  # the side of a pixel on the map

    def crop(self, window: Window) -> "Canvas":
        return Canvas(self.colour[window], self.shine[window], self.u[window], self.v[window], self.pixel)


def pull(
    person: Person, factors: Mapping[str, float], u: np.ndarray, v: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where on the face at rest each place comes from, (u, v), and how far inside the open mouth it is."""
    s = person.shape
    mv, (bu, bv) = features(person)["mouth"][1], features(person)["brow"]
    width, smile = 0.21 * s["mouth_width"], factors["smile"]
    near = np.exp(-((u / 0.42) ** 2) - ((v - mv) / 0.22) ** 2)
    x = u / width
    u1 = u * (1 - 0.16 * smile * near)
    v1 = v - (0.055 * smile * np.minimum(x * x, 1.8) - 0.012 * smile) * near
    brow = np.exp(-(((np.abs(u) - bu) / 0.25) ** 2) - ((v - bv) / 0.12) ** 2)
    v1 = v1 - 0.035 * factors["brow_raise"] * brow
    gape = 0.075 * (factors["mouth_open"] - 0.15)
    if gape <= 0:
        return u1, v1, np.full_like(u, -1.0)
    half = gape * np.clip(1 - (u1 / width) ** 2, 0, 1) ** 0.6
    return u1, *_part_lips(v1, mv + 0.03 * s["mouth_curve"] * x * x, half)


def _part_lips(v: np.ndarray, line: np.ndarray, half: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (v on the closed mouth, how far inside the gap) as lips that meet in ``line`` open 2 × ``half`` wide."""
    off = v - line + 0.6 * half  # the lower lip moves further
    fade = np.exp(-((off / np.where(off > 0, np.float32(0.10), np.float32(0.35))) ** 2))
    closed = line + np.sign(off) * np.maximum(np.abs(off) - half * fade, 0)
    return np.where(half > 1e-4, closed, v), np.where(half > 1e-4, half - np.abs(off), -1.0)


def _around_all(where: np.ndarray) -> Window | None:
    """Return the smallest window that holds all of ``where``, None if there is nothing to hold."""
    rows, columns = np.flatnonzero(where.any(1)), np.flatnonzero(where.any(0))
    if len(rows) == 0:
        return None
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def mouth(person: Person, canvas: Canvas, inside: np.ndarray) -> None:
    """Paint the open mouth, dark with the upper teeth; ``inside`` is what pull() said, u and v what it was asked."""
    window = _around_all(inside > -canvas.pixel)
    if window is None:
        return
    part, inside = canvas.crop(window), inside[window]
    height = part.v - features(person)["mouth"][1]
    teeth = smoothstep(-0.026, -0.006, height) * smoothstep(-0.002, 0.018, inside)
    teeth = teeth * (0.82 + 0.18 * np.abs(np.sin(part.u * 48))) * (1 - 2.5 * np.abs(part.u))
    dark, ivory = vector(0.11, 0.022, 0.022), vector(0.60, 0.55, 0.49)
    fill = dark + (ivory - dark) * np.clip(teeth, 0, 1)[..., None]
    part.colour[...] += (fill - part.colour) * smoothstep(-part.pixel, part.pixel, inside)[..., None]


def eyes(person: Person, factors: Mapping[str, float], canvas: Canvas, light: np.ndarray) -> None:
    """Paint both eyes and their glints; ``light`` points to the lamp, in head space."""
    eu, ev = features(person)["eye"]
    for side in (1, -1):
        window = _around_all((np.abs(canvas.u - side * eu) < 0.22) & (np.abs(canvas.v - ev) < 0.15))
        if window is not None:
            _eye(person, factors, canvas.crop(window), light, side)


@dataclass(frozen=True)
class _Lids:
    """The opening of one eye, in half widths of it: x grows towards the temple, y upwards; arrays (h, w)."""

    x: np.ndarray
    y: np.ndarray
    top: np.ndarray  # where the upper lid ends, at each x
    bottom: np.ndarray
    rest: np.ndarray  # where it would end in an eye wide awake
    soft: float  # the side of a pixel


def _eye(person: Person, factors: Mapping[str, float], part: Canvas, light: np.ndarray, side: int) -> None:
    lids = _lids(person, factors, part, side)
    rim = smoothstep(-lids.soft, lids.soft, lids.top - lids.y) * smoothstep(-lids.soft, lids.soft, lids.y - lids.bottom)
    opening = rim * (np.abs(lids.x) < 1)
    skin = _around(person, lids, part.colour)
    ball, glint = _ball(person, lids, factors["gaze"] * 0.28 * side, (side * float(light[0]), float(light[1])))
    part.colour[...] = skin + (ball - skin) * opening[..., None]
    part.shine[...] = part.shine * (1 - opening) + glint * opening


def _lids(person: Person, factors: Mapping[str, float], part: Canvas, side: int) -> _Lids:
    s = person.shape
    eu, ev = features(person)["eye"]
    half = 0.157 * s["eye_size"]
    sin, cos = math.sin(side * s["eye_tilt"]), math.cos(s["eye_tilt"])
    du, dv = part.u - side * eu, part.v - ev
    x, y = (du * cos + dv * sin) / half * side, (dv * cos - du * sin) / half
    arch = np.clip(1 - x * x, 0, 1)
    smile = max(factors["smile"], 0)
    rest = 0.46 * s["eye_open"] * arch**0.75 * (1 - 0.12 * x)
    top = rest * (1.35 * (factors["eyes_open"] - 0.12 * smile) - 0.35)
    bottom = -0.34 * s["eye_open"] ** 0.5 * arch**0.8 * (1 + 0.15 * x) + 0.06 * smile * arch
    return _Lids(x, y, top, bottom, rest, 0.8 * part.pixel / half)


def _around(person: Person, lids: _Lids, colour: np.ndarray) -> np.ndarray:
    """Return the skin around an eye with fold, lashes and lower rim, (h, w, 3)."""
    x, y, soft = lids.x, lids.y, lids.soft
    ends = smoothstep(1.22, 0.9, np.abs(x))
    fold = np.exp(-(((y - lids.rest - 0.20 - 0.05 * x) / (0.07 + soft)) ** 2)) * ends * person.shape["lid_fold"]
    thick = 0.075 + 0.045 * np.clip(x, -0.5, 1)
    upper = 0.92 * smoothstep(thick + soft, thick * 0.3, np.abs(y - lids.top - 0.02)) * ends
    lower = 0.4 * smoothstep(0.05 + soft, 0.0, np.abs(y - lids.bottom)) * ends * np.clip(0.6 + 0.5 * x, 0, 1)
    skin = colour * (1 - 0.45 * fold)[..., None]
    return skin + (vector(0.012, 0.008, 0.008) - skin) * np.clip(np.maximum(upper, lower), 0, 1)[..., None]


def _ball(person: Person, lids: _Lids, gaze: float, lamp: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return (colour (h, w, 3), glint (h, w)) of white, iris and pupil."""
    x, y = lids.x, lids.y
    white = vector(0.52, 0.475, 0.455) * (1 - 0.35 * np.clip(np.abs(x), 0, 1) ** 2)[..., None]
    white = white + vector(0.05, -0.05, -0.05) * np.clip(-x - 0.6, 0, 1)[..., None]
    white = white * (1 - 0.3 * person.skin_tone)  # less stray light from the skin around it
    ix, iy = x - gaze, y - 0.06
    r = np.sqrt(ix * ix + iy * iy) / 0.46
    rays = 1 + 0.18 * np.sin(23 * np.arctan2(iy, ix))
    bright = np.clip(0.55 + 0.9 * (1 - r) - 0.5 * iy, 0.2, 2.2) * rays
    bright = bright * (1 - 0.75 * smoothstep(0.78, 1.0, r)) * (1 - 0.97 * smoothstep(0.46, 0.36, r))
    iris = linear(person.eyes) * bright[..., None]
    ball = white + (iris - white) * smoothstep(1.06, 0.94, r)[..., None]
    ball = ball * (0.30 + 0.70 * smoothstep(-0.02, 0.34, lids.top - y))[..., None]
    glint = smoothstep(0.17, 0.07, np.hypot(ix - 0.30 * lamp[0], iy - 0.10 - 0.25 * lamp[1]))
    return ball, glint + 0.25 * smoothstep(0.14, 0.05, np.hypot(ix + 0.18, iy + 0.2))
