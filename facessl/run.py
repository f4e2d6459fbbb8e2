"""A run is a folder: its recipe, its state, its curve and its results; whoever looks, reads files.

``run.lock`` is held by the worker for as long as it lives, so "is it alive" is a question to the operating
system and not to a clock. Only who holds it writes ``status.json`` and ``config.json``; a title given later and a note
stand in ``about.json``, so that a person's words and the worker's do not overwrite each other.
"""

import contextlib
import fcntl
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from facessl import damage, files, shapes
from facessl.config import RECIPES
from facessl.errors import DamagedError, RunError, Stopped
from facessl.recipes import explain
from facessl.states import ACTIVE, DAMAGED, ENDED, PAUSABLE, STOPPED, Status

_LONGEST = {"title": 120, "note": 4000}  # letters
_POLL_SECONDS = 0.2
# A worker's threads write the status too: one says that time passes, one ends the process on a stop.
_WRITING = threading.RLock()
_NO_STATUS = "Its status cannot be read any more; resume it, or delete it."
_LOST: dict[str, Any] = {
    "kind": DAMAGED, "title": "A damaged run", "recipe": {}, "after": [], "group": "", "edits": {}, "created": "",
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """A run's folder. Cheap to make; nothing is read until asked."""

    path: Path

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def config(self) -> dict[str, Any]:
        """Return kind, recipe, title (the one given last), after, created; resolved and changes where there are."""
        content = damage.settings(self.path / "config.json") or _LOST
        title = str(self._about().get("title") or content["title"])
        return content | {"title": title, "recipe": dict(content["recipe"])}

    @property
    def kind(self) -> str:
        return str(self.config["kind"])

    @property
    def title(self) -> str:
        return str(self.config["title"])

    @property
    def note(self) -> str:
        """Return what a person wrote about the run."""
        return str(self._about().get("note", ""))

    def describe(self, *, title: str | None = None, note: str | None = None) -> None:
        """Give the run a title or a note.

        Raises:
            RunError: The title is empty, or a text is too long.
        """
        given = {"title": title, "note": note}
        texts = {name: text.strip() for name, text in given.items() if text is not None}
        if texts.get("title") == "":
            raise RunError("A run needs a title; give it one or more letters.")
        for name, text in texts.items():
            if len(text) > _LONGEST[name]:
                raise RunError(f"A {name} has at most {_LONGEST[name]:,} letters, this one {len(text):,}; shorten it.")
        if "title" in texts:
            texts["title"] = " ".join(texts["title"].split())  # lists and selects show it on one line
        with _WRITING:
            files.write_json(self.path / "about.json", self._about() | texts)

    def _about(self) -> dict[str, Any]:
        with contextlib.suppress(FileNotFoundError, DamagedError):
            return files.read_json(self.path / "about.json")
        return {}

    def check_readable(self) -> None:
        """Raise RunError where the settings cannot be read any more."""
        if self.config["kind"] == DAMAGED:
            raise RunError(f"The settings of {self.id} cannot be read any more; delete it.")

    def recipe(self) -> Any:
        """Return the run's recipe as its checked model.

        Raises:
            RunError: The settings cannot be read any more, or cannot work. RecipeError: a plug-in of theirs is gone.
        """
        self.check_readable()
        config = self.config
        try:
            return RECIPES[config["kind"]](**config["recipe"])
        except ValidationError as error:
            raise RunError(f"The settings of {self.id} cannot work: {explain(error)} Start a new run.") from error

    def status(self) -> Status:
        """Return the state as it is: a worker that died without a word reads *interrupted*.

        So does one whose state is no known word (of another version, or of hands): its lock says whether it works.
        """
        status = self.written()
        if status.state in ENDED:
            return status
        if not self.is_alive():
            # The worker may have ended between the two looks.
            status = self.written()
            lost = {"state": "interrupted", "message": "Its process ended without a word."}
            return status if status.state in ENDED else status.model_copy(update=lost)
        if self.stop_requested():
            return status.model_copy(update={"state": "stopping"})
        return status if status.state in ACTIVE else status.model_copy(update={"state": "running"})

    def written(self) -> Status:
        """Return the state as its worker last wrote it, which a dead one cannot correct."""
        try:
            return Status(**files.read_json(self.path / "status.json"))
        except (DamagedError, ValidationError):
            return Status(state="failed", message="Failed.", error=_NO_STATUS)

    def has_died(self) -> bool:
        """Return whether its process ended without a word, and nobody has said yet what becomes of it."""
        return self.written().state in ACTIVE and self.status().state == "interrupted"

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
        """Write changes into the status, and the working time so far; for the run's worker only."""
        with self._writing():
            return self._write(changes)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        # A worker and the first of its processes both write, and each keeps what the other wrote.
        with _WRITING, open(self.path / "status.lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def say(self, message: str) -> None:
        """Write what it is doing now, if that is not written there already."""
        if self.written().message != message:
            self.update(message=message)

    def beat(self) -> None:
        """Write down the working time so far, if time counts."""
        with self._writing():
            if self.written().counted_at is not None:
                self._write({})

    def last_word(self, **changes: Any) -> None:
        """Write how the run ended, unless that has been said; for a process that ends right after.

        No other thread of this process can write the status any more: what it has to say is out of date.
        """
        _WRITING.acquire(timeout=1)  # a thread that hangs while writing shall not keep the process alive
        if self.written().state not in ENDED:
            self._write(changes)

    def _write(self, changes: Mapping[str, Any]) -> Status:
        status = self.written()
        counted: dict[str, Any] = {}
        if status.counted_at is not None:
            now = time.monotonic()
            counted = {"seconds": round(status.seconds + max(0.0, now - status.counted_at), 2), "counted_at": now}
        fields = {name: files.finite(value, Status.model_fields[name].default) for name, value in changes.items()}
        status = status.model_copy(update=counted | fields)
        files.write_json(self.path / "status.json", status.model_dump())
        return status

    def stop_requested(self) -> bool:
        return (self.path / "stop").exists()

    def request_stop(self) -> None:
        (self.path / "stop").touch()

    def check_stop(self) -> None:
        """Raise Stopped when somebody asked for it; workers call this between units of work."""
        if self.stop_requested():
            raise Stopped(STOPPED)

    def pause_requested(self) -> bool:
        return (self.path / "pause").exists()

    def request_pause(self) -> None:
        (self.path / "pause").touch()

    def clear_pause(self) -> None:
        (self.path / "pause").unlink(missing_ok=True)

    def wait_while_paused(self) -> None:
        """Wait here for as long as somebody wants the run paused; workers call this between units of work.

        Raises:
            Stopped: A stop was asked for meanwhile.
        """
        if not self.pause_requested():
            return
        before = self.update(state="paused", message="Paused; it keeps its place and its memory.", seconds_left=None)
        self.update(counted_at=None)  # a pause is no working time
        self.log("Paused.")
        while self.pause_requested():
            self.check_stop()
            time.sleep(_POLL_SECONDS)
        counted_at = None if before.counted_at is None else time.monotonic()
        self.update(state="running", message="Going on.", counted_at=counted_at)
        self.log("Going on.")

    def resolved(self, **what: Any) -> dict[str, Any]:
        """Write down what the recipe's "auto" came to (device, precision, threads, …), and return all that is known.

        For the run's worker only. A later attempt computes with the same; see ``revision.revise`` for what changes it.
        """
        config = files.read_json(self.path / "config.json")
        known: dict[str, Any] = config.get("resolved", {}) | what
        if what:
            self.rewrite_config(config | {"resolved": known})
        return known

    def rewrite_config(self, config: dict[str, Any]) -> None:
        """Replace ``config.json``; for the run's worker, or who holds it."""
        path = self.path / "config.json"
        made = path.stat().st_mtime_ns
        files.write_json(path, config)
        os.utime(path, ns=(made, made))  # by which runs are listed

    def wants_more(self) -> bool:
        """Return whether the recipe asks for more epochs than the run has learnt."""
        return self.kind in PAUSABLE and int(self.config["recipe"]["epochs"]) > self.written().epoch

    def count_death(self, left: Status) -> int:
        """Return how often its process has ended without a word since the run last finished an epoch, now included.

        For who holds the run. ``left`` is the state that the dead worker left.
        """
        path = self.path / "deaths.json"
        before = files.read_json(path) if path.exists() else {"epoch": -1, "deaths": 0}
        deaths = before["deaths"] + 1 if left.epoch <= before["epoch"] else 1
        files.write_json(path, {"epoch": max(left.epoch, before["epoch"]), "deaths": deaths})
        where = f" in epoch {min(left.epoch + 1, left.epochs)}, after step {left.step}" if left.epochs else ""
        self.log(f"Its process ended without a word{where}.")
        return int(deaths)

    def log_metrics(self, **row: Any) -> None:
        """Append one line to the run's curve."""
        with open(self.path / "metrics.jsonl", "a") as file:
            file.write(json.dumps(files.finite(row)) + "\n")

    def metrics(self) -> list[dict[str, Any]]:
        """Return the curve so far; see ``damage.whole_rows``."""
        path = self.path / "metrics.jsonl"
        return damage.whole_rows(path.read_bytes()) if path.exists() else []

    def cut_metrics(self, epoch: int) -> None:
        """Forget rows after ``epoch``: they were written by work that a crash then lost."""
        rows = [row for row in self.metrics() if row["epoch"] <= epoch]
        files.write_text(self.path / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in rows))

    def result(self) -> dict[str, Any] | None:
        """Return what the finished run has to say (the ``--json`` of its command), or None; see ``shapes``."""
        with contextlib.suppress(DamagedError):
            return shapes.result(self.path / "result.json", self.kind)
        return None

    def has_lost_result(self) -> bool:
        """Return whether what it had to say was written, and cannot be read any more; a study says it in its report."""
        written = (self.path / "result.json").exists()
        return written and self.result() is None and not (self.kind == "study" and self.report() is not None)

    def report(self) -> dict[str, Any] | None:
        """Return what a run has to say at length: a judged classifier photo by photo, a study its tables; or None."""
        with contextlib.suppress(DamagedError):
            return shapes.report(self.path / "report.json", self.kind)
        return None

    def log(self, text: str) -> None:
        """Append a line to the run's log, with the time."""
        with open(self.path / "log.txt", "a") as file:
            file.write(f"{files.now()} {text}\n")

    def log_text(self, last: int = 20_000) -> str:
        """Return the end of the worker's log."""
        path = self.path / "log.txt"
        if not path.exists():
            return ""
        with open(path, "rb") as file:
            file.seek(max(0, path.stat().st_size - last))
            return file.read().decode(errors="replace")


@contextlib.contextmanager
def timed(run: Run) -> Iterator[None]:
    """Let the time spent inside count as the run's working time; each ``update`` writes down how much it is."""
    run.update(counted_at=time.monotonic())
    try:
        yield
    finally:
        run.update()
        run.update(counted_at=None)
