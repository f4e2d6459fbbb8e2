"""Plug-ins are found by folder, without being imported, and each is complete."""

import sys

import pytest
from pydantic import BaseModel

from facessl import registry
from facessl.errors import RecipeError

PLUGINS = [(kind, name) for kind in registry.KINDS for name in registry.names(kind)]


def test_the_first_plugins_are_there() -> None:
    assert {"folder", "synthetic"} <= set(registry.names("sources"))
    assert {"resnet18", "tinyvgg", "efficientnet_b0"} <= set(registry.names("backbones"))
    assert {"simclr", "supervised"} <= set(registry.names("methods"))


@pytest.mark.parametrize(("kind", "name"), PLUGINS)
def test_every_plugin_is_complete(kind: str, name: str) -> None:
    plugin = registry.load(kind, name)
    assert plugin.TITLE and plugin.REFERENCE
    assert issubclass(plugin.Options, BaseModel) and plugin.Options.model_config.get("frozen")
    for function in {"sources": ("open_source",), "studies": ("steps", "answer")}.get(kind, ("build",)):
        assert callable(getattr(plugin, function))
    for field_name, field in plugin.Options.model_fields.items():
        assert field.description, f"{name}.{field_name} says nothing about itself"


def test_listing_imports_nothing() -> None:
    before = set(sys.modules)
    registry.names("backbones")
    assert set(sys.modules) == before


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(RecipeError, match=r"no method called 'simclear'.*simclr"):
        registry.load("methods", "simclear")
