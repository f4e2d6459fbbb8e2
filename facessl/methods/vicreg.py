"""VICReg: two views of a face shall agree, while each number of the vector varies and says something of its own.

Nothing is pushed apart, so it needs no large batch: variance keeps the faces from becoming one point, and covariance
keeps the numbers from repeating each other. The expander is 256 wide, where the paper's is 8,192: a batch of tens of
faces cannot say which of thousands of numbers repeat each other. For batches of thousands, widen it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from pydantic import BaseModel, ConfigDict, Field

from facessl.methods import Method

if TYPE_CHECKING:
    from torch import Tensor, nn

TITLE = "VICReg"
VIEWS = 2
REFERENCE = "Bardes et al. 2022, VICReg, https://arxiv.org/abs/2105.04906"


class Options(BaseModel):
    """Settings of the method."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    invariance: float = Field(25.0, ge=0, le=1000, description="Weight of: the two views of a face agree.")
    variance: float = Field(25.0, ge=0, le=1000, description="Weight of: every number varies from face to face.")
    covariance: float = Field(1.0, ge=0, le=1000, description="Weight of: no number repeats another.")
    expander_dim: int = Field(
        256, ge=2, le=8192, description="Width of the expander's three layers; the paper has 8192, for batches of 2048."
    )


def build(backbone: "nn.Module", options: Options, people: int) -> Method:
    """Return VICReg on this backbone; ``people`` is not used, for nobody's name is."""
    import torch
    from torch import nn

    from facessl.losses import vicreg
    from facessl.methods._head import projection

    head = projection(cast("int", backbone.feature_dim), *3 * (options.expander_dim,))

    def outputs(views: "Sequence[Tensor]") -> "tuple[Tensor, ...]":
        return head(backbone(torch.cat(tuple(views)))).chunk(2)  # one pass over both, as SimCLR here

    def loss(outputs: "Sequence[Tensor]", labels: "Tensor") -> "Tensor":
        z0, z1 = outputs
        return vicreg(z0, z1, options.invariance, options.variance, options.covariance)

    return Method(
        modules=nn.ModuleDict({"backbone": backbone, "head": head}),
        views=VIEWS,
        needs_labels=False,
        outputs=outputs,
        loss=loss,
        chance=lambda batch_size: None,  # there is no such number: how far apart the views begin depends on the network
    )
