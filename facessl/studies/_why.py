"""Why S1 printed 20 %: its mistakes switched off one at a time, beside chance."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from facessl.studies._cells import Row, accuracy, percent, reached, said
from facessl.studying import Chart, Done, Table

POOLED = "a fifth of all labelled photos, pooled again (test among them)"
TITLE = "Why 20 %: each mistake switched off, one at a time"
TRANSFER = "why-imagenet"  # the step that trains Model 2 with the weights that it said it had
TRANSFER_TITLE = "Model 2, called transfer: its two mistakes switched off, one at a time"
_ARGMAX, _LINEAR = "read as it did (largest axis)", "read right (linear layer on the features)"


@dataclass(frozen=True)
class Change:
    """One thing done otherwise than in the notebook."""

    words: str
    views: bool = False
    nt_xent: bool = False
    head: int = 0
    aligned: bool = False
    own_split: bool = False
    trained: bool = True


CHANGES = {
    "notebook": Change("as the notebook did it"),
    "views": Change("two real views of a face, not two copies of it", views=True),
    "nt_xent": Change("NT-Xent over all 2N, not the N × N similarities", nt_xent=True),
    "head": Change("a head of 128 axes, not one axis a person", head=128),
    "aligned": Change("aligned crops in colour, one a photo, not every grey box", aligned=True),
    "own_split": Change("the set's own split, not one drawn over the old ones", own_split=True),
    "untrained": Change("no training at all", trained=False),
}


def _key(name: str) -> str:
    return name if name == "notebook" else f"why-{name}"


def table(done: Mapping[str, Done]) -> list[Table]:
    """Return the panel: a row a change, each read as the notebook reads it and as one should; none before there is."""
    rows = [_row(change, done[_key(name)]) for name, change in CHANGES.items() if _key(name) in done]
    if "notebook" in done:
        rows.insert(1, _matched(done["notebook"]))
    if "simclr-linear" in done:
        rows.append(_right(done["simclr-linear"]))
    if not rows:
        return []
    note = (
        "Nothing in a contrastive loss ties an axis of the projection to a person, so asking which axis is largest is "
        "a guess among as many as there are axes. A row differs from the first in what it says and in nothing else. "
        "The plain methods stand in the table on test."
    )
    columns = ["what is done otherwise", _ARGMAX, _LINEAR, *(f"macro-F1, {column}" for column in (_ARGMAX, _LINEAR))]
    return [Table(title=TITLE, note=note, columns=[*columns, "chance"], rows=rows)]


def _row(change: Change, done: Done) -> Row:
    found = done.result
    photos, split = found["photos"], found["split"]
    return {
        "what is done otherwise": change.words,
        _ARGMAX: accuracy(found["argmax"], photos, split, "largest axis of the projection"),
        _LINEAR: accuracy(found["linear"]["share"], photos, split, "linear layer, frozen"),
        f"macro-F1, {_ARGMAX}": found.get("argmax_f1"),
        f"macro-F1, {_LINEAR}": found["linear"]["macro_f1"],
        "chance": found["chance"],
    }


def _matched(done: Done) -> Row:
    found = done.result
    how = "largest axis, each given to the person it fits best"
    return {
        "what is done otherwise": "the same network, each axis given afterwards to the person it fits best",
        _ARGMAX: accuracy(found["matched"], found["photos"], found["split"], how),
        "chance": found["chance"],
    }


def _right(done: Done) -> Row:
    words = "all of it, and whitened embeddings: done right; its head only trains, no axis is read"
    macro_f1 = done.result["metrics"]["macro_f1"]
    return {"what is done otherwise": words, _ARGMAX: "not asked", _LINEAR: reached(done),
            f"macro-F1, {_LINEAR}": macro_f1}  # fmt: skip


def chart(done: Mapping[str, Done]) -> list[Chart]:
    """Return the same as bars, for a stakeholder's minute."""
    found = table(done)
    if not found:
        return []
    lines = []
    for column in (_ARGMAX, _LINEAR):
        rows = [row for row in found[0].rows if isinstance(row.get(column), dict)]
        cells = [row[column] for row in rows]
        lines.append({
            "name": column, "x": [row["what is done otherwise"] for row in rows],
            "y": [cell["share"] for cell in cells],
            "low": [cell["low"] for cell in cells], "high": [cell["high"] for cell in cells],
        })  # fmt: skip
    chance = {"name": "chance", "value": found[0].rows[0]["chance"]} if "chance" in found[0].rows[0] else None
    return [
        Chart(title=TITLE, kind="bars", y_title="share of photos named right", lines=lines, level=chance, first=True)
    ]


def sentence(done: Mapping[str, Done]) -> list[str]:
    """Return why it was 20 %, in words; nothing before the notebook's training is done."""
    if "notebook" not in done:
        return []
    found = done["notebook"].result
    photos, split = found["photos"], found["split"]
    argmax, linear = (said(accuracy(share, photos, split, "")) for share in (found["argmax"], found["linear"]["share"]))
    words = (
        f"Why 20 %: it asked which axis of the projection is largest and took its number for a person's. Here that is "
        f"right in {argmax} of {photos:,} faces, and guessing in {percent(found['chance'])}; a linear layer on the "
        f"very same network's features is right in {linear}."
    )
    if "why-untrained" in done:
        other = done["why-untrained"].result
        words += f" With no training at all it would be {said(accuracy(other['linear']['share'], photos, split, ''))}."
    return [words, *_transfer_sentence(done)]


# -- Model 2 -----------------------------------------------------------------------------------------------------

_FIRST, _LAST = "right on train in the first epoch it logs", "right on the 20 % after the last"


def transfer_table(done: Mapping[str, Done], left_out: Mapping[str, str]) -> list[Table]:
    """Return Model 2 as it was, without each of its mistakes, and without both; none before it was trained.

    A training that goes on from one that was there already has, as its first half, the one that does not.
    """
    rows = []
    for key, network in (("notebook-classifier", "from nothing"), (TRANSFER, "true ImageNet weights")):
        if key not in done:
            continue
        found, as_it_was = done[key].result, key == "notebook-classifier"
        rerun = found["earlier"] > 0
        words = (
            f"as the notebook did it: {network}, the cell run twice" if as_it_was else f"{network}, not from nothing"
        )
        if rerun:
            rows.append(_model_2(words, found, 1))
        once = f"{network}, the cell run once" if as_it_was else f"neither: {network}, the cell run once"
        rows.append(_model_2(once, found, 1 - found["earlier"]))
    if not rows:
        return []
    note = (
        "Its log begins at 97.7 % on train because its cell had been run before: what it calls epoch 1 is the first of "
        "a second run. And it says pre-trained where it runs resnet18(pretrained=False): nothing was transferred."
    )
    if any(row[f"macro-F1, {_LAST}"] is None for row in rows):
        note += " A dash: the version that trained it did not measure that."
    if TRANSFER not in done:
        missing = "here without them" if TRANSFER in left_out else "yet: it is not done"
        note += f" What true ImageNet weights would have given is not known {missing}."
    columns = ["what is done otherwise", _LAST, _FIRST, *(f"macro-F1, {column}" for column in (_LAST, _FIRST))]
    return [Table(title=TRANSFER_TITLE, note=note, columns=columns, rows=rows)]


def _model_2(words: str, found: Mapping[str, Any], first: int) -> Row:
    """Return the row of the run whose first epoch is number ``first``, as long as one run of the cell."""
    epochs = [row for row in found["epochs"] if row["epoch"] >= first][: found["earlier"] or None]
    learnt = found["faces_seen"] - found["photos"]
    return {
        "what is done otherwise": words,
        _FIRST: accuracy(epochs[0]["train_top1"], learnt, "train", "all layers trained, counted on the way"),
        _LAST: accuracy(epochs[-1]["top1"], found["photos"], found["split"], "all layers trained"),
        f"macro-F1, {_FIRST}": epochs[0].get("train_macro_f1"),
        f"macro-F1, {_LAST}": epochs[-1].get("macro_f1"),
    }


def transfer_chart(done: Mapping[str, Done]) -> list[Chart]:
    """Return the same as bars."""
    lines = []
    for table_ in transfer_table(done, {}):
        for column in (_FIRST, _LAST):
            cells = [row[column] for row in table_.rows]
            lines.append({
                "name": column, "x": [row["what is done otherwise"] for row in table_.rows],
                "y": [cell["share"] for cell in cells],
                "low": [cell["low"] for cell in cells], "high": [cell["high"] for cell in cells],
            })  # fmt: skip
    if not lines:
        return []
    return [Chart(title=TRANSFER_TITLE, kind="bars", y_title="share of photos named right", lines=lines, first=True)]


def _transfer_sentence(done: Mapping[str, Done]) -> list[str]:
    if "notebook-classifier" not in done:
        return []
    found = done["notebook-classifier"].result
    once, twice = _model_2("", found, 1 - found["earlier"]), _model_2("", found, 1)
    if not found["earlier"]:
        return []
    return [
        f"Why 97.7 % at once: S1 ran the classifier's cell a second time on a network that had been trained already. "
        f"Here the first logged epoch is right in {percent(twice[_FIRST]['share'])} of train with that, and in "
        f"{percent(once[_FIRST]['share'])} without; on the 20 % it ends at {said(twice[_LAST])} against "
        f"{said(once[_LAST])}. And nothing was transferred: it ran resnet18(pretrained=False)."
    ]
