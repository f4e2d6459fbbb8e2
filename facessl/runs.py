"""A run is a folder: its recipe, its state, its curve and its results; whoever looks, reads files.

``run.lock`` is held by the worker for as long as it lives, so "is it alive" is a question to the operating
system and not to a clock. Only who holds it writes ``status.json`` and ``config.json``; a title given later and a note
stand in ``about.json``, so that a person's words and the worker's do not overwrite each other.
"""

import contextlib
import fcntl
import json
import math
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from facessl.config import RECIPES, Recipe, build
from facessl.errors import RecipeError, RunError, Stopped

ACTIVE = ("queued", "running", "paused", "stopping")
RESUMABLE = ("stopped", "failed", "interrupted")
PASSING = ("probe",)  # the kinds that answer one question and are not kept: no list of what was done shows them
PLACELESS = ("study",)  # the kinds that wait for runs of their own, and hold no place in a queue meanwhile
PAUSABLE = ("pretrain", "finetune")  # the kinds that learn, whose loop waits between two steps when asked
# With what a run may go on when it is resumed.
CHANGEABLE = (
    "epochs", "learning_rate", "clip_norm", "batch_size", "accumulate", "precision", "device", "threads", "processes",
    "compile",
)  # fmt: skip

STOPPED = "Stopped on request; resume it whenever you like."

_LONGEST = {"title": 120, "note": 4000}  # letters
_POLL_SECONDS = 0.2
_PARTIAL = re.compile(r"\..*?(?:\.(?P<pid>\d+))?\.partial(\.\w+)?")
# A worker's threads write the status too: one says that time passes, one ends the process on a stop.
_WRITING = threading.RLock()


class Status(BaseModel):
    """Where a run stands; written by its worker, read by everybody."""

    model_config = ConfigDict(frozen=True)

    state: str = "queued"  # queued, running, paused, stopping, stopped, finished, failed, interrupted
    message: str = ""  # what it is doing now, for a person
    notice: str = ""  # what befell this attempt, for a person; stays when the message changes
    step: int = 0  # finished units of the whole
    steps: int = 0  # of so many
    epoch: int = 0
    epochs: int = 0
    device: str = ""
    images_per_second: float = 0.0
    seconds: float = 0.0  # working time over all attempts, without pauses, as of the last writing
    counted_at: float | None = None  # the machine's monotonic clock at that writing; None while no time counts
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
        """Return kind, recipe, title (the one given last), after, created; resolved and changes where there are."""
        content = read_json(self.path / "config.json")
        return content | {"title": self._about().get("title") or content["title"]}

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
            write_json(self.path / "about.json", self._about() | texts)

    def _about(self) -> dict[str, Any]:
        path = self.path / "about.json"
        return read_json(path) if path.exists() else {}

    def recipe(self) -> Any:
        """Return the run's recipe as its checked model."""
        config = self.config
        return RECIPES[config["kind"]](**config["recipe"])

    def status(self) -> Status:
        """Return the state as it is: a worker that died without a word reads *interrupted*."""
        status = self.written()
        if status.state not in ACTIVE:
            return status
        if not self.is_alive():
            # The worker may have ended between the two looks.
            status = self.written()
            lost = {"state": "interrupted", "message": "Its process ended without a word."}
            return status.model_copy(update=lost) if status.state in ACTIVE else status
        return status.model_copy(update={"state": "stopping"}) if self.stop_requested() else status

    def written(self) -> Status:
        """Return the state as its worker last wrote it, which a dead one cannot correct."""
        return Status(**read_json(self.path / "status.json"))

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
        if self.written().state in ACTIVE:
            self._write(changes)

    def _write(self, changes: Mapping[str, Any]) -> Status:
        status = self.written()
        counted: dict[str, Any] = {}
        if status.counted_at is not None:
            now = time.monotonic()
            counted = {"seconds": round(status.seconds + max(0.0, now - status.counted_at), 2), "counted_at": now}
        fields = {name: _finite(value, Status.model_fields[name].default) for name, value in changes.items()}
        status = status.model_copy(update=counted | fields)
        write_json(self.path / "status.json", status.model_dump())
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

        For the run's worker only. A later attempt computes with the same; see ``jobs.start`` for what changes it.
        """
        config = read_json(self.path / "config.json")
        known: dict[str, Any] = config.get("resolved", {}) | what
        if what:
            self._rewrite_config(config | {"resolved": known})
        return known

    def revised(self, changes: Mapping[str, Any]) -> Recipe:
        """Return the recipe with other settings, which the run could go on with; see ``revise``."""
        allowed = CHANGEABLE if self.kind in PAUSABLE else ()
        if refused := sorted(changes.keys() - set(allowed)):
            what = f"only {', '.join(allowed)} can change" if allowed else "its settings cannot change"
            raise RecipeError(f"{refused[0]} belongs to what the run is: when it goes on, {what}; start a new run.")
        status, before = self.written(), self.config["recipe"]
        recipe = build(RECIPES[self.kind], before | dict(changes))
        epochs: int = recipe.model_dump()["epochs"]
        if epochs < status.epoch:
            raise RecipeError(f"It has learnt for {status.epoch} epochs already; ask for as many or more.")
        if status.state == "finished" and epochs <= status.epoch:
            raise RecipeError(f"It has finished its {status.epoch} epochs; ask for more of them to go on.")
        if status.state == "finished" and not (self.path / "state.pt").exists():
            raise RecipeError("What it would go on from was deleted; start a new run from its weights.")
        return recipe

    def revise(self, changes: Mapping[str, Any]) -> None:
        """Let the run go on with other settings; for who holds it.

        ``config.json`` keeps what was changed, when, and after which epoch, in ``changes``. What had been resolved
        from the settings that change is forgotten, and so is how often the process died with the old ones.

        Raises:
            RecipeError: A setting cannot change, its value is not allowed, or the epochs are fewer than were learnt.
        """
        config = read_json(self.path / "config.json")
        before, after = config["recipe"], self.revised(changes).model_dump(mode="json")
        changed = [name for name in after if after[name] != before[name]]
        if not changed:
            return
        config["recipe"] = after
        row: dict[str, Any] = {"when": now(), "epoch": self.written().epoch}
        row |= {"from": {name: before[name] for name in changed}, "to": {name: after[name] for name in changed}}
        config["changes"] = [*config.get("changes", []), row]
        forgotten = {*changed, *(("precision", "threads") if "device" in changed else ())}
        config["resolved"] = {n: value for n, value in config.get("resolved", {}).items() if n not in forgotten}
        self._rewrite_config(config)
        (self.path / "deaths.json").unlink(missing_ok=True)

    def _rewrite_config(self, config: dict[str, Any]) -> None:
        path = self.path / "config.json"
        made = path.stat().st_mtime_ns
        write_json(path, config)
        os.utime(path, ns=(made, made))  # by which runs are listed

    def wants_more(self) -> bool:
        """Return whether the recipe asks for more epochs than the run has learnt."""
        return self.kind in PAUSABLE and int(self.config["recipe"]["epochs"]) > self.written().epoch

    def count_death(self, left: Status) -> int:
        """Return how often its process has ended without a word since the run last finished an epoch, now included.

        For who holds the run. ``left`` is the state that the dead worker left.
        """
        path = self.path / "deaths.json"
        before = read_json(path) if path.exists() else {"epoch": -1, "deaths": 0}
        deaths = before["deaths"] + 1 if left.epoch <= before["epoch"] else 1
        write_json(path, {"epoch": max(left.epoch, before["epoch"]), "deaths": deaths})
        where = f" in epoch {min(left.epoch + 1, left.epochs)}, after step {left.step}" if left.epochs else ""
        self.log(f"Its process ended without a word{where}.")
        return int(deaths)

    def log_metrics(self, **row: Any) -> None:
        """Append one line to the run's curve."""
        with open(self.path / "metrics.jsonl", "a") as file:
            file.write(json.dumps(_finite(row)) + "\n")

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

    def log(self, text: str) -> None:
        """Append a line to the run's log, with the time."""
        with open(self.path / "log.txt", "a") as file:
            file.write(f"{now()} {text}\n")

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
    parts = [getattr(recipe, name, "") for name in ("preset", "method", "mode", "model", "source", "backbone")]
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
        "created": now(),
    }
    # Made under another name first: a listing never meets a folder without its files.
    making = path.with_name(f".{path.name}")
    making.mkdir(parents=True)
    write_json(making / "config.json", config)
    write_json(making / "status.json", Status(state="stopped", message="Not started yet.").model_dump())
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
    # Ids begin with the second they were made in; within it the order of making is the file's.
    return [Run(p) for p in sorted(found, key=lambda p: (p / "config.json").stat().st_mtime_ns, reverse=True)]


def delete(together: Sequence[Run]) -> None:
    """Delete runs, each before what it builds on; RunError, and nothing is deleted, when one is being worked on."""
    with contextlib.ExitStack() as held:
        for run in together:
            lock = held.enter_context(open(run.path / "run.lock", "a"))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # nobody starts it meanwhile
            except BlockingIOError:
                raise RunError(f"“{run.title}” ({run.id}) is still running; stop it first.") from None
        for run in together:
            going = run.path.with_name(f".{run.id}.deleted")  # in one step: a listing never meets half a run
            run.path.rename(going)
            shutil.rmtree(going)


@contextlib.contextmanager
def timed(run: Run) -> Iterator[None]:
    """Let the time spent inside count as the run's working time; each ``update`` writes down how much it is."""
    run.update(counted_at=time.monotonic())
    try:
        yield
    finally:
        run.update()
        run.update(counted_at=None)


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
    """Replace ``path`` in one step, so that a reader never sees half a file; what is no finite number becomes null."""
    write_text(path, json.dumps(_finite(content), indent=1, allow_nan=False))


def _finite(value: Any, otherwise: Any = None) -> Any:
    """Return a value as JSON has it: plain numbers, and ``otherwise`` where a number is not finite."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
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


def sweep(run: Run) -> None:
    """Remove half-written files that dead processes left in a run's folder; for who holds the run."""
    for path in run.path.glob(".*"):
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
