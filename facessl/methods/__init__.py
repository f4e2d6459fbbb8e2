"""What a network is asked to learn. A plug-in here exports ``build(backbone, options, people) -> Method``.

A method is a value, not a base class: which modules it trains, and a loss over a batch of views. Plug-ins import
torch inside ``build``, so that forms and commands can read their ``Options`` without waiting for it.
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
    loss: "Callable[[Sequence[Tensor], Tensor], Tensor]"  # (views of shape (N, 3, H, W), labels (N,)) -> scalar
    chance: Callable[[int], float | None]  # batch size -> loss of a network that has learnt nothing
