"""The map a head is drawn on: directions from the middle of the head, flattened by Lambert's equal-area projection.

Head space: x to the viewer's right, y up, z out of the face; 1 is half a head's height. A direction (x, y, z)
lies at u = x·q, v = y·q with q = sqrt(2 / (1 + z)). The face is in the middle, and nothing tears up to 140° around.
"""

from functools import lru_cache

import cv2
import numpy as np

GRID = 320  # texels a side
EXTENT = 1.9  # u and v run from -EXTENT to EXTENT
TEXELS = (GRID - 1) / (2 * EXTENT)  # per unit of u
MIDDLE = (GRID - 1) / 2


def vector(*values: float) -> np.ndarray:
    """Return a small float32 array: a float64 one would turn whole pictures into float64."""
    return np.array(values, np.float32)


@lru_cache(maxsize=1)
def grid() -> tuple[np.ndarray, np.ndarray]:
    """Return (u, v) of every texel, each of shape (GRID, GRID); v grows upwards, so row 0 is the top."""
    axis = np.linspace(-EXTENT, EXTENT, GRID, dtype=np.float32)
    u, v = np.meshgrid(axis, -axis)
    return u, v


@lru_cache(maxsize=1)
def directions() -> np.ndarray:
    """Return the unit vector of every texel, shape (3, GRID, GRID)."""
    u, v = grid()
    rho2 = np.minimum(u * u + v * v, 3.99)
    q = np.sqrt(1 - rho2 / 4)
    d = np.stack([u * q, v * q, 1 - rho2 / 2])
    return (d / np.linalg.norm(d, axis=0)).astype(np.float32)


def place(x: float, y: float, z: float) -> tuple[float, float]:
    """Return (u, v) of a point of head space."""
    n = float(np.sqrt(x * x + y * y + z * z))
    q = float(np.sqrt(2 / (1 + z / n))) / n
    return x * q, y * q


def bump(u0: float, v0: float, su: float, sv: float) -> np.ndarray:
    """Return a Gaussian hill of height 1 on the map, shape (GRID, GRID)."""
    axis = np.linspace(-EXTENT, EXTENT, GRID, dtype=np.float32)
    across = np.exp(-0.5 * ((axis - u0) / su) ** 2)
    down = np.exp(-0.5 * ((-axis - v0) / sv) ** 2)
    return down[:, None] * across[None, :]


def pair(u0: float, v0: float, su: float, sv: float) -> np.ndarray:
    """Return the same hill on both halves of the face."""
    return bump(u0, v0, su, sv) + bump(-u0, v0, su, sv)


def smoothstep(low: float, high: float, x: np.ndarray) -> np.ndarray:
    """Return 0 below ``low``, 1 above ``high`` and a smooth way between; the two may be swapped."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def value_noise(rng: np.random.Generator, cells: int, size: int = GRID) -> np.ndarray:
    """Return smooth noise in about [-1, 1], shape (size, size), ``cells`` hills a side."""
    coarse = rng.random((cells + 3, cells + 3), dtype=np.float32) * 2 - 1
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)


def lookup_noise(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return smooth noise in about [-1, 1] at any coordinates, one hill a unit; it repeats after 256."""
    table = rng.random((256, 256), dtype=np.float32) * 2 - 1
    return cv2.remap(table, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
