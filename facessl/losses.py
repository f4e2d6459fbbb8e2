"""Losses as pure functions that read like their papers."""

import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere
from torch import Tensor


def nt_xent(z0: Tensor, z1: Tensor, temperature: float = 0.5) -> Tensor:
    """SimCLR's contrastive loss over one batch of positive pairs.

    Args:
        z0: Projections of the first view, shape (N, D), any scale, any float type.
        z1: Projections of the second view; row i is the positive of z0[i].
        temperature: Divides the cosine similarities, > 0.

    Returns:
        Scalar float32, mean over the 2N anchors; ln(2N - 1) when nothing is learnt.

    Raises:
        ValueError: The shapes differ, N < 2, or temperature <= 0.

    Reference: Chen et al. 2020, Algorithm 1, https://arxiv.org/abs/2002.05709
    """
    if z0.shape != z1.shape or z0.ndim != 2:
        raise ValueError(f"z0 and z1 must both have the shape (N, D), got {tuple(z0.shape)} and {tuple(z1.shape)}")
    if len(z0) < 2:
        raise ValueError(f"a contrastive batch needs at least 2 pairs, got {len(z0)}")
    if not temperature > 0:
        raise ValueError(f"temperature must be > 0, got {temperature}")
    # bfloat16 has 8 bits: at temperature 0.1 its rounding alone moves a logit by 0.04.
    with torch.autocast(z0.device.type, enabled=False):
        z = F.normalize(torch.cat([z0, z1]).float(), dim=1)  # (2N, D)
        logits = z @ z.T / temperature  # (2N, 2N)
        logits.fill_diagonal_(float("-inf"))  # an anchor is not its own negative
        positive = torch.arange(len(z), device=z.device).roll(len(z0))
        return F.cross_entropy(logits, positive)
