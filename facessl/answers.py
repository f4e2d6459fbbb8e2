"""Which test photos a fine-tuning named right, and which the plain methods beside it: the same photos, so in pairs."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from facessl import shapes
from facessl.errors import DamagedError
from facessl.run import Run
from facessl.significance import McNemar, mcnemar

_NETWORK, _PLAIN = "predictions.parquet", "plain_predictions.parquet"


def store_plain(folder: Path, faces: np.ndarray, labels: np.ndarray, answers: Mapping[str, np.ndarray]) -> None:
    """Write ``plain_predictions.parquet``: a row a test face, and what each plain method said, in a column of its name.

    Args:
        folder: Of the run.
        faces: Rows of the set, shape (N,).
        labels: The right people, shape (N,).
        answers: By method, shape (N,).
    """
    import pandas as pd

    pd.DataFrame({"face": faces, "label": labels, **answers}).to_parquet(folder / _PLAIN, index=False)


def kept_plain(run: Run) -> bool:
    """Return whether a run has the plain methods' answers; older ones were judged beside fewer methods as well."""
    return (run.path / _PLAIN).exists()


def paired(run: Run, method: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Return which test photos a finished fine-tuning named right, and which a plain method, each (N,) bool.

    None where that is not known: of runs made before plain methods' answers were kept, and of damaged ones.
    """
    try:
        network = _right(run.path / _NETWORK, "predicted")
        plain = _right(run.path / _PLAIN, method)
    except DamagedError:
        return None
    same = len(network[0]) and np.array_equal(network[0], plain[0])
    return (network[1], plain[1]) if same else None


def against_plain(run: Run, method: str) -> McNemar | None:
    """Return McNemar's test of a finished fine-tuning, the first, and a plain method; None as of ``paired``."""
    both = paired(run, method)
    return None if both is None else mcnemar(*both)


def _right(path: Path, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the faces of a table, ascending, and whether that column names each right; DamagedError without them."""
    table = shapes.table(path, ("face", "label", column)).sort_values("face")
    return table["face"].to_numpy(), (table[column] == table["label"]).to_numpy()
