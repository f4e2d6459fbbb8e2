"""A training that somebody stops between two of its steps, in the test's own process."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facessl.errors import Stopped
from facessl.run import Run


def cut_off(learn: Callable[[Run, Path], Any], run: Run, workspace: Path, steps: int) -> None:
    """Let ``learn`` begin the run, ask it to stop before its step number ``steps`` + 1, and see that it does."""
    asked: list[int] = []

    def requested(self: Run) -> bool:
        asked.append(1)
        return self.id == run.id and len(asked) > steps

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "stop_requested", requested)
        with pytest.raises(Stopped):
            learn(run, workspace)
