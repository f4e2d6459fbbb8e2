"""Spectacle frames: outlines in a plane before the eyes, so they shift against the face as it turns."""

import numpy as np

from facessl.sources._atlas import smoothstep, vector
from facessl.sources._person import Person
from facessl.sources._trace import Hit, View

_PLANE = 0.79  # how far before the middle of the head the lenses stand
_TONES = ((0.015, 0.015, 0.02), (0.09, 0.035, 0.015), (0.06, 0.055, 0.05), (0.07, 0.012, 0.02))


def put_on(person: Person, hit: Hit, view: View, image: np.ndarray, brightness: float) -> np.ndarray:
    """Draw the person's glasses into the lit picture of the head, (h, w, 3), in place; return their frame's cover."""
    frame = np.zeros_like(hit.z)
    _, y0, z0, _, dy, dz = hit.rays
    py = y0 + (_PLANE - z0) / dz * dy
    rows = np.flatnonzero((np.abs(py) < 0.3).any(1))
    if len(rows):
        part = np.s_[rows[0] : rows[-1] + 1]
        cut = Hit(hit.z[part], hit.u[part], hit.v[part], hit.cover[part], tuple(ray[part] for ray in hit.rays))
        frame[part] = _draw(person, cut, 0.9 / view.unit, image[part], brightness)
    return frame


def _draw(person: Person, hit: Hit, soft: float, image: np.ndarray, brightness: float) -> np.ndarray:
    rng = np.random.default_rng(person.texture_seed + 1)
    tone = vector(*_TONES[int(rng.integers(len(_TONES)))])
    thick = float(rng.uniform(0.016, 0.028))
    wide = 0.55 * person.shape["face_width"]
    x0, y0, z0, dx, dy, dz = hit.rays
    depth = (_PLANE - z0) / dz  # where the ray crosses the plane of the lenses,
    depth = (_PLANE - 0.30 * np.minimum((x0 + depth * dx) ** 2, 0.4) - z0) / dz  # which bends back at the temples
    px, py = x0 + depth * dx, y0 + depth * dy
    front = (depth > hit.z - 0.05) | (hit.cover < 0.5)
    edge = _outline(person, np.abs(px), py - 0.03)
    rim = smoothstep(thick / 2 + soft, thick / 2 - soft / 2, np.abs(edge))
    bridge = smoothstep(thick / 2 + soft, 0, np.abs(py - 0.06)) * (np.abs(px) < 0.10)
    hinge = smoothstep(thick / 2 + soft, 0, np.abs(py - 0.05)) * (edge > 0) * (np.abs(px) > 0.4) * (np.abs(px) < wide)
    frame = np.maximum(np.maximum(np.maximum(rim, bridge), hinge) * front, _arms(hit, wide, thick, soft))
    glass = (edge < 0) * front
    glare = glass * np.clip(0.10 + 0.9 * (px * 0.8 + py), 0, 0.3) * np.float32(0.03 * brightness)
    dim = 1 - 0.18 * smoothstep(0.06, 0.0, np.abs(edge + 0.05)) * front - 0.16 * glass
    gleam = 0.4 + brightness + 0.35 * brightness * smoothstep(0.3, 0.9, np.sin(9 * px + 5 * py))
    for c in range(3):
        plane = image[..., c] * dim + glare
        image[..., c] = plane + (tone[c] * gleam - plane) * frame
    return frame


def _outline(person: Person, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the distance to the lens' edge, negative inside; x is mirrored."""
    x = x - 0.285 - person.shape["eye_distance"]
    if person.frame == "round":
        return np.hypot(x, y) - 0.165
    width, height, corner = (0.195, 0.122, 0.06) if person.frame == "square" else (0.215, 0.112, 0.09)
    qx, qy = np.abs(x) - width + corner, np.abs(y - 0.05 * x * (person.frame == "wide")) - height + corner
    return np.hypot(np.maximum(qx, 0), np.maximum(qy, 0)) + np.minimum(np.maximum(qx, qy), 0) - corner


def _arms(hit: Hit, wide: float, thick: float, soft: float) -> np.ndarray:
    """Return where the arms are seen, running back from the rims outside the temples."""
    x0, y0, z0, dx, dy, dz = hit.rays
    seen = np.zeros_like(hit.z)
    for side in (1, -1):
        depth = (side * wide - x0) / np.where(np.abs(dx) < 1e-3, 1e-3, dx)
        py, pz = y0 + depth * dy, z0 + depth * dz
        on = smoothstep(thick / 2 + soft, thick / 2 - soft / 2, np.abs(py - 0.05)) * (pz < _PLANE - 0.10) * (pz > -0.1)
        seen = np.maximum(seen, on * (depth > hit.z - 0.02))
    return seen
