"""The stages of a backbone, from the picture on: which of them keep their weights, and how fast the others learn."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def modules_of(backbone: "nn.Module") -> "tuple[tuple[nn.Module, ...], ...]":
    """Return the modules of each stage, the one that sees the picture first."""
    names: tuple[tuple[str, ...], ...] = backbone.stages  # type: ignore[assignment]
    return tuple(tuple(backbone.get_submodule(name) for name in stage) for stage in names)


def freeze(backbone: "nn.Module", count: int) -> None:
    """Let the first ``count`` stages keep their weights.

    Raises:
        ValueError: The backbone has not so many stages.
    """
    stages = modules_of(backbone)
    if not 0 <= count <= len(stages):
        raise ValueError(f"this network has {len(stages)} stages, so {count} of them cannot be frozen")
    for stage in stages[:count]:
        for module in stage:
            module.requires_grad_(False)


def rate_factors(backbone: "nn.Module", decay: float) -> dict[str, float]:
    """Return at which share of the classifier's learning rate each parameter learns, by its name in the backbone.

    The last of S stages learns at ``decay``, the one before it at decay², the first at decay^S: near the picture a
    network sees edges and light, which every task needs, and only near its end what a task is about.

    Args:
        backbone: Has ``stages``.
        decay: 0 < decay <= 1; with 1 there is nothing to say and nothing is returned.

    References: Howard and Ruder 2018, section 3.2 (discriminative fine-tuning), https://arxiv.org/abs/1801.06146;
        counted from the classifier as Bao et al. 2022, https://arxiv.org/abs/2106.08254
    """
    if decay == 1:
        return {}
    stages: tuple[tuple[str, ...], ...] = backbone.stages  # type: ignore[assignment]
    return {
        f"{module}.{name}": decay ** (len(stages) - place)
        for place, stage in enumerate(stages)
        for module in stage
        for name, _ in backbone.get_submodule(module).named_parameters()
    }
