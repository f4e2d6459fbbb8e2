"""The skin's colour and shine on the map: blush, lips, brows, freckles, moles, beard."""

import cv2
import numpy as np

from facessl.sources._atlas import bump, grid, lookup_noise, pair, place, smoothstep, value_noise, vector
from facessl.sources._person import Person
from facessl.sources._shape import features


def linear(srgb: tuple[float, float, float]) -> np.ndarray:
    """Return a colour in light units; 2.0 is the exponent the camera takes back with a square root."""
    return vector(*srgb) ** 2


def _mix(colour: np.ndarray, other: np.ndarray, share: np.ndarray) -> np.ndarray:
    return colour + (other - colour) * share[..., None]


def lip_mask(person: Person) -> np.ndarray:
    """Return how much of a texel is lip, shape (GRID, GRID)."""
    u, v = grid()
    s = person.shape
    width = 0.21 * s["mouth_width"]
    x = u / width
    y = v - features(person)["mouth"][1] - 0.03 * s["mouth_curve"] * x * x
    arch = np.sqrt(np.clip(1 - x * x, 0, None))
    dip = (0.15 + 0.25 * s["lip_bow"]) * np.exp(-((x / 0.16) ** 2))
    bow = 1 - dip + 0.10 * np.exp(-(((np.abs(x) - 0.3) / 0.2) ** 2))
    top = 0.066 * s["lip_upper"] * arch**1.3 * bow
    bottom = -0.086 * s["lip_lower"] * arch
    edge = 0.012
    return smoothstep(-edge, edge, top - y) * smoothstep(-edge, edge, y - bottom) * smoothstep(1.0, 0.9, np.abs(x))


def _lips(person: Person, colour: np.ndarray, base: np.ndarray) -> np.ndarray:
    red = vector(0.80, 0.30, 0.32) if person.skin_tone < 0.6 else vector(0.92, 0.46, 0.48)
    lips = base * (1 - (0.35 + 0.65 * person.shape["lip_red"]) * (1 - red)) * 0.95
    colour = _mix(colour, lips, lip_mask(person))
    u, v = grid()
    width = 0.21 * person.shape["mouth_width"]
    x = u / width
    y = v - features(person)["mouth"][1] - 0.03 * person.shape["mouth_curve"] * x * x
    line = np.exp(-((y / 0.012) ** 2)) * smoothstep(1.08, 0.8, np.abs(x))
    return _mix(colour, base * vector(0.22, 0.10, 0.10), 0.85 * line)


def brow_mask(person: Person, rng: np.random.Generator) -> np.ndarray:
    """Return how much of a texel is eyebrow, with single hairs at the edge."""
    u, v = grid()
    s = person.shape
    bu, bv = features(person)["brow"]
    inner = bu - 0.19 - s["brow_gap"]
    length = 0.43 * s["brow_length"]
    x = (np.abs(u) - inner) / length  # 0 at the nose, 1 at the temple
    arch = 0.075 * s["brow_arch"] * (1 - ((x - 0.62) / 0.62) ** 2)
    middle = bv - 0.05 + s["brow_tilt"] * 0.22 * (x - 0.4) + arch
    thick = 0.040 * s["brow_thick"] * smoothstep(-0.08, 0.12, x) * smoothstep(1.04, 0.45, x)
    hairs = lookup_noise(rng, 75 * np.abs(u) - 60 * (v - middle), 9 * v)
    inside = thick * (1.15 + 0.35 * hairs) - np.abs(v - middle)
    return smoothstep(0.0, 0.018, inside) * (0.84 + 0.16 * hairs)


def _beard_area(person: Person) -> np.ndarray:
    """Return where the beard grows, about [0, 1]."""
    u, v = grid()
    mv, nv = features(person)["mouth"][1], features(person)["nose"][1]
    w, width = np.abs(u), 0.21 * person.shape["mouth_width"]
    lip_top = mv + 0.075 * person.shape["lip_upper"] * np.sqrt(np.clip(1 - (w / width) ** 2, 0, 1))
    moustache = smoothstep(nv - 0.085, nv - 0.125 - 0.25 * w, v - 0.2 * w * w) * smoothstep(
        lip_top - 0.01, lip_top + 0.03, v
    )
    moustache = moustache * smoothstep(width + 0.09, width + 0.01, w + 0.4 * np.maximum(mv - v, 0))
    corners = smoothstep(0.065, 0.03, np.abs(w - width - 0.055)) * smoothstep(mv + 0.09, mv + 0.03, v)
    floor = smoothstep(-1.34, -1.18, v)
    edge = mv - 0.12 + 0.85 * np.maximum(w - 0.28, 0)  # rises from below the mouth to the ear
    full = smoothstep(edge + 0.02, edge - 0.07, v) * smoothstep(0.02, -0.10, v) * smoothstep(1.16, 1.02, w)
    chin = np.maximum(full * smoothstep(width + 0.13, width + 0.05, w), corners) * floor
    full = np.maximum(np.maximum(full * floor, chin), moustache)
    area = {"moustache": moustache, "goatee": np.maximum(chin, moustache)}.get(person.beard, full)
    return np.clip(area - lip_mask(person), 0, 1)


def beard_mask(person: Person, rng: np.random.Generator) -> np.ndarray:
    """Return how much of a texel is beard; stubble is thin all over."""
    if person.beard == "none":
        return np.zeros_like(grid()[0])
    u, v = grid()
    fine = lookup_noise(rng, 70 * u + 4 * np.sin(9 * v), 16 * v)
    area = _beard_area(person)
    if person.beard == "stubble":
        return area * (0.30 + 0.10 * fine)
    return np.clip(smoothstep(0.25, 0.75, area + 0.35 * fine * (area > 0.02)) * (0.92 + 0.2 * fine), 0, 1)


def _spots(person: Person, rng: np.random.Generator) -> np.ndarray:
    """Return freckles and moles, 0 (none) to 1."""
    fine = lookup_noise(rng, grid()[0] * 42, grid()[1] * 42)
    where = np.clip(pair(0.32, -0.18, 0.22, 0.16) + bump(0, -0.1, 0.12, 0.2), 0, 1)
    spots = 0.6 * person.freckles * where * smoothstep(0.35, 0.75, fine)
    for x, y, size in person.moles:
        u, v = place(x, y, 0.62)
        spots = np.maximum(spots, 0.85 * smoothstep(0.55, 0.9, bump(u, v, size, size) * 1.4))
    return spots


def skin_colour(person: Person, rng: np.random.Generator) -> np.ndarray:
    """Return the skin with all that grows on or lies in it but hair, linear RGB of shape (GRID, GRID, 3)."""
    base = linear(person.skin)
    at, s = features(person), person.shape
    (eu, ev), nv = at["eye"], at["nose"][1]
    ruddy = base * vector(1.02, 0.70, 0.66)
    blush = pair(0.40, -0.28, 0.16, 0.12) + 0.9 * bump(0, nv, 0.11, 0.08) + pair(*at["ear"], 0.2, 0.3)
    blush = np.clip(blush + 0.5 * bump(0, at["chin"][1], 0.15, 0.1), 0, 1)
    colour = _mix(np.broadcast_to(base, (*blush.shape, 3)), ruddy, blush * s["blush"] * 0.6)
    shade = pair(eu - 0.02, ev - 0.01, 0.13, 0.085) + 0.5 * s["folds"] * pair(eu - 0.04, ev - 0.11, 0.09, 0.03)
    colour = _mix(colour, base * vector(0.62, 0.50, 0.52), np.clip(shade, 0, 1) * 0.6)
    nostrils = np.clip(pair(0.052 * s["nose_width"], nv - 0.085, 0.022, 0.014), 0, 1)
    colour = _mix(colour, base * vector(0.25, 0.12, 0.12), 0.8 * nostrils)
    colour = _mix(colour, base * vector(0.6, 0.45, 0.42), 0.35 * s["folds"] * _laugh_lines(nv))
    blotches = 0.05 * value_noise(rng, 14) + 0.03 * value_noise(rng, 60)
    colour = colour * (1 + blotches[..., None] * vector(0.7, 1.0, 1.0))
    colour = _lips(person, colour, base)
    return _mix(colour, base * vector(0.34, 0.22, 0.18), _spots(person, rng)).astype(np.float32)


def _laugh_lines(nose: float) -> np.ndarray:
    """Return the folds that run from the nose, which is at that v, to the corners of the mouth."""
    u, v = grid()
    across = np.exp(-(((np.abs(u) - 0.20 - 0.35 * (nose - v)) / 0.022) ** 2))
    return across * smoothstep(nose + 0.02, nose - 0.06, v) * smoothstep(nose - 0.32, nose - 0.2, v)


def gloss(person: Person) -> np.ndarray:
    """Return how much the skin shines, about [0, 1]: nose, brow and lips most."""
    at = features(person)
    shine = 0.30 + 0.5 * bump(*at["nose"], 0.07, 0.16) + 0.25 * bump(0, 0.5, 0.35, 0.15)
    shine = shine + 0.2 * pair(0.42, -0.12, 0.12, 0.1)
    return cv2.GaussianBlur(shine + 0.6 * lip_mask(person), (0, 0), 1.5).astype(np.float32)
