"""Hair on the map: where it grows, how far it stands off, which way its strands run."""

from dataclasses import dataclass

import numpy as np

from facessl.sources._atlas import directions, grid, lookup_noise, place, smoothstep, value_noise, vector
from facessl.sources._person import Person


@dataclass(frozen=True)
class Cut:
    """One hair style; lengths in head units."""

    top: float  # how far it stands off on the crown
    side: float
    front: float = 0.0  # more above the forehead
    fringe: float = 0.0  # how far it hangs over the forehead
    length: float = 0.0  # how far the sides fall below the middle of the head, 0: short
    wave: float = 0.0
    curl: float = 0.0
    density: float = 1.0
    parted: bool = False
    knot: bool = False


CUTS = {
    "bald": Cut(0.0, 0.0, density=0.0),
    "buzz": Cut(0.02, 0.012, density=0.85),
    "crop": Cut(0.10, 0.04, front=0.03, fringe=0.10),
    "side_part": Cut(0.14, 0.06, front=0.05, parted=True),
    "quiff": Cut(0.16, 0.03, front=0.14),
    "fringe": Cut(0.13, 0.09, fringe=0.30),
    "curly": Cut(0.20, 0.16, front=0.06, fringe=0.08, curl=0.7),
    "afro": Cut(0.38, 0.34, front=0.10, curl=1.0),
    "bob": Cut(0.12, 0.12, fringe=0.26, length=0.85),
    "long_straight": Cut(0.11, 0.10, length=1.55, parted=True),
    "long_wavy": Cut(0.14, 0.15, length=1.5, wave=1.0, parted=True),
    "bun": Cut(0.07, 0.05, knot=True),
}


@dataclass(frozen=True)
class Hair:
    """Arrays over the map: cover in [0, 1], height in head units, shade around 1, how open it lies in
    [0, 1] (little at roots and undersides), strands (2, GRID, GRID): which way they run on the map."""

    cover: np.ndarray
    height: np.ndarray
    shade: np.ndarray
    open: np.ndarray
    strands: np.ndarray


def _inside(person: Person, cut: Cut, jitter: np.ndarray) -> np.ndarray:
    """Return how far a texel lies inside the hair, in map units, negative on the face."""
    u, v = grid()
    s = person.shape
    long = cut.length > 0
    lobe = smoothstep(-0.02, -0.30, v)
    half = 0.93 + (0.0 if long else 0.62) * lobe
    top = 0.80 + s["hairline"]
    corner = s["temples"] * 0.16 * np.exp(-(((np.abs(u) - 0.5) / 0.16) ** 2))
    corner = corner - 0.05 * s["peak"] * np.exp(-((u / 0.10) ** 2))
    x = np.abs(u) / half
    y = np.maximum(v + 0.25, 0) / (top + 0.25)
    oval = ((x**2.4 + y**2.4) ** (1 / 2.4) - 1) * 0.9 - np.where(v > 0.2, corner, 0)
    if long:  # beside cheek, jaw and neck the curtain keeps to the sides, at any height
        dx, _, dz = directions()
        around = (np.arctan2(np.abs(dx), dz) - 1.02) * 0.8
        oval = oval + (around - oval) * smoothstep(-0.05, -0.40, v)
    if cut.fringe:
        hang = 0.80 - cut.fringe * (1 - 0.5 * np.abs(u + 0.25 * s["part"]) ** 1.5)
        oval = np.maximum(oval, np.minimum(v - hang, 0.95 - np.abs(u)))
    if not long and cut.curl < 1:  # cut free around the ear
        eu, ev = place(0.72, -0.05, -0.10)
        ear = np.hypot((np.abs(u) - eu + 0.06) / 0.24, (v - ev - 0.02) / 0.30) - 1
        oval = np.minimum(oval, 0.25 * ear)
    return oval + jitter


def _flow(person: Person, cut: Cut) -> tuple[np.ndarray, np.ndarray]:
    """Return (across, along) coordinates of the strands: they fan out from the crown or the parting."""
    u, v = grid()
    u0 = 0.30 * person.shape["part"] if cut.parted else 0.12 * person.shape["part"]
    v0 = 1.05 if cut.parted else 1.25
    if cut.front > 0.1 or cut.knot:  # combed back: they run towards the crown from all sides
        v0 = 1.6
    du, dv = u - u0, v - v0
    distance = np.sqrt(du * du + 0.6 * dv * dv) + 1e-3
    return np.arctan2(du, -dv) * (0.6 + 0.4 * np.minimum(distance, 1.5)), distance


def _strand_noise(
    cut: Cut, across: np.ndarray, along: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return (fine, locks): single hairs and the locks they gather in, both about [-1, 1]."""
    bend = cut.wave * 0.05 * np.sin(11 * along + 3 * value_noise(rng, 5)) + 0.02 * value_noise(rng, 12)
    line = across + bend
    hairs, wisps = lookup_noise(rng, 75 * line, 3.0 * along), lookup_noise(rng, 34 * line, 2.0 * along)
    fine = 0.6 * hairs + 0.4 * wisps
    locks = lookup_noise(rng, 13 * line, 1.6 * along)
    if cut.curl:
        u, v = grid()
        wu, wv = u + 0.05 * value_noise(rng, 30), v + 0.05 * value_noise(rng, 30)
        curls = lookup_noise(rng, 23 * wu, 23 * wv)
        crumbs = lookup_noise(rng, 60 * wu, 60 * wv)
        fine = fine * (1 - cut.curl) + crumbs * cut.curl
        locks = locks * (1 - cut.curl) + (1 - 2 * np.abs(curls)) * cut.curl
    return fine, locks


def _height(person: Person, cut: Cut, radius: np.ndarray, depth: np.ndarray, locks: np.ndarray) -> np.ndarray:
    """Return how far the hair stands off the skin where it grows."""
    x, y, z = directions()
    crown = smoothstep(-0.15, 0.75, y)
    height = cut.side + (cut.top - cut.side) * crown
    height = height + cut.front * smoothstep(0.2, 0.75, z) * smoothstep(0.3, 0.8, y)
    if cut.parted:
        groove = np.exp(-(((grid()[0] - 0.30 * person.shape["part"]) / 0.035) ** 2)) * smoothstep(0.5, 0.8, grid()[1])
        height = height * (1 - 0.45 * groove)
    height = height * smoothstep(0.0, 0.14 + 0.7 * cut.side, depth) ** 0.6 * (1 + 0.16 * locks * (1 - 0.5 * cut.curl))
    if cut.knot:
        height = np.maximum(height, _knot(radius))
    if cut.length:  # the curtain beside the cheeks; what falls behind and below is the mane
        tube = 1 / np.sqrt((x / 0.78) ** 2 + (np.where(z > 0, z / 0.66, z / 0.85)) ** 2 + 1e-4)
        fall = tube * (1 + 0.03 * locks + 0.04 * cut.wave * locks) - radius
        height = np.maximum(
            height, fall * smoothstep(0.25, -0.1, y) * smoothstep(-0.96, -0.70, y) * smoothstep(0.0, 0.16, depth)
        )
    return height


def _knot(radius: np.ndarray) -> np.ndarray:
    x, y, z = directions()
    aim = vector(0, 0.97, -0.1) / np.hypot(0.97, 0.1)
    cosine = x * aim[0] + y * aim[1] + z * aim[2]
    inside = 0.30**2 - 1.17**2 * (1 - cosine**2)
    return np.where(inside > 0, 1.17 * cosine + np.sqrt(np.maximum(inside, 0)) - radius, 0)


def grow(person: Person, radius: np.ndarray, rng: np.random.Generator) -> Hair:
    """Return the hair of ``person`` on a bare head of the given radius, shape (GRID, GRID)."""
    cut = CUTS[person.style]
    across, along = _flow(person, cut)
    fine, locks = _strand_noise(cut, across, along, rng)
    hang = smoothstep(-0.96, -0.70, directions()[1]) if cut.length else 1.0  # below, the mane takes over
    ragged = 1 - 0.6 * cut.curl
    depth = _inside(person, cut, (0.035 * locks + 0.025 * fine) * ragged)
    cover = smoothstep(-0.03, 0.01, depth) * cut.density * (hang > 0.02)
    if 0 < cut.density < 1:
        cover = cover * smoothstep(0.0, 0.25, depth) ** 0.5
    height = np.maximum(_height(person, cut, radius, depth, locks), 0) * (cover > 0)
    height = height * (1 + 0.10 * fine * (1 - 0.7 * cut.curl)) if cut.density else height
    roots = (0.50 + 0.50 * smoothstep(0.0, 0.22, depth)) * (0.30 + 0.70 * hang)
    shade = (1 + 0.34 * fine + 0.24 * locks) * (0.4 + 0.6 * roots)
    u = grid()[0]
    gu, gv = np.gradient(along, axis=1), -np.gradient(along, axis=0)
    length = np.sqrt(gu * gu + gv * gv) + 1e-6
    cover, height, shade, roots = (np.broadcast_to(p, u.shape).astype("f4") for p in (cover, height, shade, roots))
    return Hair(cover, height, shade, roots, np.stack([gu / length, gv / length]))
