"""Squares cut out of pictures, at places of each picture's own."""

import torch
from torch import Tensor


def cut(pictures: Tensor, tops: Tensor, lefts: Tensor, side: int) -> Tensor:
    """Return m squares of each picture.

    Args:
        pictures: Shape (N, C, H, W).
        tops: First row of each square, shape (N, m), int64, 0 to H - side.
        lefts: First column of each square, alike.
        side: Of a square, in pixels.

    Returns:
        Shape (N, m, C, side, side); gradients reach the pictures.
    """
    along = torch.arange(side, device=pictures.device)
    rows = (tops[:, :, None] + along)[:, :, :, None]  # (N, m, side, 1)
    columns = (lefts[:, :, None] + along)[:, :, None, :]  # (N, m, 1, side)
    picture = torch.arange(len(pictures), device=pictures.device)[:, None, None, None]
    return pictures[picture, :, rows, columns].permute(0, 1, 4, 2, 3)
