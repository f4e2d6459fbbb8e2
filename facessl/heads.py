"""A classifier on the embedding: fine-tuning begins where a linear probe ends, and goes on with the whole network."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from facessl import baselines

if TYPE_CHECKING:
    from facessl.encoder import Encoder


class OnEmbedding(nn.Module):
    """The network up to its embedding, as ``Encoder.classified`` computes it of one side, but so that it can learn.

    The whitening stays as it was fitted: it only says in which units the classifier reads.
    """

    def __init__(self, encoder: "Encoder", width: int) -> None:
        """Take the encoder's backbone and whitening; its embeddings have ``width`` numbers."""
        super().__init__()
        self.backbone = encoder.backbone
        self.feature_dim = width
        self._described = encoder.described
        white = encoder.whitening
        # No buffers: they never change, so that no step has to keep them and no state holds them.
        self._white: tuple[Tensor, Tensor] | None = None
        if white is not None:
            mean, matrix = (torch.from_numpy(part).to(encoder.device.kind) for part in (white.mean, white.matrix))
            self._white = mean, matrix

    def forward(self, inputs: Tensor) -> Tensor:
        """Return what the classifier reads of inputs (N, 3, S, S), shape (N, width) float32."""
        rows = self._described(inputs)
        # Small directions are made large here: a coarse number format would make noise of them.
        with torch.autocast(inputs.device.type, enabled=False):
            rows = rows.float()
            if self._white is not None:
                mean, matrix = self._white
                rows = (rows - mean) @ matrix.T
            return functional.normalize(rows) * self.feature_dim**0.5


def become_a_probe(classifier: nn.Linear, read: np.ndarray, labels: np.ndarray, *, balanced: bool = False) -> None:
    """Give a classifier the weights of a linear probe.

    A classifier that begins by chance tears the features apart before it has learnt anything itself.

    Args:
        classifier: Of P people; somebody without a face here keeps what chance gave.
        read: What it reads of the train faces, shape (N, D) float32.
        labels: Their people, shape (N,), two different ones at least.
        balanced: Everybody's faces together count alike, however many somebody has.

    Reference: Kumar et al. 2022, Fine-tuning can distort pretrained features, https://arxiv.org/abs/2202.10054
    """
    probe = baselines.linear_probe(read, labels, balanced=balanced)
    weight, bias = probe.coef_, probe.intercept_
    if len(probe.classes_) == 2:  # scikit-learn keeps one row for both, their difference
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    with torch.no_grad():
        own = torch.from_numpy(probe.classes_)
        classifier.weight[own] = torch.from_numpy(weight).to(classifier.weight)
        classifier.bias[own] = torch.from_numpy(bias).to(classifier.bias)
