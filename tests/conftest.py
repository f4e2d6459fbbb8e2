"""Workspaces for the tests: empty, with a small prepared set of generated faces, with trained runs."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from facessl import resolve, runs
from facessl.run import Run

DATA = Path(os.environ.get("FACESSL_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with real faces; tests that need it are skipped, and say so, where it is missing."""
    if not (DATA / "lfw-deepfunneled.zip").exists():
        pytest.skip(f"no real faces in {DATA} (set FACESSL_TEST_DATA)")
    return DATA


@pytest.fixture
def empty_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with nothing in it, which the app would use."""
    monkeypatch.setenv("FACESSL_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(autouse=True)
def main_stays() -> Iterator[None]:
    """Put back the main module: a page under test takes its place, and processes spawned later would begin with it."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


def run_here(workspace: Path, kind: str, *, edits: dict[str, int] | None = None, **settings: object) -> Run:
    """Carry out a run in this process and return it; a failure is the test's failure."""
    from facessl import worker

    recipe = resolve.resolve(kind, settings, workspace)
    run = runs.create(workspace, kind, recipe, title=f"a {kind} of the tests", edits=edits)
    state = worker.work(workspace, run.id)
    assert state == "finished", f"{run.status().error}\n{run.log_text()}"
    return run


@pytest.fixture(scope="session")
def prepared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the set ``demo``: 4 generated people × 20 photos and 6 nameless ones, faces of 64 px."""
    workspace = tmp_path_factory.mktemp("prepared")
    run_here(workspace, "prepare", people=4, photos=20, unnamed=6, size=64, min_photos=5)
    return workspace


@pytest.fixture(scope="session")
def trained_home(prepared_home: Path) -> Path:
    """The same with a pre-trained and a fine-tuned run and two maps."""
    small = {"dataset": "demo", "backbone": "tinyvgg", "image_size": 32, "batch_size": 16}
    pretrained = run_here(prepared_home, "pretrain", epochs=2, **small)
    run_here(prepared_home, "finetune", epochs=2, init=pretrained.id, **small)
    run_here(prepared_home, "embed", dataset="demo", model=pretrained.id)
    run_here(prepared_home, "embed", dataset="demo", model="pixels")
    return prepared_home


@pytest.fixture
def prepared_workspace(prepared_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``prepared_home`` as the app's workspace; read it, do not change it."""
    monkeypatch.setenv("FACESSL_HOME", str(prepared_home))
    return prepared_home


@pytest.fixture
def trained_workspace(trained_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``trained_home`` as the app's workspace; read it, do not change it."""
    monkeypatch.setenv("FACESSL_HOME", str(trained_home))
    return trained_home
