"""What a network is asked to learn. A plug-in here exports ``build(backbone, options, people) -> Method``.

It also says in ``VIEWS`` how many views of each face it needs, and where it learns from names ``NEEDS_NAMES = True``.

A method is a value, not a base class: which modules it trains, what they make of a batch of views, and a loss over
that. Plug-ins import torch inside ``build``, so that forms and commands can read their ``Options`` without waiting
for it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from facessl import registry

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn


@dataclass(frozen=True)
class Material:
    """What a method can look at that makes up its own labels: the N faces that are learnt from, in their order."""

    faces: "Callable[[int], np.ndarray]"  # side in pixels -> (N, side, side, 3) uint8
    features: "Callable[[], np.ndarray]"  # (N, D) float32, of the network as it is now
    epoch: int  # how many are finished
    seed: int


@dataclass(frozen=True)
class Method:
    """A task on top of a backbone."""

    modules: "nn.ModuleDict"  # "backbone" and whatever head the task needs; all of it is trained
    views: int  # how many views of each face a step needs
    needs_labels: bool  # faces without a label are left out when True
    # Views of shape (n, 3, H, W) -> what the loss compares, tensors of n rows each; of any n faces of a batch.
    outputs: "Callable[[Sequence[Tensor]], tuple[Tensor, ...]]"
    loss: "Callable[[Sequence[Tensor], Tensor], Tensor]"  # (outputs of the whole batch, labels (N,)) -> scalar
    chance: Callable[[int], float | None]  # batch size -> loss of a network that has learnt nothing
    # A label for each face, (N,) int64, for the epochs until it is asked again; None: labels are names, or not needed.
    relabel: "Callable[[Material], np.ndarray] | None" = None
    every: int = 0  # epochs after which it is asked again; 0: once, before the first
    # At which share of the learning rate a parameter learns, by its name in ``modules``; others at all of it.
    factors: Mapping[str, float] = field(default_factory=dict)


def needs_names(method: str) -> bool:
    """Return whether a method, by its name, learns from names; one that was taken away since may have."""
    if method not in registry.names("methods"):
        return True
    return bool(getattr(registry.load("methods", method), "NEEDS_NAMES", False))


def nameless() -> list[str]:
    """Return the names of the methods that learn without names; the others are yardsticks."""
    return [name for name in registry.names("methods") if not needs_names(name)]
