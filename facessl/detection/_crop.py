"""The square that is cut out of a photo for a face."""

import math

import numpy as np

from facessl.detection._eyes import TEMPLATE, degrees, similarity
from facessl.detection._face import Face, Point

_ACROSS = 0.7  # of the way from the middle of the box to that of the landmarks


def crop(image: np.ndarray, face: Face, *, size: int, margin: float, align: bool) -> tuple[np.ndarray, bool]:
    """Cut a square around a face, aligned where its eyes or landmarks are known.

    Eyes turn the face level around the middle of its box. Landmarks do the same more exactly, and also say how high
    in the square the face belongs.

    Args:
        image: The photo, shape (H, W, 3) uint8.
        face: A face of that photo.
        size: Side of the crop in pixels.
        margin: Border around the box on each side, as a share of the box; what lies outside the photo is mirrored.
        align: Whether to use eyes and landmarks at all.

    Returns:
        The crop, shape (size, size, 3) uint8, and whether it was aligned.
    """
    aligned = align and (face.landmarks is not None or face.left_eye is not None)
    centre, side, angle = _square(face) if aligned else (face.centre, face.side, 0.0)
    return cut(image, centre, side * (1 + 2 * margin), angle, size), aligned


def cut(image: np.ndarray, centre: Point, side: float, angle: float, size: int) -> np.ndarray:
    """Return the square of a photo around ``centre`` that is turned by ``angle`` degrees, as (size, size, 3)."""
    import cv2

    image, centre, side = _neighbourhood(image, centre, side, size)
    matrix = turned_square(centre, side, angle, size)
    return cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def turned_square(centre: Point, side: float, angle: float, size: int) -> np.ndarray:
    """Return the (2, 3) matrix that takes that square to (size, size), centres of pixels at whole numbers."""
    scale, turn = size / side, math.radians(angle)
    cos, sin = scale * math.cos(turn), scale * math.sin(turn)
    matrix = np.array([[cos, sin, 0], [-sin, cos, 0]])
    matrix[:, 2] = (size - 1) / 2 - matrix[:, :2] @ (centre[0] - 0.5, centre[1] - 0.5)
    return matrix


def _square(face: Face) -> tuple[Point, float, float]:
    """Return centre, side and angle of the square that an aligned crop with no margin shows."""
    if face.landmarks is None:
        return face.centre, face.side, face.angle
    turn, shift = similarity(TEMPLATE, face.landmarks)  # of the unit square onto the photo
    # Boxes waver from side to side (by 9 pixels on LFW's photos, which are aligned), and points move to the side to
    # which a head turns. Most of the way to the points is best where faces are compared mirrored and whitened, as
    # embeddings are: 2 points in verification on pixels (docs/LOG.md). Pixels as they are lose a point or two by it.
    level, centre = turn / abs(turn), complex(*face.centre)
    offset = (turn * complex(0.5, 0.5) + shift - centre) / level
    centre += complex(_ACROSS * offset.real, offset.imag) * level
    return (centre.real, centre.imag), (face.side + abs(turn)) / 2, degrees(turn)


def _neighbourhood(image: np.ndarray, centre: Point, side: float, size: int) -> tuple[np.ndarray, Point, float]:
    """Return the part of the photo that a turned square may touch, shrunk when it is over twice too large."""
    import cv2

    height, width = image.shape[:2]
    reach = 0.75 * side + 2  # half a square's diagonal, and a little more
    left, right = max(0, math.floor(centre[0] - reach)), min(width, math.ceil(centre[0] + reach))
    top, bottom = max(0, math.floor(centre[1] - reach)), min(height, math.ceil(centre[1] + reach))
    part = image[top:bottom, left:right]
    x, y = centre[0] - left, centre[1] - top
    if side <= 2 * size:
        return part, (x, y), side
    # A linear warp skips pixels when it shrinks a lot (aliasing); area averaging does not.
    shrink = size / side
    new = (max(1, round(part.shape[1] * shrink)), max(1, round(part.shape[0] * shrink)))
    across, down = new[0] / part.shape[1], new[1] / part.shape[0]
    return cv2.resize(part, new, interpolation=cv2.INTER_AREA), (x * across, y * down), side * (across + down) / 2
