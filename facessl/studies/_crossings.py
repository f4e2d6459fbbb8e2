"""Where curves over the share of labels cross, in sentences."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from facessl import methods
from facessl.studies._cells import listed, percent
from facessl.studies._seeds import Estimate, beats, beats_plain

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


def beside_plain(reached: "Curves", tops: "Mapping[Line, Tops]", plain: Mapping[str, Tops]) -> list[str]:
    """Return which plain method is ahead of all networks, with how many labels, and whether that can be chance.

    Args:
        reached: The runs of each curve.
        tops: What they reach on the mean of their seeds.
        plain: The same of the plain methods they were judged beside, by name.
    """
    ahead: dict[str, dict[float, int | None]] = {}
    behind: dict[float, int | None] = {}
    for share in sorted({share for curve in tops.values() for share in curve}):
        networks = {line: top.mean for line, curve in tops.items() if (top := curve.get(share)) is not None}
        scores = {name: top.mean for name, curve in plain.items() if (top := curve.get(share)) is not None}
        if not networks or not scores:
            continue
        line, best = max(networks, key=networks.__getitem__), max(scores, key=scores.__getitem__)
        real = beats_plain(reached[line][share], best)
        (ahead.setdefault(best, {}) if scores[best] > networks[line] else behind)[share] = real
    if not plain:
        return []
    if not ahead:
        return [
            "With every share of the labels compared, the best network names more photos right than any plain method, "
            f"on the mean{_by_chance(behind, 1) or '; that this is more than chance was not tested'}."
        ]
    return [
        f"With {_shares(list(verdicts))} of the labels {name} names more photos right than any network here: "
        f"{listed([percent(_at(plain[name], share)) for share in verdicts])}{_by_chance(verdicts, -1)}."
        for name, verdicts in ahead.items()
    ]


def _by_chance(verdicts: Mapping[float, int | None], ahead: int) -> str:
    """Return the end of a sentence on who is ahead, from ``beats_plain`` by share; "" where it was not tested."""
    if None in verdicts.values():
        return ""
    real = [share for share, verdict in verdicts.items() if verdict == ahead]
    perhaps = [share for share in verdicts if share not in real]
    if not real or not perhaps:
        return ", which can be chance" if perhaps else ", and not by chance"
    return f"; with {_shares(real)} that is not by chance, with {_shares(perhaps)} it can be"


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
