"""A pre-training with one setting otherwise: estimated beside it, it says what that setting does to time and memory."""

from collections.abc import Iterator, Sequence
from typing import Any

from facessl import methods, presets, recipes, registry
from facessl.config import ProbeRecipe
from facessl.run import Run

# Sides of faces that are in use, with ratios of 1.2 to 1.5.
_SIDES = (32, 40, 48, 64, 80, 96, 112, 128, 160, 192, 224)
_DECIDE = ("image_size", "batch_size", "backbone", "method", "views")  # over time and memory; epochs only multiply


def of(recipe: ProbeRecipe, faces: int) -> list[ProbeRecipe]:
    """Return the recipe with one setting otherwise, for each that is worth a try.

    The next smaller and larger image, half and twice the batch, each other backbone, each other method that needs no
    names, and each other preset of views that comes along.

    Args:
        recipe: What is to be varied; a network that brings weights stays.
        faces: How many there are to learn from; a batch has no more.
    """
    return [recipes.build(ProbeRecipe, {**recipe.model_dump(), **change}) for change in _changes(recipe, faces)]


def _changes(recipe: ProbeRecipe, faces: int) -> Iterator[dict[str, Any]]:
    yield from ({"image_size": side} for side in [s for s in _SIDES if s < recipe.image_size][-1:])
    yield from ({"image_size": side} for side in [s for s in _SIDES if s > recipe.image_size][:1])
    for size in (recipe.batch_size // 2, recipe.batch_size * 2):
        if 2 * max(recipe.processes, 2) <= size <= min(faces, 8192):
            yield {"batch_size": size}
    if recipe.init == "scratch":
        for name in registry.names("backbones"):
            if name != recipe.backbone:
                yield {"backbone": name, "backbone_options": {}}
    yield from ({"method": name, "options": {}} for name in methods.nameless() if name != recipe.method)
    for name in presets.BUILT_IN:
        if presets.PRESETS[name] != recipe.views:
            yield {"views": presets.PRESETS[name].model_dump()}


def group_of(base: Run) -> str:
    """Return the group of the probes that were started beside this one."""
    return f"beside {base.id}"


def table(base: Run, others: Sequence[Run]) -> list[dict[str, Any]]:
    """Return a row for each of ``others``: what is otherwise, and what that does.

    Returns:
        ``setting`` and ``value``; ``seconds_an_epoch`` and as a multiple of the base's (``times``); ``memory_mib`` and
        how much more than the base's; all None where there is no figure yet; ``state`` of the run and its ``error``.
    """
    first = base.result() or {}
    rows = []
    for run in others:
        setting, value = difference(base, run)
        status, found = run.status(), run.result() or {}
        seconds, memory = found.get("seconds_an_epoch"), found.get("memory_mib")
        both = bool(found and first)
        row: dict[str, Any] = {"setting": setting, "value": value, "seconds_an_epoch": seconds}
        row["times"] = round(seconds / first["seconds_an_epoch"], 3) if both else None
        row["memory_mib"] = memory
        row["more_memory_mib"] = memory - first["memory_mib"] if both else None
        rows.append({**row, "state": status.state, "error": status.error})
    return rows


def difference(base: Run, other: Run) -> tuple[str, str]:
    """Return the setting that ``other`` has otherwise, and its value there as people say it."""
    own, its = base.config["recipe"], other.config["recipe"]
    setting = next(name for name in _DECIDE if own[name] != its[name])
    if setting == "views":
        names = (name for name in presets.BUILT_IN if presets.PRESETS[name].model_dump() == its["views"])
        return setting, next(names, "others")
    kind = {"backbone": "backbones", "method": "methods"}.get(setting)
    return setting, registry.load(kind, its[setting]).TITLE if kind else str(its[setting])
