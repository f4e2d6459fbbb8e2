"""What a recipe is: settings that were checked, and one sentence where they cannot be.

A nested recipe (``views``) is shown and typed flat. What belongs to one plug-in stands in that plug-in's ``Options``
and travels in ``options``.
"""

import math
import unicodedata
from typing import Annotated, Any, ClassVar, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, model_validator

from facessl import registry
from facessl.errors import RecipeError

MAX_SEED = 2**32 - 1  # what numpy's and scikit-learn's generators take
AnyRecipe = TypeVar("AnyRecipe", bound="Recipe")


def _folder_name(name: str) -> str:
    """Return a set's name if it can be a folder's; letters of any script, with the marks that belong to them."""
    letters = all(unicodedata.category(c)[0] in "LMN" or c in "-_@." for c in name)
    if not name or not letters or name.startswith(".") or len(name) > 60:
        raise ValueError(f"a set's name is made of letters, digits, - and _ (at most 60); got {name!r}")
    return name


SetName = Annotated[str, AfterValidator(_folder_name)]


def _device_name(name: str) -> str:
    kind, colon, number = name.partition(":")
    if kind not in ("auto", "cpu", "mps", "cuda") or (colon and not (kind == "cuda" and number.isdecimal())):
        raise ValueError(f"a device is auto, cpu, mps or cuda, or one of several GPUs, as cuda:1; got {name!r}")
    return name


Device = Annotated[str, AfterValidator(_device_name)]


class Recipe(BaseModel):
    """Base of all recipes: frozen, and unknown settings are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Which field names a plug-in, of which kind, and which field carries that plug-in's settings.
    PLUGINS: ClassVar[tuple[tuple[str, str, str], ...]] = ()

    def plugin_options(self, kind: str) -> Any:
        """Return the settings of the recipe's plug-in of this kind, as the plug-in's own ``Options``."""
        for plugin_kind, named_by, carried_by in self.PLUGINS:
            if plugin_kind == kind:
                return registry.load(kind, getattr(self, named_by)).Options(**getattr(self, carried_by))
        raise KeyError(f"{type(self).__name__} has no plug-in of kind {kind}")

    @model_validator(mode="before")
    @classmethod
    def _plugins_by_their_files(cls, given: Any) -> Any:
        """Take a plug-in's name as a command line has it, with - in place of _."""
        if not isinstance(given, dict):
            return given
        names = {named_by: given.get(named_by) for _, named_by, _ in cls.PLUGINS}
        return given | {named_by: name.replace("-", "_") for named_by, name in names.items() if isinstance(name, str)}

    @model_validator(mode="after")
    def _options_fit_the_plugins(self) -> Self:
        for kind, _, carried_by in self.PLUGINS:
            try:
                options = self.plugin_options(kind)
            except ValidationError as error:
                raise ValueError(explain(error).rstrip(".")) from error
            # A recipe is complete: the plug-in's defaults are written into the run as well.
            object.__setattr__(self, carried_by, options.model_dump(mode="json"))
        return self


def build(recipe: type[AnyRecipe], settings: dict[str, Any]) -> AnyRecipe:
    """Return the checked recipe from flat or nested settings, or raise RecipeError with one sentence.

    Settings that belong to a nested recipe or to the plug-in's options may be given flat, as flags and forms do.
    """
    nested = {name: f.default for name, f in recipe.model_fields.items() if isinstance(f.default, Recipe)}
    own: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for key, value in settings.items():
        (own if key in recipe.model_fields else rest)[key] = value
    for name, default in nested.items():
        known = {key: rest.pop(key) for key in list(rest) if key in type(default).model_fields}
        given = own.get(name, {})
        given = given.model_dump() if isinstance(given, BaseModel) else given
        own[name] = {**default.model_dump(), **given, **known}
    try:
        plugins = []
        for kind, named_by, carried_by in recipe.PLUGINS:
            plugins.append(name := own.get(named_by, recipe.model_fields[named_by].default))
            plugin = registry.load(kind, name)
            known = {key: rest.pop(key) for key in list(rest) if key in plugin.Options.model_fields}
            own[carried_by] = {**own.get(carried_by, {}), **known}
        if rest:
            # What one plug-in has, another may lack: --stem is resnet18's.
            of = f" with {' and '.join(plugins)}" if plugins else ""
            raise RecipeError(f"There is no setting called {', '.join(sorted(rest))} here{of}.")
        return recipe(**own)
    except ValidationError as error:
        raise RecipeError(explain(error)) from error


# What pydantic finds, as people say it.
_SAID = {
    "greater_than_equal": "must be {ge:,.10g} or more",
    "greater_than": "must be more than {gt:,.10g}",
    "less_than_equal": "must be {le:,.10g} or less",
    "less_than": "must be less than {lt:,.10g}",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_type": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_parsing": "must be true or false",
    "literal_error": "must be {expected}",
    "extra_forbidden": "there is no such setting",
    "missing": "must be given",
}


def _is_finite(given: Any) -> bool:
    """Return whether what was given for a number has an end; what is no number at all has other faults."""
    try:
        return math.isfinite(float(given))
    except (TypeError, ValueError, OverflowError):
        return True


def explain(error: ValidationError) -> str:
    """Return pydantic's findings as one line a person can act on."""
    parts = []
    for found in error.errors():
        where = ".".join(str(part) for part in found["loc"] if part != "options")
        context = found.get("ctx", {})
        # nan is also no more than any bound, which helps nobody; a recipe's own words name the value themselves.
        own = found["type"] == "value_error"
        kind = found["type"] if own or _is_finite(found["input"]) else "finite_number"
        text = _SAID[kind].format(**context) if kind in _SAID else found["msg"]
        text = text.removeprefix("Value error, ")
        got = "" if found["type"] in ("missing", "value_error", "extra_forbidden") else f", got {found['input']!r}"
        parts.append(f"{where}: {text}{got}" if where else f"{text}{got}")
    return "; ".join(parts) + "."
