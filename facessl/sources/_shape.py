"""The bare head as a height field: distance from the middle of the head in each direction of the map."""

import cv2
import numpy as np

from facessl.sources._atlas import TEXELS, bump, directions, pair, place, vector
from facessl.sources._person import Person

Point = tuple[float, float, float]
Lump = tuple[Point, Point, float]  # an ellipsoid's centre and radii, and how softly it runs into its neighbours


def _exit(centre: Point, radii: Point) -> np.ndarray:
    """Return how far each direction's ray runs before it leaves an ellipsoid; rays that miss fall off smoothly."""
    d = directions()
    c, r = vector(*centre), vector(*radii)
    inverse = 1 / r**2
    a = np.tensordot(inverse, d * d, 1)
    b = np.tensordot(inverse * c, d, 1)
    disc = b * b - a * ((c * c * inverse).sum() - 1)
    return (b + np.sign(disc) * np.sqrt(np.abs(disc))) / a


def _smooth_max(a: np.ndarray, b: np.ndarray, blend: float) -> np.ndarray:
    overlap = np.maximum(blend - np.abs(a - b), 0)
    return np.maximum(a, b) + overlap * overlap * (0.25 / blend)


def features(person: Person) -> dict[str, tuple[float, float]]:
    """Return where eyes, nose and mouth lie on the map, (u, v) for the right-hand one of a pair."""
    s = person.shape
    length = s["face_length"]
    return {
        "eye": place(0.275 + s["eye_distance"], 0.02, 0.64),
        "brow": place(0.28 + s["eye_distance"], 0.185 + s["brow_height"], 0.72),
        "nose": place(0.0, (-0.33 + s["nose_turn"]) * length - s["nose_length"], 0.9),
        "mouth": place(0.0, (-0.60 + s["mouth_height"]) * length - 0.4 * s["nose_length"], 0.76),
        "chin": place(0.0, -0.93 * length - s["chin_length"], 0.6),
        "ear": place(0.72, -0.06, -0.12),
    }


def _bones(p: Person) -> list[Lump]:
    """Return what lies under the face, mirrored lumps twice."""
    s = p.shape
    w, f = s["face_width"], s["face_length"]
    jaw, fat = s["jaw_width"], s["cheek_fat"]
    middle: list[Lump] = [
        ((0.0, -0.12, 0.10), (0.59 * w, 0.76, 0.66), 0.15),
        ((0.0, -0.52 * f, 0.10), (0.50 * w * jaw, 0.42, 0.58), 0.15),
        ((0.0, -0.82 * f - s["chin_length"], 0.46), (0.20 * s["chin_width"], 0.17, 0.24), 0.18),
        ((0.0, -0.57 * f, 0.48), (0.27, 0.24, 0.28), 0.2),
        ((0.0, -1.10, -0.22), (0.40 if p.masculine else 0.34, 0.95, 0.36), 0.10),
    ]
    sides: list[Lump] = [
        ((0.37 * w, -0.17, 0.36), (0.19 + 0.03 * s["cheekbone"], 0.16, 0.24), 0.25),
        ((0.26 * w, -0.40 * f, 0.38), (0.20 + 0.04 * fat, 0.26, 0.23 + 0.03 * fat), 0.25),
        ((0.20, 0.19, 0.54), (0.24, 0.08, 0.19 + 0.05 * s["brow_ridge"]), 0.14),
    ]
    return middle + [((sign * x, y, z), radii, blend) for (x, y, z), radii, blend in sides for sign in (1, -1)]


def _nose(p: Person) -> list[Lump]:
    s = p.shape
    f, wide, tip = s["face_length"], s["nose_width"], s["nose_tip"]
    y = (-0.31 + s["nose_turn"]) * f - s["nose_length"]
    z = 0.84 + 0.02 * s["nose_bridge"]
    long = (0.075 + 0.02 * wide, 0.27 + s["nose_length"] / 2, 0.16)
    bridge = ((0.0, (y + 0.12) / 2 - 0.02, 0.62 + 0.05 * s["nose_bridge"]), long, 0.12)
    end = ((0.0, y, z), (0.085 * tip, 0.085 * tip, 0.11), 0.12)
    wings = [((sign * 0.095 * wide, y - 0.025, z - 0.11), (0.056, 0.056, 0.10), 0.10) for sign in (1, -1)]
    return [bridge, end, *wings]


def _soft_parts(p: Person, radius: np.ndarray) -> np.ndarray:
    """Add what is softer than bone: sockets, lids, lips, folds."""
    s = p.shape
    at = features(p)
    (eu, ev), (_, mv), (_, nv), (bu, bv) = at["eye"], at["mouth"], at["nose"], at["brow"]
    size, width = s["eye_size"], 0.21 * s["mouth_width"]
    radius -= (0.045 + 0.03 * s["eye_depth"]) * pair(eu - 0.03, ev, 0.15, 0.10)
    radius += 0.060 * pair(eu, ev - 0.005, 0.085 * size, 0.062 * size)
    radius += 0.012 * pair(bu, bv, 0.14, 0.035)
    radius -= 0.03 * pair(0.30, mv + 0.02, 0.09, 0.16) * s["folds"]
    radius += 0.030 * s["lip_upper"] * bump(0, mv + 0.045, width * 0.62, 0.035)
    radius += 0.036 * s["lip_lower"] * bump(0, mv - 0.055, width * 0.52, 0.038)
    radius -= 0.030 * bump(0, mv, width * 0.8, 0.014)
    radius -= 0.020 * bump(0, mv - 0.14, width * 0.6, 0.035)
    radius -= 0.012 * bump(0, (mv + nv) / 2 - 0.01, 0.028, 0.05)
    radius -= 0.020 * pair(width * 1.06, mv, 0.03, 0.035)
    radius -= 0.035 * pair(0.045 * s["nose_width"], nv - 0.075, 0.026, 0.018)
    return radius


def _ears(p: Person, radius: np.ndarray) -> np.ndarray:
    s = p.shape["ear_size"]
    x = 0.70 * p.shape["face_width"]
    for sign in (1, -1):
        rim = _exit((sign * (x + 0.015), -0.05, -0.16), (0.085 * s, 0.20 * s, 0.10))
        radius = _smooth_max(radius, rim, 0.03)
    u, v = place(x + 0.1, -0.03, -0.09)
    return radius - 0.045 * pair(u, v, 0.035, 0.075 * s)


def bare_head(person: Person) -> tuple[np.ndarray, np.ndarray]:
    """Return the distance of the skin from the middle of the head, with and without ears, each (GRID, GRID) float32."""
    w = person.shape["face_width"]
    radius = _exit((0.0, 0.26, -0.10), (0.69 * w**0.5, 0.76, 0.86))
    for centre, radii, blend in _bones(person):
        radius = _smooth_max(radius, _exit(centre, radii), blend)
    radius = cv2.GaussianBlur(radius, (0, 0), 0.085 * TEXELS)  # flesh over bone
    for centre, radii, blend in _nose(person):
        radius = _smooth_max(radius, _exit(centre, radii), blend)
    radius = cv2.GaussianBlur(radius, (0, 0), 0.018 * TEXELS)
    face = _soft_parts(person, radius.copy())
    return _ears(person, face).astype(np.float32), face.astype(np.float32)
