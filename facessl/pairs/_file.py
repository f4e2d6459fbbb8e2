"""LFW's lists of pairs: ``pairs.txt`` (folds) and ``pairsDevTrain.txt``, ``pairsDevTest.txt`` (one part)."""

from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from facessl.errors import SourceError

_LONGEST_NUMBER = 6  # digits
_LARGEST_FILE = 50_000_000  # bytes; LFW's has 150,000
_OR_NONE = "or none: pairs are then drawn from the set's test part"


@dataclass(frozen=True)
class ListedPair:
    """One line: two photos, each a person's name as in the file and a number from 1."""

    one: tuple[str, int]
    other: tuple[str, int]
    fold: int  # from 1

    @property
    def same(self) -> bool:
        return self.one[0] == self.other[0]


def read(path: Path) -> list[ListedPair]:
    """Return the pairs of a file; SourceError where it is missing or no such list."""
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise SourceError(f"{path.name} is too large to be a list of pairs; give LFW's pairs.txt.")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{path.name} is no text; give LFW's pairs.txt, {_OR_NONE}.") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "the path is none"
        raise SourceError(f"{path} cannot be read ({reason}); give the path of LFW's pairs.txt, {_OR_NONE}.") from error
    return parse(text, path.name)


def parse(text: str, name: str = "pairs.txt") -> list[ListedPair]:
    """Return the pairs of a list, in its order.

    The first line says how many folds there are and how many same pairs each has, ``10<tab>300``, or only the latter,
    ``1100``. Each fold is so many lines ``Name<tab>1<tab>2`` (one person's photos), then as many lines
    ``Name<tab>1<tab>Name<tab>2`` (two people's). Lines may be cut by blanks instead of tabs; empty ones do not count.

    Raises:
        SourceError: A line is not like that; the sentence says which.

    Reference: https://vis-www.cs.umass.edu/lfw/README.txt
    """
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if not lines:
        raise SourceError(f"{name} is empty; give LFW's pairs.txt.")
    folds, each = _header(*lines[0], name)
    expected = 2 * folds * each
    if len(lines) - 1 != expected:
        number = lines[min(len(lines) - 1, expected + 1)][0]
        _refuse(name, number, f"the first line promises {expected:,} pairs, and there are {len(lines) - 1:,}")
    return [
        _pair(number, line, name, fold=1 + place // (2 * each), same=place % (2 * each) < each)
        for place, (number, line) in enumerate(lines[1:])
    ]


def _header(number: int, line: str, name: str) -> tuple[int, int]:
    words = line.split()
    counts = [_number(word) for word in words]
    if len(words) not in (1, 2) or not all(counts):
        _refuse(name, number, "the first line is the number of folds and of same pairs in each, as 10<tab>300")
    return (counts[0], counts[1]) if len(counts) == 2 else (1, counts[0])


def _pair(number: int, line: str, name: str, *, fold: int, same: bool) -> ListedPair:
    words = [word.strip() for word in (line.strip().split("\t") if "\t" in line else line.split())]
    wanted = "a pair of one person's photos, Name<tab>1<tab>2" if same else "two people's, Name<tab>1<tab>Name<tab>2"
    if len(words) != (3 if same else 4):
        _refuse(name, number, f"expected {wanted}, got {len(words)} parts")
    names, digits = (words[0], words[0 if same else 2]), (words[1], words[2 if same else 3])
    first, second = (_number(word) for word in digits)
    if not all(names) or not first or not second:
        _refuse(name, number, f"expected {wanted}, with numbers from 1")
    pair = ListedPair((names[0], first), (names[1], second), fold)
    if pair.one == pair.other:
        _refuse(name, number, "it compares a photo with itself")
    if pair.same != same:
        _refuse(name, number, f"both photos are {names[0][:60]}'s where two people are expected")
    return pair


def _number(word: str) -> int:
    """Return a whole number from 1, or 0 where the word is none."""
    return int(word) if word.isascii() and word.isdecimal() and len(word) <= _LONGEST_NUMBER else 0


def _refuse(name: str, number: int, why: str) -> NoReturn:
    raise SourceError(f"{name}, line {number}: {why}; give LFW's pairs.txt as published.")
