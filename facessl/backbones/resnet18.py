"""ResNet18, torchvision's, without its classifier."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from facessl.backbones import _imagenet
from facessl.errors import RecipeError

if TYPE_CHECKING:
    from torch import nn

TITLE = "ResNet18"
REFERENCE = "He et al. 2016, Deep residual learning for image recognition, https://arxiv.org/abs/1512.03385"
IMAGENET_FILE = "resnet18-f37072fd.pth"


class Options(BaseModel):
    """Settings of the network."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stem: Literal["imagenet", "medium", "small"] = Field(
        "imagenet",
        description="First layers shrink the picture by 4 (imagenet), 2 (medium) or not at all (small): finer, slower.",
    )
    stages: int = Field(
        4,
        ge=2,
        le=4,
        description="Stages kept. Without the fourth it has a quarter of its weights: for small pictures, quick runs.",
    )


def stages(options: Options) -> tuple[tuple[str, ...], ...]:
    """Return the stem and the stages that are kept."""
    return (("conv1", "bn1", "relu", "maxpool"), *((f"layer{stage}",) for stage in range(1, options.stages + 1)))


def build(options: Options, weights: Path | None) -> "nn.Module":
    """Return ResNet18; ``feature_dim`` is 512, 256 with three stages and 128 with two.

    Raises:
        RecipeError: ImageNet weights with another stem than the one they were trained with.
        ModelError: The file does not hold ResNet18's weights.
    """
    from torch import nn
    from torchvision.models import resnet18

    network = resnet18(weights=None)
    if weights is not None:
        if options.stem != "imagenet":
            raise RecipeError("ImageNet weights fit only the imagenet stem; choose that stem, or start from scratch.")
        _imagenet.load(network, weights)
    if options.stem != "imagenet":
        stride = 2 if options.stem == "medium" else 1
        network.conv1 = nn.Conv2d(3, 64, kernel_size=3, stride=stride, padding=1, bias=False)
        nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")  # as torchvision does
        network.maxpool = nn.Identity()  # SimCLR, appendix B.9: a small picture has no pixels to spare
    for stage in range(options.stages + 1, 5):
        setattr(network, f"layer{stage}", nn.Identity())
    network.feature_dim = network.fc.in_features >> (4 - options.stages)
    network.fc = nn.Identity()
    network.maps = tuple(getattr(network, f"layer{stage}") for stage in (options.stages - 1, options.stages))
    network.stages = stages(options)
    return network
