"""Whom the model knows: the known faces, and how similar is similar enough.

A face is *somebody* only where its cosine similarity to one of that person's known faces reaches the threshold, and
the threshold follows from a stated false-accept rate: how often a stranger may be taken for somebody known.
"""

import json
import math
import os
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from facessl.errors import DatasetError, ModelError
from facessl.metrics import wilson_interval
from facessl.neighbours import nearest

FILE_NAME = "gallery.npz"
_VERSION = 1
_BLOCK_PROBES = 1024


@dataclass(frozen=True)
class Gallery:
    """Known faces, and what those look like who are not known."""

    embeddings: np.ndarray  # (G, E) float32 unit rows
    labels: np.ndarray  # (G,) int64, the person of each row
    people: tuple[str, ...]  # a name a label
    faces: np.ndarray  # (G,) int64, the rows' faces in their set
    impostors: np.ndarray  # (V,) float32 ascending: each val face against the likeliest *other* person
    genuine: np.ndarray  # (W,) float32 ascending: similarity of each val face to its own person
    best_of: int = 1  # a person's similarity is the mean over so many of their most similar faces

    def threshold(self, false_accept_rate: float = 0.01) -> float:
        """Return the least similarity at which the share of impostors accepted is nearest to this rate.

        With V impostors the rate moves in steps of 1 / V: of 96, one is accepted at 1 % (1.04 %). Fewer than half of
        1 / rate of them (50 at 1 %) leave none to spare: the threshold then lies just above the most similar one.
        ``accepted`` says how many it lets through.

        Raises:
            DatasetError: There is no impostor: the set needs two people, and val faces of one.
            ValueError: The rate is not in 0..1.
        """
        if not 0 <= false_accept_rate <= 1:
            raise ValueError(f"a false-accept rate is a share from 0 to 1, got {false_accept_rate}")
        if not len(self.impostors):
            raise DatasetError("A threshold needs two named people, and val faces; prepare the set with more photos.")
        allowed = self.accepted(false_accept_rate)
        if allowed == len(self.impostors):
            return -1.0
        highest_refused = self.impostors[len(self.impostors) - 1 - allowed]
        return float(np.nextafter(highest_refused, np.float32(2)))

    def accepted(self, false_accept_rate: float) -> int:
        """Return how many of the impostors the threshold of this rate (0-1) accepts."""
        return math.floor(false_accept_rate * len(self.impostors) + 0.5)

    def save(self, folder: Path) -> None:
        """Write ``gallery.npz`` into a run's folder in one step; names travel as JSON, nothing is pickled."""
        header = json.dumps({"version": _VERSION, "people": self.people, "best_of": self.best_of}).encode()
        partial = folder / f".gallery.{os.getpid()}.partial.npz"
        np.savez(
            partial, header=np.frombuffer(header, np.uint8), embeddings=self.embeddings, labels=self.labels,
            faces=self.faces, impostors=self.impostors, genuine=self.genuine,
        )  # fmt: skip
        partial.replace(folder / FILE_NAME)

    @classmethod
    def load(cls, folder: Path) -> "Gallery":
        """Return the gallery of a run.

        Raises:
            ModelError: There is none, or ``save`` did not write it.
        """
        path = folder / FILE_NAME
        if not zipfile.is_zipfile(path):
            raise ModelError(f"{path} is missing or damaged; train its model again.")
        try:
            with np.load(path, allow_pickle=False) as stored:
                header = json.loads(stored["header"].tobytes())
                arrays = {name: stored[name] for name in ("embeddings", "labels", "faces", "impostors", "genuine")}
                return cls(people=tuple(header["people"]), best_of=header["best_of"], **arrays)
        except (KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise ModelError(f"{path} was not written by facessl; train its model again.") from error


@dataclass(frozen=True)
class Answer:
    """Who a face is."""

    person: str | None  # None: nobody known
    similarity: float  # of the best candidate, -1 to 1; -1 where nobody is known
    threshold: float  # what it would have had to reach
    candidates: list[tuple[str, float]]  # the most similar people, best first
    nearest: list[tuple[int, str, float]]  # the most similar known faces: (face row, person, similarity)


def build(
    embeddings: np.ndarray, labels: np.ndarray, splits: np.ndarray, people: list[str], *, best_of: int = 1
) -> Gallery:
    """Make a gallery of a set: known are its named train faces, the val faces show what to expect.

    A val face stands in twice. Against its own person's faces it is a probe that should be accepted; with its own
    person taken out of the gallery it is a stranger, and scores what a stranger would. An encoder that learnt these
    very names keeps these people further apart than it does strangers, so after fine-tuning more strangers than the
    stated share get in (an LDA of 62 real people let in 3 % at a stated 1 %, a PCA 0.5 %).

    Args:
        embeddings: Shape (N, E), unit rows of all faces of the set.
        labels: Shape (N,), -1 where nobody has said.
        splits: Shape (N,), strings.
        people: The name of each label.
        best_of: A person's similarity is the mean over so many of their most similar faces, >= 1.
    """
    known = np.flatnonzero((splits == "train") & (labels >= 0))
    gallery = Gallery(
        embeddings=np.ascontiguousarray(embeddings[known], dtype=np.float32),
        labels=np.asarray(labels[known], dtype=np.int64),
        people=tuple(people),
        faces=known.astype(np.int64),
        impostors=np.zeros(0, np.float32),
        genuine=np.zeros(0, np.float32),
        best_of=best_of,
    )
    val = np.flatnonzero((splits == "val") & (labels >= 0))
    scores = person_scores(gallery, embeddings[val])
    is_own = np.arange(len(people)) == labels[val][:, None]  # (V, P)
    others = np.where(is_own, -np.inf, scores).max(axis=1, initial=-np.inf)
    own = scores[is_own]
    return replace(gallery, impostors=_finite_ascending(others), genuine=_finite_ascending(own))


def person_scores(gallery: Gallery, probes: np.ndarray) -> np.ndarray:
    """Return how similar each probe is to each person: the mean cosine of the person's ``best_of`` closest faces.

    Args:
        gallery: P people.
        probes: Shape (Q, E), unit rows.

    Returns:
        Shape (Q, P) float32; -inf for a person without a known face.
    """
    scores = np.full((len(probes), len(gallery.people)), -np.inf, dtype=np.float32)
    order = np.argsort(gallery.labels, kind="stable")
    ends = np.searchsorted(gallery.labels[order], np.arange(1, len(gallery.people) + 1))
    rows = gallery.embeddings[order]
    for begin in range(0, len(probes), _BLOCK_PROBES):
        cosines = probes[begin : begin + _BLOCK_PROBES] @ rows.T
        for label, own in enumerate(np.split(cosines, ends[:-1], axis=1)):  # (Q, the person's faces)
            if rest := own.shape[1]:
                rest -= min(gallery.best_of, rest)
                closest = np.partition(own, rest, axis=1)[:, rest:] if rest else own
                scores[begin : begin + len(cosines), label] = closest.mean(axis=1)
    return scores


def identify(probe: np.ndarray, gallery: Gallery, threshold: float, top: int = 3) -> Answer:
    """Say who a face is, or that it is nobody known.

    Args:
        probe: Shape (E,), a unit row.
        gallery: The known faces; an empty one knows nobody.
        threshold: Least similarity to accept.
        top: How many candidates, and how many nearest faces, to give as evidence.
    """
    scores = person_scores(gallery, probe[None])[0]
    best = [label for label in np.argsort(-scores, kind="stable")[:top] if np.isfinite(scores[label])]
    candidates = [(gallery.people[label], float(scores[label])) for label in best]
    rows, cosines = nearest(probe[None], gallery.embeddings, top)
    evidence = [
        (int(gallery.faces[row]), gallery.people[gallery.labels[row]], float(cosine))
        for row, cosine in zip(rows[0], cosines[0], strict=True)
    ]
    if not candidates:
        return Answer(None, -1.0, threshold, [], [])
    person, similarity = candidates[0]
    return Answer(person if similarity >= threshold else None, similarity, threshold, candidates, evidence)


def evaluate(gallery: Gallery, probes: np.ndarray, labels: np.ndarray, threshold: float) -> dict[str, Any]:
    """Return how probes of known people and of strangers fare at a threshold; it can be written as JSON.

    Args:
        gallery: The known faces.
        probes: Shape (Q, E), unit rows, none of them in the gallery.
        labels: Shape (Q,), the person; -1 for a stranger, whom the gallery does not hold.
        threshold: Least similarity to accept.

    Returns:
        threshold; and for ``known`` and ``strangers`` the number of ``photos`` and shares 0-1 with their 95 % Wilson
        intervals: ``right`` (accepted as who they are), ``wrong`` (accepted as somebody else), ``unknown``. No photos,
        no shares: None, with the interval [0, 1].
    """
    scores = person_scores(gallery, probes)
    best = scores.argmax(axis=1) if scores.shape[1] else np.zeros(len(probes), int)
    accepted = scores.max(axis=1, initial=-np.inf) >= threshold
    right = accepted & (best == labels)
    found: dict[str, Any] = {"threshold": threshold}
    for name, group in (("known", labels >= 0), ("strangers", labels < 0)):
        photos = int(group.sum())
        outcomes = {"right": right, "wrong": accepted & ~right, "unknown": ~accepted}
        if name == "strangers":
            del outcomes["right"]  # nobody could be
        found[name] = {"photos": photos}
        for outcome, happened in outcomes.items():
            count = int((happened & group).sum())
            found[name][outcome] = count / photos if photos else None
            found[name][f"{outcome}_interval"] = list(wilson_interval(count, photos))
    return found


def _finite_ascending(scores: np.ndarray) -> np.ndarray:
    return np.sort(scores[np.isfinite(scores)]).astype(np.float32)
