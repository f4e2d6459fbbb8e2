"""Views by torch, a batch at a time, where the faces lie."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from facessl.views._parameters import (
    LUMA,
    ViewParameters,
    check,
    colour_changes,
    colour_matrices,
    gains,
    sampling,
    unchanged,
)

if TYPE_CHECKING:
    from torch import Tensor

# ImageNet's channel statistics: the scale every backbone here is fed in, with its weights or without.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def render_tensor(faces: "Tensor", parameters: ViewParameters, size: int) -> "Tensor":
    """Render one view of each face with torch, the whole batch at once, where the faces lie.

    Args:
        faces: Shape (N, S, S, 3) uint8 RGB, on any device.
        parameters: N rows, as for ``render``.
        size: Side of a view in pixels.

    Returns:
        Shape (N, 3, size, size) float32 in 0..255, not rounded; within 1 grey level of ``render`` in the mean.

    Raises:
        ValueError: The faces are not square, or there are not as many as rows.
    """
    import torch

    check(tuple(faces.shape), parameters)
    windows, levels = sampling(parameters, faces.shape[1], size)
    views = torch.empty((len(faces), 3, size, size), device=faces.device)
    for level in np.unique(levels):  # rows of one level are read from one shrunk copy; the first needs none
        rows = torch.from_numpy(np.flatnonzero(levels == level)).to(faces.device)
        views[rows] = _sample(faces[rows], windows[levels == level], int(level), size)
    views = _light(views, parameters.light, parameters.cast)
    matrices, mean_shares = colour_matrices(parameters)
    for slot in np.flatnonzero(colour_changes(parameters).any(axis=0)):
        matrix = torch.from_numpy(matrices[:, slot]).to(views)
        mean_share = torch.from_numpy(mean_shares[:, slot]).to(views)
        views = _recolour(views, matrix, mean_share)
    if (blurred := np.flatnonzero(parameters.sigma)).size:
        rows = torch.from_numpy(blurred).to(faces.device)
        views[rows] = _blur(views[rows], parameters.sigma[blurred])
    return views


def plain_tensor(faces: "Tensor", size: int) -> "Tensor":
    """Return what ``plain`` does, from and to where the tensor lies: (N, 3, size, size) float32 in 0..255."""
    return render_tensor(faces, unchanged(len(faces)), size)


def to_input(images: "np.ndarray | Tensor") -> "Tensor":
    """Return what a backbone takes, (N, 3, H, W) float32, from what either renderer gives.

    Args:
        images: Array or tensor of shape (N, H, W, 3) uint8, or tensor of shape (N, 3, H, W) float in 0..255.
    """
    import torch

    pixels = torch.from_numpy(images) if isinstance(images, np.ndarray) else images
    if pixels.dtype == torch.uint8:
        pixels = pixels.permute(0, 3, 1, 2)  # strides stay as they were: channels_last for free
    mean = torch.tensor(MEAN, device=pixels.device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=pixels.device).view(1, 3, 1, 1)
    return (pixels.float() / 255 - mean) / std


def _sample(faces: "Tensor", windows: np.ndarray, level: int, size: int) -> "Tensor":
    import torch
    import torch.nn.functional as F  # noqa: N812 - its name everywhere

    side, shrink = faces.shape[1], 2**level
    pixels = faces.permute(0, 3, 1, 2).float()
    if level:
        pixels = F.avg_pool2d(pixels, shrink)
    covers = side / (side // shrink * shrink)  # the shrunk copy of an odd side is a little smaller than the face
    windows = windows * covers
    windows[:, :, 2] += covers - 1
    grid = F.affine_grid(torch.from_numpy(windows).to(pixels), [len(faces), 3, size, size], align_corners=False)
    return F.grid_sample(pixels, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def _light(views: "Tensor", stops: np.ndarray, cast: np.ndarray) -> "Tensor":
    """Light each view of (N, 3, H, W) as the CPU does."""
    import torch

    size = views.shape[-1]
    across, down = (torch.from_numpy(gains(axis, size)).to(views) for axis in stops.T)
    channels = torch.from_numpy(np.exp2(cast)).to(views)
    return (views * across[:, None, None, :] * down[:, None, :, None] * channels[:, :, None, None]).clamp(max=255)


def _recolour(views: "Tensor", matrix: "Tensor", mean_share: "Tensor") -> "Tensor":
    import torch

    luma = torch.tensor(LUMA, dtype=views.dtype, device=views.device)
    added = mean_share * (views.mean(dim=(2, 3)) @ luma)  # (N,)
    recoloured = torch.baddbmm(added.view(-1, 1, 1), matrix, views.flatten(2))  # (N, 3, H*W)
    return recoloured.clamp_(0, 255).view_as(views)


def _blur(views: "Tensor", sigma: np.ndarray) -> "Tensor":
    """Blur each view by its own Gaussian, cut off at 3 sigma as on the CPU."""
    import torch
    import torch.nn.functional as F  # noqa: N812 - its name everywhere

    radius = np.ceil(3 * sigma).astype(np.int64)
    offsets = np.arange(-radius.max(), radius.max() + 1)
    weights = np.exp(-0.5 * (offsets / sigma[:, None]) ** 2) * (abs(offsets) <= radius[:, None])
    weights /= weights.sum(axis=1, keepdims=True)
    taps = torch.from_numpy(weights).to(views).T[:, :, None, None, None]  # (taps, N, 1, 1, 1)
    reach = int(radius.max())
    height, width = views.shape[2:]
    padded = F.pad(views, (reach, reach, 0, 0), mode="reflect")
    views = _sum(len(taps), lambda i: taps[i] * padded[..., i : i + width])
    padded = F.pad(views, (0, 0, reach, reach), mode="reflect")
    return _sum(len(taps), lambda i: taps[i] * padded[..., i : i + height, :])


def _sum(n: int, term: "Callable[[int], Tensor]") -> "Tensor":
    total = term(0)
    for i in range(1, n):
        total = total + term(i)
    return total
