"""What a finished fine-tuning answered on its test photos: read once, kept as long as its files do not change."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from facessl import shapes
from facessl.run import Run


@dataclass(frozen=True)
class Answers:
    """The answers, surest first; row i of all arrays is one test photo."""

    people: tuple[str, ...]  # what the labels mean
    faces: np.ndarray  # (N,) rows of the set
    labels: np.ndarray  # (N,) the right person
    answers: np.ndarray  # (N,) the name it was given
    shares: np.ndarray  # (N,) what its softmax gave that name, 0-1
    matrix: np.ndarray  # (P, P) photos by [right person][answer]
    report: dict[str, Any]  # scikit-learn's, a key a person, "macro avg" and others

    @property
    def wrong(self) -> np.ndarray:
        """Return the places of the wrong answers, the surest first."""
        return np.flatnonzero(self.labels != self.answers)

    def cell(self, right: int, answer: int | None = None) -> np.ndarray:
        """Return the places of a person's photos, or of those that were given the name ``answer``."""
        fits = self.labels == right
        return np.flatnonzero(fits if answer is None else fits & (self.answers == answer))

    def place_of(self, face: int) -> int | None:
        found = np.flatnonzero(self.faces == face)
        return int(found[0]) if len(found) else None


def answers_of(run: Run) -> Answers:
    """Return what a finished run answered.

    Raises:
        DamagedError: Its files are gone, or hold something else.
    """
    report, table = run.path / "report.json", run.path / "predictions.parquet"
    return _read(
        str(report), str(table), *(path.stat().st_mtime_ns if path.exists() else 0 for path in (report, table))
    )


@st.cache_resource(show_spinner=False, max_entries=16)
def _read(report: str, table: str, *changed: int) -> Answers:
    said = shapes.report(Path(report), "finetune")
    names = ("face", "label", "predicted", "probability")
    people = len(said["people"])
    rows = shapes.table(Path(table), names, names[1:3], people)
    rows = rows.sort_values(["probability", "face"], ascending=[False, True])
    arrays = [rows[name].to_numpy() for name in names]
    matrix = np.asarray(said["confusion"])
    for array in (*arrays, matrix):
        array.flags.writeable = False  # shared by all sessions
    return Answers(tuple(said["people"]), *arrays, matrix, said["report"])
