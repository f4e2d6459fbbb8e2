"""What runs are called where several stand together, and their settings as people read them. Plain data only."""

import textwrap
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from facessl.run import Run
from pages._shared.results import NAME_WIDTH
from pages._shared.words import label

_LETTER, _BESIDE = 7, 16  # pixels of a character of a name, and of what stands beside a line of them
_ONE_LINE, _WRAPPED = 42, 72  # pixels: Streamlit wraps text in rows of more than four of its letters only
_TOLD = 3  # settings that a name may carry
NO_WEIGHT = ("device", "threads")  # settings that change nothing of a result but when it is there
_NOT_TOLD = ("dataset", "init", *NO_WEIGHT)  # said by the title, or of no weight
_IN_NAMES = {"refit": "fitted anew"}  # settings whose labels are too long for a name


def names_of(runs: Sequence[Run]) -> dict[str, str]:
    """Return a name for each run, no two alike: where titles repeat, the settings that differ, and the id's end.

    Where they begin from different runs of one title, what tells those apart is said as well.
    """
    titles = {run.id: run.title for run in runs}
    repeated = {title for title, times in Counter(titles.values()).items() if times > 1}
    names = dict(titles)
    for title in sorted(repeated, key=lambda title: any(run.kind != "pretrain" for run in runs if run.title == title)):
        alike = [run for run in runs if titles[run.id] == title]
        recipes = {run.id: flat(run.config["recipe"]) for run in alike}
        told = [name for name in differing(list(recipes.values())) if name not in _NOT_TOLD][:_TOLD]
        for run in alike:
            own = recipes[run.id]
            parts = [f"{_in_name(name.split('.')[-1])} {shown(own[name], {})}" for name in told if name in own]
            if before := names.get(init := own.get("init", "")):
                of_it = before.removeprefix(titles[init]).removesuffix(f" · {init[-4:]}").split(" · ")[1:]
                parts += [f"from one of {', '.join(of_it)}"] if of_it else []
            names[run.id] = " · ".join([title, *parts, run.id[-4:]])
    return names


def _in_name(setting: str) -> str:
    return _IN_NAMES.get(setting, label(setting).lower())


def row_height(names: Sequence[str], width: int = NAME_WIDTH, *, lines: int = 5) -> int:
    """Return pixels in which the longest name is read whole, wrapped in its column; rows are all of one height.

    ``width`` is the column's, in pixels; longer names than ``lines`` are cut: most are short, and all would be so high.
    """
    letters = int((width - _BESIDE) / _LETTER)
    longest = max((len(textwrap.wrap(name, letters)) for name in names), default=1)
    return _ONE_LINE if longest == 1 else max(_WRAPPED, 16 + 20 * min(lines, longest))


def flat(recipe: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe with its nested settings named ``views.hue``."""
    plain: dict[str, Any] = {}
    for name, value in recipe.items():
        plain |= {f"{name}.{k}": v for k, v in value.items()} if isinstance(value, dict) else {name: value}
    return plain


def differing(recipes: Sequence[dict[str, Any]]) -> list[str]:
    """Return the settings in which flat recipes are not all alike, in their own order."""
    names = list(dict.fromkeys(name for recipe in recipes for name in recipe))
    return [name for name in names if len({str(recipe.get(name, "–")) for recipe in recipes}) > 1]


def shown(value: Any, named: dict[str, str]) -> str:
    """Return a setting's value as people read it; ids of runs become their names."""
    if isinstance(value, str):
        return named.get(value, value)
    if isinstance(value, list | tuple):
        return ", ".join(str(part) for part in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{Decimal(f'{value:g}'):f}" if isinstance(value, float) else str(value)
