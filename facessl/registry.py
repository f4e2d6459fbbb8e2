"""Plug-ins: a file in ``sources/``, ``backbones/``, ``methods/`` or ``studies/`` is one; adding it registers it.

Each exports ``TITLE``, ``REFERENCE``, a frozen pydantic ``Options`` and the functions its folder's
``__init__`` names. A name that starts with ``_`` is a private neighbour, not a plug-in.
"""

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Any

from facessl.errors import RecipeError

KINDS = ("sources", "backbones", "methods", "studies")
_PACKAGE_DIR = Path(__file__).parent


def names(kind: str) -> tuple[str, ...]:
    """Return the names in ``facessl.<kind>`` without importing any of them."""
    found = pkgutil.iter_modules([str(_PACKAGE_DIR / kind)])
    return tuple(sorted(m.name for m in found if not m.name.startswith("_")))


def load(kind: str, name: str) -> ModuleType:
    """Import and return the plug-in, or say which names would have worked.

    A name may be written with - in place of _, as on the command line.
    """
    file_name = name.replace("-", "_")
    if file_name not in names(kind):
        one = "study" if kind == "studies" else kind[:-1]
        raise RecipeError(f"There is no {one} called {name!r}; choose one of {', '.join(names(kind))}.")
    name = file_name
    return importlib.import_module(f"facessl.{kind}.{name}")


def backbone_options_of_before(name: str) -> dict[str, Any]:
    """Return what settings of a backbone were before they could be chosen; none of one that is gone."""
    return dict(getattr(load("backbones", name), "BEFORE", {})) if name in names("backbones") else {}


def backbone_options(name: str, options: dict[str, Any], image_size: int, *, imagenet: bool) -> dict[str, Any]:
    """Return a backbone's settings whole: defaults filled in, and what may be left open decided.

    Args:
        name: The plug-in.
        options: What was said.
        image_size: Side in pixels of the faces that it will see.
        imagenet: Whether it begins with ImageNet's weights.
    """
    plugin = load("backbones", name)
    found = plugin.Options(**options)
    if hasattr(plugin, "settled"):
        found = plugin.settled(found, image_size, imagenet=imagenet)
    whole: dict[str, Any] = found.model_dump(mode="json")
    return whole
