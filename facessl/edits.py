"""What people corrected in a set after it was made: appended to ``edits.jsonl``, never written over, undone as easily.

The files of the set stay as they are; ``apply`` turns its table into what it means after the corrections.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from facessl import files
from facessl.errors import DamagedError, DatasetError
from facessl.sources import tidy_name

if TYPE_CHECKING:
    import pandas as pd

FILE = "edits.jsonl"
EXCLUDED = "excluded"
_LONGEST_NAME = 300  # characters

Action = Literal["rename", "name", "exclude", "keep", "undo"]


@dataclass(frozen=True)
class Edit:
    """One correction."""

    id: int  # 1, 2, … in the order they were made
    action: Action
    when: str
    person: str = ""  # rename, exclude: who
    photo: int = -1  # name, exclude, keep: which photo
    to: str = ""  # rename, name: the right name; that of somebody else merges the two
    merged: int = 0  # rename: how many photos joined those of somebody who was there already
    edit: int = 0  # undo: which edit
    undone: bool = False

    def sentence(self) -> str:
        """Return what was done, for the set's history."""
        who = f"“{self.person}”" if self.person else f"photo {self.photo}"
        if self.merged:
            return f"{who} merged into “{self.to}”, {self.merged:,} {'photo' if self.merged == 1 else 'photos'}"
        if self.action == "rename":
            return f"{who} renamed to “{self.to}”"
        if self.action == "name":
            return f"{who} named “{self.to}”" if self.to else f"the name of {who} taken away"
        if self.action == "undo":
            return f"edit {self.edit} undone"
        return f"{who} left out" if self.action == "exclude" else f"{who} kept after all"


def read(folder: Path, count: int | None = None) -> list[Edit]:
    """Return the first ``count`` edits of a set (None: all) in their order; what one of them undid is marked.

    Raises:
        DamagedError: A line is whole, and no edit. One that was cut off by a crash is not there.
    """
    path = folder / FILE
    if not path.exists():
        return []
    try:
        rows = [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]  # one may be cut off
        rows = rows[:count]
        undone = {row["edit"] for row in rows if row["action"] == "undo"}
        return [Edit(id=number, undone=number in undone, **row) for number, row in enumerate(rows, start=1)]
    except (ValueError, TypeError, KeyError) as error:
        raise DamagedError(
            f"{FILE} of {folder.name} has a line that is no correction; take that out, or bring the file from a copy."
        ) from error


def append(folder: Path, table: "pd.DataFrame", action: Action, **what: Any) -> None:
    """Check an edit against the set as it is now, and add it to the set's history.

    Args:
        folder: Of the set.
        table: Of the set, with the edits so far.
        action: What to do.
        what: ``person``, ``photo``, ``to`` and ``edit``, as ``Edit`` has them.

    Raises:
        DatasetError: There is no such person, photo or edit, or the new name is empty or too long.
    """
    row = {"action": action, "when": files.now(), **what}
    if "to" in row:
        row["to"] = tidy_name(row["to"])  # as folders are read
    _check(Edit(id=0, **row), table, read(folder))
    if action == "rename" and row["to"] != row["person"] and row["to"] in people_of(table):
        row["merged"] = int((table["person"] == row["person"]).sum())
    with open(folder / FILE, "a", encoding="utf-8") as file:
        file.write("\n" + json.dumps(row))  # a line cut off by a crash stays a line of its own
        file.flush()
        os.fsync(file.fileno())


def apply(table: "pd.DataFrame", edits: Sequence[Edit]) -> "pd.DataFrame":
    """Return the table of a set (see ``dataset.FaceDataset``) with the edits applied; labels are numbered anew.

    A photo of somebody who was left out has the status ``excluded``; so has one that was left out itself.
    """
    table = table.copy()
    for edit in edits:
        if edit.undone or edit.action == "undo":
            continue
        if edit.action == "rename":
            table.loc[table["person"] == edit.person, ["person", "named"]] = edit.to
        elif edit.action == "name":
            _name(table, edit)
        elif edit.action == "keep":
            _keep(table, edit.photo)
        else:
            kept = table["status"] == "kept"
            # Of a person all photos, also those not in use: or they would stay one of the set's people.
            left_out = kept & (table["photo"] == edit.photo) if edit.photo >= 0 else table["person"] == edit.person
            table.loc[left_out, ["status", "reason"]] = [EXCLUDED, "Left out by hand."]
    people = people_of(table)
    numbers = {person: label for label, person in enumerate(people)}
    table["label"] = [numbers.get(person, -1) for person in table["person"]]
    return table


def people_of(table: "pd.DataFrame") -> list[str]:
    """Return who has a name and at least one photo that is not left out, sorted."""
    there = table[(table["person"] != "") & (table["status"] != EXCLUDED)]
    return sorted(there["person"].unique().tolist())


def _name(table: "pd.DataFrame", edit: Edit) -> None:
    rows = table["photo"] == edit.photo
    table.loc[rows, ["person", "named"]] = edit.to
    if not edit.to:
        table.loc[rows, "split"] = "unlabelled"
    elif (table.loc[rows, "split"] == "unlabelled").all():
        table.loc[rows, "split"] = "train"  # not val or test: which photos judge was decided by lot


def _keep(table: "pd.DataFrame", photo: int) -> None:
    rows = (table["photo"] == photo) & (table["face"] >= 0)
    table.loc[rows, ["status", "reason"]] = ["kept", ""]


def why_not_undo(taken_back: Edit, edits: Sequence[Edit]) -> str:
    """Return why an edit cannot be taken back as things stand; "" where it can.

    A name that later edits go by stays: they would then mean nobody, and say otherwise.
    """
    for later in edits[taken_back.id :]:
        if taken_back.to and later.person == taken_back.to and not later.undone:
            return f"A later correction goes by it: {later.sentence()}. Undo that first."
    return ""


def _check(edit: Edit, table: "pd.DataFrame", edits: Sequence[Edit]) -> None:
    if edit.action == "undo":
        if not any(e.id == edit.edit and not e.undone and e.action != "undo" for e in edits):
            raise DatasetError(f"There is no edit {edit.edit} to undo; the history lists them.")
        if why_not := why_not_undo(edits[edit.edit - 1], edits):
            raise DatasetError(why_not)
        return
    if edit.person and edit.person not in people_of(table):
        raise DatasetError(f"Nobody in this set is called {edit.person!r}; choose one of its people.")
    if not edit.person and edit.photo not in set(table["photo"]):
        raise DatasetError(f"There is no photo {edit.photo} in this set; the table lists them.")
    if edit.action == "rename" and not edit.to.strip():
        raise DatasetError("The new name is empty; type one.")
    if len(edit.to) > _LONGEST_NAME:
        raise DatasetError(f"A name has {_LONGEST_NAME} characters at most; this one has {len(edit.to)}.")
    if edit.action == "keep" and (table.loc[table["photo"] == edit.photo, "face"] < 0).all():
        raise DatasetError("This photo could not be read, so there is nothing to keep.")
