"""Which pairs of faces verification asks about: those of a ``pairs.txt``, or drawn from a set's test part."""

from pathlib import Path

from facessl.config import EvaluateRecipe
from facessl.dataset import FaceDataset
from facessl.errors import DatasetError
from facessl.pairs._digest import digest
from facessl.pairs._drawn import draw
from facessl.pairs._file import ListedPair, parse, read
from facessl.pairs._found import find
from facessl.pairs._protocol import Protocol, unnamed

__all__ = ["ListedPair", "Protocol", "digest", "draw", "find", "of", "parse", "read", "unnamed"]


def of(recipe: EvaluateRecipe, dataset: FaceDataset) -> Protocol:
    """Return the pairs that a recipe asks about.

    Raises:
        SourceError: The list of pairs cannot be read.
        DatasetError: No pair, or only one kind of them, can be scored; or nothing is left to fit a whitening on.
    """
    if recipe.pairs:
        path = Path(recipe.pairs)
        protocol = find(read(path), dataset, path.name)
    else:
        protocol = draw(dataset, recipe.per_fold, recipe.seed)
    if protocol.same.all() or not protocol.same.any():
        kind = "of two people" if protocol.same.all() else "of one person"
        raise DatasetError(f"{dataset.name} holds no pair {kind} that could be scored; prepare more of the photos.")
    if recipe.model == "pixels-whitened" and len(unnamed(dataset, protocol)) < 2:
        raise DatasetError(
            f"{dataset.name} has no faces without a part in the pairs to fit the whitening on; choose pixels instead."
        )
    return protocol
