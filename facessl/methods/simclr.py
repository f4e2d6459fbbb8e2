"""SimCLR: two views of a face shall be closer to each other than to any other view of the batch."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from pydantic import BaseModel, ConfigDict, Field

from facessl.methods import Method

if TYPE_CHECKING:
    from torch import Tensor, nn

TITLE = "SimCLR"
VIEWS = 2
REFERENCE = "Chen et al. 2020, A simple framework for contrastive learning, https://arxiv.org/abs/2002.05709"


class Options(BaseModel):
    """Settings of the method."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = Field(
        0.1, ge=0.001, le=10, description="Divides the similarities: lower looks harder at near misses."
    )
    hidden_dim: int = Field(512, ge=1, le=8192, description="Width of the projection head's hidden layer.")
    projection_dim: int = Field(128, ge=2, le=8192, description="Width of what the loss compares.")


def build(backbone: "nn.Module", options: Options, people: int) -> Method:
    """Return SimCLR on this backbone; ``people`` is not used, for nobody's name is."""
    import torch
    from torch import nn

    from facessl.losses import nt_xent
    from facessl.methods._head import projection

    head = projection(cast("int", backbone.feature_dim), options.hidden_dim, options.projection_dim)

    def outputs(views: "Sequence[Tensor]") -> "tuple[Tensor, ...]":
        # One pass over both views is faster than two. Batch norm then averages over all 2N views, as in the
        # paper's own code; it cannot tell which two belong together, for they lie N rows apart like any others.
        z = head(backbone(torch.cat(tuple(views))))  # (2N, D)
        return z.chunk(2)

    def loss(outputs: "Sequence[Tensor]", labels: "Tensor") -> "Tensor":
        z0, z1 = outputs
        return nt_xent(z0, z1, options.temperature)

    return Method(
        modules=nn.ModuleDict({"backbone": backbone, "head": head}),
        views=VIEWS,
        needs_labels=False,
        outputs=outputs,
        loss=loss,
        chance=lambda batch_size: math.log(2 * batch_size - 1),
    )
