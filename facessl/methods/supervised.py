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


def build(backbone: "nn.Module", options: Options, people: int, *, weights: Sequence[float] | None = None) -> Method:
    """Return a classifier of ``people`` people on this backbone.

    ``weights`` say how much a photo of each person counts in the loss, which is then the mean over a batch's photos of
    weight times cross-entropy: where all weights of a set average 1, so do those of a batch on average, and parts of a
    batch add up to the whole.

    Raises:
        ValueError: There are fewer than two people to tell apart, or not as many weights.

    Reference for label smoothing: Szegedy et al. 2016, section 7, https://arxiv.org/abs/1512.00567
    """
    import torch
    from torch import nn

    if people < 2:
        raise ValueError(f"a classifier needs at least 2 people, got {people}")
    if weights is not None and len(weights) != people:
        raise ValueError(f"{people} people need as many weights, got {len(weights)}")
    criterion = nn.CrossEntropyLoss(
        weight=None if weights is None else torch.tensor(weights, dtype=torch.float32),
        label_smoothing=options.label_smoothing,
        reduction="mean" if weights is None else "none",  # torch would divide by the sum of the batch's own weights
    )
    classifier = nn.Linear(cast("int", backbone.feature_dim), people)

    def outputs(views: "Sequence[Tensor]") -> "tuple[Tensor, ...]":
        return (classifier(backbone(views[0])),)

    def loss(outputs: "Sequence[Tensor]", labels: "Tensor") -> "Tensor":
        (logits,) = outputs  # (N, people)
        return cast("Tensor", criterion(logits.float(), labels).mean())

    return Method(
        modules=nn.ModuleDict({"backbone": backbone, "classifier": classifier, "criterion": criterion}),
        views=VIEWS,
        needs_labels=True,
        outputs=outputs,
        loss=loss,
        chance=lambda batch_size: math.log(people),
    )
