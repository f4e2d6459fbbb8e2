"""In what runs differ: each in the settings that most of the others do not have."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from facessl import config, registry
from pages._shared.compare.names import flat, shown
from pages._shared.words import label

# In a column of their own, or of no weight for what is learnt.
_NOT_TOLD = ("dataset", "epochs", "device", "threads", "processes", "compile")
_TOLD = 4  # settings; more are counted
_WORDS = {"scratch": "nothing", "imagenet": "ImageNet", True: "on", False: "off"}
_PLUGINS = {"method": "methods", "backbone": "backbones"}
_VIEWS = "views."


def what_differs(
    recipes: Mapping[str, dict[str, Any]], titles: Mapping[str, str], presets: Mapping[str, dict[str, Any]]
) -> dict[str, str]:
    """Return for each run, by its id, in which settings it differs from what most runs have; "" where in none.

    Args:
        recipes: Of the runs, by id.
        titles: Of runs that others may start from, by id.
        presets: Settings of views by what they are called, so that they need not be listed one by one.
    """
    flats = {run_id: flat(recipe) for run_id, recipe in recipes.items()}
    usual = _usual(list(flats.values()))
    found = {}
    for run_id, own in flats.items():
        parts: dict[str, str] = {}
        for name, value in own.items():
            if name in _NOT_TOLD or name not in usual or value == usual[name]:
                continue
            called = _preset_of(own, presets) if name.startswith(_VIEWS) else ""
            parts["views" if called else name] = called or _said(name, value, titles)
        told = list(parts.values())
        found[run_id] = " · ".join([*told[:_TOLD], *([f"{len(told) - _TOLD} more"] if len(told) > _TOLD else [])])
    return found


def _usual(flats: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the value of each setting that most runs have; the default where several are as frequent."""
    defaults = flat(config.PretrainRecipe().model_dump(mode="json"))
    usual = {}
    for name in dict.fromkeys(name for own in flats for name in own):
        values = [own[name] for own in flats if name in own]
        times = Counter(map(repr, values))
        most = max(times.values())
        frequent = [value for value in values if times[repr(value)] == most]
        usual[name] = defaults[name] if defaults.get(name) in frequent else frequent[-1]  # the oldest's
    return usual


def _preset_of(own: dict[str, Any], presets: Mapping[str, dict[str, Any]]) -> str:
    views = {name.removeprefix(_VIEWS): value for name, value in own.items() if name.startswith(_VIEWS)}
    return next((f"views {called}" for called, settings in presets.items() if settings == views), "")


def _said(name: str, value: Any, titles: Mapping[str, str]) -> str:
    words = _WORDS.get(value) if isinstance(value, str | bool) else None
    if name in _PLUGINS and value in registry.names(_PLUGINS[name]):
        words = registry.load(_PLUGINS[name], value).TITLE
    return f"{label(name.rpartition('.')[2]).lower()} {words or shown(value, dict(titles))}"
