"""The photos that a set was made of, read again from where they came."""

from pathlib import Path

import numpy as np

from facessl.config import PrepareRecipe
from facessl.dataset import FaceDataset, open_dataset
from facessl.preparation._chunks import open_recipe_source
from facessl.recipes import build


class PhotoReader:
    """Reads any photo of a set; of a version also those that its parents brought.

    One thread at a time: a zip has one reading position.

    Raises:
        SourceError: The photos are no longer where they were.
    """

    def __init__(self, opened: FaceDataset, workspace: Path) -> None:
        recipe = build(PrepareRecipe, opened.info["recipe"])
        assert isinstance(recipe, PrepareRecipe)
        self._inherited = opened.info.get("inherited", 0)
        self._parent = PhotoReader(open_dataset(workspace, recipe.parent), workspace) if recipe.parent else None
        self._source = open_recipe_source(recipe)

    def read(self, photo: int) -> np.ndarray:
        """Return the photo with this id as it came, (H, W, 3) uint8 RGB; ImageError if it cannot be read."""
        if self._parent is not None and photo < self._inherited:
            return self._parent.read(photo)
        return self._source.read(self._source.photos[photo - self._inherited])

    def close(self) -> None:
        self._source.close()
        if self._parent is not None:
            self._parent.close()
