"""Where sources keep what they fetch: ``<workspace>/downloads``; one process fetches, the others wait and find it."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

from facessl.config import default_workspace

_TIMEOUT = 10.0  # seconds without a byte; the fetchers set none and would wait for ever behind a silent firewall


def downloads() -> Path:
    """Return the folder; it need not exist yet."""
    return default_workspace() / "downloads"


@contextlib.contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Make ``folder`` and keep it to this process; another waits here. Freed also when its holder is killed."""
    from filelock import FileLock

    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        yield


@contextlib.contextmanager
def impatient() -> Iterator[None]:
    """Let a connection that says nothing fail after seconds."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def why(error: BaseException) -> str:
    """Return why a download failed, in a few words and without addresses."""
    cause = getattr(error, "reason", None)  # urllib wraps what really happened
    for found in (cause, error):
        if isinstance(found, OSError) and found.strerror:
            return found.strerror
    return cause if isinstance(cause, str) else "no connection, or what came was damaged"
