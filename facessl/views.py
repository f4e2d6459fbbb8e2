"""Views: draw their parameters once, render them on the CPU (OpenCV) or on the GPU (torch), with the same result.

A view is made in SimCLR's order (Chen et al. 2020, appendix A): random crop with stretch, turn and mirror in one
resampling; light from one side, which is not SimCLR's; brightness, contrast, saturation and hue in random order,
clamped after each; loss of colour; blur.
Each colour operation is a 3×3 matrix, so hue is a rotation about the grey axis and not HSV's walk along a hexagon.
The two differ by 10 grey levels (mean, random colours) at a turn of 0.05 and by 19 at 0.2, where HSV itself moves
13 and 51; on LFW faces by 5 and 6. A rotation in YIQ differs more: by 13 and 31, on faces by 9 and 12.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from facessl.config import GENTLE_VIEWS, ViewRecipe

if TYPE_CHECKING:
    from torch import Tensor

# ImageNet's channel statistics: the scale every backbone here is fed in, with its weights or without.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)

PRESETS: dict[str, ViewRecipe] = {
    "faces": ViewRecipe(),
    "gentle": GENTLE_VIEWS,
    "SimCLR paper": ViewRecipe(
        crop_min=0.08,
        aspect=4 / 3,
        light=0.0,
        brightness=0.8,
        contrast=0.8,
        saturation=0.8,
        hue=0.2,
        blur=0.5,
        blur_max=2.0,
    ),
    # S1's notebook hands the loss two copies of the same picture: nothing to be invariant to, nothing to learn.
    "seed project": ViewRecipe(crop_min=1.0, aspect=1.0, flip=0.0, light=0.0, jitter=0.0, grey=0.0, blur=0.0),
}

_LUMA = np.array([0.299, 0.587, 0.114])
_GREY_AXIS = np.ones(3) / np.sqrt(3)
_ACROSS = np.cross(_GREY_AXIS, np.eye(3)).T  # the matrix of v -> axis × v
_NEUTRAL = np.array([1, 1, 1, 0], dtype=np.float32)  # factors that change nothing
_COLOURS = (
    "Brightness × {:.2f}",
    "Contrast × {:.2f}",
    "Saturation × {:.2f}",
    "Hue turned by {:+.3f}",
    "Colour dropped",
)
_BLUR_MIN = 0.1  # pixels; SimCLR's lower bound


@dataclass(frozen=True)
class ViewParameters:
    """What is done to each of N faces; plain arrays, so the CPU and the GPU can be told the same."""

    crop: np.ndarray  # (N, 4) float32: left, top, width, height, in shares of the face's side
    angle: np.ndarray  # (N,) float32: turn of the crop window in degrees
    flip: np.ndarray  # (N,) bool: mirrored
    light: np.ndarray  # (N, 2) float32: stops gained from the middle to the right side, and to the lower one
    factors: np.ndarray  # (N, 4) float32: brightness, contrast, saturation (1: as is), hue in turns (0: as is)
    order: np.ndarray  # (N, 4) int64: in which order the four are applied
    grey: np.ndarray  # (N,) bool: loses its colour
    sigma: np.ndarray  # (N,) float32: blur in pixels of the view, 0 for none

    def __len__(self) -> int:
        return len(self.crop)

    def take(self, rows: np.ndarray | slice) -> "ViewParameters":
        """Return the parameters of these rows."""
        return ViewParameters(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


def draw(n: int, recipe: ViewRecipe, rng: np.random.Generator) -> ViewParameters:
    """Draw the parameters of ``n`` views."""
    factors = np.empty((n, 4), dtype=np.float32)
    for column, share in enumerate((recipe.brightness, recipe.contrast, recipe.saturation)):
        factors[:, column] = rng.uniform(1 - share, 1 + share, n)
    factors[:, 3] = rng.uniform(-recipe.hue, recipe.hue, n)
    factors[rng.random(n) >= recipe.jitter] = _NEUTRAL
    sigma = rng.uniform(_BLUR_MIN, recipe.blur_max, n).astype(np.float32)
    towards = rng.uniform(0, 2 * np.pi, n)
    stops = rng.uniform(0, recipe.light_max, n) * (rng.random(n) < recipe.light)
    return ViewParameters(
        crop=_draw_crops(n, recipe, rng),
        angle=rng.uniform(-recipe.rotation, recipe.rotation, n).astype(np.float32),
        flip=rng.random(n) < recipe.flip,
        light=(np.stack([np.cos(towards), np.sin(towards)], axis=1) * stops[:, None]).astype(np.float32),
        factors=factors,
        order=rng.permuted(np.tile(np.arange(4), (n, 1)), axis=1),
        grey=rng.random(n) < recipe.grey,
        sigma=np.where(rng.random(n) < recipe.blur, sigma, np.float32(0)),
    )


def unchanged(n: int) -> ViewParameters:
    """Return the parameters of ``n`` views that are the whole face, as it is."""
    return ViewParameters(
        crop=np.tile(np.array([0, 0, 1, 1], dtype=np.float32), (n, 1)),
        angle=np.zeros(n, dtype=np.float32),
        flip=np.zeros(n, dtype=bool),
        light=np.zeros((n, 2), dtype=np.float32),
        factors=np.tile(_NEUTRAL, (n, 1)),
        order=np.tile(np.arange(4), (n, 1)),
        grey=np.zeros(n, dtype=bool),
        sigma=np.zeros(n, dtype=np.float32),
    )


def render(faces: np.ndarray, parameters: ViewParameters, size: int, *, threads: int = 1) -> np.ndarray:
    """Render one view of each face on the CPU.

    Args:
        faces: Shape (N, S, S, 3) uint8 RGB.
        parameters: N rows; row i says what becomes of ``faces[i]``.
        size: Side of a view in pixels.
        threads: Views are shared out over so many threads; OpenCV lets them run side by side.

    Returns:
        Shape (N, size, size, 3) uint8; the same for any number of threads.

    Raises:
        ValueError: The faces are not square, or there are not as many as rows.
    """
    _check(faces.shape, parameters)
    views = np.empty((len(faces), size, size, 3), dtype=np.uint8)
    windows, levels = _windows(parameters, faces.shape[1], size)
    matrices, mean_shares = _colour_matrices(parameters)
    changes = _colour_changes(parameters)

    def fill(rows: Sequence[int]) -> None:
        for row in rows:
            view = _light(_sample(faces[row], windows[row], levels[row], size), parameters.light[row])
            for slot in np.flatnonzero(changes[row]):
                view = _recolour(view, matrices[row, slot], mean_shares[row, slot])
            views[row] = _blur(view, parameters.sigma[row])

    if threads <= 1 or len(faces) < 2 * threads:
        fill(range(len(faces)))
        return views
    with ThreadPoolExecutor(threads) as pool:
        # list() re-raises what went wrong in a thread.
        list(pool.map(fill, [range(first, len(faces), threads) for first in range(threads)]))
    return views


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

    _check(tuple(faces.shape), parameters)
    windows, levels = _windows(parameters, faces.shape[1], size)
    views = torch.empty((len(faces), 3, size, size), device=faces.device)
    for level in np.unique(levels):  # rows of one level are read from one shrunk copy; the first needs none
        rows = torch.from_numpy(np.flatnonzero(levels == level)).to(faces.device)
        views[rows] = _sample_tensor(faces[rows], windows[levels == level], int(level), size)
    views = _light_tensor(views, parameters.light)
    matrices, mean_shares = _colour_matrices(parameters)
    for slot in np.flatnonzero(_colour_changes(parameters).any(axis=0)):
        matrix = torch.from_numpy(matrices[:, slot]).to(views)
        mean_share = torch.from_numpy(mean_shares[:, slot]).to(views)
        views = _recolour_tensor(views, matrix, mean_share)
    if (blurred := np.flatnonzero(parameters.sigma)).size:
        rows = torch.from_numpy(blurred).to(faces.device)
        views[rows] = _blur_tensor(views[rows], parameters.sigma[blurred])
    return views


def plain(faces: np.ndarray, size: int, *, threads: int = 1) -> np.ndarray:
    """Return the faces at another size and otherwise as they are, (N, size, size, 3) uint8: what evaluation sees.

    Resampled exactly as views are, so that a network meets the sharpness it was trained on.
    """
    return render(faces, unchanged(len(faces)), size, threads=threads)


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


def steps(face: np.ndarray, parameters: ViewParameters, size: int) -> list[tuple[str, np.ndarray]]:
    """Return (what was done, the picture after it) for each step of one view.

    Args:
        face: Shape (S, S, 3) uint8.
        parameters: One row.
        size: Side of the view.

    Returns:
        The face at the view's size first; the last picture is what ``render`` gives. Steps that
        do nothing are left out.
    """
    taken = [("The face", plain(face[None], size)[0])]
    one = parameters.take(slice(0, 1))
    not_flipped = ViewParameters(**{**vars(one), "flip": np.zeros(1, dtype=bool)})
    turned = f", turned by {one.angle[0]:+.0f}°" if one.angle[0] else ""
    if turned or not np.array_equal(one.crop[0], [0, 0, 1, 1]):
        share = one.crop[0, 2] * one.crop[0, 3]
        taken.append((f"Crop of {share:.0%}{turned}", _crops(face, not_flipped, size)))
    view = _crops(face, one, size)
    if one.flip[0]:
        taken.append(("Mirrored", view))
    if one.light[0].any():
        view = _light(view, one.light[0])
        taken.append((f"Light from one side, {np.hypot(*one.light[0]):.1f} stops", view))
    matrices, mean_shares = _colour_matrices(one)
    for slot in np.flatnonzero(_colour_changes(one)[0]):
        operation = one.order[0, slot] if slot < 4 else 4
        view = _recolour(view, matrices[0, slot], mean_shares[0, slot])
        taken.append((_COLOURS[operation].format(*one.factors[0, operation : operation + 1]), view))
    if one.sigma[0]:
        taken.append((f"Blur of {one.sigma[0]:.1f} px", _blur(view, one.sigma[0])))
    return taken


# --- drawing -----------------------------------------------------------------------------------------------------


def _draw_crops(n: int, recipe: ViewRecipe, rng: np.random.Generator) -> np.ndarray:
    """Return (N, 4) windows as torchvision draws them: area uniform, stretch log-uniform, until one fits."""
    sides = np.ones((n, 2))  # what never fits in ten draws stays the whole face
    waiting = np.arange(n)
    for _ in range(10):
        area = rng.uniform(recipe.crop_min, recipe.crop_max, len(waiting))
        stretch = np.exp(rng.uniform(-np.log(recipe.aspect), np.log(recipe.aspect), len(waiting)))
        drawn = np.sqrt(np.stack([area * stretch, area / stretch], axis=1))
        fits = (drawn <= 1).all(axis=1)
        sides[waiting[fits]] = drawn[fits]
        waiting = waiting[~fits]
    corners = rng.random((n, 2)) * (1 - sides)
    return np.concatenate([corners, sides], axis=1).astype(np.float32)


def _check(shape: tuple[int, ...], parameters: ViewParameters) -> None:
    if len(shape) != 4 or shape[1] != shape[2] or shape[3] != 3:
        raise ValueError(f"faces must have the shape (N, S, S, 3), got {shape}")
    if shape[0] != len(parameters):
        raise ValueError(f"{shape[0]} faces, but parameters for {len(parameters)}")


# --- crop, stretch, turn, mirror: one resampling -----------------------------------------------------------------


def _windows(parameters: ViewParameters, side: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what to sample.

    Returns:
        windows: (N, 2, 3) float64, from view to face coordinates; both run from -1 to 1 between the outer edges.
        levels: (N,) int64, how often the face is halved first. What remains is a shrink by less than 2, for
            which reading between four pixels is enough: no pixel is jumped over.
    """
    left, top, width, height = parameters.crop.astype(np.float64).T
    turn = np.deg2rad(parameters.angle.astype(np.float64))
    mirror = np.where(parameters.flip, -1.0, 1.0)
    windows = np.empty((len(parameters), 2, 3))
    windows[:, 0] = np.stack([np.cos(turn) * width * mirror, -np.sin(turn) * height, 2 * left + width - 1], axis=1)
    windows[:, 1] = np.stack([np.sin(turn) * width * mirror, np.cos(turn) * height, 2 * top + height - 1], axis=1)
    shrink = np.maximum(width, height) * side / size
    return windows, np.log2(np.maximum(shrink, 1)).astype(np.int64)


def _sample(face: np.ndarray, window: np.ndarray, level: int, size: int) -> np.ndarray:
    import cv2

    side, shrink = len(face), 2**level
    if level:
        whole = side // shrink * shrink  # a rest of an odd side is left off, as avg_pool2d does
        face = cv2.resize(face[:whole, :whole], (side // shrink,) * 2, interpolation=cv2.INTER_AREA)
    # From -1..1 between edges to pixel indices, whose centres are half a pixel inside.
    matrix = np.empty((2, 3))
    matrix[:, :2] = window[:, :2] * (side / size / shrink)
    matrix[:, 2] = (window[:, 2] + 1) * (side / 2 / shrink) - 0.5 - matrix[:, :2].sum(axis=1) * (size - 1) / 2
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(face, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REFLECT)


def _sample_tensor(faces: "Tensor", windows: np.ndarray, level: int, size: int) -> "Tensor":
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


def _crops(face: np.ndarray, parameters: ViewParameters, size: int) -> np.ndarray:
    windows, levels = _windows(parameters, len(face), size)
    return _sample(face, windows[0], levels[0], size)


# --- colour: a matrix each, clamped after each -------------------------------------------------------------------


def _colour_matrices(parameters: ViewParameters) -> tuple[np.ndarray, np.ndarray]:
    """Return the five colour operations of each view, in the order of their turn, loss of colour last.

    Returns:
        matrices: (N, 5, 3, 3) float32, RGB to RGB.
        mean_shares: (N, 5) float32; so much of the view's mean grey is added: contrast turns about it.
    """
    identity, to_grey = np.eye(3), np.tile(_LUMA, (3, 1))
    brightness, contrast, saturation, hue = parameters.factors.astype(np.float64)[:, :, None, None].swapaxes(0, 1)
    cos, sin = np.cos(2 * np.pi * hue), np.sin(2 * np.pi * hue)
    matrices = np.stack(
        [
            brightness * identity,
            contrast * identity,
            saturation * identity + (1 - saturation) * to_grey,
            cos * identity + (1 - cos) * np.outer(_GREY_AXIS, _GREY_AXIS) + sin * _ACROSS,  # Rodrigues
            np.where(parameters.grey[:, None, None], to_grey, identity),
        ],
        axis=1,
    )
    mean_shares = np.zeros((len(parameters), 5))
    mean_shares[:, 1] = 1 - contrast[:, 0, 0]
    order = np.pad(parameters.order, ((0, 0), (0, 1)), constant_values=4)
    matrices = np.take_along_axis(matrices, order[:, :, None, None], axis=1)
    return matrices.astype(np.float32), np.take_along_axis(mean_shares, order, axis=1).astype(np.float32)


def _colour_changes(parameters: ViewParameters) -> np.ndarray:
    """Return (N, 5) bool: which of the operations, in the order of their turn, do anything."""
    changes = np.take_along_axis(parameters.factors != _NEUTRAL, parameters.order, axis=1)
    return np.concatenate([changes, parameters.grey[:, None]], axis=1)


def _recolour(view: np.ndarray, matrix: np.ndarray, mean_share: float) -> np.ndarray:
    import cv2

    added = mean_share * (_LUMA @ cv2.mean(view)[:3]) if mean_share else 0.0
    return cv2.transform(view, np.column_stack([matrix, np.full(3, added, dtype=np.float32)]))


def _recolour_tensor(views: "Tensor", matrix: "Tensor", mean_share: "Tensor") -> "Tensor":
    import torch

    luma = torch.tensor(_LUMA, dtype=views.dtype, device=views.device)
    added = mean_share * (views.mean(dim=(2, 3)) @ luma)  # (N,)
    recoloured = torch.baddbmm(added.view(-1, 1, 1), matrix, views.flatten(2))  # (N, 3, H*W)
    return recoloured.clamp_(0, 255).view_as(views)


# --- blur --------------------------------------------------------------------------------------------------------


def _gains(stops: np.ndarray, size: int) -> np.ndarray:
    """Return the light at each pixel of a row (N, size): 1 in the middle, doubled with each stop."""
    places = (2 * np.arange(size, dtype=np.float32) + 1) / size - 1  # pixel centres, -1 to 1
    return np.exp2(stops[:, None] * places)


def _light(view: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Light a view from one side: a plane of stops, the first-order light of a convex face."""
    import cv2

    if not stops.any():
        return view
    across, down = _gains(stops, len(view))
    gain = np.repeat((down[:, None] * across)[..., None], 3, axis=2)
    return cv2.multiply(view, gain, dtype=cv2.CV_8U)  # rounds, and clamps at white


def _light_tensor(views: "Tensor", stops: np.ndarray) -> "Tensor":
    """Light each view of (N, 3, H, W) as ``_light`` does."""
    import torch

    size = views.shape[-1]
    across, down = (torch.from_numpy(_gains(axis, size)).to(views) for axis in stops.T)
    return (views * across[:, None, None, :] * down[:, None, :, None]).clamp(max=255)


def _blur(view: np.ndarray, sigma: float) -> np.ndarray:
    import cv2

    width = 2 * int(np.ceil(3 * sigma)) + 1
    return cv2.GaussianBlur(view, (width, width), float(sigma)) if sigma else view


def _blur_tensor(views: "Tensor", sigma: np.ndarray) -> "Tensor":
    """Blur each view by its own Gaussian, cut off at 3 sigma as ``_blur`` does."""
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
