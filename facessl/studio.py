"""The one object that pages and commands talk to: a library that also starts and changes things.

Light to make: torch, OpenCV and scikit-learn are loaded by a background thread once the first page is out.
"""

import hashlib
import logging
import os
import shutil
import threading
import time
import weakref
from pathlib import Path
from typing import Any

from facessl import (
    alternatives,
    config,
    demo,
    edits,
    jobs,
    preparation,
    presets,
    recipes,
    resolve,
    revision,
    runs,
    states,
)
from facessl.config import DemoRecipe
from facessl.devices import DeviceInfo
from facessl.edits import Action
from facessl.errors import FaceSSLError, RunError
from facessl.library import Library
from facessl.run import Run
from facessl.viewing import ViewRecipe

_WATCH_SECONDS = 2.0
_PROBES_KEPT = 48
_log = logging.getLogger(__name__)


def _watch(watched: "weakref.ref[Studio]") -> None:
    while (studio := watched()) is not None:
        try:
            jobs.revive(studio.workspace)
        except (OSError, ValueError, FaceSSLError):
            # A full disk, or a folder that somebody broke by hand: it may be better the next time.
            _log.exception("The runs could not be looked at.")
        del studio
        time.sleep(_WATCH_SECONDS)


class Studio(Library):
    """Everything of one workspace: what it holds, and what is done with it. Safe to share between threads."""

    def __init__(self, workspace: Path | None = None) -> None:
        super().__init__(workspace)
        self._device: DeviceInfo | None = None
        self._lock = threading.Lock()
        self._watcher: threading.Thread | None = None
        self._warm = threading.Thread(target=self._warm_up, name="warm-up", daemon=True)

    # -- the machine ---------------------------------------------------------------------------------------------

    def warm_up(self) -> None:
        """Load the heavy libraries in the background; once, however often it is called."""
        with self._lock:
            if not self._warm.is_alive() and self._device is None:
                self._warm = threading.Thread(target=self._warm_up, name="warm-up", daemon=True)
                self._warm.start()

    def _warm_up(self) -> None:
        from facessl import devices

        self._device = devices.detect()
        import cv2  # noqa: F401
        import pandas  # noqa: F401
        import plotly.graph_objects  # noqa: F401
        import sklearn.cluster  # noqa: F401

    def device(self) -> DeviceInfo | None:
        """Return the device that work goes to, or None while that is being found out."""
        return self._device

    def watch(self) -> None:
        """Take runs up again whose process died, now and for as long as this studio is there; see ``jobs.revive``.

        For the app; commands that only read must not start anything. Once, however often it is called.
        """
        with self._lock:
            if self._watcher is None:
                # A thread that held the studio would keep a forgotten one alive, and watching.
                watched = weakref.ref(self)
                self._watcher = threading.Thread(target=_watch, args=(watched,), name="watch", daemon=True)
                self._watcher.start()

    # -- prepared sets -------------------------------------------------------------------------------------------

    def edit(self, name: str, action: Action, **what: Any) -> None:
        """Correct a set: rename, merge, leave out, keep, undo; see ``edits.append``."""
        opened = self.dataset(name)
        edits.append(opened.path, opened.table, action, **what)

    def keep_upload(self, name: str, content: bytes) -> Path:
        """Store an uploaded zip under the workspace and return its path; the same bytes are stored once."""
        digest = hashlib.sha256(content).hexdigest()[:16]
        safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in Path(name).name)[-80:].lstrip(".")
        path = self.workspace / "uploads" / digest / (safe or "upload")
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(f".{path.name}.{os.getpid()}")
            partial.write_bytes(content)
            partial.replace(path)
        return path

    def forget_upload(self, path: Path) -> None:
        """Delete an upload that no run uses."""
        if not any(str(path) == run.config["recipe"]["path"] for run in self.runs("prepare")):
            shutil.rmtree(path.parent)

    # -- runs ----------------------------------------------------------------------------------------------------

    def start(self, kind: str, settings: dict[str, Any]) -> Run:
        """Check the settings, make a run of this kind and start its worker.

        Raises:
            FaceSSLError: The settings cannot work here; nothing was made.
        """
        run = self.create(kind, settings)
        jobs.start(self.workspace, run)
        return run

    def create(self, kind: str, settings: dict[str, Any]) -> Run:
        """Check the settings and make a run of this kind that nobody works on yet.

        Raises:
            FaceSSLError: The settings cannot work here; nothing was made.
        """
        recipe = resolve.resolve(kind, settings, self.workspace)
        title = resolve.title_of(recipe, {run.id: run.title for run in self.runs()})
        return runs.create(self.workspace, kind, recipe, title=title, edits=self._edits_seen(recipe))

    def _edits_seen(self, recipe: recipes.Recipe) -> dict[str, int]:
        return {name: len(self.dataset(name).edits) for name in resolve.sets_of(recipe)}

    def estimate(self, settings: dict[str, Any]) -> Run:
        """Start a probe that says what a pre-training with these settings would take; a few older ones stay.

        Raises:
            FaceSSLError: The settings cannot work here; nothing was made.
        """
        recipe = resolve.resolve("pretrain", settings, self.workspace)
        return self._probe(recipes.build(config.ProbeRecipe, recipe.model_dump()))

    def estimate_each(self, settings: dict[str, Any]) -> list[Run]:
        """Start an estimate of these settings, and of each that decides over time and memory otherwise.

        Returns:
            The probe of the settings themselves, then the others; see ``alternatives``.

        Raises:
            FaceSSLError: The settings cannot work here; nothing was made.
        """
        recipe = resolve.resolve("probe", settings, self.workspace)
        assert isinstance(recipe, config.ProbeRecipe)
        faces = resolve.faces_to_learn_from(recipe, self.workspace)
        base = self._probe(recipe)
        return [base, *(self._probe(other, beside=base) for other in alternatives.of(recipe, faces))]

    def _probe(self, recipe: config.ProbeRecipe, beside: Run | None = None) -> Run:
        older = [run for run in self.runs("probe")[_PROBES_KEPT - 1 :] if run.status().state not in states.ACTIVE]
        runs.delete(older)
        title, seen = resolve.title_of(recipe, {}), self._edits_seen(recipe)
        after, group = ([beside.id], alternatives.group_of(beside)) if beside else ([], "")
        made = runs.create(self.workspace, "probe", recipe, title=title, after=after, group=group, edits=seen)
        jobs.start(self.workspace, made)
        return made

    def stop(self, run_id: str) -> None:
        """Ask a run to stop; it keeps its state."""
        self.run(run_id).request_stop()

    def pause(self, run_id: str) -> None:
        """Ask a run to wait where it is, until it is resumed or stopped.

        Raises:
            RunError: It is not running, or its kind cannot wait.
        """
        run = self.run(run_id)
        if run.kind not in states.PAUSABLE:
            raise RunError("Only pre-training and fine-tuning can be paused; stop this, and resume it later.")
        state = run.status().state
        if state not in ("running", "paused"):
            raise RunError(f"{run.id} is {state}, so there is nothing to pause.")
        run.request_pause()

    def resume(self, run_id: str, changes: dict[str, Any] | None = None) -> Run:
        """Let a paused run go on, or take a stopped, failed or interrupted one up again, with those that waited for it.

        ``changes`` are settings of a pre-training or fine-tuning to go on with: epochs (more of them also when it is
        finished), learning_rate, batch_size, precision, device, threads.

        Raises:
            FaceSSLError: It is worked on or finished, or the changes cannot be made; nothing was changed.
        """
        run = self.run(run_id)
        if run.pause_requested() and run.is_alive() and not changes:
            run.clear_pause()
            return run
        if changes:
            resolve.check(revision.checked(run, changes), self.workspace)
        jobs.start(self.workspace, run, changes=changes)
        for waiting in reversed(self.runs()):
            if run.id in waiting.config["after"] and waiting.status().state in states.RESUMABLE:
                self.resume(waiting.id)
        return run

    def rename(self, run_id: str, title: str) -> None:
        """Give a run another title; RunError when it is empty or too long."""
        self.run(run_id).describe(title=title)

    def note(self, run_id: str, text: str) -> None:
        """Write a note about a run in place of the one before; RunError when it is too long."""
        self.run(run_id).describe(note=text)

    def delete(self, run_id: str, *, with_dependants: bool = False) -> None:
        """Delete a run and what it learnt, and if asked what builds on it.

        Raises:
            RunError: One of them is being worked on, or another run builds on it; nothing was deleted.
        """
        run = self.run(run_id)
        users = self.dependants(run.id)
        lasting = [user for user in users if user.kind not in states.PASSING]
        if lasting and not with_dependants:
            user = f"“{lasting[-1].title}” ({lasting[-1].id})"
            if others := len(lasting) - 1:
                user = f"{user} and {others} more build on this run; delete them first, or all together"
            else:
                user = f"{user} builds on this run; delete that first, or both together"
            raise RunError(f"{user} (--with-dependants).")
        runs.delete([*users, run])

    # -- the demo ------------------------------------------------------------------------------------------------

    def start_demo(self, settings: dict[str, Any] | None = None) -> list[Run]:
        """Start the whole path on generated faces, on a set of its own; see ``demo.start``."""
        recipe = recipes.build(DemoRecipe, settings or {})
        assert isinstance(recipe, DemoRecipe)
        return demo.start(self.workspace, recipe, preparation.fresh_name(recipe.name, self.workspace))

    def free_name(self, name: str) -> str:
        """Return ``name``, or ``name@2``, … : a finished set never changes, so another one is its own."""
        return preparation.free_name(name, self.workspace)

    # -- presets of views ----------------------------------------------------------------------------------------

    def save_preset(self, name: str, recipe: ViewRecipe, *, replace: bool = False) -> str:
        """Save view settings under a name; see ``presets.save``."""
        return presets.save(self.workspace, name, recipe, replace=replace)

    def delete_preset(self, name: str) -> None:
        presets.delete(self.workspace, name)
