"""Faces of any photo, each in a square in which it lies as the faces of a set lie in theirs."""

import math
from collections.abc import Sequence

import numpy as np

from facessl.detection._face import Face, FaceDetector, choose
from facessl.detection._haar import HaarDetector
from facessl.detection._middle import MiddleDetector

_LEAST_SEEN = 5  # faces of the set in which a detector must find one, to know how they lie
_BORDER = 0.3  # of a square, around it
# A face that lies in the middle of its photo nearly as the set's do is one of a photo that was aligned like theirs, and
# there the middle is more exact than a box, which wavers by 9 of 250 pixels on LFW's photos.
_AWAY, _LARGER = 0.2, 1.4  # of the square's side between the centres, and times that one is as large


class AlikeDetector:
    """Finds faces for a set whose photos were aligned already, so that nobody looked for a face in them.

    Other photos are not aligned. So the set's own faces are searched, and how a face lies in its square there, in the
    median, is how it will lie in the square that is given for a face of another photo.

    Args:
        faces: Some of the set's faces, each (S, S, 3) uint8. Where too few of them are found, no photo has a face but
            in its middle.
        middle: What gives the square of a photo that is aligned like the set's.
        min_size_share: Smallest face that is looked for, as a share of the photo's shorter side.
    """

    def __init__(self, faces: Sequence[np.ndarray], middle: MiddleDetector, min_size_share: float = 0.2) -> None:
        self.middle = middle
        self._detector: FaceDetector = HaarDetector(min_size_share=min_size_share)
        self._lies = _how_they_lie(faces)

    def find(self, image: np.ndarray) -> list[Face]:
        """Return for each face of a photo (H, W, 3) uint8 its square, as it is turned, largest first."""
        (aligned,) = self.middle.find(image)
        if self._lies is None:
            return [aligned]
        squares = [self._square(face) for face in self._detector.find(image)]
        off = [_off(square, aligned) for square in squares]
        if squares and min(off) <= 1:
            squares[off.index(min(off))] = aligned
        return sorted(squares, key=lambda face: -face.side)

    def _square(self, face: Face) -> Face:
        assert self._lies is not None
        across, down, share = self._lies
        side = face.side / share
        turn = math.radians(face.angle)
        x, y = (0.5 - across) * side, (0.5 - down) * side
        left = face.centre[0] + x * math.cos(turn) - y * math.sin(turn) - side / 2
        top = face.centre[1] + x * math.sin(turn) + y * math.cos(turn) - side / 2
        return Face((left, top, side, side), face.left_eye, face.right_eye, face.angle, face.score)


def _how_they_lie(faces: Sequence[np.ndarray]) -> tuple[float, float, float] | None:
    """Return where the centre of a face lies in the set's squares, and its side: medians, as shares of the square's."""
    import cv2

    detector, seen = HaarDetector(), list[tuple[float, float, float]]()
    for each in faces:
        size = len(each)
        border = round(_BORDER * size)  # a face may fill its square, and a box ends where the picture does
        framed = cv2.copyMakeBorder(each, border, border, border, border, cv2.BORDER_REPLICATE)
        if face := choose(detector.find(framed), framed.shape):
            x, y = face.centre
            seen.append(((x - border) / size, (y - border) / size, face.side / size))
    if len(seen) < _LEAST_SEEN:
        return None
    across, down, share = np.median(seen, axis=0)
    return float(across), float(down), float(share)


def _off(square: Face, aligned: Face) -> float:
    """Return how far a square is off the middle one, in what is as near as boxes are to the faces of aligned photos."""
    away = math.dist(square.centre, aligned.centre) / aligned.side / _AWAY
    return max(away, abs(math.log(square.side / aligned.side)) / math.log(_LARGER))
