"""No network, a silent one, and one that serves what a test made."""

import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


def cut_off(patch: pytest.MonkeyPatch) -> None:
    """Let no name be found, as without a network; nothing is sent, where there is one."""

    def not_found(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    patch.setattr(socket, "getaddrinfo", not_found)


@contextmanager
def silence(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let every connection be taken and never answered, as behind some firewalls."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        here = (socket.AF_INET, socket.SOCK_STREAM, 6, "", server.getsockname())
        patch.setattr(socket, "getaddrinfo", lambda *_, **__: [here])
        yield


def serve(patch: pytest.MonkeyPatch, module: Any, files: dict[str, Path], seconds: float = 0) -> list[str]:
    """Let scikit-learn's fetcher in ``module`` get these files by name; return the names it will have asked for."""
    asked: list[str] = []

    def fetch(remote: Any, dirname: str, **_: object) -> Path:
        asked.append(remote.filename)
        time.sleep(seconds)
        return Path(shutil.copy(files[remote.filename], Path(dirname, remote.filename)))

    patch.setattr(module, "_fetch_remote", fetch)
    return asked


def seconds_of(work: Callable[[], object]) -> float:
    start = time.monotonic()
    work()
    return time.monotonic() - start
