"""YuNet, a small network: more faces than Haar's cascades, faster, and five landmarks for each."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from facessl.detection._crop import cut, turned_square
from facessl.detection._eyes import TEMPLATE, degrees, plausible_landmarks, similarity
from facessl.detection._face import Face, LandmarksOf, Point, choose, inside, largest_first
from facessl.detection._yunet_network import YuNetNetwork
from facessl.errors import ModelError

WHERE_TO_GET_IT = "take face_detection_yunet_*.onnx from OpenCV's model zoo (opencv_zoo, models/face_detection_yunet)"

# 0-1. Of 7,701 LFW photos the chosen face had 0.77 or more; lower were faces half out of the photo, and in 213
# pictures without a face one sleeve with 0.62.
_SCORE = 0.7
_SAME_FACE = 0.3  # overlap of boxes that are one face
# Pixels to which the smallest wanted face is brought; YuNet was trained from 10 to 300. LFW's photos become 125 wide,
# which is filled up to 128: the network takes multiples of 32.
_SMALLEST = 25

# In a small picture the five points are those of an average upright face, wherever the eyes are: of a turn of
# 20 degrees they show 3 when the face is 90 pixels wide, 14 at 180 and 17 at 350. So each face is looked at again,
# enlarged, and once more turned level as far as the last look could tell.
_CLOSE = 192  # pixels of that second picture
_CLOSE_LOOKS = 3  # at most
_CLOSE_ENOUGH = 5.0  # degrees; after a smaller correction there is no further look


class YuNetDetector:
    """The network YuNet: faces also of heads turned aside, and five landmarks of those that look this way.

    The photo is shrunk until its smallest wanted face is 25 pixels wide; where nothing is found, smaller faces are
    looked for once.

    Args:
        weights: The file ``face_detection_yunet_*.onnx`` of OpenCV's model zoo.
        min_size_share: Smallest face, as a share of the photo's shorter side. Bystanders smaller than this are not
            seen beside a larger face.
        landmarks: Whose landmarks are looked for, which takes longer than finding the face: of every face, of the
            one that ``choose`` would take, or of none.

    Raises:
        ModelError: The file is missing or is not YuNet.

    Reference: Wu, Peng and Yu 2023, https://doi.org/10.1007/s11633-023-1423-y
    """

    def __init__(self, weights: Path, min_size_share: float = 0.2, landmarks: LandmarksOf = "every") -> None:
        self.weights = weights
        self.min_size_share = min_size_share
        self.landmarks = landmarks
        self._network = _read(weights)

    def find(self, image: np.ndarray) -> list[Face]:
        """Return the faces of a photo, largest first; an empty list is a usual answer.

        Args:
            image: Shape (H, W, 3) uint8, RGB.
        """
        for share in (self.min_size_share, 0.4 * self.min_size_share):
            faces = self._search(image, share)
            if faces:
                asked = self._asked(faces, image)
                return [self._with_landmarks(image, face) if face in asked else face for face in faces]
        return []

    def _asked(self, faces: list[Face], image: np.ndarray) -> list[Face]:
        """Return those whose landmarks are wanted."""
        if self.landmarks == "every":
            return faces
        chosen = choose(faces, image.shape)
        return [chosen] if chosen and self.landmarks == "chosen" else []

    def _search(self, image: np.ndarray, share: float) -> list[Face]:
        import cv2

        height, width = image.shape[:2]
        smallest = share * min(height, width)
        scale = min(1.0, _SMALLEST / smallest, self._network.longest / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = image if scale == 1 else cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        ratio = np.array([width / size[0], height / size[1]] * 2)
        faces = []
        for row in self._network.look(small, _SAME_FACE):
            x, y, w, h = row[:4] * ratio
            box = inside((x, y, w, h), width, height)
            face = Face(box, score=round(float(row[14]), 4))
            if face.score >= _SCORE and face.side >= smallest and min(box[2:]) > 0:
                faces.append(face)
        return largest_first(faces)

    def _with_landmarks(self, image: np.ndarray, face: Face, angle: float = 0.0, looks: int = _CLOSE_LOOKS) -> Face:
        """Return the face with its landmarks, if they are plausible, after at most so many looks at it."""
        landmarks = self._look_close(image, face, angle)
        if landmarks is None:
            return face
        before, angle = angle, degrees(similarity(TEMPLATE, landmarks)[0])
        if looks > 1 and abs(angle - before) >= _CLOSE_ENOUGH:
            return self._with_landmarks(image, face, angle, looks - 1)
        if not plausible_landmarks(face.square, landmarks):
            return face
        return replace(face, left_eye=landmarks[0], right_eye=landmarks[1], angle=angle, landmarks=landmarks)

    def _look_close(self, image: np.ndarray, face: Face, angle: float) -> tuple[Point, ...] | None:
        """Return five points in the photo's pixels, or None where no face is seen from close by."""
        found = self._network.look(cut(image, face.centre, face.side, angle, _CLOSE))
        if not len(found):
            return None
        # A dozen boxes see the same face, each with its own idea of the points; their median wavers less.
        rows = found[found[:, 3] > 0.6 * found[:, 3].max(), 4:14]
        points = np.median(rows, axis=0).reshape(5, 2)
        matrix = turned_square(face.centre, face.side, angle, _CLOSE)
        back = (points - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T + 0.5
        return tuple((float(px), float(py)) for px, py in back)


def _read(weights: Path) -> YuNetNetwork:
    try:
        return YuNetNetwork(weights.read_bytes())
    except ValueError as error:
        raise ModelError(f"{weights} is not the detector YuNet, or damaged; {WHERE_TO_GET_IT}.") from error
    except OSError as error:
        raise ModelError(f"The detector yunet finds no file at {weights}; {WHERE_TO_GET_IT}.") from error
