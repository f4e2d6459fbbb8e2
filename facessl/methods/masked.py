"""Masked: a square of each face is hidden, and the network draws what it hid.

The backbone makes a vector of what is left to see, and a decoder makes a picture of that vector; only what it draws in
the hidden square is judged. To draw a mouth that fits, the vector has to say whose it is.

What differs from the paper: the error is the squared one alone, without an adversarial loss, so what is drawn is
blurred; the decoder starts from the backbone's vector and not from its last map; and what it draws is judged on a
grid of 32 by 32 cells, whatever the size of the views. The hidden pixels become the mean colour, as in the paper.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, cast

from pydantic import BaseModel, ConfigDict, Field

from facessl.methods import Method

if TYPE_CHECKING:
    from torch import Tensor, nn

TITLE = "Masked"
VIEWS = 1
REFERENCE = "Pathak et al. 2016, Context encoders: feature learning by inpainting, https://arxiv.org/abs/1604.07379"

_CELLS = 32  # along a side of what is drawn
_SEED = 4  # along a side of the map that the decoder begins with; three doublings later it is _CELLS


class Options(BaseModel):
    """Settings of the method."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hidden_share: float = Field(
        0.5, ge=0.1, le=0.9, description="Side of the hidden square, as a share of the face's; the paper has 0.5."
    )
    hidden_place: Literal["anywhere", "middle"] = Field("anywhere", description="Where the hidden square lies.")
    decoder_channels: int = Field(
        128, ge=8, le=1024, description="Width of the decoder's first map; each doubling of its size halves it."
    )


def build(backbone: "nn.Module", options: Options, people: int) -> Method:
    """Return the task of drawing what is hidden; ``people`` is not used, for nobody's name is."""
    import torch
    import torch.nn.functional as F  # noqa: N812 - its name everywhere
    from torch import nn

    from facessl.methods._patches import cut

    decoder = _decoder(cast("int", backbone.feature_dim), options.decoder_channels)
    side = round(options.hidden_share * _CELLS)

    def outputs(views: "Sequence[Tensor]") -> "tuple[Tensor, ...]":
        (faces,) = views
        free = _CELLS - side
        # Who only looks has the same part hidden each time.
        if options.hidden_place == "anywhere" and backbone.training:
            corners = torch.randint(0, free + 1, (len(faces), 2), device=faces.device)
        else:
            corners = torch.full((len(faces), 2), free // 2, device=faces.device)
        top, left = corners.split(1, dim=1)  # (n, 1)
        drawn = decoder(backbone(faces.masked_fill(_hidden(faces, top, left, side), 0))).float()
        wanted = F.adaptive_avg_pool2d(faces.float(), _CELLS)
        return ((cut(drawn, top, left, side) - cut(wanted, top, left, side)).squeeze(1),)  # (n, 3, side, side)

    def loss(outputs: "Sequence[Tensor]", labels: "Tensor") -> "Tensor":
        (errors,) = outputs
        return errors.square().mean()

    return Method(
        modules=nn.ModuleDict({"backbone": backbone, "decoder": decoder}),
        views=VIEWS,
        needs_labels=False,
        outputs=outputs,
        loss=loss,
        chance=lambda batch_size: None,  # what is the error of a guess depends on the faces
    )


def _hidden(faces: "Tensor", top: "Tensor", left: "Tensor", side: int) -> "Tensor":
    """Return which pixels lie in the square of cells, shape (n, 1, H, W)."""
    import torch

    height, width = faces.shape[2:]
    row = torch.arange(height, device=faces.device) * _CELLS // height  # the cell of each pixel
    column = torch.arange(width, device=faces.device) * _CELLS // width
    rows = (row >= top) & (row < top + side)  # (n, H)
    columns = (column >= left) & (column < left + side)
    return (rows[:, :, None] & columns[:, None, :])[:, None]


def _decoder(width: int, channels: int) -> "nn.Sequential":
    """Return the network that makes (n, 3, 32, 32) of (n, width)."""
    from torch import nn

    def doubled(before: int, after: int) -> "nn.ConvTranspose2d":
        return nn.ConvTranspose2d(before, after, kernel_size=4, stride=2, padding=1)

    return nn.Sequential(
        nn.Linear(width, channels * _SEED**2),
        nn.ReLU(inplace=True),
        nn.Unflatten(1, (channels, _SEED, _SEED)),
        doubled(channels, channels // 2),
        nn.ReLU(inplace=True),
        doubled(channels // 2, channels // 4),
        nn.ReLU(inplace=True),
        doubled(channels // 4, 3),
    )
