"""What finished runs wrote, read with the shape that others rely on: what has another is damaged.

Nobody downstream has to ask whether a figure is a number; see ``damage`` for what a run writes while it works.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from facessl.errors import DamagedError

if TYPE_CHECKING:
    import pandas as pd

Interval = tuple[float, float]

# -- shapes: what is read of them, and no more; files of older versions lack the rest --------------------------------


class _Baseline(BaseModel):
    name: str
    top1: float
    photos: int
    low: float
    high: float
    macro_f1: float | None = None


class _Named(BaseModel):
    photos: int
    top1: float
    top1_interval: Interval
    top3: float | None
    top3_interval: Interval | None
    top5: float | None
    top5_interval: Interval | None
    macro_f1: float | None = None
    names_before: bool = False
    photos_named_before: int = 0


class _Exposed(BaseModel):
    photos: int
    of: int
    with_names: int


class _Finetuned(BaseModel):
    metrics: _Named
    transductive: _Exposed | None = None  # results of before it was looked at have none
    baselines: list[_Baseline] | None = None
    notes: list[str] = []


class _Recognised(BaseModel):
    knn_accuracy: float | None = None
    knn_photos: int | None = None
    knn_untrained: float | None = None
    knn_pixels: float | None = None
    knn_raw_pixels: float | None = None
    knn_whitened_pixels: float | None = None
    names_before: bool = False
    photos_named_before: int = 0


class _Pretrained(BaseModel):
    metrics: _Recognised


class _Verified(BaseModel):
    accuracy: float | None
    accuracy_se: float | None = None
    accuracy_interval: Interval | None = None
    auc: float
    eer: float
    low_far: float | None = Field(alias="tar_at_far_1e-2")
    lower_far: float | None = Field(alias="tar_at_far_1e-3")


class _Asked(BaseModel):
    scored: int


class _Seen(BaseModel):
    photos: int
    of: int
    names_used: bool


class _Roc(BaseModel):
    far: list[float]
    tar: list[float]


class _Evaluated(BaseModel):
    metrics: _Verified
    pairs: _Asked
    transductive: _Seen
    roc: _Roc
    notes: list[str]


class _Person(BaseModel):
    precision: float
    recall: float
    f1: float = Field(alias="f1-score")
    support: float


class _Answered(BaseModel):
    people: list[str]
    confusion: list[list[int]]
    report: dict[str, _Person | float]
    baselines: list[_Baseline] | None = None


class _Table(BaseModel):
    title: str
    note: str = ""
    columns: list[str]
    rows: list[dict[str, Any]]


class _Chart(BaseModel):
    title: str
    kind: Literal["lines", "bars", "heat"]
    lines: list[dict[str, Any]] = []
    x: list[Any] = []
    y: list[Any] = []
    z: list[list[float | None]] = []


class _Studied(BaseModel):
    sentences: list[str]
    tables: list[_Table]
    charts: list[_Chart]
    missing: list[str]


class _Anything(BaseModel):
    """What no shape is known of: any object."""


_RESULTS: dict[str, type[BaseModel]] = {"finetune": _Finetuned, "pretrain": _Pretrained, "evaluate": _Evaluated}
_REPORTS: dict[str, type[BaseModel]] = {"finetune": _Answered, "study": _Studied}


# -- reading -----------------------------------------------------------------------------------------------------


def result(path: Path, kind: str) -> dict[str, Any]:
    """Return the ``result.json`` of a run of this kind.

    Raises:
        DamagedError: It is gone, or holds something else.
    """
    return _checked(path, _RESULTS.get(kind, _Anything))


def report(path: Path, kind: str) -> dict[str, Any]:
    """Return the ``report.json`` of a run of this kind.

    Raises:
        DamagedError: It is gone, or holds something else.
    """
    found = _checked(path, _REPORTS.get(kind, _Anything))
    if kind == "finetune":
        people = len(found["people"])
        if len(found["confusion"]) != people or any(len(row) != people for row in found["confusion"]):
            raise DamagedError(_damaged(path))
    return found


def table(path: Path, columns: Sequence[str], labels: Sequence[str] = (), people: int = 0) -> "pd.DataFrame":
    """Return the table of a run's Parquet file.

    Args:
        path: The file.
        columns: What it must have, all numbers, or yes and no.
        labels: Those of them that number people.
        people: How many there are.

    Raises:
        DamagedError: It is gone, or holds something else.
    """
    import pandas as pd
    from pyarrow import ArrowException

    try:
        found = pd.read_parquet(path)[list(columns)]
    except (ArrowException, OSError, ValueError, KeyError) as error:
        raise DamagedError(_damaged(path)) from error
    numbers = all(kind.kind in "iufb" for kind in found.dtypes)
    if not numbers or any(not found[name].between(0, people - 1).all() for name in labels):
        raise DamagedError(_damaged(path))
    return found


def _checked(path: Path, shape: type[BaseModel]) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        shape.model_validate_json(text, strict=True)  # "3" is no number
    except (UnicodeDecodeError, ValidationError, FileNotFoundError) as error:
        raise DamagedError(_damaged(path)) from error
    found: dict[str, Any] = json.loads(text)
    return found


def _damaged(path: Path) -> str:
    return f"{path.name} of {path.parent.name} cannot be read any more; start the run again, and delete this one."
