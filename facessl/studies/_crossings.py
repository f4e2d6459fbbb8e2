"""Where curves over the share of labels cross, in sentences."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from facessl import methods
from facessl.studies._cells import listed, percent
from facessl.studies._seeds import Estimate, beats

if TYPE_CHECKING:
    from facessl.studies._labels import Curves, Line
    from facessl.studies._starts import Start

_NONE_YET = "So far there is no start that could be compared with learning from nothing."
Tops = Mapping[float, Estimate | None]  # per cent of the labels -> accuracy


def named(reached: "Curves", asked: "Collection[Line]") -> list[str]:
    """Return a sentence for each start: up to which share it is better than learning everything from nothing.

    Args:
        reached: The curves that have a run or more.
        asked: All lines of the study, also those of which nothing is done yet.
    """
    if all(line.start.kind == "nothing" or line.start.missing for line in asked):
        return [_alone({line.start: None for line in asked if line.start.missing})]
    if not any(map(_from_nothing, asked)):
        return ["Without “nothing, fine-tuned” among the curves there is nothing to compare the starts with."]
    nothing = next(filter(_from_nothing, reached), None)
    if nothing is None:
        return [_NONE_YET]
    sentences = []
    for line, curve in reached.items():
        shares = sorted(curve.keys() & reached[nothing].keys())
        if line.start.kind == "nothing" or not shares:
            continue
        verdicts = {share: beats(curve[share], reached[nothing][share]) for share in shares}
        sentences.append(_sentence(line, verdicts))
    return sentences or [_NONE_YET]


def _from_nothing(line: "Line") -> bool:
    return line.start.kind == "nothing" and line.mode == "finetune"


def _alone(missing: "Iterable[Start]") -> str:
    """Return what to add to a study of one start; ``missing`` are those asked for that cannot be had here."""
    had = "".join(f" {start.title} cannot be had: {start.missing}" for start in missing)
    nameless = ", ".join(methods.nameless())
    return (
        "Every network here begins from nothing, so there is nothing to compare that with. "
        f"A study whose starts name another as well (imagenet, a method that pre-trains: {nameless}; or the id of a "
        f"pre-training) takes over the runs that this one has done.{had}"
    )


def _sentence(line: "Line", verdicts: Mapping[float, int]) -> str:
    """Return the sentence for one start, from 1 (better than from nothing), 0 (may be chance), -1 (worse) by share."""
    shares, name = list(verdicts), _capital(line.name)
    better = [share for share in shares if verdicts[share] > 0]
    worse = [share for share in shares if verdicts[share] < 0]
    after = [share for share in shares if not better or share > better[-1]]
    if len(shares) == 1:
        here = f"with {_shares(shares)} of the labels, the one share compared so far."
        if not better and not worse:
            return f"{name} and from nothing are not told apart {here}"
        return f"{name} is {'better' if better else 'worse'} than from nothing {here}"
    if not better:
        said = f"{name} is with no share of the labels better than from nothing"
        return f"{said}, and worse with {_shares(worse)}." if worse else f"{said}; no difference is more than chance."
    if len(better) == len(shares):
        return f"{name} is better than from nothing with every share of the labels, from {_range(shares)}."
    if not after:
        return f"{name} is better than from nothing with {_shares(better)} of the labels."
    lost = [share for share in after if share in worse]
    apart = f"the two are not told apart, but with {_shares(lost)} from nothing is better"
    how = "the two are not told apart" if not lost else "from nothing is better" if len(lost) == len(after) else apart
    return (
        f"{name} is better than from nothing with {_shares(better)} of the labels; "
        f"from {after[0]:g} % of the labels on, {how}."
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
        return [
            "With every share of the labels compared, the best network names more photos right than any plain method, "
            "on the mean; that this is more than chance was not tested."
        ]
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
