"""The faces that both sides work on."""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facessl import files, registry, views
from facessl.batches import FacePool
from facessl.bench import BenchRecipe
from facessl.dataset import FaceDataset, open_dataset
from facessl.errors import DatasetError

if TYPE_CHECKING:
    from PIL.Image import Image

_PHOTOS_EACH = 8  # of a generated person
_DRAWN_SIDE = 224  # pixels; other sizes are scaled from it


@dataclass(frozen=True)
class Faces:
    """Some faces on disk, as training reads them."""

    dataset: FaceDataset
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def parts(self, size: int) -> "list[Faces]":
        """Return these faces in parts of ``size``, the last of which may be smaller."""
        return [replace(self, rows=self.rows[start : start + size]) for start in range(0, len(self), size)]

    def pool(self, count: int) -> FacePool:
        """Return ``count`` faces for our side: these in their order, over and over."""
        return FacePool([(self.dataset, np.resize(self.rows, count))])

    def images(self) -> "list[Image]":
        """Return these faces in their order for the other side, decoded already, which a file would not be."""
        from PIL import Image

        return [Image.fromarray(face) for face in self.pool(len(self)).take(np.arange(len(self)))]


@contextlib.contextmanager
def opened(recipe: BenchRecipe, workspace: Path, sizes: Sequence[int]) -> Iterator[dict[int, Faces]]:
    """Give the faces for views of each size: those of a set as they are, or generated ones of the views' size.

    Raises:
        DatasetError: There is no such set, or it has fewer than two faces to learn from.
    """
    if recipe.dataset:
        found = _of_a_set(recipe, workspace)
        yield dict.fromkeys(sizes, found)
        return
    photos = _draw(recipe.faces, recipe.seed)
    with tempfile.TemporaryDirectory(prefix="facessl-bench-") as folder:
        yield {size: _written(Path(folder) / str(size), views.plain(photos, size)) for size in sizes}


def _of_a_set(recipe: BenchRecipe, workspace: Path) -> Faces:
    dataset = open_dataset(workspace, recipe.dataset)
    rows = dataset.rows("unlabelled", "train")
    if len(rows) < 2:
        raise DatasetError(f"{dataset.name} has {len(rows)} faces to learn from; name a set with more, or none.")
    chosen = np.random.default_rng(recipe.seed).permutation(rows)[: recipe.faces]
    return Faces(dataset, np.sort(chosen))


def _draw(count: int, seed: int) -> np.ndarray:
    """Return generated photos (count, S, S, 3) uint8, which no detector looked at: a speed does not depend on it."""
    source = registry.load("sources", "synthetic")
    places = (divmod(number, _PHOTOS_EACH) for number in range(count))
    return np.stack([source.render(person, photo, seed=seed, size=_DRAWN_SIDE) for person, photo in places])


def _written(folder: Path, faces: np.ndarray) -> Faces:
    """Return faces that lie in a folder as those of a set do, so that they are read as those are."""
    folder.mkdir()
    np.save(folder / "faces.npy", faces)
    files.write_json(folder / "dataset.json", {"recipe": {"size": faces.shape[1]}})
    return Faces(FaceDataset(folder), np.arange(len(faces)))
