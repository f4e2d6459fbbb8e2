"""The crops that S1's notebook learnt from: grey, cut straight from the photo by the detector's box, never turned."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from facessl.dataset import FaceDataset
from facessl.errors import ImageError, SourceError
from facessl.preparation import PhotoReader
from facessl.views import plain

FROM_PHOTOS = "grey, cut from the photo by the detector's box, not turned"
FROM_FACES = "grey, but the set's own crop: the photos it was made of could not be read any more"
_CHECKED_EVERY = 32  # photos


def grey(
    dataset: FaceDataset, rows: np.ndarray, side: int, workspace: Path, kept_in: Path, check: Callable[[], None]
) -> tuple[np.ndarray, str]:
    """Return grey unaligned crops of face rows, and in words what they are.

    They are kept in ``kept_in``, for several steps of one study look at the same.

    Args:
        dataset: The set.
        rows: Shape (N,), face rows of it.
        side: Of a crop, in pixels.
        workspace: Where the set's parents are.
        kept_in: A folder to keep them in.
        check: Called every few photos; may raise to stop.

    Returns:
        Crops, shape (N, side, side) uint8, and ``FROM_PHOTOS`` or, if the source is gone, ``FROM_FACES``.
    """
    key = hashlib.sha256(np.ascontiguousarray(rows, np.int64).tobytes()).hexdigest()[:12]
    path = kept_in / f"grey-{side}-{key}.npz"
    if path.exists():
        with np.load(path) as kept:
            return kept["crops"], str(kept["how"])
    try:
        crops, how = _from_photos(dataset, rows, side, workspace, check), FROM_PHOTOS
    except SourceError:  # the folder was moved, the zip deleted: an answer worth less than one with the photos, said so
        crops, how = luminance(plain(np.asarray(dataset.faces[rows]), side)), FROM_FACES
    partial = path.with_name(f".{path.stem}.partial.npz")
    np.savez(partial, crops=crops, how=np.array(how))
    partial.replace(path)
    return crops, how


def luminance(faces: np.ndarray) -> np.ndarray:
    """Return RGB faces (N, S, S, 3) uint8 as OpenCV's grey, (N, S, S) uint8: 0.299 R + 0.587 G + 0.114 B."""
    found = [cv2.cvtColor(face, cv2.COLOR_RGB2GRAY) for face in faces]
    return np.stack(found) if found else np.zeros(faces.shape[:3], np.uint8)


def straight_crop(photo: np.ndarray, box: tuple[float, float, float, float], side: int) -> np.ndarray | None:
    """Return a photo's box in grey, scaled to a square whatever its shape, as the notebook does; None outside of it.

    Args:
        photo: Shape (H, W, 3) uint8 RGB.
        box: x, y, width and height in pixels of the photo.
        side: Of the result, in pixels.
    """
    if not all(np.isfinite(box)):
        return None
    x, y, width, height = (round(value) for value in box)
    cut = photo[max(0, y) : max(0, y + height), max(0, x) : max(0, x + width)]
    if not cut.size:
        return None
    grey_cut = cv2.cvtColor(np.ascontiguousarray(cut), cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey_cut, (side, side), interpolation=cv2.INTER_LINEAR)


def _from_photos(
    dataset: FaceDataset, rows: np.ndarray, side: int, workspace: Path, check: Callable[[], None]
) -> np.ndarray:
    table = dataset.crops.iloc[rows]
    boxes = table[["box_x", "box_y", "box_w", "box_h"]].to_numpy(dtype=float)
    reader = PhotoReader(dataset, workspace)
    found = np.zeros((len(rows), side, side), np.uint8)
    try:
        for place, photo in enumerate(table["photo"].tolist()):
            if place % _CHECKED_EVERY == 0:
                check()
            found[place] = _one(reader, photo, boxes[place], side, dataset, int(rows[place]))
    finally:
        reader.close()
    return found


def _one(reader: PhotoReader, photo: int, box: np.ndarray, side: int, dataset: FaceDataset, row: int) -> np.ndarray:
    """Return one crop; the set's own where the detector found nothing, or the photo has gone bad since."""
    try:
        x, y, width, height = box.tolist()
        cut = straight_crop(reader.read(photo), (x, y, width, height), side)
    except ImageError:
        cut = None
    return luminance(plain(np.asarray(dataset.faces[row : row + 1]), side))[0] if cut is None else cut
