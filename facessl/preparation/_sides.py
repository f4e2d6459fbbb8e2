"""Copies of one picture stay on one side of the split, or the test would ask for what was learnt by heart."""

from typing import TYPE_CHECKING

import numpy as np

from facessl.duplicates import duplicate_groups

if TYPE_CHECKING:
    import pandas as pd

_JUDGES = ("val", "test")


def one_side(table: "pd.DataFrame", thumbnails: np.ndarray) -> "tuple[pd.DataFrame, dict[str, int]]":
    """Return the table with no picture on two sides, and what that took.

    All named copies go to the split of the first. A nameless copy of a val or test photo has no name to go there
    with, so it is left out: pre-training learns from the unlabelled part.

    Args:
        table: See ``dataset.FaceDataset``; one row a photo.
        thumbnails: Shape (N, 16, 16) uint8, of the photos that could be read, in their order.

    Returns:
        The table with ``group``, ``split`` and ``status`` settled; and ``duplicate_groups``, ``crossed_before`` and
        ``crossed_now`` (groups), ``moved`` and ``left_out`` (photos).
    """
    table = table.copy()
    readable = np.flatnonzero(table["hash"] != "")
    hashes = np.array([int(bits, 16) for bits in table["hash"].iloc[readable]], np.uint64)
    groups = duplicate_groups(hashes, thumbnails)
    there = groups >= 0
    table.loc[readable[there], "group"] = readable[groups[there]]
    before = table["split"].copy()
    crossed_before = crossed(table)
    for _, copies in table[table["group"] >= 0].groupby("group"):
        named = copies[copies["split"] != "unlabelled"]
        if named.empty:
            continue
        side = named["split"].iloc[0]
        table.loc[named.index, "split"] = side
        nameless = copies.index[(copies["split"] == "unlabelled") & (copies["status"] == "kept")]
        if side in _JUDGES and len(nameless):
            reason = f"The same picture is in the {side} part."
            table.loc[nameless, ["status", "reason"]] = ["duplicate", reason]
    return table, {
        "duplicate_groups": int(table.loc[table["group"] >= 0, "group"].nunique()),
        "crossed_before": crossed_before,
        "crossed_now": crossed(table),
        "moved": int((table["split"] != before).sum()),
        "left_out": int((table["status"] == "duplicate").sum()),
    }


def crossed(table: "pd.DataFrame") -> int:
    """Return how many pictures lie on more than one side: learnt from (train, unlabelled), val, test."""
    used = table[(table["group"] >= 0) & (table["status"] == "kept")]
    sides = used["split"].replace("unlabelled", "train")
    return int((sides.groupby(used["group"]).nunique() > 1).sum())
