"""The plain methods beside networks, over seeds: each fine-tuning was judged beside them, by the same names."""

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from facessl.studies._cells import Row, percent
from facessl.studies._seeds import Estimate, beats_plain, estimate
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


def beside(networks: Mapping[str, Mapping[int, Done]]) -> list[str]:
    """Return how the best network compares with the best plain method, on the mean of that network's seeds.

    ``networks`` are fine-tunings by what they are called and by seed, as far as they are done.
    """
    reached = {
        name: fmean(done.result["metrics"]["top1"] for done in runs.values()) for name, runs in networks.items() if runs
    }
    if not reached:
        return []
    network = max(reached, key=reached.__getitem__)
    plain = {name: top.mean for name, top in tops(networks[network]).items()}
    method = max(plain, key=plain.__getitem__)
    ahead = -1 if plain[method] > reached[network] else 1
    verdict = beats_plain(networks[network], method)
    chance = {ahead: ", and not by chance", None: ""}.get(verdict, ", which can be chance")
    if ahead < 0:
        return [
            f"No network here is better than “{method}”, which learns no features: {percent(plain[method])} of the "
            f"same photos, {percent(reached[network])} with “{network}”{chance}."
        ]
    return [
        f"The best network, “{network}”, names {percent(reached[network])} right, the best plain method, “{method}”, "
        f"{percent(plain[method])}{chance}."
    ]


def _top(scores: list[dict[str, Any]]) -> Estimate:
    return estimate([score["top1"] for score in scores], scores[0]["photos"])


def _scores(runs: Mapping[int, Done]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for done in runs.values():
        for score in done.result["baselines"]:
            found.setdefault(score["name"], []).append(score)
    return found
