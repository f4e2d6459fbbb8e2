"""What augmentation does to one face, step by step: for people to look at."""

from collections.abc import Mapping

import numpy as np

from facessl.viewing import ViewRecipe
from facessl.views._cpu import render
from facessl.views._parameters import GREY, ViewParameters, colour_changes, turns, unchanged

_COLOURS = (
    "Brightness × {:.2f}",
    "Contrast × {:.2f}",
    "Saturation × {:.2f}",
    "Hue turned by {:+.3f}",
    "Colour dropped",
)
_SCALED = ("brightness", "contrast", "saturation")


def steps(face: np.ndarray, parameters: ViewParameters, size: int) -> list[tuple[str, np.ndarray]]:
    """Return (what was done, the picture after it) for each step of one view, each on top of those before it.

    Args:
        face: Shape (S, S, 3) uint8.
        parameters: One row.
        size: Side of the view.

    Returns:
        The face at the view's size first; the last picture is what ``render`` gives. Steps that
        do nothing are left out.
    """
    one = parameters.take(slice(0, 1))
    done: dict[str, np.ndarray] = {"order": one.order}
    taken = [("The face", _picture(face, {}, size))]
    for title, changes in _changes(one):
        done |= changes
        taken.append((title, _picture(face, done, size)))
    return taken


def strongest(face: np.ndarray, recipe: ViewRecipe, size: int) -> list[tuple[str, np.ndarray]]:
    """Return (what was done, the picture) for each step that the recipe allows, alone and as strong as it allows it.

    Args:
        face: Shape (S, S, 3) uint8.
        recipe: What may happen; steps that can never happen, or never do anything, are left out.
        size: Side of a view.

    Returns:
        The face at the view's size first. What goes both ways is shown both ways.
    """
    parts = _geometry(recipe) + _light(recipe) + _colour(recipe)
    if recipe.blur:
        parts.append((f"Blur of {recipe.blur_max:.1f} px", {"sigma": _row(recipe.blur_max)}))
    return [("The face", _picture(face, {}, size)), *((title, _picture(face, how, size)) for title, how in parts)]


_Part = tuple[str, dict[str, np.ndarray]]  # what is done, and the parameters that say so


def _geometry(recipe: ViewRecipe) -> list[_Part]:
    parts: list[_Part] = []
    if recipe.crop_min < 1:
        side = np.sqrt(recipe.crop_min)
        parts.append((f"Crop of {recipe.crop_min:.0%}", {"crop": _row([(1 - side) / 2, (1 - side) / 2, side, side])}))
    if recipe.aspect > 1 and recipe.crop_min < 1:
        # The largest window of that shape in the face: a narrow one widens the face, a flat one lengthens it.
        short = 1 / recipe.aspect
        parts.append((f"Widened × {recipe.aspect:.2f}", {"crop": _row([(1 - short) / 2, 0, short, 1])}))
        parts.append((f"Lengthened × {recipe.aspect:.2f}", {"crop": _row([0, (1 - short) / 2, 1, short])}))
    if recipe.rotation:
        parts.append((f"Turned by {recipe.rotation:.0f}°", {"angle": _row(recipe.rotation)}))
    if recipe.flip:
        parts.append(("Mirrored", {"flip": np.ones(1, dtype=bool)}))
    return parts


def _light(recipe: ViewRecipe) -> list[_Part]:
    parts: list[_Part] = []
    if recipe.light and recipe.light_max:
        for side, towards in (("the left", [-1, 0]), ("above", [0, -1])):
            stops = recipe.light_max * np.array(towards)
            parts.append((f"Light from {side}, {recipe.light_max:.1f} stops", {"light": _row(stops)}))
    if recipe.cast:
        warm = recipe.cast * np.array([1, 0, -1])
        for name, stops in (("Warm", warm), ("Cold", -warm)):
            parts.append((f"{name} light, ± {recipe.cast:.1f} stops", {"cast": _row(stops)}))
    return parts


def _colour(recipe: ViewRecipe) -> list[_Part]:
    parts: list[_Part] = []
    if recipe.jitter:
        for operation, name in enumerate(_SCALED):
            if share := getattr(recipe, name):
                parts += [_factor(operation, factor) for factor in (1 - share, 1 + share)]
        if recipe.hue:
            parts += [_factor(len(_SCALED), turn) for turn in (-recipe.hue, recipe.hue)]
    if recipe.grey:
        parts.append((_COLOURS[GREY], {"grey": np.ones(1, dtype=bool)}))
    return parts


def _factor(operation: int, factor: float) -> _Part:
    factors = unchanged(1).factors
    factors[0, operation] = factor
    return _title(operation, factor), {"factors": factors}


def _title(operation: int, factor: float) -> str:
    return _COLOURS[operation].format(factor).replace("-", "−")


def _row(values: object) -> np.ndarray:
    return np.array([values], dtype=np.float32)


def _picture(face: np.ndarray, how: Mapping[str, np.ndarray], size: int) -> np.ndarray:
    return render(face[None], ViewParameters(**{**vars(unchanged(1)), **how}), size)[0]


def _changes(one: ViewParameters) -> list[_Part]:
    """Return the steps of one view that do anything, in their order; each names all that is set when it is done."""
    parts: list[_Part] = []
    turned = f", turned by {one.angle[0]:+.0f}°" if one.angle[0] else ""
    if turned or not np.array_equal(one.crop[0], [0, 0, 1, 1]):
        share = one.crop[0, 2] * one.crop[0, 3]
        parts.append((f"Crop of {share:.0%}{turned}", {"crop": one.crop, "angle": one.angle}))
    if one.flip[0]:
        parts.append(("Mirrored", {"flip": one.flip}))
    if one.light[0].any() or one.cast[0].any():
        red, green, blue = one.cast[0]
        title = f"Other light: {np.hypot(*one.light[0]):.1f} stops from one side, "
        title += f"red {red:+.1f}, green {green:+.1f}, blue {blue:+.1f}"
        parts.append((title, {"light": one.light, "cast": one.cast}))
    factors = unchanged(1).factors
    for slot in np.flatnonzero(colour_changes(one)[0]):
        operation = turns(one)[0, slot]
        if operation == GREY:
            parts.append((_COLOURS[GREY], {"grey": one.grey}))
            continue
        factors = factors.copy()
        factors[0, operation] = one.factors[0, operation]
        parts.append((_title(operation, factors[0, operation]), {"factors": factors}))
    if one.sigma[0]:
        parts.append((f"Blur of {one.sigma[0]:.1f} px", {"sigma": one.sigma}))
    return parts
