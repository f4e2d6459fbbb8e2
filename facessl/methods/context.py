"""Context: two patches of a face are shown, and the network says where the second lies as seen from the first.

A face is cut into three by three patches. The middle one is compared with each of its eight neighbours, in one step.
Gaps between the patches and a little jitter keep the network from continuing lines and edges over the border.

What differs from the paper: the grid always lies in the middle of the view, all eight pairs of a face are learnt from
at once instead of one drawn pair, and colours stay as the views leave them, without the paper's remedy against the
colour fringes of lenses. As faces are aligned, a patch also tells by itself where it lies.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from pydantic import BaseModel, ConfigDict, Field

from facessl.methods import Method

if TYPE_CHECKING:
    from torch import Tensor, nn

TITLE = "Context"
VIEWS = 1
REFERENCE = (
    "Doersch et al. 2015, Visual representation learning by context prediction, https://arxiv.org/abs/1505.05192"
)

_LEAST = 32  # pixels: smaller patches are enlarged to it, the smallest picture that every backbone is made for
_MIDDLE = 4  # of the nine patches, row by row
_NEIGHBOURS = [place for place in range(9) if place != _MIDDLE]


class Options(BaseModel):
    """Settings of the method."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gap: float = Field(
        0.25, ge=0, le=1, description="Space between two patches, as a share of a patch; the paper has 0.5."
    )
    patch_jitter: float = Field(
        0.1, ge=0, le=0.5, description="Each patch is moved by up to this share of itself, in both directions."
    )
    hidden_dim: int = Field(512, ge=1, le=8192, description="Width of the layer that compares two patches.")


def build(backbone: "nn.Module", options: Options, people: int) -> Method:
    """Return the task of telling eight positions apart; ``people`` is not used, for nobody's name is."""
    import torch
    import torch.nn.functional as F  # noqa: N812 - its name everywhere
    from torch import nn

    from facessl.methods._patches import cut

    width = cast("int", backbone.feature_dim)
    classifier = nn.Sequential(
        nn.Linear(2 * width, options.hidden_dim),
        nn.ReLU(inplace=True),
        nn.Linear(options.hidden_dim, len(_NEIGHBOURS)),
    )

    def outputs(views: "Sequence[Tensor]") -> "tuple[Tensor, ...]":
        (faces,) = views
        side, step, jitter = layout(faces.shape[-1], options)
        first = (faces.shape[-1] - side) // 2 - step
        line = first + step * torch.arange(3, device=faces.device)
        corners = torch.cartesian_prod(line, line).expand(len(faces), -1, -1)  # (n, 9, 2), row by row
        if backbone.training:  # who only looks sees the patches where they belong
            corners = corners + torch.randint(-jitter, jitter + 1, corners.shape, device=faces.device)
        patches = cut(faces, corners[:, :, 0], corners[:, :, 1], side).flatten(0, 1)  # (9n, 3, side, side)
        if side < _LEAST:
            patches = F.interpolate(patches, size=(_LEAST, _LEAST), mode="bilinear", align_corners=False)
        features = backbone(patches).unflatten(0, (-1, 9))  # (n, 9, D)
        middle = features[:, _MIDDLE, None].expand(-1, len(_NEIGHBOURS), -1)
        return (classifier(torch.cat([middle, features[:, _NEIGHBOURS]], dim=2)),)  # (n, 8, 8)

    def loss(outputs: "Sequence[Tensor]", labels: "Tensor") -> "Tensor":
        logits = outputs[0].flatten(0, 1)  # (8N, 8)
        places = torch.arange(len(_NEIGHBOURS), device=logits.device).repeat(len(outputs[0]))
        return F.cross_entropy(logits.float(), places)

    return Method(
        modules=nn.ModuleDict({"backbone": backbone, "classifier": classifier}),
        views=VIEWS,
        needs_labels=False,
        outputs=outputs,
        loss=loss,
        chance=lambda batch_size: math.log(len(_NEIGHBOURS)),
    )


def layout(size: int, options: Options) -> tuple[int, int, int]:
    """Return a patch's side, the step from one to the next, and the most that one is moved, in pixels.

    All nine fit into a picture of ``size`` pixels a side, wherever jitter puts them.
    """
    side = max(1, int(size / (3 + 2 * options.gap + 2 * options.patch_jitter)))
    step = side + round(options.gap * side)
    room = min((size - side) // 2 - step, size - side - (size - side) // 2 - step)
    if room < 0:  # rounding up the gap took a pixel too many
        return side, step + room, 0
    return side, step, min(room, max(1, round(options.patch_jitter * side)) if options.patch_jitter else 0)
