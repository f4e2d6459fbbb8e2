"""A recipe's settings as flags of a command."""

import argparse
from collections.abc import Sequence
from typing import Any, Literal, NoReturn, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from facessl import registry
from facessl.recipes import Recipe


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; --help lists what there is.\n")


def share(text: str) -> float:
    """Return a number between 0 and 1 that was typed."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"a share lies between 0 and 1, got {text!r}")
    return value


def without_defaults(common: argparse.ArgumentParser) -> Parser:
    """Return the flags of ``common`` for a place where one that is not given leaves no trace."""
    copy = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    for action in common._actions:
        copy._add_action(_suppressed(action))
    return copy


def _suppressed(action: argparse.Action) -> argparse.Action:
    import copy

    twin = copy.copy(action)
    twin.default = argparse.SUPPRESS
    return twin


def add_recipe_flags(parser: argparse.ArgumentParser, recipe: type[Recipe], words: Sequence[str]) -> None:
    """Add a flag for each setting of the recipe, of its nested recipes, and of the plug-ins that ``words`` chose."""
    carriers = {carried_by for _, _, carried_by in recipe.PLUGINS}
    for name, field in recipe.model_fields.items():
        if isinstance(field.default, Recipe):
            for inner, inner_field in type(field.default).model_fields.items():
                add_flag(parser, inner, inner_field, getattr(field.default, inner))
        elif name not in carriers:
            plugins = [kind for kind, named_by, _ in recipe.PLUGINS if named_by == name]
            add_flag(parser, name, field, field.default, choices=registry.names(plugins[0]) if plugins else ())
    for kind, named_by, _ in recipe.PLUGINS:
        chosen = _chosen(words, f"--{named_by}") or str(recipe.model_fields[named_by].default)
        chosen = chosen.replace("-", "_")
        if chosen in registry.names(kind):  # else the recipe itself says which names would work
            options: type[BaseModel] = registry.load(kind, chosen).Options
            for name, field in options.model_fields.items():
                add_flag(parser, name, field, field.default, of=chosen)


def add_flag(
    parser: argparse.ArgumentParser,
    name: str,
    field: FieldInfo,
    default: Any,
    of: str = "",
    choices: Sequence[str] = (),
) -> None:
    """Add one setting; what is not given stays out of the answer.

    Args:
        parser: Where.
        name: Its own.
        field: What the recipe says of it.
        default: What it is when it is not given.
        of: The plug-in that it belongs to.
        choices: What it may be, where the field does not say so itself.
    """
    flag = f"--{name.replace('_', '-')}"
    shown = f" (default {default})" if default not in ("", ()) else ""
    among = choices or (get_args(field.annotation) if get_origin(field.annotation) is Literal else ())
    words = f" One of {', '.join(map(str, among))}." if among else ""
    text = f"{of + ': ' if of else ''}{field.description}{words}{shown}".replace("%", "%%")
    if field.annotation is bool:
        parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=text)
    elif isinstance(default, tuple):
        parser.add_argument(flag, nargs="+", default=argparse.SUPPRESS, help=text, metavar="NAME")
    else:
        parser.add_argument(flag, default=argparse.SUPPRESS, help=text, metavar=name.upper())


def _chosen(words: Sequence[str], flag: str) -> str | None:
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == flag:
            return following
        if word.startswith(f"{flag}="):
            return word.removeprefix(f"{flag}=")
    return None
