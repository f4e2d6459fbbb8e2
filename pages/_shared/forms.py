"""A form out of a recipe: bounds, help and defaults come from the model, so a setting is written down once."""

import types
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import streamlit as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from facessl import devices, recipes, registry
from facessl.errors import RecipeError
from facessl.recipes import Recipe
from pages._shared.words import in_labels, label

Choices = Mapping[str, Sequence[Any]]
AnyRecipe = TypeVar("AnyRecipe", bound=Recipe)
_LIMITS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def recipe_form(
    model: type[BaseModel],
    *,
    key: str,
    defaults: Mapping[str, Any] | None = None,
    hide: Sequence[str] = (),
    show: Sequence[str] | None = None,
    main: Sequence[str] | None = None,
    choices: Choices | None = None,
) -> dict[str, Any]:
    """Draw a widget for each setting of a recipe or of a plug-in's ``Options``, and return the values.

    Call it inside ``st.form`` (the caller draws the button), or outside where every move shall count at once.

    Args:
        model: Whose fields to show.
        key: Begins the keys of all widgets (``<key>-<field>``); another key is another set of values.
        defaults: Replaces the model's own defaults.
        hide: Fields not shown and not returned.
        show: Only these fields, in this order; None shows all.
        main: Shown first, in this order; the others fold away under "More settings". None shows all alike.
        choices: For text fields that are one of a list known only now, and for lists of such.

    Returns:
        Field -> value, ready for ``recipes.build``; a nested recipe is a dict of its own.
    """
    given = dict(defaults or {})
    asked = model.model_fields if show is None else show
    shown = [name for name in asked if name not in hide and not _is_free_dict(model.model_fields[name])]
    nested = [name for name in shown if _recipe_of(model.model_fields[name])]
    plain = [name for name in shown if name not in nested]
    first = plain if main is None else [name for name in main if name in plain]
    rest = [name for name in plain if name not in first]

    def draw(names: Sequence[str]) -> dict[str, Any]:
        return _fields(model, names, key, given, choices or {})

    values = draw(first)
    for name in nested:
        inner = _recipe_of(model.model_fields[name])
        assert inner is not None
        start = given.get(name, model.model_fields[name].default)
        start = start.model_dump() if isinstance(start, BaseModel) else start
        with st.expander(label(name)):
            values[name] = recipe_form(inner, key=f"{key}-{name}", defaults=start)
    if rest:
        with st.expander("More settings"):
            values |= draw(rest)
    return values


def checked(model: type[AnyRecipe], settings: dict[str, Any]) -> AnyRecipe | None:
    """Return the recipe of what was typed, or say in a sentence what is wrong with it and return None.

    The button that would start it belongs below, disabled while there is none.
    """
    try:
        return recipes.build(model, settings)
    except RecipeError as error:
        st.error(in_labels(str(error), model), icon=":material/error:")
        return None


def plugin_select(kind: str, text: str, *, key: str, default: str | None = None, hide: Sequence[str] = ()) -> str:
    """Let one plug-in of ``sources``, ``methods`` or ``backbones`` be chosen by its title.

    It changes which options a form shows, so it stands outside ``st.form``.
    """
    names = [name for name in registry.names(kind) if name not in hide]
    titles = {name: registry.load(kind, name).TITLE for name in names}
    index = names.index(default) if default in names else 0
    name: str = st.selectbox(text, names, index=index, key=key, format_func=titles.__getitem__, persist_state="session")
    return name


def plugin_options(kind: str, name: str, *, key: str, defaults: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Draw the options of one plug-in; keys carry its name, so another plug-in starts from its own defaults."""
    return recipe_form(registry.load(kind, name).Options, key=f"{key}-{name}", defaults=defaults)


def _fields(
    model: type[BaseModel], names: Sequence[str], key: str, defaults: Mapping[str, Any], choices: Choices
) -> dict[str, Any]:
    if not names:
        return {}
    values = {}
    grid = st.grid(3, min_column_width=200, vertical_alignment="bottom", gap=("small", "medium"))
    for name in names:
        field = model.model_fields[name]
        value = defaults.get(name, field.get_default(call_default_factory=True))
        with grid.cell():
            values[name] = field_widget(name, field, value, key=f"{key}-{name}", choices=choices.get(name))
    return values


def field_widget(name: str, field: FieldInfo, value: Any, *, key: str, choices: Sequence[Any] | None = None) -> Any:
    """Draw the widget that suits a field, and return its value, which the recipe may yet refuse.

    A number is typed without bounds: with them a browser keeps what lies outside to itself, and a click on Start runs
    the value from before.

    Raises:
        TypeError: No widget suits the field's type; it belongs in ``hide``.
    """
    # Kept over page changes: a form half filled in survives a look at another page.
    common: dict[str, Any] = {"key": key, "help": field.description, "persist_state": "session"}
    text, kind = label(name), _plain_type(field.annotation)
    if name == "device":
        choices = tuple(dict.fromkeys((*devices.choices(), value)))  # a run may have been made on another machine
    if get_origin(kind) is tuple:
        return tuple(
            st.multiselect(text, list(choices or ()), default=[v for v in value if v in (choices or ())], **common)
        )
    if get_origin(kind) is Literal or choices:
        options = list(choices or get_args(kind))
        return st.selectbox(text, options, index=options.index(value) if value in options else 0, **common)
    if kind is bool:
        return st.toggle(text, value=bool(value), **common)
    if kind is int:
        return st.number_input(text, value=int(value), step=1, **common | {"help": _explained(field)})
    if kind is float:
        return _float_widget(text, field, float(value), common)
    if kind is str:
        return st.text_input(text, value=value, **common).strip()
    raise TypeError(f"{name} is a {kind}; hide it, or give forms.py a widget for it")


def _float_widget(text: str, field: FieldInfo, value: float, common: dict[str, Any]) -> float:
    low, high = bounds(field)
    wide = low is not None and high is not None and high - low > 1000
    orders = low is not None and high is not None and 0 < low <= high / 1000
    if low is None or high is None or wide or orders or _open_ended(field) or 0 < value < (high - low) / 100:
        # Rates of 0.0003 have no place on a slider from 0 to 1, nor has 1 on one up to a million, or over many orders.
        step = 1.0 if wide and not value else 10.0 ** _magnitude(value)
        return st.number_input(text, value=value, step=step, format="%g", **common | {"help": _explained(field)})
    step = 1.0 if high - low > 20 else 0.05 if high - low > 1.5 else 0.01
    return st.slider(text, min_value=low, max_value=high, value=value, step=step, **common)


def bounds(field: FieldInfo) -> tuple[float | None, float | None]:
    """Return the least and greatest value a number field names; an excluded bound is moved in a little."""
    low: float | None = None
    high: float | None = None
    for rule in field.metadata:
        low = getattr(rule, "ge", low)
        high = getattr(rule, "le", high)
        if (above := getattr(rule, "gt", None)) is not None:
            low = above + (1 if field.annotation is int else 1e-6)
        if (below := getattr(rule, "lt", None)) is not None:
            high = below - (1 if field.annotation is int else 1e-6)
    return (None if low is None else float(low)), (None if high is None else float(high))


def _explained(field: FieldInfo) -> str:
    """Return a typed number's help, with what it may be, for the field itself takes anything."""
    rules = [(words, getattr(rule, name, None)) for rule in field.metadata for name, words in _LIMITS.items()]
    limits = " and ".join(f"{words} {bound:,.10g}" for words, bound in rules if bound is not None)
    return f"{field.description or ''} {limits.capitalize()}{'.' if limits else ''}".strip()


def _open_ended(field: FieldInfo) -> bool:
    return any(
        getattr(rule, "gt", None) is not None or getattr(rule, "lt", None) is not None for rule in field.metadata
    )


def _magnitude(value: float) -> int:
    """Return the exponent of the digit a step should move: 3e-4 -> -4, 0.2 -> -2."""
    if value <= 0:
        return -3
    exponent = int(f"{value:e}".split("e")[1])
    return exponent if exponent < -1 else exponent - 1


def _plain_type(annotation: Any) -> Any:
    """Return the type without an optional None beside it."""
    if get_origin(annotation) in (Union, types.UnionType):
        return next(part for part in get_args(annotation) if part is not type(None))
    return annotation


def _recipe_of(field: FieldInfo) -> type[Recipe] | None:
    kind = _plain_type(field.annotation)
    return kind if isinstance(kind, type) and issubclass(kind, Recipe) else None


def _is_free_dict(field: FieldInfo) -> bool:
    """Return whether a field carries a plug-in's options; they are drawn by ``plugin_options``."""
    return get_origin(field.annotation) is dict
