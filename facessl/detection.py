"""Where the faces are, which one is meant, and the square that is cut out of the photo for it."""

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

Point = tuple[float, float]
Box = tuple[float, float, float, float]  # x, y, width, height

_CASCADES = {
    "default": "haarcascade_frontalface_default.xml",
    "alt2": "haarcascade_frontalface_alt2.xml",
    "eye": "haarcascade_eye.xml",
}
_WINDOW = 24  # pixels: no cascade sees a smaller face
_CALM_WINDOW = 30  # the photo is shrunk until its smallest wanted face is this wide
_FINE_STEP = 1.1  # pyramid step of the second looks, whatever the first one's is

# Eyes, in shares of the face box. On 400 LFW photos that lie level, 96 % of the pairs found had a distance of
# 0.30-0.44 and their middle 0.36-0.43 below the upper edge; a true angle is missed by 2.5 degrees (std).
_EYE_BAND = (0.18, 0.60)  # where to look, from the upper edge
_EYE_SIDE = 0.08  # left out on both sides
_EYE_SIZE = (0.17, 0.35)  # of the eye cascade's box
_EYE_WIDTH = 120  # pixels that the face is brought to for the search
_EYE_DISTANCE = (0.27, 0.50)
_EYE_HEIGHT = (0.30, 0.48)
_EYE_PLACE = (0.315, 0.395)  # of the eye in the left of the picture
MAX_ANGLE = 20.0  # degrees; Haar finds no face that is turned further, so a steeper pair is a wrong one


@dataclass(frozen=True)
class Face:
    """One face in a photo; everything in that photo's pixels."""

    box: Box  # x, y, width, height; inside the photo
    left_eye: Point | None = None  # left as in the picture, so the person's right one
    right_eye: Point | None = None
    angle: float = 0.0  # degrees that the eyes' line falls to the right; 0 where no eyes were found
    score: float = 0.0  # how many of Haar's windows agree

    @property
    def side(self) -> float:
        return max(self.box[2], self.box[3])

    @property
    def centre(self) -> Point:
        x, y, w, h = self.box
        return (x + w / 2, y + h / 2)


class _Look(NamedTuple):
    """One way of searching a photo."""

    cascade: str
    step: float
    share: float  # smallest face, as a share of the photo's shorter side
    border: float = 0.0  # replicated around the photo, as a share of its longer side
    needs_eyes: bool = False  # whether only faces with a plausible pair of eyes count


class HaarDetector:
    """Viola and Jones' detector: a frontal face, and a plausible pair of eyes in it.

    Where the first look finds nothing, finer ones follow: a smaller step, the second cascade, the photo with a
    border (a face that fills the frame), smaller faces. Safe to use from several threads: OpenCV's cascades are
    not, so each thread loads its own.

    Args:
        scale_factor: Step of the image pyramid, > 1; smaller finds more and takes longer.
        min_neighbors: How many windows must agree on a face, >= 1.
        min_size_share: Smallest face of the first look, as a share of the photo's shorter side. Bystanders
            smaller than this are not seen beside a larger face.

    Reference: Viola and Jones 2001, https://doi.org/10.1109/CVPR.2001.990517
    """

    def __init__(self, scale_factor: float = 1.2, min_neighbors: int = 5, min_size_share: float = 0.2) -> None:
        self.scale_factor = scale_factor
        self.min_neighbors = min_neighbors
        self.min_size_share = min_size_share
        self._own = threading.local()

    def find(self, image: np.ndarray) -> list[Face]:
        """Return the faces of a photo, largest first; an empty list is a usual answer.

        Args:
            image: Shape (H, W, 3) uint8, RGB.
        """
        import cv2

        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        for look in self._looks():
            faces = [self._with_eyes(grey, face) for face in self._search(grey, look)]
            if look.needs_eyes:
                faces = [face for face in faces if face.left_eye]
            if faces:
                return faces
        return []

    def _looks(self) -> Sequence[_Look]:
        fine, share = min(_FINE_STEP, self.scale_factor), self.min_size_share
        return (
            _Look("default", self.scale_factor, share),
            _Look("default", fine, share),
            _Look("alt2", fine, share),
            _Look("default", fine, 0.45, border=0.25),
            # Of small faces without eyes 4 in 14 were none (360 natural photos); in the other looks 0 in 100.
            _Look("default", fine, 0.4 * share, needs_eyes=True),
        )

    def _search(self, grey: np.ndarray, look: _Look) -> list[Face]:
        import cv2

        height, width = grey.shape
        smallest = look.share * min(height, width)
        scale = min(1.0, _CALM_WINDOW / smallest)
        small = grey if scale == 1 else cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        pad = round(look.border * max(small.shape))
        if pad:
            # Mirrored borders were tried: as many faces found, twice as many false ones.
            small = cv2.copyMakeBorder(small, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
        least = max(_WINDOW, round(smallest * scale))
        found = self._cascade(look.cascade).detectMultiScale2(
            small, look.step, self.min_neighbors, minSize=(least, least)
        )
        # The two sides may round differently.
        ratio = (width / (small.shape[1] - 2 * pad), height / (small.shape[0] - 2 * pad))
        faces = []
        for (x, y, w, h), votes in zip(found[0], found[1], strict=True):
            box = _inside(((x - pad) * ratio[0], (y - pad) * ratio[1], w * ratio[0], h * ratio[1]), width, height)
            faces.append(Face(box, score=float(votes)))
        # OpenCV's order depends on its threads.
        return sorted(faces, key=lambda face: (-face.side, face.box))

    def _with_eyes(self, grey: np.ndarray, face: Face) -> Face:
        import cv2

        x, y, w, h = (round(value) for value in face.box)
        left, top = x + round(_EYE_SIDE * w), y + round(_EYE_BAND[0] * h)
        band = grey[top : y + round(_EYE_BAND[1] * h), left : x + w - round(_EYE_SIDE * w)]
        scale = _EYE_WIDTH / w
        kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        band = cv2.resize(band, None, fx=scale, fy=scale, interpolation=kind)
        least, most = (round(share * _EYE_WIDTH) for share in _EYE_SIZE)
        # One vote is enough: the pair's geometry is the better judge.
        found, _ = self._cascade("eye").detectMultiScale2(band, 1.1, 1, minSize=(least, least), maxSize=(most, most))
        eyes = [(left + (ex + ew / 2) / scale, top + (ey + eh / 2) / scale, ew / scale) for ex, ey, ew, eh in found]
        pair = plausible_pair(face.box, eyes)
        if pair is None:
            return face
        return replace(face, left_eye=pair[0], right_eye=pair[1], angle=_angle(*pair))

    def _cascade(self, name: str) -> Any:
        import cv2

        if not hasattr(self._own, name):
            folder = cv2.data.haarcascades  # type: ignore[attr-defined]
            setattr(self._own, name, cv2.CascadeClassifier(folder + _CASCADES[name]))
        return getattr(self._own, name)


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
                and abs(_angle(left, right)) <= MAX_ANGLE
                and max(lsize, rsize) <= 1.6 * min(lsize, rsize)
            )
            if not fits:
                continue
            off = abs(lx - _EYE_PLACE[0]) + abs(rx - 1 + _EYE_PLACE[0]) + abs(middle[1] - _EYE_PLACE[1])
            cost = off + abs(lsize - rsize) / 2
            if best is None or cost < best[0]:
                best = (cost, (left, right))
    return best[1] if best else None


def choose(faces: Sequence[Face], image_shape: Sequence[int]) -> Face | None:
    """Return the face the photo is about: the largest; among those nearly as large (80 %), the best centred."""
    if not faces:
        return None
    middle = (image_shape[1] / 2, image_shape[0] / 2)
    largest = max(face.side for face in faces)
    return min((face for face in faces if face.side >= 0.8 * largest), key=lambda face: math.dist(face.centre, middle))


def crop(image: np.ndarray, face: Face, *, size: int, margin: float, align: bool) -> tuple[np.ndarray, bool]:
    """Cut a square around a face, turned level where its eyes are known.

    Args:
        image: The photo, shape (H, W, 3) uint8.
        face: A face of that photo.
        size: Side of the crop in pixels.
        margin: Border around the box on each side, as a share of the box; what lies outside the photo is mirrored.
        align: Whether to turn the eyes level.

    Returns:
        The crop, shape (size, size, 3) uint8, and whether it was turned by its eyes.
    """
    import cv2

    turned = align and face.left_eye is not None
    angle = math.radians(face.angle) if turned else 0.0
    side = face.side * (1 + 2 * margin)
    image, (cx, cy), side = _neighbourhood(image, face.centre, side, size)
    scale = size / side
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    # Photo to crop, centres of pixels at whole numbers: the box's centre goes to the crop's.
    middle = (size - 1) / 2
    matrix = np.array([[cos, sin, 0], [-sin, cos, 0]])
    matrix[:, 2] = middle - matrix[:, :2] @ (cx - 0.5, cy - 0.5)
    face_crop = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return face_crop, turned


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


def _inside(box: Box, width: int, height: int) -> Box:
    """Return the part of a box that lies in the photo."""
    x, y, w, h = box
    x0, y0 = max(0.0, x), max(0.0, y)
    return (x0, y0, min(x + w, width) - x0, min(y + h, height) - y0)


def _angle(left: Point, right: Point) -> float:
    return math.degrees(math.atan2(right[1] - left[1], right[0] - left[0]))
