"""Weights on disk: safetensors plus a plain JSON card for use, and a state file to resume from.

Nothing here ever runs code from a file: cards are JSON, weights are safetensors, and the resumable state is read
with ``weights_only=True``.
"""

import contextlib
import io
import os
import pickle
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import torch as safetensors_torch
from safetensors.torch import load_file
from torch import Tensor

from facessl import damage, distributed, files
from facessl.errors import ModelError


def save_model(folder: Path, weights: dict[str, Tensor], card: dict[str, Any]) -> None:
    """Write ``model.safetensors``, then ``model.json``: a model without its card is not there yet.

    Raises:
        OSError: It could not be written, mostly because the disk is full; the model of before is still there.
    """
    # Not its own ``save_file``, which says of a full disk only that something went wrong.
    content = safetensors_torch.save({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()})
    with _replacing(folder / "model.safetensors") as file:
        file.write(content)
    files.write_json(folder / "model.json", card)


def load_model(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return (weights, card) of a trained run.

    Raises:
        ModelError: There is no model, or its file was damaged.
    """
    card = damage.card(folder)
    return load_file(folder / "model.safetensors"), card


def backbone_weights(folder: Path, backbone: str) -> dict[str, Tensor]:
    """Return the backbone's weights out of a trained run, named as the backbone names them.

    Raises:
        ModelError: The run trained another kind of backbone.
    """
    weights, card = load_model(folder)
    if card["backbone"] != backbone:
        raise ModelError(f"{folder.name} trained a {card['backbone']}, not a {backbone}; choose the same backbone.")
    prefix = "backbone."
    return {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}


def save_state(folder: Path, state: dict[str, Any]) -> None:
    """Replace ``state.pt`` in one step: a kill at any moment leaves the old state or the new one.

    Raises:
        OSError: It could not be written, mostly because the disk is full; the state of before is still there.
    """
    content = io.BytesIO()  # into a file, torch's writer turns a full disk into an error of its own
    torch.save(state, content)
    with _replacing(folder / "state.pt") as file:
        file.write(content.getbuffer())


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes the place of ``path`` once it is on the disk whole."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with open(partial, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def load_state(folder: Path, *, holding: Collection[str] = ()) -> dict[str, Any] | None:
    """Return what ``save_state`` wrote, or None when there is nothing to resume from.

    Raises:
        ModelError: The file is damaged, or lacks one of the names in ``holding``; it is laid aside.
    """
    path = folder / "state.pt"
    if not path.exists():
        return None
    try:
        # One that is cut short is no zip; torch takes it for one of its old files, and says anything.
        state = torch.load(path, map_location="cpu", weights_only=True) if zipfile.is_zipfile(path) else None
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, LookupError):
        state = None
    if not isinstance(state, dict) or not state.keys() >= set(holding):
        if (
            distributed.launched().first
        ):  # else it could be gone before the first process looks, and nobody would say so
            path.replace(folder / "state.damaged.pt")  # what is resumed then begins again
        raise ModelError(f"state.pt of {folder.name} is damaged and was laid aside; resume to begin this run again.")
    return state
