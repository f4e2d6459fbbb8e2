"""The runs of a workspace: made, found, listed, deleted."""

import contextlib
import fcntl
import secrets
import shutil
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from facessl import files
from facessl.errors import RunError
from facessl.recipes import Recipe
from facessl.run import Run
from facessl.states import ACTIVE, Status

_SECOND = len("20261130-091203")
_ENDING_SECONDS = 3.0


def create(
    workspace: Path,
    kind: str,
    recipe: Recipe,
    *,
    title: str,
    after: Sequence[str] = (),
    group: str = "",
    edits: Mapping[str, int] | None = None,
) -> Run:
    """Make a run's folder, ready for a worker.

    ``after`` names runs that must finish first; runs of one ``group`` were started together; ``edits`` says for each
    set how many corrections of people the run sees, however many follow.
    """
    parts = [getattr(recipe, name, "") for name in ("preset", "method", "mode", "model", "source", "backbone")]
    if getattr(recipe, "model", "untrained") not in ("untrained", "imagenet"):
        parts.pop()  # the model brings its own network, or has none
    words = [part.replace("_", "") for part in parts]
    slug = "-".join([kind, *(word for word in words if word.isalnum())][:3])
    path = _free_folder(workspace, slug)
    config = {
        "kind": kind,
        "title": title,
        "recipe": recipe.model_dump(mode="json"),
        "after": list(after),
        "group": group,
        "edits": dict(edits or {}),
        "created": files.now(),
    }
    # Made under another name first: a listing never meets a folder without its files.
    making = path.with_name(f".{path.name}")
    making.mkdir(parents=True)
    files.write_json(making / "config.json", config)
    files.write_json(making / "status.json", Status(state="stopped", message="Not started yet.").model_dump())
    making.rename(path)
    return Run(path)


def _free_folder(workspace: Path, slug: str) -> Path:
    while True:
        path = workspace / "runs" / f"{datetime.now():%Y%m%d-%H%M%S}-{slug}-{secrets.token_hex(2)}"
        if not path.exists():  # hundreds made within a second do meet
            return path


def find(workspace: Path, run_id: str) -> Run:
    """Return the run with this id, or the only one whose id ends or starts with it."""
    folder = workspace / "runs"
    if (folder / run_id / "config.json").is_file() and run_id not in ("", ".", ".."):
        return Run(folder / run_id)
    matches = [run for run in list_all(workspace) if run_id and (run.id.startswith(run_id) or run.id.endswith(run_id))]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise RunError(f"{len(matches)} runs match {run_id!r}; give more of the id.")
    raise RunError(f"There is no run {run_id!r}; `python -m facessl runs` lists those there are.")


def list_all(workspace: Path) -> list[Run]:
    """Return every run, newest first."""
    folder = workspace / "runs"
    if not folder.is_dir():
        return []
    found = [p for p in folder.iterdir() if not p.name.startswith(".") and (p / "config.json").is_file()]
    # Ids begin with the second they were made in, which a copy of the workspace keeps; within it the file's time tells.
    made = {p: (p.name[:_SECOND], (p / "config.json").stat().st_mtime_ns) for p in found}
    return [Run(p) for p in sorted(found, key=made.__getitem__, reverse=True)]


def _locked(run: Run, lock: int) -> bool:
    """Return whether the run's lock could be taken; a process that has said its last word is given time to end."""
    deadline = time.monotonic() + _ENDING_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if run.written().state in ACTIVE or time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        else:
            return True


def delete(together: Sequence[Run]) -> None:
    """Delete runs, each before what it builds on; RunError, and nothing is deleted, when one is being worked on."""
    with contextlib.ExitStack() as held:
        for run in together:
            lock = held.enter_context(open(run.path / "run.lock", "a"))
            if not _locked(run, lock.fileno()):  # nobody starts it meanwhile
                raise RunError(f"“{run.title}” ({run.id}) is still running; stop it first.")
        for run in together:
            going = run.path.with_name(f".{run.id}.deleted")  # in one step: a listing never meets half a run
            run.path.rename(going)
            shutil.rmtree(going)
