"""Whom a network and a plain method named right, photo by photo, and whether one is ahead by more than chance."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from facessl import answers
from facessl.run import Run

PHOTOS = np.arange(30, 60)
LABELS = np.arange(30) % 3


def judged(folder: Path, network: np.ndarray, plain: np.ndarray) -> Run:
    """Return a run whose network and plain method were right where these (30,) bool say so."""
    rows = {"face": PHOTOS, "label": LABELS, "predicted": np.where(network, LABELS, (LABELS + 1) % 3)}
    shuffled = np.random.default_rng(0).permutation(30)  # the order of a table means nothing
    pd.DataFrame(rows).iloc[shuffled].to_parquet(folder / "predictions.parquet", index=False)
    answers.store_plain(folder, PHOTOS, LABELS, {"1-NN": np.where(plain, LABELS, (LABELS + 2) % 3), "none": LABELS * 0})
    return Run(folder)


def test_photos_are_paired_and_counted(tmp_path: Path) -> None:
    number = np.arange(30)
    run = judged(tmp_path, number < 20, (number >= 18) | (number < 8))
    network, plain = answers.paired(run, "1-NN") or (None, None)
    assert network.tolist() == (number < 20).tolist() and plain.sum() == 20
    found = answers.against_plain(run, "1-NN")
    assert found is not None
    # 8 to 17 only the network, 20 to 29 only the other: a coin could not be more even.
    assert (found.both, found.only_first, found.only_second, found.neither, found.p) == (10, 10, 10, 0, 1.0)
    one = answers.against_plain(run, "none")
    assert one is not None and (one.both, one.only_first, one.only_second) == (7, 13, 3)  # 0, 3, 6 … are person 0


def test_a_lead_on_ten_photos_of_ten_is_no_chance(tmp_path: Path) -> None:
    number = np.arange(30)
    found = answers.against_plain(judged(tmp_path, number < 20, number < 10), "1-NN")
    assert found is not None and found.p == pytest.approx(2 / 1024) and found.real


def test_what_was_not_kept_or_is_of_other_photos_is_not_compared(tmp_path: Path) -> None:
    right = np.ones(30, bool)
    run = judged(tmp_path, right, right)
    assert answers.paired(run, "a method of later") is None
    path = tmp_path / "plain_predictions.parquet"
    answers.store_plain(tmp_path, PHOTOS + 1, LABELS, {"1-NN": LABELS})
    assert answers.against_plain(run, "1-NN") is None
    path.write_bytes(b"PAR1 no more")
    assert answers.against_plain(run, "1-NN") is None
    path.unlink()  # as of a run of before
    assert answers.against_plain(run, "1-NN") is None
