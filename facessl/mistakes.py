"""What a classifier got wrong: who is taken for whom, most often first, and whom to look at among hundreds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Confusion:
    """Photos of one person that were given another's name."""

    right: int  # label of the person on the photos
    answer: int  # label of the name they were given
    photos: int
    of: int  # photos of the right person there are


def confusions(matrix: np.ndarray | Sequence[Sequence[int]]) -> list[Confusion]:
    """Return who is taken for whom, most photos first; of equally many the larger share of a person's photos first.

    Args:
        matrix: Shape (P, P), photos by [right person][answer].
    """
    counts = np.asarray(matrix)
    of = counts.sum(axis=1)
    found = [Confusion(int(i), int(j), int(counts[i, j]), int(of[i])) for i, j in np.argwhere(counts) if i != j]
    return sorted(found, key=lambda one: (-one.photos, one.of, one.right, one.answer))


def most_confused(matrix: np.ndarray | Sequence[Sequence[int]], most: int, *, around: int | None = None) -> list[int]:
    """Return the labels of at most ``most`` people to look at, so ordered that who is taken for whom stands together.

    All people in the order of their labels where there are no more. Else those of the largest confusions; fewer than
    ``most`` where fewer are ever confused, and nobody where every answer is right.

    Args:
        matrix: Shape (P, P), photos by [right person][answer].
        most: At least 2.
        around: Only this person and those they are taken for, or who are taken for them.

    Raises:
        ValueError: ``most`` is below 2: nobody is confused alone.
    """
    if most < 2:
        raise ValueError(f"most must be >= 2, nobody is confused alone; got {most}")
    counts = np.asarray(matrix)
    if around is None and len(counts) <= most:
        return list(range(len(counts)))
    chosen: list[int] = [] if around is None else [around]
    for one in confusions(counts):
        if around is not None and around not in (one.right, one.answer):
            continue
        new = [label for label in (one.right, one.answer) if label not in chosen]
        if len(chosen) + len(new) <= most:
            chosen += new
    return _side_by_side(counts, chosen)


def _side_by_side(counts: np.ndarray, labels: list[int]) -> list[int]:
    """Return the labels so that each stands beside the one it is most confused with, as far as a line allows."""
    both_ways = counts + counts.T
    left, order = labels[1:], labels[:1]
    while left:
        # Nobody confused with the last one: the next is whoever comes first among those with large confusions.
        following = max(left, key=lambda label: (both_ways[order[-1], label], -left.index(label)))
        left.remove(following)
        order.append(following)
    return order
