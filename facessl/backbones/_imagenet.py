"""torchvision's ImageNet weights: found in the workspace, or fetched into it, and never run as code."""

import hashlib
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from facessl.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

_URL = "https://download.pytorch.org/models/"
_TIMEOUT_SECONDS = 15  # torch.hub waits for ever where a firewall swallows the request


def weights_file(file_name: str, workspace: Path) -> Path:
    """Return the path of an ImageNet weights file, fetching it first where it is not there yet.

    Args:
        file_name: torchvision's own, which ends in the first digits of the content's SHA-256.
        workspace: The file lies in its ``weights/`` folder.

    Raises:
        ModelError: It is not there and cannot be fetched, or what is there is another file.
    """
    path = workspace / "weights" / file_name
    if not path.is_file():
        _fetch(file_name, path)
    elif not _is_whole(path, file_name):
        raise ModelError(f"{path} is damaged; delete it and try again, or put {_URL}{file_name} there.")
    return path


def load(network: "nn.Module", weights: Path) -> None:
    """Load an ImageNet weights file into torchvision's network, which must still have its classifier.

    Raises:
        ModelError: The file holds no weights, or those of another network.
    """
    import pickle

    import torch

    try:
        network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, TypeError, AttributeError) as error:
        name = type(network).__name__
        raise ModelError(
            f"{weights} does not hold torchvision's weights of {name}; delete it and try again."
        ) from error


def _fetch(file_name: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{file_name}.{os.getpid()}.partial")
    try:
        with urllib.request.urlopen(_URL + file_name, timeout=_TIMEOUT_SECONDS) as answer, open(partial, "wb") as file:
            while block := answer.read(1 << 20):
                file.write(block)
    except OSError as error:  # no network, no such name, no answer, a full disk
        partial.unlink(missing_ok=True)
        why = "there is no connection to where they lie" if isinstance(error, urllib.error.URLError) else error
        raise ModelError(
            f"The ImageNet weights could not be fetched ({why}); put {_URL}{file_name} into {path.parent}."
        ) from error
    if not _is_whole(partial, file_name):
        partial.unlink()
        raise ModelError(f"What came from {_URL}{file_name} is not what its name promises; put it into {path.parent}.")
    partial.replace(path)


def _is_whole(path: Path, file_name: str) -> bool:
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return digest.startswith(Path(file_name).stem.rsplit("-", 1)[1])
