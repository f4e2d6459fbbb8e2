"""All that is not the head: what stands behind, and shoulders with clothes."""

from collections.abc import Mapping

import cv2
import numpy as np

from facessl.sources._atlas import smoothstep, value_noise


def hue(turn: float, saturation: float, value: float) -> np.ndarray:
    """Return a colour of the colour wheel in light units; ``turn`` runs from 0 to 1."""
    wheel = np.clip(np.abs((turn * 6 + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    return (value * (1 - saturation + saturation * wheel)).astype(np.float32) ** 2


def background(factors: Mapping[str, float], rng: np.random.Generator, size: int) -> np.ndarray:
    """Return an out-of-focus room, street or wall, light units, shape (size, size, 3)."""
    light, turn = factors["background_light"], factors["background_hue"]
    small: np.ndarray = np.zeros((64, 64, 3), np.float32)
    slope = np.linspace(1.25, 0.6, 64, dtype=np.float32)[:, None, None] ** float(rng.uniform(-0.5, 1.5))
    small[:] = hue(turn, float(rng.uniform(0.03, 0.38)), light) * slope
    kind = rng.random()
    if kind < 0.4:
        _room(small, turn, light, rng)
    elif kind < 0.75:
        _outdoors(small, light, rng)
    else:
        small *= (1 + 0.25 * value_noise(rng, 4, 64))[..., None]
    small = cv2.GaussianBlur(small, (0, 0), float(rng.uniform(1.0, 3.0)))
    return cv2.resize(small, (size, size), interpolation=cv2.INTER_CUBIC)


def _room(small: np.ndarray, turn: float, light: float, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(3, 9))):
        x, y = (int(c) for c in rng.integers(-10, 60, 2))
        w, h = (int(c) for c in rng.integers(5, 34, 2))
        bright = light * float(rng.uniform(0.5, 1.4))
        tone = hue(turn + float(rng.normal(0, 0.10)), float(rng.uniform(0.03, 0.4)), bright)
        cv2.rectangle(small, (x, y), (x + w, y + h), tone.tolist(), -1)
    small[58:] = small.mean((0, 1)) * 0.5


def _outdoors(small: np.ndarray, light: float, rng: np.random.Generator) -> None:
    """Sky, far trees or houses, and round spots of light between leaves."""
    horizon = int(rng.integers(20, 48))
    low, high = hue(0.58, 0.12, 0.45 + 0.5 * light), hue(0.58, 0.34, 0.30 + 0.5 * light)
    rise = np.linspace(0, 1, horizon, dtype=np.float32)[:, None, None]
    small[:horizon] = high + (low - high) * rise
    ground = hue(float(rng.choice([0.09, 0.12, 0.24, 0.28])), 0.30, 0.22 + 0.45 * light)
    small[horizon:] = ground
    tops = horizon - 6 - 7 * value_noise(rng, 7, 64)[0]
    wood = np.arange(64)[:, None] > tops[None, :]
    small[wood & (np.arange(64)[:, None] < horizon + 3)] = ground * np.float32(0.45) + hue(0.3, 0.15, 0.1)
    leaves = np.where(wood, 0.30, 0.06) * value_noise(rng, 16, 64)
    small *= (1 + leaves)[..., None].astype(np.float32)
    for _ in range(int(rng.integers(0, 14))):
        x, y = int(rng.integers(0, 64)), int(rng.integers(0, horizon + 8))
        tone = hue(float(rng.uniform(0.08, 0.30)), float(rng.uniform(0.1, 0.4)), float(rng.uniform(0.3, 1.0)))
        spot = np.zeros((64, 64), np.float32)
        cv2.circle(spot, (x, y), int(rng.integers(2, 6)), 0.45, -1, cv2.LINE_AA)
        small += (tone - small) * spot[..., None]


def torso(
    turn: float, rng: np.random.Generator, skin: np.ndarray, at: tuple[np.ndarray, np.ndarray], key: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return (reflected key light (h, w, 3), cover (h, w)) of neckline and clothes.

    Args:
        turn: Colour of the clothes on the wheel, 0 to 1.
        rng: Draws cut, fabric and folds.
        skin: Reflectance of neck and chest, (3,).
        at: Where the columns (w,) and rows (h,) are, in head units from the middle of the neck's foot.
        key: Unit vector to the lamp, (3,).
    """
    x, y = at[0][None, :], at[1][:, None]
    side = np.abs(x)
    top = 0.03 - 0.30 * smoothstep(0.20, 1.15, side) - 0.9 * smoothstep(1.02, 1.50, side)
    cover = smoothstep(-0.012, 0.012, top - y)
    depth = np.clip(top - y, 0, 1.2)
    coarse = rng.standard_normal((4, 10), dtype=np.float32)
    folds = cv2.resize(coarse, (x.shape[1], y.shape[0]), interpolation=cv2.INTER_CUBIC)
    nx = 0.70 * np.sign(x) * smoothstep(0.25, 1.45, side) + 0.16 * folds * smoothstep(0.02, 0.3, depth)
    ny = 0.80 * np.exp(-depth / 0.15) + 0.05 - 0.06 * folds
    nz = np.sqrt(np.clip(1 - nx * nx - ny * ny, 0.05, 1))
    lit = np.clip(0.20 + 0.80 * (nx * key[0] + ny * key[1] + nz * key[2]), 0, 1)
    return _outfit(turn, rng, skin, x, y) * lit[..., None], cover


def _outfit(turn: float, rng: np.random.Generator, skin: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the colours of a shirt, one photo in three with an open jacket over it."""
    shirt = _cloth(turn, rng, x, y)
    hole = _neckline(rng, x, y)  # negative outside
    colour = shirt * (1 - 0.28 * np.exp(-(((hole + 0.045) / 0.04) ** 2)))[..., None]  # the hem around the neck
    chest = skin * (1 - 0.5 * np.exp(-((hole / 0.05) ** 2)))[..., None]
    colour = colour + (chest - colour) * smoothstep(-0.008, 0.012, hole)[..., None]
    if rng.random() < 0.35:
        jacket = hue(turn + 0.45, float(rng.uniform(0.05, 0.45)), float(rng.uniform(0.12, 0.6)))
        lapel = np.abs(x) - 0.30 + 0.16 * y
        over = smoothstep(0.0, 0.02, lapel)[..., None]
        seam = np.exp(-(((lapel - 0.17 - 0.10 * np.sin(4 * y)) / 0.012) ** 2)) + np.exp(-((lapel / 0.03) ** 2))
        colour = colour + (jacket * (1 - 0.45 * np.clip(seam, 0, 1))[..., None] - colour) * over
    return colour


def _neckline(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return how far inside the neck opening a place lies: round, or a V."""
    kind, wide = rng.random(), float(rng.uniform(0.38, 0.52))
    deep = float(rng.uniform(0.16, 0.36))
    if kind < 0.6:
        return (1 - np.sqrt((x / wide) ** 2 + ((y - 0.08) / deep) ** 2)) * deep
    return (y + deep * 1.6 - np.abs(x) * (deep * 1.6 / wide)) * 0.6


def _cloth(turn: float, rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return a fabric: plain, striped across, striped down, or knitted."""
    base = hue(turn, float(rng.uniform(0.0, 0.55)), float(rng.uniform(0.18, 0.88)))
    second = hue(float(rng.random()), float(rng.uniform(0.0, 0.5)), float(rng.uniform(0.2, 0.92)))
    kind = rng.random()
    share: np.ndarray = np.zeros((y.shape[0], x.shape[1]), np.float32)
    if kind > 0.85:
        share = smoothstep(-0.25, 0.25, np.sin(y * 26 + 1.5 * x * x))
    elif kind > 0.75:
        share = 0.7 * smoothstep(-0.25, 0.25, np.sin(x * 24 + 0 * y))
    elif kind > 0.5:
        second, share = base * 0.72, 0.5 + 0.5 * np.sin(x * 75) * np.sin(y * 60)
    return base + (second - base) * share[..., None].astype(np.float32)
