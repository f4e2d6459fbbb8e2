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

from facessl import runs
from facessl.dataset import SPLITS
from facessl.errors import DatasetError
from facessl.images import encode_jpeg
from facessl.preparation._plan import Plan
from facessl.sources import Photo

if TYPE_CHECKING:
    import pandas as pd

# What a photo's row says where its part says nothing.
_EMPTY: dict[str, Any] = {
    "status": "",
    "reason": "",
    "width": 0,
    "height": 0,
    "found": 0,
    **dict.fromkeys(("box_x", "box_y", "box_w", "box_h"), np.nan),
    **dict.fromkeys(("left_eye_x", "left_eye_y", "right_eye_x", "right_eye_y"), np.nan),
    "angle": np.nan,
    "aligned": False,
    "sharpness": np.nan,
    "brightness": np.nan,
}


def write_part(building: Path, index: int, faces: np.ndarray, rows: Sequence[dict[str, Any]]) -> None:
    """Keep a chunk's faces (n, S, S, 3) and one row a photo; the rows come last and make the part valid."""
    folder = building / "parts"
    folder.mkdir(exist_ok=True)
    encoded = io.BytesIO()
    np.save(encoded, faces)
    partial = folder / f".{index:06d}.{os.getpid()}.npy"
    partial.write_bytes(encoded.getbuffer())
    partial.replace(folder / f"{index:06d}.npy")
    runs.write_text(folder / f"{index:06d}.json", json.dumps(list(rows)))


def part_exists(building: Path, index: int) -> bool:
    return (building / "parts" / f"{index:06d}.json").exists()


def _part_faces(building: Path, index: int) -> np.ndarray:
    return np.load(building / "parts" / f"{index:06d}.npy")


def pack(building: Path, plan: Plan, photos: Sequence[Photo], size: int) -> tuple[dict[str, Any], list[str]]:
    """Make ``faces.npy`` and ``faces.parquet`` of all parts and return what there is to count and to note.

    Raises:
        DatasetError: There is not one face.
    """
    parts = sorted(path.stem for path in (building / "parts").glob("[0-9]*.json"))
    rows = [row for part in parts for row in json.loads((building / "parts" / f"{part}.json").read_text())]
    table = _table(rows, plan, photos)
    kept = int((table["face"] >= 0).sum())
    if not kept:
        unreadable = int((table["status"] == "unreadable").sum())
        shutil.rmtree(building)
        raise DatasetError(
            f"No face was found in the {len(rows):,} photos ({unreadable:,} could not be read), so there is no set; "
            "take photos that show faces from the front, or lower scale_factor and min_neighbors."
        )
    folder = building / "set"
    faces = np.lib.format.open_memmap(folder / "faces.npy", mode="w+", dtype=np.uint8, shape=(kept, size, size, 3))
    at = 0
    for part in parts:
        chunk = _part_faces(building, int(part))
        faces[at : at + len(chunk)] = chunk
        at += len(chunk)
    faces.flush()
    table.to_parquet(folder / "faces.parquet", index=False)
    return _counts(table, plan), _notes(table, plan)


def publish(building: Path, target: Path, info: dict[str, Any]) -> None:
    """Say what the set is, and put it in its place in one step."""
    runs.write_json(building / "set" / "dataset.json", info)
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

    full = [_EMPTY | row for row in rows]
    kept = np.array([row["status"] == "kept" for row in full])
    table = pd.DataFrame(
        {
            "photo": [place.photo for place in plan.places],
            "path": [photo.path for photo in photos],
            "person": [plan.people[place.label] if place.label >= 0 else "" for place in plan.places],
            "label": [place.label for place in plan.places],
            "split": [place.split for place in plan.places],
            "status": [row["status"] for row in full],
            "reason": [row["reason"] for row in full],
            "face": np.where(kept, np.cumsum(kept) - 1, -1),
        }
    )
    for column in list(_EMPTY)[2:]:
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
        "with_several_faces": int((table["found"] > 1).sum()),
    }


def _notes(table: "pd.DataFrame", plan: Plan) -> list[str]:
    seen = set(table.loc[(table["status"] == "kept") & (table["split"] == "train"), "person"])
    unseen = [person for person in plan.people if person not in seen]
    if not unseen:
        return []
    names = ", ".join(unseen[:5]) + (f" and {len(unseen) - 5} more" if len(unseen) > 5 else "")
    return [f"No face was found in any train photo of {names}."]


class Preview:
    """A sheet of the latest faces, for whoever watches."""

    _COLUMNS, _ROWS, _SIDE, _EVERY = 12, 4, 80, 2.0

    def __init__(self, path: Path) -> None:
        self._path = path
        self._latest: deque[np.ndarray] = deque(maxlen=self._COLUMNS * self._ROWS)
        self._written = float("-inf")

    def add(self, building: Path, index: int) -> None:
        """Take up a finished part; write the sheet every two seconds."""
        import cv2

        for face in _part_faces(building, index):
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
