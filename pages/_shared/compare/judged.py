"""What classifiers answered on the test photos, photo by photo, and whether two differ by more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from facessl import shapes
from facessl.dataset import FaceDataset, open_for
from facessl.errors import DamagedError
from facessl.run import Run
from facessl.significance import McNemar, mcnemar, recall_per_person
from pages._shared.backend import studio
from pages._shared.words import count, probability


@dataclass(frozen=True)
class Judged:
    """A run's answers on its test photos; row i of all arrays is one photo."""

    faces: np.ndarray  # (N,) rows of the set, ascending
    labels: np.ndarray  # (N,) the right person
    answers: np.ndarray  # (N,) the person it said
    people: tuple[str, ...]  # what the labels mean

    @property
    def right(self) -> np.ndarray:
        return self.labels == self.answers

    def recall(self) -> tuple[np.ndarray, np.ndarray]:
        """Return each person's recall (P,), NaN without a photo, and how many photos there are (P,)."""
        return recall_per_person(self.labels, self.answers, len(self.people))

    def same_photos_as(self, other: "Judged") -> bool:
        """Return whether both were asked for the same people on the same photos, so that answers can be paired."""
        if self.people == other.people:
            return np.array_equal(self.faces, other.faces) and np.array_equal(self.labels, other.labels)
        names, others = np.array(self.people, dtype=object), np.array(other.people, dtype=object)
        return np.array_equal(self.faces, other.faces) and bool(np.all(names[self.labels] == others[other.labels]))


def judged(run: Run) -> Judged | None:
    """Return what a finished fine-tuning answered, or None where it left nothing that can be read."""
    path = run.path / "predictions.parquet"
    try:
        return _read(run.id, str(path), path.stat().st_mtime_ns) if path.exists() else None
    except DamagedError:
        return None


@st.cache_data(show_spinner=False, max_entries=512)
def _read(run_id: str, path: str, changed: int) -> Judged:
    run = studio().run(run_id)
    people = open_for(run, studio().workspace, run.config["recipe"]["dataset"]).people
    names = ("face", "label", "predicted")
    table = shapes.table(Path(path), names, names[1:], len(people)).sort_values("face")
    faces, labels, answers = (table[name].to_numpy() for name in names)
    return Judged(faces, labels, answers, tuple(people))


def on_other_photos(runs: Sequence[Run]) -> set[str]:
    """Return the ids of the finished fine-tunings of a set that were judged on other test photos than the first.

    A set that was corrected or prepared anew has another test part: what was reached on the old one is no rank beside
    what was reached on the new. Where answers are gone, the number of photos has to do.
    """
    if not runs:
        return set()
    first, photos = judged(runs[0]), {run.id: (run.result() or {})["metrics"]["photos"] for run in runs}
    unlike = {run_id for run_id, number in photos.items() if number != photos[runs[0].id]}
    for run in runs:
        one = judged(run)
        if first is not None and one is not None and not one.same_photos_as(first):
            unlike.add(run.id)
    return unlike


def has_changed(dataset: FaceDataset, run: Run) -> bool:
    """Return whether a set's test photos or their people are others now than when a fine-tuning was judged."""
    one, test = judged(run), dataset.rows("test")
    if one is None:
        return len(test) != (run.result() or {})["metrics"]["photos"]
    return not one.same_photos_as(Judged(test, dataset.labels(test), one.answers, tuple(dataset.people)))


def tested(first: Run, second: Run) -> McNemar | None:
    """Return McNemar's test of two runs; None unless both were judged on the same test photos of the same set."""
    if first.config["recipe"]["dataset"] != second.config["recipe"]["dataset"]:
        return None
    one, other = judged(first), judged(second)
    if one is None or other is None or not len(one.faces) or not one.same_photos_as(other):
        return None
    return mcnemar(one.right, other.right)


def said(test: McNemar, first: str, second: str) -> str:
    """Return a test's outcome in a sentence; the names come as Markdown."""
    if not test.only_first and not test.only_second:
        return (
            f"{first} and {second} got the same {count(test.photos, 'photo')} right and wrong: there is no difference."
        )
    photos = count(test.only_first, "photo")
    verdict = "this is hardly chance" if test.real else "this can be chance"
    return f"{photos} only {first} got right, {test.only_second:,} only {second}: {verdict} (p {probability(test.p)})."
