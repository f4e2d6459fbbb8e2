"""A prepared set of faces on disk: ``dataset.json``, ``faces.npy``, ``faces.parquet`` and ``scaled/``."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facessl import edits, files
from facessl.edits import Edit
from facessl.errors import DamagedError, DatasetError
from facessl.run import Run

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("unlabelled", "train", "val", "test")


@dataclass(frozen=True)
class FaceDataset:
    """An opened set. Opening reads ``dataset.json`` only; the table and the faces come when asked for.

    The table has a row a photo:

    ===============  ==========================================================================================
    photo            integer id of the photo, in the order of the source
    path             of the photo inside its source
    person, label    true name and its integer; "" and -1 in the unlabelled part
    named            the name that the photo came with, corrected by people; also of people with too few photos
    split            unlabelled, train, val or test
    split_before     the same before copies of one picture were put on one side
    status           kept; or why it is not used: no face, too small, poor, duplicate, unreadable, excluded
    reason           a sentence, where status is not kept
    face             row in ``faces.npy``: of a photo that is not kept, what it would be; -1 if it cannot be read
    width, height    of the photo in pixels
    found            how many faces the detector saw in the photo
    box_x, _y, _w, _h        the chosen face in photo pixels; NaN where there is none
    left_eye_x, _y, right_eye_x, _y   in photo pixels, NaN where none was found; left as in the picture
    angle, aligned   degrees by which the eyes (YuNet: five points) were off level; whether the crop was turned level
    sharpness, brightness, contrast, turn   of the crop, see ``quality``
    flaws            what is wrong with the crop, in words, "" if nothing is
    hash             perceptual hash of the photo, 16 hexadecimal digits; "" where it cannot be read
    group            id of the first photo that shows the same picture; -1 where there is no copy
    factor_*         what a generated photo was made of
    ===============  ==========================================================================================

    ``faces.parquet`` holds it as the set was made; ``table`` is what it means after the corrections of people.
    """

    path: Path
    seen: int | None = None  # how many of the corrections count; None: all there are

    @cached_property
    def info(self) -> dict[str, Any]:
        """Return recipe, counts, people, version, notes, created."""
        return files.read_json(self.path / "dataset.json")

    def damaged_file(self) -> str:
        """Return the name of a file that does not hold any more what was written, "" where all do.

        Looked at are the small ones, and the ends of the large, and again only when one has changed: a page opens a set
        a dozen times.
        """
        return _damaged_file(self.path, tuple(_stamp(self.path / name) for name in _READ))

    def is_whole(self) -> bool:
        """Return whether all its files can be read."""
        return not self.damaged_file()

    @property
    def name(self) -> str:
        return self.path.name

    @cached_property
    def edits(self) -> list[Edit]:
        """Return the corrections of people, also those undone since, in their order."""
        return edits.read(self.path, self.seen)

    @cached_property
    def people(self) -> list[str]:
        """Return the labelled people; a person's label is the index."""
        return edits.people_of(self.table) if self.edits else list(self.info["people"])

    @property
    def size(self) -> int:
        """Return the side of a face in pixels."""
        return int(self.info["recipe"]["size"])

    @cached_property
    def table(self) -> "pd.DataFrame":
        """Return a row a photo, with the corrections of people applied; DatasetError where it is damaged."""
        import pandas as pd
        from pyarrow import ArrowException

        try:
            table = pd.read_parquet(self.path / "faces.parquet")
        except (ArrowException, OSError, ValueError) as error:  # damaged between its ends
            raise _damaged(self.name, "faces.parquet") from error
        return edits.apply(table, self.edits) if self.edits else table

    @cached_property
    def crops(self) -> "pd.DataFrame":
        """Return the rows that have a crop, used or not, in the order of ``faces``: row i describes ``faces[i]``."""
        return self.table[self.table["face"] >= 0].sort_values("face").reset_index(drop=True)

    @cached_property
    def used(self) -> np.ndarray:
        """Return for each face whether it belongs to the set as it stands, shape (N,) bool."""
        return (self.crops["status"] == "kept").to_numpy()

    @cached_property
    def faces(self) -> np.ndarray:
        """Return the faces, a memory map of shape (N, S, S, 3) uint8 RGB; some of them may not be ``used``."""
        return np.load(self.path / "faces.npy", mmap_mode="r")

    def rows(self, *splits: str) -> np.ndarray:
        """Return the used face rows of these splits, ascending; of all splits if none is named."""
        return np.flatnonzero(self.used & self.crops["split"].isin(splits or SPLITS).to_numpy())

    def labels(self, rows: np.ndarray) -> np.ndarray:
        """Return the labels of these face rows, -1 where nobody has said."""
        return self.crops["label"].to_numpy()[rows]

    def check_people(self) -> None:
        """Raise DatasetError unless two people or more have names."""
        if len(self.people) < 2:
            raise DatasetError(
                f"{self.name} has fewer than two named people, so there is nothing to tell apart; choose another "
                "set, or prepare one with named people."
            )

    def check_classifiable(self, *, patience: int = 0) -> None:
        """Raise DatasetError unless a classifier can learn from the set, be judged on it, and stop early by it."""
        self.check_people()
        for split, use in (("train", "learn from"), ("test", "judge on")):
            if not len(self.rows(split)):
                raise DatasetError(f"{self.name} has no {split} faces to {use}; prepare it with more photos a person.")
        if patience and not len(self.rows("val")):
            raise DatasetError(
                f"{self.name} has no val faces to stop early by; set patience to 0, or prepare it again."
            )

    def summary(self) -> dict[str, Any]:
        """Return the set as it stands in a row: dataset, people, photos, faces, those of each split, source.

        The table is read only where people corrected something: of a hundred sets this is a matter of milliseconds.
        """
        made = self.info["counts"]
        photos, splits = made["photos"], made["splits"]
        if self.edits:
            photos, splits = len(self.table), {split: len(self.rows(split)) for split in SPLITS}
        numbers = {"people": len(self.people), "photos": photos, "faces": sum(splits.values()), **splits}
        return {"dataset": self.name, **numbers, "source": self.info["recipe"]["source"]}


def _read_ends(path: Path) -> None:
    """Raise ValueError unless a file begins and ends as a Parquet file does."""
    with open(path, "rb") as file:
        head = file.read(4)
        file.seek(-4, os.SEEK_END)
        if head + file.read(4) != b"PAR1PAR1":
            raise ValueError(f"{path.name} is no Parquet file")


_READ: dict[str, Callable[[Path], object]] = {
    "dataset.json": files.read_json,
    edits.FILE: lambda path: edits.read(path.parent),
    "faces.npy": lambda path: np.load(path, mmap_mode="r"),  # refuses a file that is shorter than it says
    "faces.parquet": _read_ends,
}


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Return what changes when a file does; None while there is none."""
    try:
        file = path.stat()
    except FileNotFoundError:
        return None
    return file.st_ino, file.st_ctime_ns, file.st_size


@lru_cache(maxsize=1024)
def _damaged_file(folder: Path, stamps: tuple[tuple[int, int, int] | None, ...]) -> str:
    for name, read in _READ.items():
        try:
            read(folder / name)
        except (DamagedError, OSError, ValueError, EOFError):
            return name
    return ""


def _damaged(name: str, file: str) -> DatasetError:
    return DatasetError(
        f"The set {name} is damaged: {file} does not hold any more what was written. Prepare it again, or bring that "
        "file from a copy."
    )


def identities(photos: "pd.DataFrame") -> list[str]:
    """Return what the photos of a set's rows go by in every set: folder, file, and what the picture looks like."""
    tails = ("/".join(path.split("/")[-2:]) for path in photos["path"])
    return [f"{tail} {looks}" for tail, looks in zip(tails, photos["hash"], strict=True)]


def open_for(run: Run, workspace: Path, name: str) -> FaceDataset:
    """Return a set as a run saw it when it was made: corrections that came later would change what it resumes."""
    return replace(open_dataset(workspace, name), seen=run.config["edits"].get(name, 0))


def open_dataset(workspace: Path, name: str) -> FaceDataset:
    """Return the finished set called ``name``, with the corrections of people.

    Raises:
        DatasetError: There is none, it is not finished, or it is damaged.
    """
    path = workspace / "datasets" / name
    if name.startswith(".") or "/" in name or not (path / "dataset.json").is_file():
        have = ", ".join(d.name for d in list_datasets(workspace)) or "none yet"
        raise DatasetError(f"There is no prepared set {name!r} (have: {have}); prepare one first.")
    opened = FaceDataset(path)
    if file := opened.damaged_file():
        raise _damaged(name, file)
    return opened


def list_datasets(workspace: Path) -> list[FaceDataset]:
    """Return every finished set that can be read, by name."""
    return [one for one in _finished(workspace) if one.is_whole()]


def damaged_datasets(workspace: Path) -> list[str]:
    """Return the names of the sets that cannot be read any more."""
    return [one.name for one in _finished(workspace) if not one.is_whole()]


def _finished(workspace: Path) -> list[FaceDataset]:
    folder = workspace / "datasets"
    if not folder.is_dir():
        return []
    return [FaceDataset(p) for p in sorted(folder.iterdir()) if (p / "dataset.json").is_file()]
