"""Where curves over the share of labels cross, in sentences."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from facessl import methods
from facessl.studies._cells import listed, percent
from facessl.studies._lines import Curves, Line
from facessl.studies._seeds import Estimate, beats, beats_plain
from facessl.studies._starts import Start

_NONE_YET = "So far there is no start that could be compared with learning from nothing."
Tops = Mapping[float, Estimate | None]  # per cent of the labels -> accuracy


def named(reached: Curves, asked: Collection[Line]) -> list[str]:
    """Return a sentence for each start: up to which share it is better than learning from nothing in the same way.

    Args:
        reached: The curves that have a run or more.
        asked: All lines of the study, also those of which nothing is done yet.
    """
    if all(line.start.begins_with_nothing or line.start.missing for line in asked):
        return [_alone({line.start: None for line in asked if line.start.missing})]
    if not any(line.start.begins_with_nothing for line in asked):
        return ["Without nothing or untrained among the starts there is nothing to compare the others with."]
    sentences, unlike = [], []
    for line, curve in reached.items():
        if line.start.begins_with_nothing:
            continue
        rival = _rival(line, asked)
        shares = sorted(curve.keys() & reached.get(rival, {}).keys())
        if not shares:
            continue
        verdicts = {share: beats(curve[share], reached[rival][share]) for share in shares}
        sentences.append(_sentence(line, rival, verdicts))
        if not _alike(line, rival):
            unlike.append(_quoted(line))
    if unlike:
        sentences.append(
            f"Compared so, {listed(unlike)} {'differs' if len(unlike) == 1 else 'differ'} in more than the start: part "
            "of a gap is how a network is read and begun. With untrained among the starts, like is compared with like."
        )
    return sentences or [_NONE_YET]


def _rival(line: Line, asked: Iterable[Line]) -> Line:
    """Return the line that begins with nothing and differs in as little else as there is."""
    begun = [other for other in asked if other.start.begins_with_nothing]
    return max(begun, key=lambda other: (_alike(line, other), other.mode == "finetune"))


def _alike(line: Line, other: Line) -> bool:
    """Return whether as much is learnt of both, and both read the same: what is left is where they start."""
    return (line.mode, line.reads_embedding) == (other.mode, other.reads_embedding)


def _quoted(line: Line) -> str:
    return f"“{line.name}”"


def _alone(missing: Iterable[Start]) -> str:
    """Return what to add to a study of one start; ``missing`` are those asked for that cannot be had here."""
    had = "".join(f" {start.title} cannot be had: {start.missing}" for start in missing)
    nameless = ", ".join(methods.nameless())
    return (
        "Every network here begins from nothing, so there is nothing to compare that with. "
        f"A study whose starts name another as well (imagenet, a method that pre-trains: {nameless}; or the id of a "
        f"pre-training) takes over the runs that this one has done.{had}"
    )


def _sentence(line: Line, rival: Line, verdicts: Mapping[float, int]) -> str:
    """Return how a line compares with its rival, from 1 (better), 0 (may be chance) and -1 (worse) by share."""
    shares, name, other = list(verdicts), _quoted(line), _quoted(rival)
    better = [share for share in shares if verdicts[share] > 0]
    worse = [share for share in shares if verdicts[share] < 0]
    after = [share for share in shares if not better or share > better[-1]]
    if len(shares) == 1:
        here = f"with {_shares(shares)} of the labels, the one share compared so far."
        if not better and not worse:
            return f"{name} and {other} are not told apart {here}"
        return f"{name} is {'better' if better else 'worse'} than {other} {here}"
    if not better:
        said = f"{name} is with no share of the labels better than {other}"
        return f"{said}, and worse with {_shares(worse)}." if worse else f"{said}; no difference is more than chance."
    if len(better) == len(shares):
        return f"{name} is better than {other} with every share of the labels, from {_range(shares)}."
    if not after:
        return f"{name} is better than {other} with {_shares(better)} of the labels."
    lost = [share for share in after if share in worse]
    apart = f"the two are not told apart, but with {_shares(lost)} {other} is better"
    how = "the two are not told apart" if not lost else f"{other} is better" if len(lost) == len(after) else apart
    then = f"with {after[0]:g} % of the labels" if len(after) == 1 else f"from {after[0]:g} % of the labels on,"
    return f"{name} is better than {other} with {_shares(better)} of the labels; {then} {how}."


def beside_plain(reached: Curves, tops: Mapping[Line, Tops], plain: Mapping[str, Tops]) -> list[str]:
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
