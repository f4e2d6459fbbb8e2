"""ResNet18, torchvision's, without its classifier."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from facessl.backbones import _imagenet
from facessl.errors import RecipeError

if TYPE_CHECKING:
    from torch import nn

TITLE = "ResNet18"
REFERENCE = "He et al. 2016, Deep residual learning for image recognition, https://arxiv.org/abs/1512.03385"
IMAGENET_FILE = "resnet18-f37072fd.pth"

BEFORE = {"stages": 4}

_LARGE = 96  # pixels: the last maps of a larger picture have 6 x 6 points or more behind the imagenet stem as well


class Options(BaseModel):
    """Settings of the network."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stem: Literal["auto", "imagenet", "medium", "small"] = Field(
        "auto",
        description="First layers shrink the picture by 4 (imagenet), 2 (medium) or not at all (small): finer, slower. "
        "auto: medium for pictures of less than 96 pixels.",
    )
    stages: int = Field(
        0,
        ge=0,
        le=4,
        description="Stages kept, two to four: without the fourth it has a quarter of its weights, and on small "
        "pictures knows faces better. 0: three, but all four of ImageNet's weights.",
    )

    @model_validator(mode="after")
    def _more_than_one_stage(self) -> Self:
        if self.stages == 1:
            raise ValueError("stages must be 2, 3 or 4, or 0 for what suits the weights; got 1")
        return self


def settled(options: Options, image_size: int, *, imagenet: bool) -> Options:
    """Return options that leave nothing open; what was left so becomes what was best on LFW, see docs/LOG.md."""
    stem = options.stem
    if stem == "auto":
        stem = "imagenet" if imagenet or image_size >= _LARGE else "medium"
    return Options(stem=stem, stages=options.stages or (4 if imagenet else 3))


def stages(options: Options) -> tuple[tuple[str, ...], ...]:
    """Return the stem and the stages that are kept."""
    kept = _whole(options).stages
    return (("conv1", "bn1", "relu", "maxpool"), *((f"layer{stage}",) for stage in range(1, kept + 1)))


def _whole(options: Options) -> Options:
    return settled(options, _LARGE, imagenet=True)


def build(options: Options, weights: Path | None) -> "nn.Module":
    """Return ResNet18; ``feature_dim`` is 512, 256 with three stages and 128 with two.

    Raises:
        RecipeError: ImageNet weights with another stem than the one they were trained with.
        ModelError: The file does not hold ResNet18's weights.
    """
    from torch import nn
    from torchvision.models import resnet18

    options = _whole(options)
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
