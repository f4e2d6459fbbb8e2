"""TinyVGG, the network of CNN Explainer that S2 trained: two blocks of two 3×3 convolutions."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from facessl.errors import RecipeError

if TYPE_CHECKING:
    from torch import nn

TITLE = "TinyVGG"
REFERENCE = "Wang et al. 2020, CNN Explainer, https://arxiv.org/abs/2004.15004"
IMAGENET_FILE = None

_GRID = 13  # what a 64-pixel picture, the Explainer's, leaves after both blocks; more would be a huge embedding
_BLOCK = 5  # modules of a block
BEFORE = {"places": _GRID}


class Options(BaseModel):
    """Settings of the network."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hidden_units: int = Field(10, ge=1, le=512, description="Channels of each convolution; the original has 10.")
    places: int = Field(
        0,
        ge=0,
        le=_GRID,
        description="Places a side that its features keep. 0: as many as the picture leaves after both blocks, 13 at "
        "most.",
    )


def settled(options: Options, image_size: int, *, imagenet: bool) -> Options:
    """Return options that leave nothing open: no more places than the picture really leaves."""
    return options.model_copy(update={"places": options.places or min(_GRID, max(1, _left(_left(image_size))))})


def _left(side: int) -> int:
    """Return how many places a side a block leaves: two 3×3 convolutions without a border, then every second."""
    return (side - 4) // 2


def stages(options: Options) -> tuple[tuple[str, ...], ...]:
    """Return the two blocks."""
    return tuple(tuple(str(_BLOCK * block + layer) for layer in range(_BLOCK)) for block in range(2))


def build(options: Options, weights: Path | None) -> "nn.Module":
    """Return TinyVGG; ``feature_dim`` is hidden_units × places², 1690 for the original's 64 pixels.

    Pictures of any size from 16 pixels work: what comes out is pooled to so many ``places`` a side. Where that was left
    open, as in runs of before it could be chosen, they are 13, what 64 pixels give.

    Raises:
        RecipeError: Weights were asked for; nobody trained it on ImageNet.
    """
    from torch import nn

    if weights is not None:
        raise RecipeError("TinyVGG has no ImageNet weights; start from scratch, or choose another backbone.")
    hidden, places = options.hidden_units, options.places or _GRID
    network: Any = nn.Sequential(
        *_block(3, hidden),
        *_block(hidden, hidden),
        nn.AdaptiveAvgPool2d(places),
        nn.Flatten(),
    )
    network.feature_dim = hidden * places**2
    network.maps = ()  # its features are a map
    network.stages = stages(options)
    return network


def _block(channels: int, hidden: int) -> "list[nn.Module]":
    from torch import nn

    return [
        nn.Conv2d(channels, hidden, kernel_size=3),
        nn.ReLU(),
        nn.Conv2d(hidden, hidden, kernel_size=3),
        nn.ReLU(),
        nn.MaxPool2d(2),
    ]
