"""How alike a network finds two views of one face, beside views of different people: is augmentation too strong?"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from facessl import views
from facessl.dataset import FaceDataset
from facessl.errors import DatasetError
from facessl.viewing import ViewRecipe

if TYPE_CHECKING:
    from facessl.encoder import Encoder

PAIRS = 64  # faces that are drawn; the mean over so many is good to about 0.02


@dataclass(frozen=True)
class Likeness:
    """Cosine similarities, -1 to 1, of the views of ``pairs`` different faces."""

    same: float  # mean of the two views of a face
    same_low: float  # a tenth of the pairs lies below,
    same_high: float  # and a tenth above
    other: float  # mean of views of two faces that are not known to be one person's
    found: float  # share of views whose most similar other view, among all faces, is of the same face
    pairs: int
    named: bool  # every face has a name, so that ``other`` is of different people for certain
    size: int  # side of a view in pixels


def measure(encoder: "Encoder", dataset: FaceDataset, recipe: ViewRecipe, *, seed: int = 0) -> Likeness:
    """Draw two views of each of up to 64 faces that pre-training may see, and compare what the network makes of them.

    Raises:
        DatasetError: There are fewer than two such faces.
    """
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(dataset.rows("unlabelled", "train"))[:PAIRS])
    if len(rows) < 2:
        raise DatasetError(f"{dataset.name} has fewer than two faces to compare; prepare a set with more photos.")
    drawn = views.ViewParameters.joined([views.draw(len(rows), recipe, rng) for _ in "01"])
    rendered = views.render(np.ascontiguousarray(dataset.faces[rows]), drawn, encoder.image_size)
    view0, view1 = np.split(encoder.embed(rendered), 2)  # (N, E) each
    return compared(view0, view1, dataset.labels(rows), encoder.image_size)


def compared(view0: np.ndarray, view1: np.ndarray, labels: np.ndarray, size: int) -> Likeness:
    """Return the figures of unit rows (N, E), where row i of both is a view of face i; a label of -1 is nobody's."""
    cosine = view0 @ view1.T  # (N, N)
    same = np.diagonal(cosine)
    strangers = (labels[:, None] != labels) | (labels < 0)[:, None]
    np.fill_diagonal(strangers, False)
    low, high = np.quantile(same, [0.1, 0.9])
    return Likeness(
        same=float(same.mean()),
        same_low=float(low),
        same_high=float(high),
        other=float(cosine[strangers].mean()) if strangers.any() else float("nan"),
        found=float((cosine.argmax(axis=1) == np.arange(len(cosine))).mean()),
        pairs=len(cosine),
        named=bool((labels >= 0).all()),
        size=size,
    )
