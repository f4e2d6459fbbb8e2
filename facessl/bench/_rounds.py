"""Taking turns, and what comes of it."""

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any


def alternately(
    ours: Callable[[], float], peer: Callable[[], float] | None, repeats: int, tell: Callable[[int], None]
) -> tuple[list[float], list[float] | None]:
    """Call both sides in turn, ``repeats`` times after a first round that does not count; return what they returned."""
    pairs = []
    for number in range(repeats + 1):
        tell(number)
        pairs.append((ours(), peer() if peer else None))
    own = [mine for mine, _ in pairs[1:]]
    return own, [theirs for _, theirs in pairs[1:] if theirs is not None] if peer else None


def compared(
    what: str, unit: str, ours: Sequence[float], peer: Sequence[float] | None, *, less_is_better: bool = False
) -> dict[str, Any]:
    """Return the row of a comparison: medians, and how many times better ours is.

    ``ratio`` is that of the medians; ``lowest`` and ``highest`` are those of single repeats, in which the two sides
    ran right after each other.
    """
    row: dict[str, Any] = {"what": what, "unit": unit, "ours": median(ours)}
    if not peer:
        return row | {"peer": None, "ratio": None, "lowest": None, "highest": None}

    def ratio(mine: float, theirs: float) -> float:
        return theirs / mine if less_is_better else mine / theirs

    single = [ratio(*pair) for pair in zip(ours, peer, strict=True)]
    found = {"peer": median(peer), "ratio": ratio(median(ours), median(peer))}
    return row | found | {"lowest": min(single), "highest": max(single)}


def samples(what: str, ours: Sequence[float], peer: Sequence[float] | None) -> dict[str, Any]:
    """Return every repeat, for who wants to count otherwise."""
    return {"what": what, "ours": list(ours), "peer": None if peer is None else list(peer)}
