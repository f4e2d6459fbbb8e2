"""EfficientNet-B0, torchvision's, without its classifier: S2's transfer model."""

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from facessl.backbones import _imagenet

if TYPE_CHECKING:
    from torch import nn

TITLE = "EfficientNet-B0"
REFERENCE = "Tan and Le 2019, EfficientNet, https://arxiv.org/abs/1905.11946"
IMAGENET_FILE = "efficientnet_b0_rwightman-7f5810bc.pth"


class Options(BaseModel):
    """It has no settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def stages(options: Options) -> tuple[tuple[str, ...], ...]:
    """Return the paper's nine stages (Table 1)."""
    return tuple((f"features.{stage}",) for stage in range(9))


def build(options: Options, weights: Path | None) -> "nn.Module":
    """Return EfficientNet-B0; ``feature_dim`` is 1280.

    Raises:
        ModelError: The file does not hold EfficientNet-B0's weights.
    """
    from torch import nn
    from torchvision.models import efficientnet_b0

    network = efficientnet_b0(weights=None)
    if weights is not None:
        _imagenet.load(network, weights)
    network.feature_dim = network.classifier[1].in_features
    network.classifier = nn.Identity()
    network.maps = (network.features[5], network.features[7])  # 1/16 and 1/32 of the picture's side
    network.stages = stages(options)
    return network
