"""Whether two models were asked about the same pairs: a fingerprint that does not depend on the order of asking."""

import hashlib

import numpy as np


def digest(faces: np.ndarray, same: np.ndarray, fold: np.ndarray) -> str:
    """Return 12 hexadecimal digits that are equal for the same pairs of faces of one set, in the same folds.

    Args:
        faces: Shape (P, 2), rows of the set's faces; which of the two comes first does not count.
        same: Shape (P,) bool.
        fold: Shape (P,), integers.
    """
    rows = np.column_stack([np.sort(faces, axis=1), same, fold]).astype("<i8")
    return hashlib.sha256(rows[np.lexsort(rows.T)].tobytes()).hexdigest()[:12]
