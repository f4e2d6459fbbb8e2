"""What a study is made of: the steps it takes, and the report it writes. Plain data, all of it JSON-able.

A study asks one question that no single run answers. Its plug-in in ``studies/`` names the steps, most of them runs
like any other, and turns what they found into an answer; ``conducting`` takes the steps.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from facessl.run import Run

StepKind = Literal["pretrain", "finetune", "embed", "evaluate", "inside"]


@dataclass(frozen=True)
class Step:
    """One step on the way to a study's answer: a run of another kind, or work in the study's own process."""

    key: str  # its name within the study
    kind: StepKind
    # What differs from the defaults; a value "@other-key" stands for the id of that step's run, and makes it a
    # condition. Of "inside": whatever the plug-in's ``inside`` is given.
    settings: dict[str, Any]
    missing: str = ""  # one sentence why it cannot be done here and what to do; then it is skipped, and what needs it
    weights: str = ""  # a backbone, with whose ImageNet weights it begins: they are fetched before the first step
    otherwise: dict[str, Any] | None = None  # settings in place of its own without those; None: it is missing then


@dataclass(frozen=True)
class Done:
    """A step that was taken."""

    key: str
    run: Run | None  # None of "inside"
    result: dict[str, Any]  # the run's ``result.json``, or what ``inside`` returned


@dataclass(frozen=True)
class Table:
    """A table of a report; a cell is text, a number, None, or an accuracy as ``accuracy`` makes it."""

    title: str
    note: str
    columns: list[str]
    rows: list[dict[str, Any]]


@dataclass(frozen=True)
class Chart:
    """A chart of a report.

    ``lines`` and ``bars`` have ``lines``: dicts of name, x, y and, where there is an interval, low and high, each as
    long as x. A line that is ``quiet`` stands behind the others; one that is ``right`` is dashed and has an axis of
    its own, of ``right_title``: the first of these is in the colour of the first of the others, and so on. ``heat``
    has x and y, the names, and z, a row of numbers for each of y. None is a gap. Bars may have a ``level`` to be
    measured by, a dict of name and value. One that comes ``first`` stands before the tables.
    """

    title: str
    kind: Literal["lines", "bars", "heat"]
    x_title: str = ""
    y_title: str = ""
    lines: list[dict[str, Any]] = field(default_factory=list)
    x: list[Any] = field(default_factory=list)
    y: list[Any] = field(default_factory=list)
    z: list[list[float | None]] = field(default_factory=list)
    level: dict[str, Any] | None = None
    right_title: str = ""
    first: bool = False


@dataclass(frozen=True)
class Report:
    """What a study has to say, so far or finally."""

    sentences: list[str] = field(default_factory=list)  # the answer in words, the most important first
    tables: list[Table] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)  # what could not be done here, why, and what to do

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def accuracy(
    share: float | None, interval: Sequence[float] | None, *, photos: int, split: str, how: str
) -> dict[str, Any]:
    """Return an accuracy as a cell of a table, which never stands without what it rests on.

    Args:
        share: Right answers, 0-1; None where it says nothing.
        interval: (low, high), 95 %, 0-1; None where it is not known.
        photos: How many were judged.
        split: Which ones: train, val, test, or what is said in their place.
        how: frozen, fine-tuned, or the name of a plain method.
    """
    low, high = interval if interval is not None else (None, None)
    return {"share": share, "low": low, "high": high, "photos": photos, "split": split, "how": how}


def figure(value: float, interval: tuple[float, float]) -> dict[str, float]:
    """Return a figure that is no share, with its 95 % interval, as a cell of a table."""
    return {"value": value, "low": interval[0], "high": interval[1]}


def needs(settings: Mapping[str, Any]) -> list[str]:
    """Return the keys of the steps that settings refer to."""
    return [value[1:] for value in settings.values() if isinstance(value, str) and value.startswith("@")]
