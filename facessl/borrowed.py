"""ImageNet weights that the steps of a study begin with: fetched once before the first, and what becomes of the others.

A form plans without them, quickly and offline. When a study is carried out it fetches what is not here, looks whether
what is here is whole, and leaves out what needs weights that cannot be had, with the reason.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from facessl import attending, registry
from facessl.backbones import _imagenet
from facessl.errors import ModelError
from facessl.studying import Step


def not_here(steps: Sequence[Step], workspace: Path) -> list[str]:
    """Return the titles of the backbones whose weights the steps begin with and which have to be fetched first."""
    return [
        _title(backbone) for backbone in _asked(steps)
        if not (workspace / "weights" / registry.load("backbones", backbone).IMAGENET_FILE).is_file()
    ]  # fmt: skip


def fetch(steps: Sequence[Step], workspace: Path, say: Callable[[str], None]) -> dict[str, str]:
    """Fetch the weights that the steps begin with, where they are not here; a stop ends that at once.

    Returns:
        For each backbone whose weights cannot be had, a sentence why, and what to do.
    """
    trouble = {}
    for backbone in _asked(steps):
        say(f"Looking for the ImageNet weights of {_title(backbone)}.")
        try:
            with attending.breakable():  # half a file lies under another name
                _imagenet.weights_file(registry.load("backbones", backbone).IMAGENET_FILE, workspace)
        except ModelError as error:
            trouble[backbone] = (
                f"What begins with the ImageNet weights of {_title(backbone)} was left out. {error} Then start the "
                "study again; what is finished is used again."
            )
    return trouble


def settle(steps: Sequence[Step], trouble: Mapping[str, str]) -> list[Step]:
    """Return the steps as they can be done: without the weights of some backbones, for the reasons given."""
    return [_without(step, trouble[step.weights]) if step.weights in trouble else step for step in steps]


def _without(step: Step, why: str) -> Step:
    if step.otherwise is None:
        return dataclasses.replace(step, missing=step.missing or why)
    return dataclasses.replace(step, settings={**step.settings, **step.otherwise})


def _asked(steps: Sequence[Step]) -> list[str]:
    return list(dict.fromkeys(step.weights for step in steps if step.weights and not step.missing))


def _title(backbone: str) -> str:
    return str(registry.load("backbones", backbone).TITLE)
