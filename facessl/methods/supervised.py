"""Supervised: name the person, from labels. What fine-tuning does, and what self-supervision is compared with."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from pydantic import BaseModel, ConfigDict, Field

from facessl.methods import Method

if TYPE_CHECKING:
    from torch import Tensor, nn

TITLE = "Supervised"
VIEWS = 1
NEEDS_NAMES = True
REFERENCE = "Softmax regression on the backbone's features, trained through it"


class Options(BaseModel):
    """Settings of the method."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label_smoothing: float = Field(0.0, ge=0, lt=1, description="Share of certainty given to all other people.")


def build(backbone: "nn.Module", options: Options, people: int) -> Method:
    """Return a classifier of ``people`` people on this backbone.

    Raises:
        ValueError: There are fewer than two people to tell apart.
    """
    import torch.nn.functional as F  # noqa: N812 - its name everywhere
    from torch import nn

    if people < 2:
        raise ValueError(f"a classifier needs at least 2 people, got {people}")
    classifier = nn.Linear(cast("int", backbone.feature_dim), people)

    def outputs(views: "Sequence[Tensor]") -> "tuple[Tensor, ...]":
        return (classifier(backbone(views[0])),)

    def loss(outputs: "Sequence[Tensor]", labels: "Tensor") -> "Tensor":
        (logits,) = outputs  # (N, people)
        return F.cross_entropy(logits.float(), labels, label_smoothing=options.label_smoothing)

    return Method(
        modules=nn.ModuleDict({"backbone": backbone, "classifier": classifier}),
        views=VIEWS,
        needs_labels=True,
        outputs=outputs,
        loss=loss,
        chance=lambda batch_size: math.log(people),
    )
