"""Detectors side by side on the same photos: how many faces each finds, and how long it takes."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from facessl.detection import Face, FaceDetector, choose, overlap
from facessl.errors import DatasetError

SAME_FACE = 0.5  # overlap (IoU) from which two detectors mean the same face


@dataclass(frozen=True)
class DetectorScore:
    """What one detector made of the photos."""

    name: str
    photos: int
    found: int  # photos with a face or more
    one: int  # photos with exactly one
    several: int
    faces: int  # in all photos together
    eyes: int  # photos whose chosen face has plausible eyes, so it would be aligned
    ms_per_photo: float  # median, of finding alone; one thread unless OpenCV was told otherwise
    agreement: dict[str, float]  # by other detector: share (0-1) of all photos where both answer alike


def compare(
    photos: Iterable[np.ndarray],
    detectors: Mapping[str, FaceDetector],
    progress: Callable[[int], None] = lambda done: None,
) -> list[DetectorScore]:
    """Show every photo to every detector.

    Two detectors answer alike where both find nothing, or where the faces that they would choose overlap by half.

    Args:
        photos: Each (H, W, 3) uint8 RGB; read one at a time, never kept.
        detectors: By name.
        progress: Called after each photo with how many are done.

    Returns:
        One score a detector, in their order.

    Raises:
        DatasetError: There is no photo.
    """
    tallies = {name: _Tally() for name in detectors}
    for done, photo in enumerate(photos, start=1):
        if done == 1:
            for detector in detectors.values():
                detector.find(photo)  # loads its files, which belongs to no photo
        chosen = {name: tallies[name].look(photo, detector) for name, detector in detectors.items()}
        for name, face in chosen.items():
            tallies[name].alike.update(other for other in chosen if _alike(face, chosen[other]))
        progress(done)
    if any(not tally.found for tally in tallies.values()):
        raise DatasetError("There is no photo to compare detectors on; choose a set with photos that can be read.")
    return [tally.score(name, [other for other in tallies if other != name]) for name, tally in tallies.items()]


@dataclass
class _Tally:
    """What is counted of one detector while the photos go by."""

    found: list[int] = field(default_factory=list)  # faces, a number a photo
    seconds: list[float] = field(default_factory=list)
    eyes: int = 0
    alike: Counter[str] = field(default_factory=Counter)

    def look(self, photo: np.ndarray, detector: FaceDetector) -> Face | None:
        """Count what the detector sees, and return the face that it would choose."""
        start = time.perf_counter()
        faces = detector.find(photo)
        self.seconds.append(time.perf_counter() - start)
        self.found.append(len(faces))
        face = choose(faces, photo.shape)
        self.eyes += face is not None and face.left_eye is not None
        return face

    def score(self, name: str, others: Sequence[str]) -> DetectorScore:
        photos = len(self.found)
        return DetectorScore(
            name=name,
            photos=photos,
            found=sum(number > 0 for number in self.found),
            one=self.found.count(1),
            several=sum(number > 1 for number in self.found),
            faces=sum(self.found),
            eyes=self.eyes,
            ms_per_photo=round(1000 * median(self.seconds), 2),
            agreement={other: round(self.alike[other] / photos, 4) for other in others},
        )


def _alike(one: Face | None, other: Face | None) -> bool:
    if one is None or other is None:
        return one is other
    # Squares, for a narrow box and a square one around the same face overlap little.
    return overlap(one.square, other.square) >= SAME_FACE
