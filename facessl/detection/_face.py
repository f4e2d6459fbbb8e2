"""What every detector answers with, and which of several faces a photo is about."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

Point = tuple[float, float]
Box = tuple[float, float, float, float]  # x, y, width, height
LandmarksOf = Literal["every", "chosen", "none"]  # whose landmarks are looked for: of which of a photo's faces


@dataclass(frozen=True)
class Face:
    """One face in a photo; everything in that photo's pixels, left and right as in the picture.

    What is left in the picture of a person who looks at the camera is that person's right. Eyes and landmarks are
    there only where they are plausible, so whoever finds them may align by them.
    """

    box: Box  # inside the photo
    left_eye: Point | None = None
    right_eye: Point | None = None
    angle: float = 0.0  # degrees that the eyes' line falls to the right; 0 where no eyes were found
    score: float = 0.0  # Haar: how many windows agree; YuNet: 0-1. Compare within one detector only
    landmarks: tuple[Point, ...] | None = None  # left eye, right eye, nose, left and right corner of the mouth

    @property
    def side(self) -> float:
        return max(self.box[2], self.box[3])

    @property
    def centre(self) -> Point:
        x, y, w, h = self.box
        return (x + w / 2, y + h / 2)

    @property
    def square(self) -> Box:
        """Return the square of side ``side`` around the box's centre; it may reach out of the photo."""
        x, y = self.centre
        return (x - self.side / 2, y - self.side / 2, self.side, self.side)


class FaceDetector(Protocol):
    """Anything that finds faces; it may be asked from several threads at once."""

    def find(self, image: np.ndarray) -> list[Face]:
        """Return the faces of a photo (H, W, 3) uint8 RGB, largest first; an empty list is a usual answer."""
        ...


def choose(faces: Sequence[Face], image_shape: Sequence[int]) -> Face | None:
    """Return the face the photo is about: the largest; among those nearly as large (80 %), the best centred."""
    if not faces:
        return None
    middle = (image_shape[1] / 2, image_shape[0] / 2)
    largest = max(face.side for face in faces)
    return min((face for face in faces if face.side >= 0.8 * largest), key=lambda face: math.dist(face.centre, middle))


def overlap(one: Box, other: Box) -> float:
    """Return the area that two boxes share, as a share of the area that they cover together, 0-1 (IoU)."""
    across = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    down = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    shared = max(0.0, across) * max(0.0, down)
    both = one[2] * one[3] + other[2] * other[3] - shared
    return shared / both if both > 0 else 0.0


def largest_first(faces: Sequence[Face]) -> list[Face]:
    """Return the faces in an order that depends on nothing but themselves."""
    return sorted(faces, key=lambda face: (-face.side, face.box))


def inside(box: Box, width: int, height: int) -> Box:
    """Return the part of a box that lies in the photo."""
    x, y, w, h = (float(value) for value in box)
    x0, y0 = max(0.0, x), max(0.0, y)
    return (x0, y0, min(x + w, width) - x0, min(y + h, height) - y0)
