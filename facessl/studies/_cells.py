"""Accuracies as a report's tables hold them, and what is read out of finished runs."""

from collections.abc import Mapping, Sequence
from typing import Any

from facessl import files, studying
from facessl.metrics import wilson_interval
from facessl.studying import Done

Cell = dict[str, Any]
Row = dict[str, Any]
FROZEN, FINE_TUNED = "frozen", "fine-tuned"


def accuracy(share: float, photos: int, split: str, how: str) -> Cell:
    """Return an accuracy with its 95 % Wilson interval, for a table's cell; ``share`` in 0-1."""
    interval = wilson_interval(round(share * photos), photos)
    return studying.accuracy(share, interval, photos=photos, split=split, how=how)


def reached(done: Done, k: int = 1) -> Cell | None:
    """Return the top-k accuracy of a fine-tune run on its test split; None where so few people make it say nothing."""
    figures = done.result["metrics"]
    share = figures[f"top{k}"]
    if share is None:
        return None
    how = FROZEN if figures["frozen"] else FINE_TUNED
    return studying.accuracy(share, figures[f"top{k}_interval"], photos=figures["photos"], split="test", how=how)


def test_row(name: str, done: Done) -> Row:
    """Return a fine-tune run's row: top-1, top-3, top-5 and macro-F1 on test."""
    tops = {f"top-{k}": reached(done, k) for k in (1, 3, 5)}
    return {"model": name, **tops, "macro-F1": done.result["metrics"]["macro_f1"]}


def plain_rows(done: Done) -> list[Row]:
    """Return the rows of the plain methods that a fine-tune run was judged beside, on the same photos and names."""
    return [
        {
            "model": row["name"],
            "top-1": studying.accuracy(
                row["top1"], (row["low"], row["high"]), photos=row["photos"], split="test", how="plain method"
            ),
            "macro-F1": row["macro_f1"],
        }
        for row in done.result["baselines"]
    ]


def report_of(done: Done) -> dict[str, Any]:
    """Return what a finished fine-tune run wrote about its test split: people, report, confusion, baselines."""
    assert done.run is not None
    return files.read_json(done.run.path / "report.json")


def curve(done: Done, field: str) -> tuple[list[int], list[float]]:
    """Return epochs and values of a run's curve, those epochs that have the field."""
    assert done.run is not None
    rows = [row for row in done.run.metrics() if row.get("epoch", 0) > 0 and row.get(field) is not None]
    return [row["epoch"] for row in rows], [row[field] for row in rows]


def who_wins(first: Done, second: Done) -> tuple[float, bool]:
    """Return how likely so uneven a result is by chance, of two fine-tune runs on one test split, and if it is real.

    McNemar's test on the photos that just one of the two got right.
    """
    import pandas as pd

    from facessl.significance import mcnemar

    assert first.run is not None and second.run is not None
    tables = [pd.read_parquet(run.path / "predictions.parquet").sort_values("face") for run in (first.run, second.run)]
    test = mcnemar(*((table["predicted"] == table["label"]).to_numpy() for table in tables))
    return test.p, test.real


def percent(share: float) -> str:
    """Return a share in 0-1 as people read it."""
    return f"{100 * share:.1f} %"


def said(cell: Cell) -> str:
    """Return an accuracy with its interval as a sentence has it."""
    return f"{percent(cell['share'])} ({percent(cell['low'])} – {percent(cell['high'])})"


def listed(names: Sequence[str]) -> str:
    """Return names as a sentence lists them."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


def finished(done: Mapping[str, Done], *keys: str) -> bool:
    """Return whether all these steps are done."""
    return all(key in done for key in keys)
