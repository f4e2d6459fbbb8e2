"""What a page that runs inside the test process must not leave behind."""

import sys
from collections.abc import Iterator

import pytest

from facessl.studio import Studio


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
