"""Whether the other side is there; asked before anything heavy is loaded."""

import importlib

MISSING = "lightly is not installed, so nothing is compared; `pip install lightly` gives the other side."


def installed() -> bool:
    """Return whether lightly, which only developers need, can be imported."""
    try:
        importlib.import_module("lightly")
    except ModuleNotFoundError:
        return False
    return True
