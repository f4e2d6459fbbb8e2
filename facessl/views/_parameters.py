"""What is done to each face: drawn once, and read by both renderers."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from facessl.viewing import ViewRecipe

BRIGHTNESS, CONTRAST, SATURATION, HUE, GREY = range(5)  # the colour operations, as ``order`` counts them
LUMA = np.array([0.299, 0.587, 0.114])
_GREY_AXIS = np.ones(3) / np.sqrt(3)
_ACROSS = np.cross(_GREY_AXIS, np.eye(3)).T  # the matrix of v -> axis × v
_NEUTRAL = np.array([1, 1, 1, 0], dtype=np.float32)  # factors that change nothing
_BLUR_MIN = 0.1  # pixels; SimCLR's lower bound


@dataclass(frozen=True)
class ViewParameters:
    """What is done to each of N faces; plain arrays, so the CPU and the GPU can be told the same."""

    crop: np.ndarray  # (N, 4) float32: left, top, width, height, in shares of the face's side
    angle: np.ndarray  # (N,) float32: turn of the crop window in degrees
    flip: np.ndarray  # (N,) bool: mirrored
    light: np.ndarray  # (N, 2) float32: stops gained from the middle to the right side, and to the lower one
    cast: np.ndarray  # (N, 3) float32: stops gained by red, green and blue
    factors: np.ndarray  # (N, 4) float32: brightness, contrast, saturation (1: as is), hue in turns (0: as is)
    order: np.ndarray  # (N, 4) int64: in which order the four are applied
    grey: np.ndarray  # (N,) bool: loses its colour
    sigma: np.ndarray  # (N,) float32: blur in pixels of the view, 0 for none

    def __len__(self) -> int:
        return len(self.crop)

    def take(self, rows: np.ndarray | slice) -> "ViewParameters":
        """Return the parameters of these rows."""
        return ViewParameters(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    @classmethod
    def joined(cls, parts: "Sequence[ViewParameters]") -> "ViewParameters":
        """Return all rows of these one after the other, so that several views of each face are rendered in one go."""
        return cls(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)})


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
        cast=rng.uniform(-recipe.cast, recipe.cast, (n, 3)).astype(np.float32),
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
        cast=np.zeros((n, 3), dtype=np.float32),
        factors=np.tile(_NEUTRAL, (n, 1)),
        order=np.tile(np.arange(4), (n, 1)),
        grey=np.zeros(n, dtype=bool),
        sigma=np.zeros(n, dtype=np.float32),
    )


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


def check(shape: tuple[int, ...], parameters: ViewParameters) -> None:
    if len(shape) != 4 or shape[1] != shape[2] or shape[3] != 3:
        raise ValueError(f"faces must have the shape (N, S, S, 3), got {shape}")
    if len(parameters) % shape[0] if shape[0] else len(parameters):
        raise ValueError(f"{shape[0]} faces, but parameters for {len(parameters)}")


def sampling(parameters: ViewParameters, side: int, size: int) -> tuple[np.ndarray, np.ndarray]:
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


def blur_weights(sigma: np.ndarray) -> np.ndarray:
    """Return (N, taps) float64: each row's Gaussian, cut off at 3 sigma, in sum 1; the middle tap alone for sigma 0.

    ``taps`` is odd and as many as the widest needs; a narrower one has zeros outside.
    """
    radius = np.ceil(3 * sigma)
    reach = radius.max(initial=0)
    offsets = np.arange(-reach, reach + 1)
    # Where nothing is blurred there is no sigma to divide by, and only the middle tap lies within the radius.
    spans = np.where(sigma > 0, sigma, 1).astype(np.float64)[:, None]
    weights = np.exp(-0.5 * (offsets / spans) ** 2) * (abs(offsets) <= radius[:, None])
    return weights / weights.sum(axis=1, keepdims=True)


def colour_matrices(parameters: ViewParameters) -> tuple[np.ndarray, np.ndarray]:
    """Return the five colour operations of each view, in the order of their turn, loss of colour last.

    Returns:
        matrices: (N, 5, 3, 3) float32, RGB to RGB.
        mean_shares: (N, 5) float32; so much of the view's mean grey is added: contrast turns about it.
    """
    identity, to_grey = np.eye(3), np.tile(LUMA, (3, 1))
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
    order = turns(parameters)
    matrices = np.take_along_axis(matrices, order[:, :, None, None], axis=1)
    return matrices.astype(np.float32), np.take_along_axis(mean_shares, order, axis=1).astype(np.float32)


def turns(parameters: ViewParameters) -> np.ndarray:
    """Return (N, 5): which colour operation is applied at which turn; loss of colour comes last."""
    return np.pad(parameters.order, ((0, 0), (0, 1)), constant_values=GREY)


def colour_changes(parameters: ViewParameters) -> np.ndarray:
    """Return (N, 5) bool: which of the operations, in the order of their turn, do anything."""
    changes = np.take_along_axis(parameters.factors != _NEUTRAL, parameters.order, axis=1)
    return np.concatenate([changes, parameters.grey[:, None]], axis=1)
