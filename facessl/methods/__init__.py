"""What a network is asked to learn. A plug-in here exports ``build(backbone, options, people) -> Method``.

A method is a value, not a base class: which modules it trains, what they make of a batch of views, and a loss over
that. Plug-ins import torch inside ``build``, so that forms and commands can read their ``Options`` without waiting
for it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn


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
