"""Presets of views: those that come along, and those that somebody saved, a small JSON file each.

``workspace/presets/<name>.json`` holds a whole ``ViewRecipe``, so a preset can be passed on as a file.
"""

import json
import unicodedata
from pathlib import Path

from pydantic import ValidationError

from facessl import files
from facessl.errors import RecipeError
from facessl.recipes import explain
from facessl.viewing import ViewRecipe
from facessl.views import PRESETS

BUILT_IN = tuple(PRESETS)
_LONGEST = 40  # letters of a name: it has to fit a select on a phone


def names(workspace: Path) -> list[str]:
    """Return what there is to choose from: the presets that come along, then the saved ones by name."""
    return [*BUILT_IN, *sorted((path.stem for path in _folder(workspace).glob("*.json")), key=str.casefold)]


def load(workspace: Path, name: str) -> ViewRecipe:
    """Return the settings of a preset; one that comes along is found in any capitals, as pages show them.

    Raises:
        RecipeError: There is no such preset, or its file holds no settings of views.
    """
    for own, recipe in PRESETS.items():
        if name.casefold() == own.casefold():
            return recipe
    if name not in names(workspace):
        raise RecipeError(f"There is no preset called {name!r}; there are {', '.join(names(workspace))}.")
    path = _folder(workspace) / f"{name}.json"
    try:
        return ViewRecipe(**json.loads(path.read_text()))
    except ValidationError as error:
        raise RecipeError(f"The preset {name!r} does not fit: {explain(error)} Delete it, or save it anew.") from error
    except (OSError, ValueError, TypeError) as error:
        raise RecipeError(f"The preset {name!r} cannot be read; delete it, or save it anew.") from error


def save(workspace: Path, name: str, recipe: ViewRecipe, *, replace: bool = False) -> str:
    """Save settings under a name and return the name as it is kept.

    Raises:
        RecipeError: The name cannot be one, belongs to a preset that comes along, or is taken and not to be replaced.
    """
    name = _checked(name)
    path = _folder(workspace) / f"{name}.json"
    if path.exists() and not replace:
        raise RecipeError(f"There is a preset called {name!r} already; take another name, or replace it on purpose.")
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_json(path, recipe.model_dump())
    return name


def delete(workspace: Path, name: str) -> None:
    """Delete a saved preset; runs that were started with it keep their settings.

    Raises:
        RecipeError: It comes along and stays, or there is none of that name.
    """
    if name in BUILT_IN:
        raise RecipeError(f"The preset {name!r} comes along and cannot be deleted.")
    if name not in names(workspace):
        raise RecipeError(f"There is no preset called {name!r}.")
    (_folder(workspace) / f"{name}.json").unlink(missing_ok=True)


def _folder(workspace: Path) -> Path:
    return workspace / "presets"


def _checked(name: str) -> str:
    """Return a name that can be a file's on any system; letters of any script, with the marks that belong to them."""
    name = unicodedata.normalize("NFC", " ".join(name.split()))
    letters = all(unicodedata.category(c)[0] in "LMN" or c in " -_" for c in name)
    if not name or not letters or len(name) > _LONGEST:
        raise RecipeError(
            f"A preset's name is made of letters, digits, spaces, - and _ (1 to {_LONGEST}); got {name[:60]!r}."
        )
    if name.casefold() in map(str.casefold, BUILT_IN):
        raise RecipeError(f"{name!r} is a preset that comes along; take another name.")
    return name
