"""A run is a folder: its recipe, its state, its curve and its results; whoever looks, reads files.

``run.lock`` is held by the worker for as long as it lives, so "is it alive" is a question to the operating
system and not to a clock. Only the worker writes ``status.json``.
"""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from facessl.config import RECIPES, Recipe
from facessl.errors import RunError, Stopped

ACTIVE = ("queued", "running", "stopping")
RESUMABLE = ("stopped", "failed", "interrupted")


class Status(BaseModel):
    """Where a run stands; written by its worker, read by everybody."""

    model_config = ConfigDict(frozen=True)

    state: str = "queued"  # queued, running, stopping, stopped, finished, failed, interrupted
    message: str = ""  # what it is doing now, for a person
    step: int = 0  # finished units of the whole
    steps: int = 0  # of so many
    epoch: int = 0
    epochs: int = 0
    device: str = ""
    images_per_second: float = 0.0
    seconds: float = 0.0  # working time over all attempts
    seconds_left: float | None = None
    error: str = ""  # one sentence, when failed
    started: str = ""
    finished: str = ""
    attempts: int = 0  # how often a worker took it up


@dataclass(frozen=True)
class Run:
    """A run's folder. Cheap to make; nothing is read until asked."""

    path: Path

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def config(self) -> dict[str, Any]:
        """Return kind, recipe, title, after, created."""
        return read_json(self.path / "config.json")

    @property
    def kind(self) -> str:
        return str(self.config["kind"])

    @property
    def title(self) -> str:
        return str(self.config["title"])

    def recipe(self) -> Any:
        """Return the run's recipe as its checked model."""
        config = self.config
        return RECIPES[config["kind"]](**config["recipe"])

    def status(self) -> Status:
        """Return the state as it is: a worker that died without a word reads *interrupted*."""
        status = Status(**read_json(self.path / "status.json"))
        if status.state not in ACTIVE:
            return status
        if not self.is_alive():
            # The worker may have ended between the two looks.
            status = Status(**read_json(self.path / "status.json"))
            lost = {"state": "interrupted", "message": "Its process ended without a word."}
            return status.model_copy(update=lost) if status.state in ACTIVE else status
        lived: dict[str, Any] = {}
        if status.state == "running" and status.started:
            since = (datetime.now() - datetime.fromisoformat(status.started)).total_seconds()
            lived["seconds"] = status.seconds + max(0.0, since)  # the worker writes them down when it ends
        if self.stop_requested():
            lived["state"] = "stopping"
        return status.model_copy(update=lived)

    def is_alive(self) -> bool:
        """Return whether a worker holds this run."""
        with open(self.path / "run.lock", "a") as lock:
            try:
                # Shared, so that two onlookers do not take each other for a worker.
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def update(self, **changes: Any) -> Status:
        """Write changes into the status; for the run's worker only."""
        status = Status(**read_json(self.path / "status.json")).model_copy(update=changes)
        write_json(self.path / "status.json", status.model_dump())
        return status

    def stop_requested(self) -> bool:
        return (self.path / "stop").exists()

    def request_stop(self) -> None:
        (self.path / "stop").touch()

    def check_stop(self) -> None:
        """Raise Stopped when somebody asked for it; workers call this between units of work."""
        if self.stop_requested():
            raise Stopped("Stopped on request; resume it whenever you like.")

    def log_metrics(self, **row: Any) -> None:
        """Append one line to the run's curve."""
        with open(self.path / "metrics.jsonl", "a") as file:
            file.write(json.dumps(row) + "\n")

    def metrics(self) -> list[dict[str, Any]]:
        """Return the curve so far; an unfinished last line is not there yet."""
        path = self.path / "metrics.jsonl"
        if not path.exists():
            return []
        lines = path.read_text().split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def cut_metrics(self, epoch: int) -> None:
        """Forget rows after ``epoch``: they were written by work that a crash then lost."""
        rows = [row for row in self.metrics() if row.get("epoch", 0) <= epoch]
        write_text(self.path / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in rows))

    def result(self) -> dict[str, Any] | None:
        """Return what the finished run has to say (the ``--json`` of its command), or None."""
        path = self.path / "result.json"
        return read_json(path) if path.exists() else None

    def log_text(self, last: int = 20_000) -> str:
        """Return the end of the worker's log."""
        path = self.path / "log.txt"
        if not path.exists():
            return ""
        with open(path, "rb") as file:
            file.seek(max(0, path.stat().st_size - last))
            return file.read().decode(errors="replace")


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
    parts = [getattr(recipe, name, "") for name in ("method", "mode", "model", "source", "backbone")]
    slug = "-".join([kind, *(part for part in parts if part.isalnum())][:3])
    run_id = f"{datetime.now():%Y%m%d-%H%M%S}-{slug}-{secrets.token_hex(2)}"
    path = workspace / "runs" / run_id
    config = {
        "kind": kind,
        "title": title,
        "recipe": recipe.model_dump(mode="json"),
        "after": list(after),
        "group": group,
        "edits": dict(edits or {}),
        "created": now(),
    }
    # Made under another name first: a listing never meets a folder without its files.
    making = path.with_name(f".{run_id}")
    making.mkdir(parents=True)
    write_json(making / "config.json", config)
    write_json(making / "status.json", Status(state="stopped", message="Not started yet.").model_dump())
    making.rename(path)
    return Run(path)


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
    # Ids begin with the second they were made in; within it the order of making is the file's.
    return [Run(p) for p in sorted(found, key=lambda p: (p / "config.json").stat().st_mtime_ns, reverse=True)]


def delete(run: Run) -> None:
    """Delete a run that is not being worked on."""
    if run.is_alive():
        raise RunError(f"{run.id} is still running; stop it first.")
    shutil.rmtree(run.path)


@contextlib.contextmanager
def timed(run: Run) -> Iterator[None]:
    """Add the time spent inside to the run's working time."""
    before, start = float(read_json(run.path / "status.json")["seconds"]), time.monotonic()
    try:
        yield
    finally:
        run.update(seconds=round(before + time.monotonic() - start, 2))


def now() -> str:
    """Return the local time as it is written into files."""
    return datetime.now().isoformat(timespec="seconds")


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON file's object."""
    content = json.loads(path.read_text())
    if not isinstance(content, dict):
        raise RunError(f"{path.name} holds no JSON object.")
    return content


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Replace ``path`` in one step, so that a reader never sees half a file."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False))


def write_text(path: Path, text: str) -> None:
    """Replace ``path`` in one step."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_text(text)
    partial.replace(path)
