"""What finished runs reached: rows with their split, photos and interval, and honest sentences. Plain data only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from facessl import answers, methods, registry
from facessl.metrics import wilson_interval
from facessl.run import Run
from facessl.significance import McNemar
from pages._shared.words import PLAIN_KNN, count, percent, probability

# Pixels of a table's columns with which a phone shows a name and its figure: of names, and of bars with their figure.
NAME_WIDTH, BAR_WIDTH = 228, 122


@dataclass(frozen=True)
class Score:
    """One accuracy with everything that has to be said beside it."""

    name: str
    how: str  # frozen, fine-tuned, or a plain method
    measure: str  # what was counted
    split: str
    photos: int
    share: float  # 0..1
    low: float  # 95 % interval
    high: float
    labels: float | None  # share of the train labels that were used; None where no name was needed
    run: str  # id of the run it was measured in
    macro_f1: float | None = None  # 0..1, every person counted alike; None where it was not measured
    learnt_from: int = 0  # photos of the split that the network had learnt from, without their names or with them


def trained_how(recipe: dict[str, Any], result: dict[str, Any]) -> str:
    """Return in words whether a fine-tune run trained the network or only the layer on top, and which it kept."""
    if recipe["mode"] == "frozen":
        return "frozen"
    stopped = result.get("early_stop")
    return "fine-tuned, its linear probe kept" if stopped and stopped["best_epoch"] == 0 else "fine-tuned"


def named_before(metrics: dict[str, Any]) -> str:
    """Return "learnt from names before", with their number, of a network that was; "" of others and of old results."""
    if not metrics.get("names_before"):
        return ""
    photos = metrics.get("photos_named_before")  # 0 where their set is gone
    number = f" ({count(photos, 'photo')})" if photos else ""
    return f"learnt from names before{number}"


def test_score(run: Run, name: str = "") -> Score | None:
    """Return a finished fine-tune run's top-1 on ``test``, or None while there is none."""
    result = run.result()
    if result is None:
        return None
    found, recipe = result["metrics"], run.config["recipe"]
    how = ", ".join(part for part in (trained_how(recipe, result), named_before(found)) if part)
    return Score(
        name or run.title, how, "top-1", "test", int(found["photos"]), found["top1"],
        *found["top1_interval"], recipe["label_fraction"], run.id, found.get("macro_f1"),
        (result.get("transductive") or {}).get("photos", 0),
    )  # fmt: skip


def val_scores(run: Run) -> list[Score]:
    """Return a finished pre-training's k-NN on ``val``, with the plain lines it had to beat; [] without names."""
    found = (run.result() or {}).get("metrics", {})
    if found.get("knn_accuracy") is None or not found.get("knn_photos"):
        return []
    photos = int(found["knn_photos"])

    def score(name: str, how: str, share: float) -> Score:
        low, high = wilson_interval(round(share * photos), photos)
        return Score(name, how, "k-NN", "val", photos, share, low, high, None, run.id)

    named = methods.needs_names(run.config["recipe"]["method"])
    names = "learnt from names" if named else named_before(found)
    scores = [score(run.title, f"frozen, {names}" if names else "frozen", found["knn_accuracy"])]
    titles = PLAIN_KNN | {"knn_untrained": f"Untrained {network_of(run)}"}
    scores += [score(name, "plain method", found[key]) for key, name in titles.items() if found.get(key) is not None]
    return scores


def network_of(run: Run) -> str:
    """Return what the backbone of a run's recipe is called."""
    return registry.load("backbones", run.config["recipe"]["backbone"]).TITLE


def baseline_scores(run: Run) -> list[Score]:
    """Return the plain methods on the same train and test photos as a finished fine-tune run."""
    labels = run.config["recipe"]["label_fraction"]
    return [
        Score(_capital(row["name"]), "plain method", "top-1", "test", int(row["photos"]), row["top1"], row["low"],
              row["high"], labels, run.id, row.get("macro_f1"))
        for row in _plain_rows(run)
    ]  # fmt: skip


def _plain_rows(run: Run) -> list[dict[str, Any]]:
    rows = (run.result() or {}).get("baselines")
    if rows is None:  # the report says it too, but of 500 people it is two megabytes
        rows = (run.report() or {}).get("baselines") or []
    return list(rows)


_OF_BEFORE = (
    "An earlier version judged it, beside fewer plain methods; train it again to see all of them, and a lead tested "
    "photo by photo."
)


class Verdict(NamedTuple):
    """How a network compares with the best plain method."""

    leads: bool
    settled: bool  # who is ahead is ahead by more than chance
    said: str


def against_plain(network: Score, run: Run) -> Verdict:
    """Return how a fine-tune run's network compares with the plain methods beside it, on the same photos one by one."""
    best = max(_plain_rows(run), key=lambda row: row["top1"], default=None)
    test = answers.against_plain(run, best["name"]) if best is not None else None
    found = verdict(network, baseline_scores(run), test)
    if best is None or answers.kept_plain(run):
        return found
    return found._replace(said=f"{found.said} {_OF_BEFORE}")


def verdict(network: Score, baselines: Sequence[Score], test: McNemar | None = None) -> Verdict:
    """Return whether the network leads, by more than chance or not, and the sentence that says it.

    ``test`` is of the network and the best of the plain methods. Without one their intervals have to do, which may
    overlap where the photos that only one of the two names right leave no doubt.
    """
    if not baselines:
        return Verdict(True, False, "No plain method was measured beside it.")
    best = max(baselines, key=lambda score: score.share)
    gap = (network.share - best.share) * 100
    if test is None:
        settled, so_far = network.low > best.high or best.low > network.high, ""
        photos = count(network.photos, f"{network.split} photo")
        doubt = "" if settled else f" With {photos} the 95 % intervals overlap, so this is not settled."
    else:
        settled, doubt = test.real, ""
        how = "and not by chance" if test.real else "which can be chance"
        so_far = f", {how} (McNemar p {probability(test.p)})"
    if abs(gap) < 0.05:
        said = f"The network does as well as {best.name}, no better ({percent(best.share)}).{doubt}"
        return Verdict(False, settled, said)
    if gap < 0:
        begin = "The network loses here" if settled else "The network is not ahead here"
        return Verdict(False, settled, (
            f"{begin}: {best.name}, a plain method on the same photos, reaches {percent(best.share)}, "
            f"{-gap:.1f} points more{so_far}.{doubt}"
        ))  # fmt: skip
    ahead = f"The network leads the best plain method, {best.name} ({percent(best.share)}), by {gap:.1f} points"
    return Verdict(True, settled, f"{ahead}{so_far}.{doubt}")


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]
