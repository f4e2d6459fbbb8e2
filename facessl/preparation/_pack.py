"""Parts on disk, and the finished set that is made of them."""

import io
import json
import os
import shutil
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facessl import files
from facessl.config import PrepareRecipe
from facessl.dataset import SPLITS
from facessl.duplicates import THUMBNAIL
from facessl.errors import DatasetError
from facessl.images import encode_jpeg
from facessl.preparation._plan import Plan
from facessl.preparation._sides import one_side
from facessl.sources import Photo

if TYPE_CHECKING:
    import pandas as pd

# What a photo's row says where its part says nothing.
EMPTY: dict[str, Any] = {
    "status": "",
    "reason": "",
    "width": 0,
    "height": 0,
    "found": 0,
    **dict.fromkeys(("box_x", "box_y", "box_w", "box_h"), np.nan),
    **dict.fromkeys(("left_eye_x", "left_eye_y", "right_eye_x", "right_eye_y"), np.nan),
    "angle": np.nan,
    "aligned": False,
    **dict.fromkeys(("sharpness", "brightness", "contrast", "turn"), np.nan),
    "flaws": "",
    "hash": "",
}


def write_part(
    building: Path,
    index: int,
    crops: Sequence[np.ndarray],
    thumbnails: Sequence[np.ndarray],
    rows: Sequence[dict[str, Any]],
    size: int,
) -> None:
    """Keep a chunk's crops and thumbnails and one row a photo; the rows come last and make the part valid."""
    folder = building / "parts"
    folder.mkdir(exist_ok=True)
    for kind, pictures, shape in (("faces", crops, (size, size, 3)), ("small", thumbnails, (THUMBNAIL, THUMBNAIL))):
        encoded = io.BytesIO()
        np.save(encoded, np.array(pictures, np.uint8).reshape(-1, *shape))
        partial = folder / f".{index:06d}.{os.getpid()}.{kind}.npy"
        partial.write_bytes(encoded.getbuffer())
        partial.replace(folder / f"{index:06d}.{kind}.npy")
    files.write_text(folder / f"{index:06d}.json", json.dumps(list(rows)))


def part_exists(building: Path, index: int) -> bool:
    return (building / "parts" / f"{index:06d}.json").exists()


def _pictures(building: Path, index: int, kind: str = "faces") -> np.ndarray:
    return np.load(building / "parts" / f"{index:06d}.{kind}.npy")


def pack(
    building: Path, plan: Plan, photos: Sequence[Photo], recipe: PrepareRecipe
) -> tuple[dict[str, Any], list[str]]:
    """Make ``faces.npy`` and ``faces.parquet`` of all parts and return what there is to count and to note.

    Raises:
        DatasetError: There is not one face.
    """
    parts = sorted(int(path.stem) for path in (building / "parts").glob("[0-9]*.json"))
    rows = [row for part in parts for row in json.loads((building / "parts" / f"{part:06d}.json").read_text())]
    table = _table(rows, plan, photos)
    if not (table["status"] == "kept").any():
        unreadable = int((table["status"] == "unreadable").sum())
        shutil.rmtree(building)
        raise DatasetError(
            "None of the photos can be read, so there is no set; are they damaged, or no pictures at all?"
            if unreadable == len(rows)
            else f"No face was found in the {len(rows):,} photos ({unreadable:,} could not be read), so there is no "
            "set; take photos that show faces from the front, or let the detector look more closely: a smaller pyramid "
            "step (scale_factor), fewer votes (min_neighbors)."
        )
    thumbnails = np.concatenate([_pictures(building, part, "small") for part in parts])
    leak: dict[str, int] = {}
    if recipe.duplicates:
        table, leak = one_side(table, thumbnails)
        _refile(building / "set" / "scaled", plan, table)
    _write_faces(building, parts, (int((table["face"] >= 0).sum()), recipe.size, recipe.size, 3))
    np.save(building / "set" / "thumbnails.npy", thumbnails)
    table.to_parquet(building / "set" / "faces.parquet", index=False)
    return _counts(table, plan) | leak, _notes(table, plan, leak)


def _write_faces(building: Path, parts: Sequence[int], shape: tuple[int, ...]) -> None:
    """Write ``faces.npy``, one part in memory at a time.

    Not through a memory map: on a full disk that ends the process without a word.
    """
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    with open(building / "set" / "faces.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for part in parts:
            file.write(np.ascontiguousarray(_pictures(building, part)).tobytes())


def _refile(scaled: Path, plan: Plan, table: "pd.DataFrame") -> None:
    """Move in ``scaled/`` what has changed sides since the crops were written, and drop what is not used."""
    for place, split, status in zip(plan.places, table["split"], table["status"], strict=True):
        if status == "duplicate":
            (scaled / place.file).unlink(missing_ok=True)
        elif split != place.split and (scaled / place.file).exists():
            moved = scaled / split / Path(place.file).relative_to(place.split)
            moved.parent.mkdir(parents=True, exist_ok=True)
            (scaled / place.file).rename(moved)


def publish(building: Path, target: Path, info: dict[str, Any]) -> None:
    """Say what the set is, and put it in its place in one step."""
    files.write_json(building / "set" / "dataset.json", info)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        (building / "set").rename(target)
    except OSError as error:
        if target.exists():
            raise DatasetError(f"A set called {target.name!r} was made meanwhile; choose another name.") from error
        raise
    shutil.rmtree(building)


def _table(rows: Sequence[dict[str, Any]], plan: Plan, photos: Sequence[Photo]) -> "pd.DataFrame":
    import pandas as pd

    full = [EMPTY | row for row in rows]
    readable = np.array([row["status"] != "unreadable" for row in full])
    table = pd.DataFrame(
        {
            "photo": [place.photo for place in plan.places],
            "path": [photo.path for photo in photos],
            "person": [plan.people[place.label] if place.label >= 0 else "" for place in plan.places],
            "named": [photo.person or "" for photo in photos],
            "label": [place.label for place in plan.places],
            "split": [place.split for place in plan.places],
            "split_before": [place.split for place in plan.places],
            "status": [row["status"] for row in full],
            "reason": [row["reason"] for row in full],
            "face": np.where(readable, np.cumsum(readable) - 1, -1),
            "group": np.full(len(full), -1),
        }
    )
    for column in list(EMPTY)[2:]:
        values = np.array([row[column] for row in full])
        table[column] = values.astype(np.float32) if values.dtype == np.float64 else values
    for factor in sorted({name for photo in photos for name in photo.factors}):
        values = np.array([photo.factors.get(factor, np.nan) for photo in photos])
        table[f"factor_{factor}"] = values.astype(np.float32)
    return table


def _counts(table: "pd.DataFrame", plan: Plan) -> dict[str, Any]:
    kept = table[table["status"] == "kept"]
    return {
        "people": len(plan.people),
        "photos": len(table),
        "faces": len(kept),
        "splits": {split: int((kept["split"] == split).sum()) for split in SPLITS},
        "statuses": {str(status): int(number) for status, number in table["status"].value_counts().items()},
        "aligned": int(kept["aligned"].sum()),
        "flagged": int((kept["flaws"] != "").sum()),
        "with_several_faces": int((table["found"] > 1).sum()),
    }


def _notes(table: "pd.DataFrame", plan: Plan, leak: dict[str, int]) -> list[str]:
    notes = []
    if leak.get("crossed_before"):
        notes.append(
            f"{leak['duplicate_groups']:,} pictures are there more than once; {leak['crossed_before']:,} of them lay "
            "on several sides of the split, which would have flattered every accuracy. Now none does: "
            f"{leak['moved']:,} photos changed sides, {leak['left_out']:,} were left out of the unlabelled part."
        )
    seen = set(table.loc[(table["status"] == "kept") & (table["split"] == "train"), "person"])
    unseen = [person for person in plan.people if person not in seen]
    if unseen:
        names = ", ".join(unseen[:5]) + (f" and {len(unseen) - 5} more" if len(unseen) > 5 else "")
        notes.append(f"No face was found in any train photo of {names}.")
    return notes


class Preview:
    """A sheet of the latest faces, for whoever watches."""

    _COLUMNS, _ROWS, _SIDE, _EVERY = 12, 4, 80, 2.0
    _OF_EACH = 3  # faces of a part

    def __init__(self, path: Path) -> None:
        self._path = path
        self._latest: deque[np.ndarray] = deque(maxlen=self._COLUMNS * self._ROWS)
        self._written = float("-inf")

    def add(self, building: Path, index: int) -> None:
        """Take up a finished part; write the sheet every two seconds."""
        import cv2

        faces = _pictures(building, index)
        for face in faces[:: max(1, len(faces) // self._OF_EACH)][: self._OF_EACH]:  # of many people, not of one
            self._latest.append(cv2.resize(face, (self._SIDE, self._SIDE), interpolation=cv2.INTER_AREA))
        if self._latest and time.monotonic() - self._written > self._EVERY:
            self._write()
            self._written = time.monotonic()

    def _write(self) -> None:
        faces = list(self._latest)
        rows = -(-len(faces) // self._COLUMNS)
        sheet = np.full((rows * self._COLUMNS, self._SIDE, self._SIDE, 3), 127, np.uint8)
        sheet[: len(faces)] = faces
        grid = sheet.reshape(rows, self._COLUMNS, self._SIDE, self._SIDE, 3).swapaxes(1, 2)
        partial = self._path.with_name(f".{self._path.name}.partial")
        partial.write_bytes(encode_jpeg(grid.reshape(rows * self._SIDE, self._COLUMNS * self._SIDE, 3), 85))
        partial.replace(self._path)
