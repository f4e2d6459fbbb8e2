"""The plain methods beside networks, over seeds: each fine-tuning was judged beside them, by the same names."""

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from facessl.studies._cells import Row
from facessl.studies._seeds import Estimate, estimate
from facessl.studying import Done


def rows(runs: Mapping[int, Done]) -> list[Row]:
    """Return a row for each plain method, of one fine-tuning a seed: the mean, for seeds may know other names."""
    return [
        {
            "model": name,
            "top-1": _top(scores).cell("plain method"),
            "macro-F1": fmean(score["macro_f1"] for score in scores),
            "seeds": len(scores),
        }
        for name, scores in _scores(runs).items()
    ]


def tops(runs: Mapping[int, Done]) -> dict[str, Estimate]:
    """Return the accuracy of each plain method, of one fine-tuning a seed."""
    return {name: _top(scores) for name, scores in _scores(runs).items()}


def _top(scores: list[dict[str, Any]]) -> Estimate:
    return estimate([score["top1"] for score in scores], scores[0]["photos"])


def _scores(runs: Mapping[int, Done]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for done in runs.values():
        for score in done.result["baselines"]:
            found.setdefault(score["name"], []).append(score)
    return found
