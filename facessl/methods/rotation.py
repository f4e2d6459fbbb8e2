"""Rotation: each face is shown upright, lying and upside down, and the network says how far it was turned.

Whoever can tell that knows where eyes and mouths belong. All four rotations of a face are in one step, as the authors
found best (section 3), so a step costs four times what it costs a method of one view.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from pydantic import BaseModel, ConfigDict

from facessl.methods import Method

if TYPE_CHECKING:
    from torch import Tensor, nn

TITLE = "Rotation"
VIEWS = 1
REFERENCE = "Gidaris et al. 2018, Predicting image rotations, https://arxiv.org/abs/1803.07728"

_TURNS = 4  # by 0, 90, 180 and 270 degrees: no pixel is interpolated, which would give the answer away


class Options(BaseModel):
    """It has no settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def build(backbone: "nn.Module", options: Options, people: int) -> Method:
    """Return the task of telling four rotations apart; ``people`` is not used, for nobody's name is."""
    import torch
    import torch.nn.functional as F  # noqa: N812 - its name everywhere
    from torch import nn

    classifier = nn.Linear(cast("int", backbone.feature_dim), _TURNS)

    def outputs(views: "Sequence[Tensor]") -> "tuple[Tensor, ...]":
        turned = torch.stack([views[0].rot90(turns, (2, 3)) for turns in range(_TURNS)], dim=1)  # (n, 4, 3, H, W)
        logits = classifier(backbone(turned.flatten(0, 1)))  # (4n, 4)
        return (logits.unflatten(0, (-1, _TURNS)),)

    def loss(outputs: "Sequence[Tensor]", labels: "Tensor") -> "Tensor":
        logits = outputs[0].flatten(0, 1)  # (4N, 4)
        turns = torch.arange(_TURNS, device=logits.device).repeat(len(outputs[0]))
        return F.cross_entropy(logits.float(), turns)

    return Method(
        modules=nn.ModuleDict({"backbone": backbone, "classifier": classifier}),
        views=VIEWS,
        needs_labels=False,
        outputs=outputs,
        loss=loss,
        chance=lambda batch_size: math.log(_TURNS),
    )
