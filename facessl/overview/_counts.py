"""How many there are: photos, faces, people, copies, and on which side of the split."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from facessl.dataset import SPLITS, FaceDataset
from facessl.edits import EXCLUDED

if TYPE_CHECKING:
    import pandas as pd

NAMED_SPLITS = SPLITS[1:]  # those in which somebody has a name
# Photos of one person, or in one folder, from -> to; the last has no end.
_SIZES = ((1, 1), (2, 2), (3, 3), (4, 4), (5, 9), (10, 19), (20, 49), (50, 99), (100, 199), (200, None))


@dataclass(frozen=True)
class Counts:
    """The set as it stands."""

    people: int  # with a name and a photo that is not left out
    photos: int
    faces: int  # in use
    level: int  # of them turned level
    flagged: int  # of them with a flaw
    several: int  # of them from a photo with more faces
    splits: dict[str, int]  # faces in use
    statuses: dict[str, int]  # photos, most first
    copied: int  # pictures that are there more than once
    copies: int  # photos that show those
    crossing: int  # pictures in use on more than one side: learnt from (train, unlabelled), val, test


def count(dataset: FaceDataset) -> Counts:
    """Return the counts of a set."""
    table = dataset.table
    used = table[table["status"] == "kept"]
    grouped = table.loc[table["group"] >= 0, "group"]
    sides = used.loc[used["group"] >= 0, ["group", "split"]].replace({"split": {"unlabelled": "train"}})
    return Counts(
        people=len(dataset.people),
        photos=len(table),
        faces=len(used),
        level=int(used["aligned"].sum()),
        flagged=int((used["flaws"] != "").sum()),
        several=int((used["found"] > 1).sum()),
        splits={split: int((used["split"] == split).sum()) for split in SPLITS},
        statuses={str(status): int(number) for status, number in table["status"].value_counts().items()},
        copied=int(grouped.nunique()),
        copies=len(grouped),
        crossing=int((sides.groupby("group")["split"].nunique() > 1).sum()),
    )


def person_counts(dataset: FaceDataset) -> dict[str, list[int]]:
    """Return for train, val and test how many faces in use each person has, in the order of ``dataset.people``."""
    table = dataset.table
    used = table[(table["status"] == "kept") & (table["label"] >= 0)]
    return {
        split: np.bincount(used.loc[used["split"] == split, "label"], minlength=len(dataset.people)).tolist()
        for split in NAMED_SPLITS
    }


def by_faces(dataset: FaceDataset) -> list[str]:
    """Return the people who have a face in use, the one with most first, then by name."""
    faces = np.sum(list(person_counts(dataset).values()), axis=0)
    return [dataset.people[label] for label in np.argsort(-faces, kind="stable") if faces[label]]


def people_table(dataset: FaceDataset) -> "pd.DataFrame":
    """Return a row a person: ``person``, ``photos``, ``faces`` (in use), of them train, val, test; ``not_used``."""
    import pandas as pd

    table = dataset.table
    photos = np.bincount(table.loc[table["label"] >= 0, "label"], minlength=len(dataset.people))
    split = person_counts(dataset)
    faces = np.sum([split[name] for name in NAMED_SPLITS], axis=0).astype(int)
    columns = {"person": dataset.people, "photos": photos, "faces": faces, **split, "not_used": photos - faces}
    return pd.DataFrame(columns)


def left_out(dataset: FaceDataset) -> list[str]:
    """Return who has a name, but no photo that is not left out, by name."""
    excluded = dataset.table.loc[(dataset.table["status"] == EXCLUDED) & (dataset.table["person"] != ""), "person"]
    return sorted(set(excluded.unique()) - set(dataset.people))


def folders(dataset: FaceDataset) -> "pd.Series":
    """Return how many photos came under each name, most first and "" last; corrections and the split change nothing.

    S1 shows it as the "distribution of images in each folder".
    """
    import pandas as pd

    named = pd.read_parquet(dataset.path / "faces.parquet", columns=["named"])["named"].value_counts()
    named.index = named.index.astype(str)
    order = sorted(named.index, key=lambda name: (name == "", -named[name], name))
    return named.loc[order]


def how_many_have(numbers: Sequence[int]) -> dict[str, int]:
    """Return how many of the numbers are 1, 2, 3, 4, 5–9, 10–19, 20–49, … 200+; and 0, if any is."""
    values = np.asarray(numbers, dtype=int)
    none = int((values == 0).sum())
    found = {"0": none} if none else {}
    for low, high in _SIZES:
        within = (values >= low) & (values <= (high or values.max(initial=0)))
        words = str(low) if low == high else f"{low}–{high}" if high else f"{low}+"
        found[words] = int(within.sum())
    return found
