"""Why S1 printed 20 %: its mistakes switched off one at a time, beside chance."""

from collections.abc import Mapping
from dataclasses import dataclass

from facessl.studies._cells import Row, accuracy, reached
from facessl.studying import Chart, Done, Table

POOLED = "a fifth of all labelled photos, pooled again (test among them)"
TITLE = "Why 20 %: each mistake switched off, one at a time"
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
    "aligned": Change("aligned crops in colour, not grey ones as the box fell", aligned=True),
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
        "a guess among as many as there are axes. A row differs from the first in what it says and in nothing else."
    )
    return [Table(title=TITLE, note=note, columns=["what is done otherwise", _ARGMAX, _LINEAR, "chance"], rows=rows)]


def _row(change: Change, done: Done) -> Row:
    found = done.result
    photos, split = found["photos"], found["split"]
    return {
        "what is done otherwise": change.words,
        _ARGMAX: accuracy(found["argmax"], photos, split, "largest axis of the projection"),
        _LINEAR: accuracy(found["linear"]["share"], photos, split, "linear layer, frozen"),
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
    return {"what is done otherwise": "all of it, and whitened embeddings: done right", _LINEAR: reached(done)}


def chart(done: Mapping[str, Done]) -> list[Chart]:
    """Return the same as bars, for a stakeholder's minute."""
    found = table(done)
    if not found:
        return []
    lines = []
    for column in (_ARGMAX, _LINEAR):
        rows = [row for row in found[0].rows if (row.get(column) or {}).get("share") is not None]
        cells = [row[column] for row in rows]
        lines.append({
            "name": column, "x": [row["what is done otherwise"] for row in rows],
            "y": [cell["share"] for cell in cells],
            "low": [cell["low"] for cell in cells], "high": [cell["high"] for cell in cells],
        })  # fmt: skip
    return [Chart(title=TITLE, kind="bars", x_title="", y_title="share of photos named right", lines=lines)]


def sentence(done: Mapping[str, Done]) -> list[str]:
    """Return why it was 20 %, in words; nothing before the notebook's training is done."""
    if "notebook" not in done:
        return []
    found = done["notebook"].result
    chance, argmax, linear = found["chance"], found["argmax"], found["linear"]["share"]
    said = (
        f"Why 20 %: it asked which axis of the projection is largest and took its number for a person's. Here that is "
        f"right in {100 * argmax:.1f} % of {found['photos']:,} photos, and guessing in {100 * chance:.1f} %; a linear "
        f"layer on the very same network's features is right in {100 * linear:.1f} %."
    )
    if "why-untrained" in done:
        said += f" With no training at all it would be {100 * done['why-untrained'].result['linear']['share']:.1f} %."
    return [said]
