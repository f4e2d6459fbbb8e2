"""What a page that runs inside the test process must not leave behind, and runs that several tests damage."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from facessl.run import Run
from facessl.studio import Studio
from tests.pages.made import finetuned, pretrained, tiny_set


@pytest.fixture(autouse=True)
def nobody_revives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs made by hand have no process; the app would start one for them."""
    monkeypatch.setattr(Studio, "watch", lambda self: None)


@pytest.fixture(autouse=True)
def main_module_stays() -> Iterator[None]:
    """AppTest puts the page in the place of ``__main__``; a process started later would run it again."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before


@pytest.fixture
def two_runs(empty_workspace: Path) -> tuple[Path, Run]:
    """A workspace with a pre-training and two fine-tunings, and the second of these, which will be damaged."""
    tiny_set(empty_workspace)
    parent = pretrained(empty_workspace)
    finetuned(empty_workspace, "whole", right=4, init=parent.id)
    return empty_workspace, finetuned(empty_workspace, "broken", right=3, init=parent.id)
