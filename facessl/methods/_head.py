"""The head that joint-embedding methods put on a backbone, and throw away after training."""

from itertools import pairwise

from torch import nn


def projection(*widths: int) -> nn.Sequential:
    """Return linear layers from ``widths[0]`` to ``widths[-1]``, with batch norm and ReLU after all but the last."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths[:-1]):
        layers += [
            nn.Linear(before, after, bias=False),  # the norm after it has a bias
            nn.BatchNorm1d(after),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1]))
