"""Pseudo-labels: K-means groups the faces, and the network learns to say which group a face is in.

On flattened pixels with ten clusters it is the pretext task of "Face classification using self-supervised learning",
the published student project. On the network's own features, grouped anew every few epochs, it is DeepCluster: its
last layer then begins afresh, as the clusters have other numbers, and small clusters count as much as large ones, or
one cluster would soon hold everybody.

What differs from the paper: groups are made every few epochs and not after each, ten of them and not 10,000 as long as
nobody asks for more, and the optimiser keeps its moments of the last layer when that begins afresh.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from facessl.methods import Material, Method

if TYPE_CHECKING:
    from torch import Tensor, nn

TITLE = "Pseudo-labels"
VIEWS = 1
REFERENCE = "Caron et al. 2018, Deep clustering, https://arxiv.org/abs/1807.05520"

_DIRECTIONS = 256  # the paper whitens features to so many before it groups them
_SIDE = 32  # pixels: what grouping by pixels looks at


class Options(BaseModel):
    """Settings of the method."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clusters: int = Field(10, ge=2, le=10_000, description="Groups that K-means makes of the faces.")
    clustered: Literal["pixels", "embeddings"] = Field(
        "pixels", description="What is grouped: the pixels, once, or what the network makes of them, again and again."
    )
    every: int = Field(3, ge=1, le=1000, description="Epochs after which embeddings are grouped anew.")


def build(backbone: "nn.Module", options: Options, people: int) -> Method:
    """Return the task of naming clusters; ``people`` is not used, for nobody's name is."""
    import torch
    import torch.nn.functional as F  # noqa: N812 - its name everywhere
    from torch import nn

    classifier = nn.Linear(cast("int", backbone.feature_dim), options.clusters)
    by_pixels = options.clustered == "pixels"
    balance = nn.Module()
    balance.register_buffer("weight", classifier.weight.new_ones(options.clusters))

    def outputs(views: "Sequence[Tensor]") -> "tuple[Tensor, ...]":
        return (classifier(backbone(views[0])),)

    def loss(outputs: "Sequence[Tensor]", labels: "Tensor") -> "Tensor":
        (logits,) = outputs  # (N, clusters)
        weight = cast("Tensor", balance.weight)
        # Torch's own mean would divide by the batch's sum of weights: parts of a batch would not add up to the whole.
        return F.cross_entropy(logits.float(), labels, weight=weight, reduction="none").mean()

    def relabel(material: Material) -> np.ndarray:
        found = _grouped(_pixels(material) if by_pixels else _whitened(material), options.clusters, material)
        if not by_pixels:
            _begin_afresh(classifier, material)
            counts = np.bincount(found, minlength=options.clusters)
            even = len(found) / (np.count_nonzero(counts) * np.maximum(counts, 1))  # 1 on average over the faces
            cast("Tensor", balance.weight).copy_(torch.from_numpy(even))
        return found

    return Method(
        modules=nn.ModuleDict({"backbone": backbone, "classifier": classifier, "balance": balance}),
        views=VIEWS,
        needs_labels=False,
        outputs=outputs,
        loss=loss,
        chance=lambda batch_size: math.log(options.clusters),
        relabel=relabel,
        every=0 if by_pixels else options.every,
    )


def _pixels(material: Material) -> np.ndarray:
    faces = material.faces(_SIDE)
    return faces.reshape(len(faces), -1).astype(np.float32)


def _whitened(material: Material) -> np.ndarray:
    from facessl import whitening

    features = material.features()
    rows = whitening.fit(features, _DIRECTIONS)(features)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _grouped(rows: np.ndarray, clusters: int, material: Material) -> np.ndarray:
    from threadpoolctl import threadpool_limits

    from facessl import neighbours

    with threadpool_limits(1):  # sums of several threads differ in their last digits from time to time
        return neighbours.kmeans(rows, min(clusters, len(rows)), material.seed).labels


def _begin_afresh(classifier: "nn.Linear", material: Material) -> None:
    import torch

    torch.manual_seed(int(np.random.default_rng([material.seed, material.epoch]).integers(2**63)))
    classifier.reset_parameters()
