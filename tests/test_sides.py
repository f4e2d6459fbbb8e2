"""Copies on one side of the split: which photos move, which are left out, and that the count is right."""

import numpy as np
import pandas as pd
import pytest

from facessl.preparation._sides import crossed, one_side

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (8, 16, 16), dtype=np.uint8)
HASHES = [f"{int(h):016x}" for h in RNG.integers(0, 2**63, 8)]


def table_of(*rows: tuple[int, str, str]) -> tuple[pd.DataFrame, np.ndarray]:
    """Return a table of photos (picture, split, status), where an unreadable photo has no thumbnail."""
    table = pd.DataFrame([{"split": split, "status": status, "reason": "", "group": -1} for _, split, status in rows])
    table["hash"] = [HASHES[picture] if status != "unreadable" else "" for picture, _, status in rows]
    shown = [PICTURES[picture] for picture, _, status in rows if status != "unreadable"]
    return table, np.stack(shown)


def test_copies_go_to_the_side_of_the_first() -> None:
    table, thumbnails = table_of((0, "test", "kept"), (1, "train", "kept"), (0, "train", "kept"), (0, "val", "kept"))
    settled, report = one_side(table, thumbnails)
    assert settled["split"].tolist() == ["test", "train", "test", "test"]
    assert settled["group"].tolist() == [0, -1, 0, 0]
    assert report == {"duplicate_groups": 1, "crossed_before": 1, "crossed_now": 0, "moved": 2, "left_out": 0}
    assert table["split"].tolist() == ["test", "train", "train", "val"]  # what was given stays as it was


def test_a_nameless_copy_of_a_test_photo_is_left_out_and_one_of_a_train_photo_stays() -> None:
    table, thumbnails = table_of(
        (0, "unlabelled", "kept"), (0, "test", "kept"), (1, "train", "kept"), (1, "unlabelled", "kept"),
        (2, "unlabelled", "kept"), (2, "unlabelled", "kept"),
    )  # fmt: skip
    settled, report = one_side(table, thumbnails)
    assert settled["status"].tolist() == ["duplicate", "kept", "kept", "kept", "kept", "kept"]
    assert settled["reason"].iloc[0] == "The same picture is in the test part."
    assert report == {"duplicate_groups": 3, "crossed_before": 1, "crossed_now": 0, "moved": 0, "left_out": 1}


def test_unreadable_photos_between_shift_nothing() -> None:
    table, thumbnails = table_of((3, "train", "kept"), (4, "val", "unreadable"), (5, "val", "kept"), (3, "val", "kept"))
    settled, _ = one_side(table, thumbnails)
    assert settled["group"].tolist() == [0, -1, -1, 0]
    assert settled["split"].tolist() == ["train", "val", "val", "train"]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [("train", "test", 1), ("train", "val", 1), ("val", "test", 1), ("train", "train", 0),
     ("unlabelled", "train", 0), ("unlabelled", "val", 1)],
)  # fmt: skip
def test_what_counts_as_crossing(first: str, second: str, expected: int) -> None:
    table, _ = table_of((0, first, "kept"), (0, second, "kept"))
    table["group"] = 0
    assert crossed(table) == expected
    table.loc[1, "status"] = "no face"  # nobody sees it
    assert crossed(table) == 0
