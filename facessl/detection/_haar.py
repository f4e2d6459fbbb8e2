"""Viola and Jones' cascades, as OpenCV ships them."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from facessl.detection._eyes import plausible_pair, slope
from facessl.detection._face import Face, inside, largest_first, overlap

_CASCADES = {
    "default": "haarcascade_frontalface_default.xml",
    "alt2": "haarcascade_frontalface_alt2.xml",
    "profile": "haarcascade_profileface.xml",
    "eye": "haarcascade_eye.xml",
}
_WINDOW = 24  # pixels: no cascade sees a smaller face
_CALM_WINDOW = 30  # the photo is shrunk until its smallest wanted face is this wide
_FINE_STEP = 1.1  # pyramid step of the second looks, whatever the first one's is
# Of profiles with 5 votes or more 0 in 15 were false, of those with 3 or 4 every second one (4,773 photos).
_PROFILE_VOTES = 5

# Shares of the face box.
_EYE_BAND = (0.18, 0.60)  # where to look, from the upper edge
_EYE_SIDE = 0.08  # left out on both sides
_EYE_SIZE = (0.17, 0.35)  # of the eye cascade's box
_EYE_WIDTH = 120  # pixels that the face is brought to for the search


class _Look(NamedTuple):
    """One way of searching a photo."""

    cascade: str
    step: float
    share: float  # smallest face, as a share of the photo's shorter side
    votes: int
    border: float = 0.0  # replicated around the photo, as a share of its longer side
    needs_eyes: bool = False  # whether only faces with a plausible pair of eyes count
    mirrored: bool = False  # whether the mirrored photo is searched as well


class HaarDetector:
    """Viola and Jones' detector: a frontal face, and a plausible pair of eyes in it; a profile where there is none.

    Where the first look finds nothing, finer ones follow: a smaller step, the second cascade, the photo with a
    border (a face that fills the frame), smaller faces, profiles. Safe to use from several threads: OpenCV's cascades
    are not, so each thread loads its own.

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
            found = self._search(grey, look)
            if look.mirrored:
                found = _of_both_sides(found, self._search(cv2.flip(grey, 1), look), grey.shape[1])
            faces = [self._with_eyes(grey, face) for face in found]
            if look.needs_eyes:
                faces = [face for face in faces if face.left_eye]
            if faces:
                return faces
        return []

    def _looks(self) -> Sequence[_Look]:
        fine, share, votes = min(_FINE_STEP, self.scale_factor), self.min_size_share, self.min_neighbors
        return (
            _Look("default", self.scale_factor, share, votes),
            _Look("default", fine, share, votes),
            _Look("alt2", fine, share, votes),
            _Look("default", fine, 0.45, votes, border=0.25),
            # Of small faces without eyes 4 in 14 were none (360 natural photos); in the other looks 0 in 100.
            _Look("default", fine, 0.4 * share, votes, needs_eyes=True),
            _Look("profile", fine, share, max(votes, _PROFILE_VOTES), mirrored=True),  # knows one side only
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
        found = self._cascade(look.cascade).detectMultiScale2(small, look.step, look.votes, minSize=(least, least))
        # The two sides may round differently.
        ratio = (width / (small.shape[1] - 2 * pad), height / (small.shape[0] - 2 * pad))
        faces = []
        for (x, y, w, h), votes in zip(found[0], found[1], strict=True):
            box = inside(((x - pad) * ratio[0], (y - pad) * ratio[1], w * ratio[0], h * ratio[1]), width, height)
            faces.append(Face(box, score=float(votes)))
        return largest_first(faces)  # OpenCV's order depends on its threads

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
        return replace(face, left_eye=pair[0], right_eye=pair[1], angle=slope(*pair))

    def _cascade(self, name: str) -> Any:
        import cv2

        if not hasattr(self._own, name):
            folder = cv2.data.haarcascades  # type: ignore[attr-defined]
            setattr(self._own, name, cv2.CascadeClassifier(folder + _CASCADES[name]))
        return getattr(self._own, name)


def _of_both_sides(faces: Sequence[Face], mirrored: Sequence[Face], width: int) -> list[Face]:
    """Return the faces of a photo and of its mirror image, each once, in the photo's pixels."""
    turned = [replace(face, box=(width - face.box[0] - face.box[2], *face.box[1:])) for face in mirrored]
    kept: list[Face] = []
    for face in sorted((*faces, *turned), key=lambda face: (-face.score, face.box)):
        if all(overlap(face.box, other.box) < 0.3 for other in kept):
            kept.append(face)
    return largest_first(kept)
