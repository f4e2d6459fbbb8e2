"""Small files that are whole at any moment, however often somebody reads or a process dies."""

import json
import math
import os
import re
from datetime import datetime
from pathlib import Path
from typing import Any

from facessl.errors import DamagedError

_PARTIAL = re.compile(r"\..*?(?:\.(?P<pid>\d+))?\.partial(\.\w+)?")


def now() -> str:
    """Return the local time as it is written into files."""
    return datetime.now().isoformat(timespec="seconds")


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON file's object.

    Raises:
        DamagedError: It holds something else.
    """
    try:
        content = json.loads(path.read_text())
    except ValueError:  # no JSON, or no text
        content = None
    if not isinstance(content, dict):
        raise DamagedError(f"{path.name} of {path.parent.name} is damaged; delete that, or make it again.")
    return content


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Replace ``path`` in one step, so that a reader never sees half a file; what is no finite number becomes null."""
    write_text(path, json.dumps(finite(content), indent=1, allow_nan=False))


def finite(value: Any, otherwise: Any = None) -> Any:
    """Return a value as JSON has it: plain numbers, and ``otherwise`` where a number is not finite."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    if hasattr(value, "item"):  # a number out of an array
        value = value.item()
    return otherwise if isinstance(value, float) and not math.isfinite(value) else value


def write_text(path: Path, text: str) -> None:
    """Replace ``path`` in one step."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text(text)
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def sweep(folder: Path) -> None:
    """Remove half-written files that dead processes left in a run's folder; for who holds the run."""
    for path in folder.glob(".*"):
        found = _PARTIAL.fullmatch(path.name)
        if path.is_file() and found and not (found["pid"] and _is_process(int(found["pid"]))):
            path.unlink(missing_ok=True)


def _is_process(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
