"""Supervised contrastive: all views of a person shall be close to each other, from labels.

SimCLR with names: the positives of a view are all other views of the same person in the batch, and not only its own
other view. A face without a name has only that one.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from pydantic import BaseModel, ConfigDict, Field

from facessl.methods import Method

if TYPE_CHECKING:
    from torch import Tensor, nn

TITLE = "Supervised contrastive"
VIEWS = 2
NEEDS_NAMES = True
REFERENCE = "Khosla et al. 2020, Supervised contrastive learning, https://arxiv.org/abs/2004.11362"


class Options(BaseModel):
    """Settings of the method."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = Field(
        0.1, ge=0.001, le=10, description="Divides the similarities: lower looks harder at near misses."
    )
    hidden_dim: int = Field(512, ge=1, le=8192, description="Width of the projection head's hidden layer.")
    projection_dim: int = Field(128, ge=2, le=8192, description="Width of what the loss compares.")


def build(backbone: "nn.Module", options: Options, people: int) -> Method:
    """Return the task of bringing the views of each of ``people`` people together.

    Raises:
        ValueError: There are fewer than two people to tell apart.
    """
    import torch
    from torch import nn

    from facessl.losses import sup_con
    from facessl.methods._head import projection

    if people < 2:
        raise ValueError(f"telling people apart needs at least 2 of them, got {people}")
    head = projection(cast("int", backbone.feature_dim), options.hidden_dim, options.projection_dim)

    def outputs(views: "Sequence[Tensor]") -> "tuple[Tensor, ...]":
        return head(backbone(torch.cat(tuple(views)))).chunk(2)  # one pass over both, as SimCLR here

    def loss(outputs: "Sequence[Tensor]", labels: "Tensor") -> "Tensor":
        z0, z1 = outputs
        return sup_con(z0, z1, labels, options.temperature)

    return Method(
        modules=nn.ModuleDict({"backbone": backbone, "head": head}),
        views=VIEWS,
        needs_labels=True,
        outputs=outputs,
        loss=loss,
        chance=lambda batch_size: math.log(2 * batch_size - 1),
    )
