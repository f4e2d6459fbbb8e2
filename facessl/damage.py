"""What of a run's small files is still what was written: a power cut, a full disk or hands may have been there.

Who reads them reads them here, so that nobody downstream has to ask whether an epoch is a number.
"""

import contextlib
import json
import sys
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open

from facessl import files, registry
from facessl.config import RECIPES, FinetuneRecipe
from facessl.errors import DamagedError, ModelError

_NUMBERS = (int, float)
_CARD = {"backbone", "backbone_options", "image_size", "precision", "device", "people"}  # every version wrote these


class _Settings(BaseModel):
    """The shape of ``config.json``."""

    model_config = ConfigDict(strict=True)

    kind: str
    title: str
    recipe: dict[str, Any]
    after: list[str]
    group: str
    edits: dict[str, int]
    created: str
    resolved: dict[str, Any] = {}
    changes: list[dict[str, Any]] = []


def settings(path: Path) -> dict[str, Any] | None:
    """Return what stands in a run's ``config.json``, see ``whole_settings``; it is kept, so not to be changed.

    A page of some hundred runs asks each of them a dozen times.
    """
    file = path.stat()
    return _settings(path, (file.st_ino, file.st_ctime_ns, file.st_size))


@lru_cache(maxsize=4096)
def _settings(path: Path, file: tuple[int, int, int]) -> dict[str, Any] | None:
    try:
        return whole_settings(files.read_json(path))
    except DamagedError:
        return None


def whole_settings(content: dict[str, Any]) -> dict[str, Any] | None:
    """Return a run's settings, or None where they are not such any more.

    What a run older than a setting does not say of it is filled in by default, and of its network and its classifier
    as they were then: what it has learnt fits no other. Whether the values can work is not looked at: a run whose
    method is gone can still be listed.
    """
    try:
        _Settings.model_validate(content)
    except ValidationError:
        return None
    usual, recipe = _defaults(content["kind"]), content["recipe"]
    is_about = "name" if content["kind"] == "prepare" else "dataset"
    if usual is None or is_about not in recipe:
        return None
    if not all(_alike(value, usual[name]) for name, value in recipe.items() if name in usual):
        return None
    whole = usual | recipe
    if "backbone_options" in recipe:
        whole["backbone_options"] = _of_before(whole["backbone"]) | recipe["backbone_options"]
    if content["kind"] == "finetune" and "refit" not in recipe and whole["mode"] == "finetune":
        whole["refit"] = not FinetuneRecipe.model_construct(**whole).reads_embedding  # where it would have done nothing
    return content | {"recipe": whole}


@cache
def _of_before(backbone: str) -> dict[str, Any]:
    return registry.backbone_options_of_before(backbone)


@cache
def _defaults(kind: str) -> dict[str, Any] | None:
    return RECIPES[kind]().model_dump(mode="json") if kind in RECIPES else None


def _alike(value: Any, usual: Any) -> bool:
    """Return whether a value is of the kind of the usual one; a number may be whole or not."""
    if isinstance(usual, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(usual, bool)
    return isinstance(value, _NUMBERS if isinstance(usual, _NUMBERS) else type(usual))


def whole_rows(content: bytes) -> list[dict[str, Any]]:
    """Return the rows of a curve: the lines with an epoch and otherwise figures, or null where there was none.

    An unfinished last line is not there yet, a damaged one not any more.
    """
    rows = []
    for line in content.split(b"\n")[:-1]:
        with contextlib.suppress(ValueError, RecursionError):  # no JSON, no text, or brackets without end
            row = json.loads(line)
            if _is_row(row):
                rows.append(row)
    return rows


def _is_row(row: Any) -> bool:
    if not isinstance(row, dict):
        return False
    epoch = row.get("epoch")
    of_an_epoch = isinstance(epoch, int) and not isinstance(epoch, bool) and epoch >= 0
    return of_an_epoch and all(_is_figure(value) for value in row.values())


def _is_figure(value: Any) -> bool:
    # No comparison is true of nan, and json reads whole numbers that no float can hold.
    return value is None or (isinstance(value, _NUMBERS) and abs(value) <= sys.float_info.max)


def card(folder: Path) -> dict[str, Any]:
    """Return the card of the model that a run left; of its weights nothing but the head is read.

    Raises:
        ModelError: There is no model, or its files are not what was written.
    """
    try:
        found = files.read_json(folder / "model.json")
    except FileNotFoundError:
        raise ModelError(
            f"{folder.name} has no trained model; choose a finished pre-training or fine-tuning."
        ) from None
    except DamagedError as error:
        raise _spoilt(folder) from error
    if not isinstance(found, dict) or not found.keys() >= _CARD:
        raise _spoilt(folder)
    try:
        with safe_open(folder / "model.safetensors", framework="numpy"):  # fails where the file is shorter than it says
            return dict(found)
    except (OSError, SafetensorError) as error:
        raise _spoilt(folder) from error


def _spoilt(folder: Path) -> ModelError:
    return ModelError(f"The model of {folder.name} is damaged; train it again, or bring its files from a copy.")
