"""S1's split of all pictures that have names, whatever they had been split into before."""

import numpy as np

from facessl.errors import DatasetError

POOLED = ("train", "val", "test")
_SEED, _HELD_OUT = 42, 0.2


def check_split(labels: np.ndarray) -> None:
    """Raise DatasetError when the split of pictures with these labels would leave somebody out of one of its sides."""
    people, counts = np.unique(labels, return_counts=True)
    if len(labels) * _HELD_OUT < len(people) or counts.min(initial=2) < 2:
        raise DatasetError(
            f"S1's split leaves 20 % of {len(labels)} faces for judging, too few for {len(people)} people; "
            "take a set with more photos a person."
        )


def pooled_split(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the notebook's split of all labelled pictures: 80/20, by person, ``random_state`` 42.

    It is drawn over what had been split before, so faces of one photo or near-copies may fall on both sides.

    Raises:
        DatasetError: Somebody has fewer than two pictures, or there are too few for everybody to be on both sides.
    """
    from sklearn.model_selection import train_test_split

    check_split(labels)
    learnt, judged = train_test_split(np.arange(len(labels)), test_size=_HELD_OUT, random_state=_SEED, stratify=labels)
    return learnt, judged
