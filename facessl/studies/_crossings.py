"""Where curves over the share of labels cross, in sentences."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from facessl.studies._cells import listed, percent
from facessl.studies._seeds import Estimate, beats

if TYPE_CHECKING:
    from facessl.studies._labels import Curves, Line

Tops = Mapping[float, Estimate | None]  # per cent of the labels -> accuracy


def named(reached: "Curves") -> list[str]:
    """Return a sentence for each start: up to which share it is better than learning everything from nothing."""
    nothing = next((line for line in reached if line.start.kind == "nothing" and line.mode == "finetune"), None)
    if nothing is None:
        return ["Without “nothing, fine-tuned” among the curves there is nothing to compare the starts with."]
    sentences = []
    for line, curve in reached.items():
        shares = sorted(curve.keys() & reached[nothing].keys())
        if line.start.kind == "nothing" or not shares:
            continue
        verdicts = {share: beats(curve[share], reached[nothing][share]) for share in shares}
        sentences.append(_sentence(line, verdicts))
    return sentences or ["No start is done yet that could be compared with learning from nothing."]


def _sentence(line: "Line", verdicts: Mapping[float, int]) -> str:
    """Return the sentence for one start, from 1 (better than from nothing), 0 (may be chance), -1 (worse) by share."""
    shares, name = list(verdicts), _capital(line.name)
    better = [share for share in shares if verdicts[share] > 0]
    worse = [share for share in shares if verdicts[share] < 0]
    after = [share for share in shares if not better or share > better[-1]]
    if len(shares) == 1:
        what = "better than" if better else "worse than" if worse else "as good as"
        return f"{name} is {what} from nothing with {_shares(shares)} of the labels, the one share compared so far."
    if not better:
        said = f"{name} is with no share of the labels better than from nothing"
        return f"{said}, and worse with {_shares(worse)}." if worse else f"{said}; no difference is more than chance."
    if len(better) == len(shares):
        return f"{name} is better than from nothing with every share of the labels, from {_range(shares)}."
    if not after:
        return f"{name} is better than from nothing with {_shares(better)} of the labels."
    lost = [share for share in after if share in worse]
    how = (
        "as good" if not lost else "better" if len(lost) == len(after) else f"as good, and better with {_shares(lost)}"
    )
    return (
        f"{name} is better than from nothing with {_shares(better)} of the labels; "
        f"from {after[0]:g} % of the labels on, from nothing is {how}."
    )


def beside_plain(tops: "Mapping[Line, Tops]", plain: Mapping[str, Tops]) -> list[str]:
    """Return which plain method is ahead of all networks, and with how many labels."""
    ahead: dict[str, list[float]] = {}
    for share in sorted({share for curve in tops.values() for share in curve}):
        networks = [top.mean for curve in tops.values() if (top := curve.get(share)) is not None]
        scores = {name: top.mean for name, curve in plain.items() if (top := curve.get(share)) is not None}
        best = max(scores, key=scores.__getitem__, default="")
        if networks and best and scores[best] > max(networks):
            ahead.setdefault(best, []).append(share)
    if not plain:
        return []
    if not ahead:
        return ["With every share of the labels the best network names more photos right than any plain method."]
    return [
        f"With {_shares(shares)} of the labels {name} names more photos right than any network here: "
        f"{listed([percent(_at(plain[name], share)) for share in shares])}."
        for name, shares in ahead.items()
    ]


def _at(curve: Tops, share: float) -> float:
    top = curve[share]
    assert top is not None
    return top.mean


def _shares(shares: Sequence[float]) -> str:
    return listed([f"{share:g} %" for share in shares])


def _range(shares: Sequence[float]) -> str:
    return f"{shares[0]:g} % to {shares[-1]:g} %"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
