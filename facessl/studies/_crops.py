"""The crops that S1's notebook learnt from: each box that a Haar cascade finds in a photo, in grey, never turned."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from facessl.dataset import FaceDataset
from facessl.errors import ImageError, SourceError
from facessl.preparation import PhotoReader
from facessl.studies._split import POOLED
from facessl.views import plain

FROM_PHOTOS = "grey, every box that a plain Haar cascade finds in a photo, not turned"
FROM_FACES = "grey, but the set's own crop: the photos it was made of could not be read any more"
TOO_FEW = "grey, but the set's own crop: in the photos a plain Haar cascade finds too few faces to split"

# As the notebook calls it.
_CASCADE = "haarcascade_frontalface_default.xml"
_STEP, _VOTES, _LEAST = 1.3, 5, (30, 30)
_NOT_LOOKED_AT = ("excluded", "unreadable")  # else it looks at every photo, also at copies and at what we call poor
_CHECKED_EVERY = 8  # photos
_ENOUGH = 5  # crops a person: a fifth of them is one


@dataclass(frozen=True)
class Crops:
    """Grey crops; one photo may have given several, or none."""

    pictures: np.ndarray  # (N, side, side) uint8
    labels: np.ndarray  # (N,) whose photo it was cut from
    splits: np.ndarray  # (N,) text: of that photo in the set
    photos: int  # looked at
    how: str  # what they are, in words


def grey(dataset: FaceDataset, side: int, workspace: Path, kept_in: Path, check: Callable[[], None]) -> Crops:
    """Return grey unaligned crops of the photos of all labelled people.

    They are kept in ``kept_in``, for several steps of one study look at the same.

    Args:
        dataset: The set.
        side: Of a crop, in pixels.
        workspace: Where the set's parents are.
        kept_in: A folder to keep them in.
        check: Called every few photos; may raise to stop.

    Returns:
        Crops ``FROM_PHOTOS``; where the source is gone the set's own, ``FROM_FACES``, and where not everybody has
        five of them, ``TOO_FEW``.
    """
    table = _photos(dataset)
    key = hashlib.sha256(table[["photo", "label", "split"]].to_csv().encode()).hexdigest()[:12]
    path = kept_in / f"every-box-{side}-{key}.npz"
    if path.exists():
        with np.load(path) as kept:
            return Crops(kept["pictures"], kept["labels"], kept["splits"], int(kept["photos"]), str(kept["how"]))
    try:
        crops = _from_photos(dataset, table, side, workspace, check)
        if np.bincount(crops.labels, minlength=len(dataset.people)).min(initial=_ENOUGH) < _ENOUGH:
            crops = _from_faces(dataset, side, TOO_FEW)
    except SourceError:  # the folder was moved, the zip deleted: an answer worth less than one with the photos, said so
        crops = _from_faces(dataset, side, FROM_FACES)
    partial = path.with_name(f".{path.stem}.partial.npz")
    np.savez(partial, **{**vars(crops), "how": np.array(crops.how)})
    partial.replace(path)
    return crops


def luminance(faces: np.ndarray) -> np.ndarray:
    """Return RGB faces (N, S, S, 3) uint8 as OpenCV's grey, (N, S, S) uint8: 0.299 R + 0.587 G + 0.114 B."""
    found = [cv2.cvtColor(face, cv2.COLOR_RGB2GRAY) for face in faces]
    return np.stack(found) if found else np.zeros(faces.shape[:3], np.uint8)


def every_box(cascade: cv2.CascadeClassifier, photo: np.ndarray, side: int) -> list[np.ndarray]:
    """Return each box found in a photo (H, W, 3) uint8 RGB, in grey, scaled to a square of ``side`` pixels.

    From left to right, for OpenCV's order depends on its threads.
    """
    whole = cv2.cvtColor(np.ascontiguousarray(photo), cv2.COLOR_RGB2GRAY)
    boxes = cascade.detectMultiScale(whole, _STEP, _VOTES, minSize=_LEAST)
    cuts = (whole[y : y + height, x : x + width] for x, y, width, height in sorted(map(tuple, boxes)))
    return [cv2.resize(cut, (side, side), interpolation=cv2.INTER_LINEAR) for cut in cuts]


def _photos(dataset: FaceDataset) -> Any:
    """Return the rows of the set's table that the notebook would have looked at."""
    table = dataset.table
    seen = table["split"].isin(POOLED) & (table["label"] >= 0) & ~table["status"].isin(_NOT_LOOKED_AT)
    return table[seen].sort_values("photo")


def _from_photos(dataset: FaceDataset, table: Any, side: int, workspace: Path, check: Callable[[], None]) -> Crops:
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + _CASCADE)  # type: ignore[attr-defined]
    reader = PhotoReader(dataset, workspace)
    found: list[np.ndarray] = []
    of: list[int] = []  # which row of the table each was cut from
    try:
        for place, photo in enumerate(table["photo"].tolist()):
            if place % _CHECKED_EVERY == 0:
                check()
            try:
                cuts = every_box(cascade, reader.read(photo), side)
            except ImageError:  # the photo has gone bad since
                continue
            found += cuts
            of += [place] * len(cuts)
    finally:
        reader.close()
    pictures = np.stack(found) if found else np.zeros((0, side, side), np.uint8)
    labels, splits = (table[name].to_numpy()[of] for name in ("label", "split"))
    return Crops(pictures, labels.astype(int), splits.astype(str), len(table), FROM_PHOTOS)


def _from_faces(dataset: FaceDataset, side: int, how: str) -> Crops:
    rows = dataset.rows(*POOLED)
    pictures = luminance(plain(np.asarray(dataset.faces[rows]), side))
    splits = dataset.crops["split"].to_numpy()[rows].astype(str)
    return Crops(pictures, dataset.labels(rows), splits, len(rows), how)
