"""Hair that falls behind the face: a layer between shoulders and head, for the long styles."""

import cv2
import numpy as np

from facessl.sources._atlas import lookup_noise, smoothstep, vector
from facessl.sources._hair import CUTS
from facessl.sources._light import Light
from facessl.sources._person import Person
from facessl.sources._skin import linear
from facessl.sources._trace import View

_SIDE = 256  # of the baked texture, which spans x from -1.2 to 1.2 and y from 0.4 down to -2
_SPAN = 2.4


def bake(person: Person, rng: np.random.Generator) -> np.ndarray | None:
    """Return the strands' (shade around 1, raggedness of the tips), (256, 256, 2) float32, or None for short hair."""
    if not CUTS[person.style].length:
        return None
    x = np.linspace(-_SPAN / 2, _SPAN / 2, _SIDE, dtype=np.float32)[None, :]
    y = np.linspace(0.4, 0.4 - _SPAN, _SIDE, dtype=np.float32)[:, None]
    across, down = x + 0 * y, y + 0 * x
    fine = lookup_noise(rng, 55 * across, 2.2 * down) + 0.6 * lookup_noise(rng, 14 * across, 1.2 * down)
    tips = 0.06 * lookup_noise(rng, 9 * across, 0 * down) + 0.05 * lookup_noise(rng, 40 * across, 0 * down)
    return np.dstack([np.clip(0.85 + 0.34 * fine, 0.15, 2), tips]).astype(np.float32)


def _hang(person: Person, view: View, sway: float) -> tuple[np.ndarray, np.ndarray]:
    """Return where on the baked texture each pixel of the window lies, in head units (across, y)."""
    y = view.y[:, None] + 0 * view.x[None, :]
    lean = 0.35 * view.turn[0, 1]  # hair hangs down even where the head tilts
    row = y[:, :1]
    shift = 0.30 * view.turn[0, 2] - lean * np.clip(row, -1, 0.5) - vector(0.06 * sway) * np.clip(-0.3 - row, 0, 2)
    x = view.x[None, :] + shift
    wave = 0.035 * CUTS[person.style].wave * np.sin(9 * row) * smoothstep(0, -0.5, row)
    return x + wave * np.sign(x), y


def fall(
    person: Person, texture: np.ndarray, view: View, light: Light, swing: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Return (colour in light units (h, w, 3), cover (h, w)) of the hair that hangs down, in the window of ``view``.

    ``swing`` is its volume, 1 as usual, and how far the tips swing to a side, -1 to 1.
    """
    volume, sway = swing
    across, y = _hang(person, view, sway)
    scale = (_SIDE - 1) / _SPAN
    shade, tips = cv2.split(cv2.remap(texture, (across + _SPAN / 2) * scale, (0.4 - y) * scale, cv2.INTER_LINEAR))
    row = y[:, :1]
    half = (0.74 + 0.10 * smoothstep(0.2, -0.6, row) - 0.16 * smoothstep(-0.9, -1.7, row)) * (0.75 + 0.25 * volume)
    off = np.abs(across)
    inside = np.minimum(half - off, y + CUTS[person.style].length + tips)
    cover = smoothstep(-0.01, 0.02, inside) * smoothstep(0.35, 0.1, row)
    nx = np.clip(across / half, -1, 1) * np.float32(0.9)
    key = np.clip(0.25 + 0.75 * (nx * light.key[0] + np.sqrt(1 - nx * nx) * light.key[2]), 0, 1)
    behind = smoothstep(0.30, 0.72, off) * 0.75 + 0.25  # in the shade of head and neck
    band = 0.05 * np.exp(-(((y + 0.50 + 0.2 * shade) / 0.16) ** 2))
    planes = []
    for c, tone in enumerate(linear(person.hair)):
        planes.append((tone * shade + band * (0.5 + tone)) * behind * (key * light.colour[c] + 0.8 * light.ambient[c]))
    return cv2.merge(planes), cover
