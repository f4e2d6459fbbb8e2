"""Views by torch, a batch at a time, where the faces lie.

Nothing here waits for the device: what is done is decided by the parameters, which the host has, and they reach
the device in one copy, which the host does not wait for either.
"""

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from facessl.views._parameters import (
    LUMA,
    ViewParameters,
    blur_weights,
    check,
    colour_changes,
    colour_matrices,
    sampling,
    unchanged,
)

if TYPE_CHECKING:
    import torch
    from torch import Tensor

# ImageNet's channel statistics: the scale every backbone here is fed in, with its weights or without.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def render_tensor(faces: "Tensor", parameters: ViewParameters, size: int) -> "Tensor":
    """Render views of each face with torch, the whole batch at once, where the faces lie.

    Args:
        faces: Shape (N, S, S, 3) uint8 RGB, on any device.
        parameters: R rows, R a multiple of N, as for ``render``.
        size: Side of a view in pixels.

    Returns:
        Shape (R, 3, size, size) float32 in 0..255, not rounded; within 1 grey level of ``render`` in the mean.

    Raises:
        ValueError: The faces are not square, or R is no multiple of N.
    """
    check(tuple(faces.shape), parameters)
    windows, levels = sampling(parameters, faces.shape[1], size)
    by_level = np.argsort(levels, kind="stable")
    blurred = np.flatnonzero(parameters.sigma)
    matrices, mean_shares = colour_matrices(parameters)
    told = _on_device(
        {
            "windows": _for_shrunk(windows, levels, faces.shape[1])[by_level],
            "faces": by_level % max(len(faces), 1),  # which face each row of a level is a view of
            "back": np.argsort(by_level, kind="stable"),  # where each view is among those sorted by level
            "light": parameters.light,
            "cast": np.exp2(parameters.cast),
            "matrices": matrices,
            "means": mean_shares[:, :, None] * LUMA,
            "blurred": blurred,
            "weights": blur_weights(parameters.sigma[blurred]),
        },
        faces.device,
    )
    views = _sampled(faces, told, np.bincount(levels).tolist(), size)
    if parameters.light.any() or parameters.cast.any():
        views = _light(views, told["light"], told["cast"])
    for slot in np.flatnonzero(colour_changes(parameters).any(axis=0)):
        means = told["means"][:, slot] if mean_shares[:, slot].any() else None
        views = _recolour(views, told["matrices"][:, slot], means)
    if len(blurred):
        rows = told["blurred"].long()
        views[rows] = _blur(views[rows], told["weights"])
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
    shift, scale = _affine(pixels.device)
    if pixels.dtype == torch.uint8 and pixels.device.type == "cpu" and pixels.is_contiguous():
        # In place, over whole rows, and in one pass: most of its time goes into fetching the numbers.
        n, height, width, _ = pixels.shape
        rows = pixels.view(n, height, 3 * width).float()
        torch.addcmul(shift.view(3).repeat(width), rows, scale.view(3).repeat(width), out=rows)
        return rows.view(n, height, width, 3).permute(0, 3, 1, 2)
    if pixels.dtype == torch.uint8:
        pixels = pixels.permute(0, 3, 1, 2)  # strides stay as they were: channels_last for free
    return torch.addcmul(shift, pixels.float(), scale)


@cache
def _affine(device: "torch.device") -> "tuple[Tensor, Tensor]":
    """Return MEAN and STD as what is added to values of 0..255, and what they are multiplied by before.

    Each (1, 3, 1, 1), where it is needed; made once, for each copy is waited for.
    """
    import torch

    # Made for training and for inference alike, whichever asks first.
    with torch.inference_mode(False):
        mean, std = (torch.tensor(values, dtype=torch.float64).view(1, 3, 1, 1) for values in (MEAN, STD))
        return (-mean / std).float().to(device), (1 / (255 * std)).float().to(device)


def _on_device(arrays: dict[str, np.ndarray], device: "torch.device") -> "dict[str, Tensor]":
    """Return the arrays as float32 tensors on the device, brought there in one copy; row numbers stay exact to 2^24."""
    import torch

    packed = torch.from_numpy(np.concatenate([array.ravel() for array in arrays.values()], dtype=np.float32))
    if device.type == "cuda":
        packed = packed.pin_memory()  # from elsewhere the host would wait until it has arrived
    parts = packed.to(device, non_blocking=True).split([array.size for array in arrays.values()])
    return {name: part.view(array.shape) for part, (name, array) in zip(parts, arrays.items(), strict=True)}


def _for_shrunk(windows: np.ndarray, levels: np.ndarray, side: int) -> np.ndarray:
    """Return windows for the shrunk copies: that of an odd side is a little smaller than the face."""
    covers = (side / (side >> levels << levels))[:, None]
    windows = windows * covers[:, None]
    windows[:, :, 2] += covers - 1
    return windows


def _sampled(faces: "Tensor", told: "dict[str, Tensor]", counts: list[int], size: int) -> "Tensor":
    """Read each view out of its face, shrunk as often as its level says; ``counts`` are the views of each level."""
    import torch
    import torch.nn.functional as F  # noqa: N812 - its name everywhere

    if not len(told["windows"]):
        return torch.empty((0, 3, size, size), device=faces.device)
    windows, sources = told["windows"].split(counts), told["faces"].long().split(counts)
    whole = faces.permute(0, 3, 1, 2).float()
    found = []
    for level, count in enumerate(counts):
        if count:
            shrunk = F.avg_pool2d(whole, 2**level) if level else whole  # once for all views of a face
            grid = F.affine_grid(windows[level], [count, 3, size, size], align_corners=False)
            pixels = shrunk[sources[level]]
            found.append(F.grid_sample(pixels, grid, mode="bilinear", padding_mode="reflection", align_corners=False))
    return found[0] if len(found) == 1 else torch.cat(found)[told["back"].long()]


def _light(views: "Tensor", stops: "Tensor", cast: "Tensor") -> "Tensor":
    """Light each view of (N, 3, H, W) as the CPU does."""
    import torch

    size = views.shape[-1]
    places = (2 * torch.arange(size, device=views.device) + 1) / size - 1  # pixel centres, -1 to 1
    across, down = torch.exp2(stops[:, :, None] * places).unbind(dim=1)  # (N, size) each
    return (views * across[:, None, None, :] * down[:, None, :, None] * cast[:, :, None, None]).clamp_(max=255)


def _recolour(views: "Tensor", matrices: "Tensor", means: "Tensor | None") -> "Tensor":
    """Take each view (N, 3, H, W) through its matrix (N, 3, 3); ``means`` (N, 3) weigh its mean colour, added to it."""
    import torch

    pixels = views.flatten(2)  # (N, 3, H*W)
    if means is None:
        recoloured = torch.bmm(matrices, pixels)
    else:
        added = (pixels.mean(dim=2) * means).sum(dim=1).view(-1, 1, 1)
        recoloured = torch.baddbmm(added, matrices, pixels)
    return recoloured.clamp_(0, 255).view_as(views)


def _blur(views: "Tensor", weights: "Tensor") -> "Tensor":
    """Blur each view (N, 3, H, W) by its own weights (N, taps), along one axis and then along the other."""
    import torch.nn.functional as F  # noqa: N812 - its name everywhere

    reach = weights.shape[1] // 2
    kernels = weights.repeat_interleave(3, dim=0)[:, None, None]  # (3N, 1, 1, taps)
    channels = views.reshape(1, -1, *views.shape[2:])  # each channel of each view a group of its own
    across = F.conv2d(F.pad(channels, (reach, reach, 0, 0), mode="reflect"), kernels, groups=len(kernels))
    down = F.pad(across, (0, 0, reach, reach), mode="reflect")
    return F.conv2d(down, kernels.transpose(2, 3), groups=len(kernels)).view_as(views)
