"""Rays against a baked head: where each pixel meets it, and where on the map that is.

Relief mapping as by Policarpo, Oliveira and Comba (2005): march along the ray while the height field, looked up
with ``cv2.remap``, lies below it. The march runs at half size, four more looks at full size settle it.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from facessl.sources._atlas import MIDDLE, TEXELS

CAMERA = 5.5  # distance of the camera in head units
_FRONT, _BACK = 1.2, -0.75  # the depths between which a surface is looked for
_STEPS = 20
_MET = 0.012  # closer than this is a hit


@dataclass(frozen=True)
class View:
    """Where the head is seen: its turn, and the window of the photo that holds it."""

    turn: np.ndarray  # (3, 3), head space to camera space
    unit: float  # pixels per head unit
    x: np.ndarray  # (w,) camera coordinates of the window's columns
    y: np.ndarray  # (h,) and of its rows, upwards


@dataclass(frozen=True)
class Hit:
    """What each pixel of the window sees, arrays of shape (h, w)."""

    z: np.ndarray  # depth in camera space, towards the viewer
    u: np.ndarray
    v: np.ndarray
    cover: np.ndarray  # 0 past the outline … 1 on the head
    rays: tuple[np.ndarray, ...]  # start x, y, z and step x, y, z per unit of depth, in head space


def turn_of(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Return the rotation from head space to camera space for angles in degrees."""
    a, b, c = np.deg2rad([yaw, pitch, roll])
    ya = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    pi = np.array([[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]])
    ro = np.array([[np.cos(c), np.sin(c), 0], [-np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return (ro @ pi @ ya).astype(np.float32)


def _rays(turn: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, ...]:
    x, y = x[None, :].astype(np.float32), y[:, None].astype(np.float32)
    start = [turn[0, i] * x + turn[1, i] * y for i in range(3)]
    step = [turn[2, i] - start[i] / np.float32(CAMERA) for i in range(3)]
    return (*start, *step)


def _look(radius: np.ndarray, rays: tuple[np.ndarray, ...], z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (height above the surface, map column, map row) of the rays at depth z."""
    px, py, pz = (rays[i] + z * rays[i + 3] for i in range(3))
    n = np.sqrt(px * px + py * py + pz * pz)
    q = np.sqrt(2 / (n * (n + pz) + np.float32(1e-6))) * np.float32(TEXELS)
    column, row = MIDDLE + px * q, MIDDLE - py * q
    return n - cv2.remap(radius, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), column, row


def trace(radius: np.ndarray, view: View) -> Hit:
    """March all rays of the window; see the module."""
    rays = _rays(view.turn, _halved(view.x), _halved(view.y))
    z: np.ndarray = np.full(rays[0].shape, _FRONT, np.float32)
    nearest, best = np.full_like(z, np.inf), z
    for _ in range(_STEPS):
        above, _, _ = _look(radius, rays, z)
        best = np.where((above < nearest) | (nearest < _MET), z, best)
        nearest = np.minimum(nearest, above)
        step = np.where(above > _MET, np.maximum(0.8 * above, 0.035), 0.6 * above)
        z = np.maximum(z - step, _BACK)
    signed = _outline(radius, rays, best, nearest)
    rays = _rays(view.turn, view.x, view.y)
    z = cv2.resize(best, (len(view.x), len(view.y)), interpolation=cv2.INTER_LINEAR)
    for _ in range(3):
        above, _, _ = _look(radius, rays, z)
        z = z - np.float32(0.6) * above
    above, column, row = _look(radius, rays, z)
    outside = cv2.resize(signed, z.shape[::-1], interpolation=cv2.INTER_LINEAR)
    cover = np.clip(np.float32(0.5) - outside * np.float32(view.unit), 0, 1)
    return Hit(z, (column - MIDDLE) / TEXELS, (MIDDLE - row) / TEXELS, cover, rays)


def _outline(radius: np.ndarray, rays: tuple[np.ndarray, ...], z: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """Return how far a ray passes outside the head, or how deep it dives inside (negative): its zero is the outline."""
    met = nearest < _MET
    first, second = (
        _look(radius, rays, z + np.where(met, np.float32(inside), np.float32(outside)))[0]
        for inside, outside in ((-0.06, 0.03), (-0.13, -0.03))
    )
    closest = np.minimum(first, second)
    signed = np.where(met, np.clip(closest, -0.05, 0), np.clip(np.minimum(nearest, closest), 0, 0.1))
    return cv2.GaussianBlur(signed, (0, 0), 0.6)


def _halved(axis: np.ndarray) -> np.ndarray:
    """Return half as many places along an axis, where cv2.resize takes them to be."""
    n = (len(axis) + 1) // 2
    return axis[0] + (axis[1] - axis[0]) * ((np.arange(n) + 0.5) * (len(axis) / n) - 0.5)
