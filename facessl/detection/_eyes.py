"""Whether what was taken for eyes, or for a whole set of landmarks, can be that."""

import cmath
import math
from collections.abc import Sequence

import numpy as np

from facessl.detection._face import Box, Point

# Eyes, in shares of the face box. On 400 LFW photos that lie level, 96 % of the pairs found had a distance of
# 0.30-0.44 and their middle 0.36-0.43 below the upper edge; a true angle is missed by 2.5 degrees (std).
_EYE_DISTANCE = (0.27, 0.50)
_EYE_HEIGHT = (0.30, 0.48)
_EYE_PLACE = (0.315, 0.395)  # of the eye in the left of the picture
MAX_ANGLE = 20.0  # degrees; Haar finds no face that is turned further, so a steeper pair is a wrong one

# Where YuNet sees the five landmarks in the square of its box: medians of 300 level LFW photos, made symmetric.
# ArcFace's template has the same shape but for a mouth lower by 0.05; with this one the crop stays, on average,
# where the box alone would put it.
TEMPLATE = ((0.3215, 0.376), (0.6785, 0.376), (0.5, 0.577), (0.347, 0.732), (0.653, 0.732))
MAX_LANDMARK_ANGLE = 35.0  # degrees; beyond, YuNet loses faces and its points fall short of the turn
_MOST_OFF = 0.08  # of a face's side, root mean square; of 133 level LFW photos none was above 0.08, 99 % below 0.06


def plausible_pair(box: Box, eyes: Sequence[tuple[float, float, float]]) -> tuple[Point, Point] | None:
    """Return the pair that sits most like eyes in a face box, or None when no pair could be eyes.

    Careless pairs (a nostril, an eyebrow) turn a good face askew and cost more than turning gains.

    Args:
        box: x, y, width, height of the face.
        eyes: Candidates, each (x, y, width of its box), in the same pixels.
    """
    x, y, w, h = box
    best: tuple[float, tuple[Point, Point]] | None = None
    placed = [((ex - x) / w, (ey - y) / h, size / w, (ex, ey)) for ex, ey, size in eyes]
    for lx, ly, lsize, left in placed:
        for rx, ry, rsize, right in placed:
            middle = (lx + rx) / 2, (ly + ry) / 2
            fits = (
                lx < 0.5 < rx
                and _EYE_DISTANCE[0] <= math.hypot(rx - lx, ry - ly) <= _EYE_DISTANCE[1]
                and _EYE_HEIGHT[0] <= middle[1] <= _EYE_HEIGHT[1]
                and abs(middle[0] - 0.5) <= 0.12
                and abs(slope(left, right)) <= MAX_ANGLE
                and max(lsize, rsize) <= 1.6 * min(lsize, rsize)
            )
            if not fits:
                continue
            off = abs(lx - _EYE_PLACE[0]) + abs(rx - 1 + _EYE_PLACE[0]) + abs(middle[1] - _EYE_PLACE[1])
            cost = off + abs(lsize - rsize) / 2
            if best is None or cost < best[0]:
                best = (cost, (left, right))
    return best[1] if best else None


def plausible_landmarks(square: Box, landmarks: Sequence[Point]) -> bool:
    """Return whether five points can be the landmarks of the face in ``square``.

    They must fit the template, be turned by no more than ``MAX_LANDMARK_ANGLE``, and their eyes must be a plausible
    pair once the face is level: a profile, whose eyes are close together, is not aligned by them.
    """
    turn, shift = similarity(TEMPLATE, landmarks)
    if abs(degrees(turn)) > MAX_LANDMARK_ANGLE:
        return False
    off = _complex(TEMPLATE) * turn + shift - _complex(landmarks)
    if math.sqrt(float(np.mean(np.abs(off) ** 2))) > _MOST_OFF * abs(turn):
        return False
    middle = complex(square[0] + square[2] / 2, square[1] + square[3] / 2)
    level = [middle + (complex(*eye) - middle) * abs(turn) / turn for eye in landmarks[:2]]
    return plausible_pair(square, [(eye.real, eye.imag, 1.0) for eye in level]) is not None


def similarity(source: Sequence[Point], target: Sequence[Point]) -> tuple[complex, complex]:
    """Return the turn, scaling and shift that brings one set of points closest to another, by least squares.

    Points are complex numbers here, so a turn with a scaling is one factor, and nothing is ever mirrored.

    Returns:
        a, b of ``target ≈ a · source + b``: |a| is the scaling, the angle of a the turn (y points down: clockwise).

    Reference: Umeyama 1991, https://doi.org/10.1109/34.88573, in two dimensions.
    """
    z, w = _complex(source), _complex(target)
    centred = z - z.mean()
    a = np.vdot(centred, w - w.mean()) / np.vdot(centred, centred).real
    return complex(a), complex(w.mean() - a * z.mean())


def degrees(turn: complex) -> float:
    return math.degrees(cmath.phase(turn))


def slope(left: Point, right: Point) -> float:
    """Return the degrees by which the line from left to right falls."""
    return math.degrees(math.atan2(right[1] - left[1], right[0] - left[0]))


def _complex(points: Sequence[Point]) -> np.ndarray:
    return np.asarray(points, dtype=np.float64) @ np.array([1, 1j])
