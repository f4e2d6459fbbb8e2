"""What a command in the terminal makes of a run that ends, or seems to."""

import threading
from pathlib import Path

import pytest

from facessl import files, following, runs
from facessl.config import EmbedRecipe
from facessl.errors import RunError
from facessl.run import Run


@pytest.fixture
def dead(tmp_path: Path) -> Run:
    """A run whose process ended without a word."""
    run = runs.create(tmp_path, "embed", EmbedRecipe(), title="A map")
    run.update(state="running")
    return run


def test_a_run_that_a_studio_takes_up_again_is_followed_on(dead: Run, capsys: pytest.CaptureFixture[str]) -> None:
    def take_up_and_finish() -> None:
        files.write_json(dead.path / "result.json", {"run": dead.id})
        dead.update(state="finished", message="Finished.")

    threading.Timer(1.0, take_up_and_finish).start()
    assert following.follow(dead) == {"run": dead.id}
    assert "interrupted: Its process ended without a word." in capsys.readouterr().err


def test_a_run_that_nobody_takes_up_is_interrupted(dead: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_REVIVED_WITHIN", 0.5)
    with pytest.raises(RunError, match="interrupted"):
        following.follow(dead)


def test_a_run_that_was_given_up_is_not_waited_for(dead: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_REVIVED_WITHIN", 1e9)
    dead.update(state="interrupted", message="Its process ended twice; look at the log, then resume it.")
    with pytest.raises(RunError, match="ended twice"):
        following.follow(dead)
