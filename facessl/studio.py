"""The one object that pages and commands talk to: it starts runs, and reads what they left.

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
from typing import TYPE_CHECKING, Any

import numpy as np

from facessl import (
    config,
    dataset,
    demo,
    edits,
    jobs,
    preparation,
    presets,
    recipes,
    registry,
    resolve,
    revision,
    runs,
    states,
    turns,
)
from facessl.config import DemoRecipe
from facessl.dataset import FaceDataset
from facessl.devices import DeviceInfo
from facessl.edits import Action
from facessl.errors import FaceSSLError, RunError
from facessl.kept import Kept
from facessl.preparation import PhotoReader
from facessl.run import Run
from facessl.turns import Place
from facessl.viewing import ViewRecipe

_WATCH_SECONDS = 2.0
_PROBES_KEPT = 12
_log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from facessl.embeddings import Clusters, StoredEmbedding
    from facessl.encoder import Encoder
    from facessl.gallery import Gallery
    from facessl.likeness import Likeness
    from facessl.recognition import FaceAnswer


def _watch(watched: "weakref.ref[Studio]") -> None:
    while (studio := watched()) is not None:
        try:
            jobs.revive(studio.workspace)
        except (OSError, ValueError, FaceSSLError):
            # A full disk, or a folder that somebody broke by hand: it may be better the next time.
            _log.exception("The runs could not be looked at.")
        del studio
        time.sleep(_WATCH_SECONDS)


def _mentions(run: Run) -> set[str]:
    """Return the ids of the runs that a run builds on."""
    made_of = run.config["recipe"]
    return {*run.config["after"], made_of.get("init", ""), made_of.get("model", "")}


def _changed(path: Path) -> str:
    """Return what changes when a file that may be missing is written to."""
    return f"{path.stat().st_mtime_ns}-{path.stat().st_size}" if path.exists() else ""


def _stamp(path: Path) -> str:
    """Return what changes when a file is written anew; FaceSSLError when it is not there yet."""
    try:
        return str(path.stat().st_mtime_ns)
    except FileNotFoundError:
        raise RunError(f"{path.parent.name} has not got that far yet; wait until it is finished.") from None


class Studio:
    """Everything of one workspace. Safe to share between sessions and threads."""

    def __init__(self, workspace: Path | None = None) -> None:
        self.workspace = (workspace or config.default_workspace()).resolve()
        self._device: DeviceInfo | None = None
        self._kept = Kept({"clusters": 64, "likeness": 64, "opinions": 256, "looked": 128})
        self._lock = threading.Lock()
        self._watcher: threading.Thread | None = None
        self._reading = threading.Lock()  # a zip has one reading position
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

    def datasets(self) -> list[FaceDataset]:
        return dataset.list_datasets(self.workspace)

    def dataset(self, name: str) -> FaceDataset:
        """Return a finished set; its table is read once and kept."""
        opened = dataset.open_dataset(self.workspace, name)
        stamps = (_changed(opened.path / "dataset.json"), _changed(opened.path / edits.FILE))
        return self._kept.get(("dataset", name, *stamps), lambda: opened)

    def edit(self, name: str, action: Action, **what: Any) -> None:
        """Correct a set: rename, merge, leave out, keep, undo; see ``edits.append``."""
        opened = self.dataset(name)
        edits.append(opened.path, opened.table, action, **what)

    def photo(self, name: str, photo: int) -> np.ndarray:
        """Return a photo of a set as it came, RGB uint8, read from its source again.

        Raises:
            FaceSSLError: The source is no longer where it was, or the photo cannot be read.
        """
        opened = self.dataset(name)
        key = ("photos", name, opened.info["created"])
        with self._reading:
            return self._kept.get(key, lambda: PhotoReader(opened, self.workspace)).read(photo)

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

    def runs(self, kind: str | None = None) -> list[Run]:
        """Return the runs, newest first."""
        return [run for run in runs.list_all(self.workspace) if kind is None or run.kind == kind]

    def run(self, run_id: str) -> Run:
        return runs.find(self.workspace, run_id)

    def active(self) -> list[Run]:
        """Return the runs that are queued, running, paused or stopping, oldest first."""
        return [run for run in reversed(self.runs()) if run.status().state in states.ACTIVE]

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
        older = [run for run in self.runs("probe")[_PROBES_KEPT - 1 :] if run.status().state not in states.ACTIVE]
        runs.delete(older)
        probe = recipes.build(config.ProbeRecipe, recipe.model_dump())
        title = resolve.title_of(probe, {})
        made = runs.create(self.workspace, "probe", probe, title=title, edits=self._edits_seen(recipe))
        jobs.start(self.workspace, made)
        return made

    def first_views(self, run_id: str, epoch: int, count: int) -> list[np.ndarray]:
        """Return the views of the first faces of a pre-training's epoch (from 0); see ``seen.first_views``."""
        from facessl import seen

        run = self.run(run_id)
        key = ("seen", run.id, _changed(run.path / "config.json"), str(epoch), str(count))
        return self._kept.get(key, lambda: seen.first_views(run, self.workspace, epoch, count))

    def queue(self) -> list[Place]:
        """Return who works and who waits, in every queue, in the order of their turns."""
        return turns.queue(self.workspace)

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

    def dependants(self, run_id: str) -> list[Run]:
        """Return the runs that build on a run, and those that build on them, newest first."""
        there = self.runs()
        mentions = {run.id: _mentions(run) for run in there}
        found, new = set[str](), {self.run(run_id).id}
        while new:
            new = {run.id for run in there if mentions[run.id] & new} - found
            found |= new
        return [run for run in there if run.id in found]

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
            raise RunError(f"{user} builds on this run; delete that first, or both together (--with-dependants).")
        runs.delete([*users, run])

    def models(self, dataset_name: str | None = None) -> list[Run]:
        """Return the trained runs whose model can be used, newest first; of one set if named."""
        trained = [run for run in self.runs() if (run.path / "model.json").exists()]
        return [run for run in trained if dataset_name in (None, run.config["recipe"]["dataset"])]

    # -- the demo ------------------------------------------------------------------------------------------------

    def start_demo(self, settings: dict[str, Any] | None = None) -> list[Run]:
        """Start the whole path on generated faces, on a set of its own; see ``demo.start``."""
        recipe = recipes.build(DemoRecipe, settings or {})
        assert isinstance(recipe, DemoRecipe)
        return demo.start(self.workspace, recipe, preparation.fresh_name(recipe.name, self.workspace))

    def demo(self) -> list[Run]:
        """Return the runs of the newest demo in their order, or nothing."""
        return demo.newest(self.runs())

    def free_name(self, name: str) -> str:
        """Return ``name``, or ``name@2``, … : a finished set never changes, so another one is its own."""
        return preparation.free_name(name, self.workspace)

    # -- looking at models ---------------------------------------------------------------------------------------

    def encoder(self, run_id: str) -> "Encoder":
        """Return the encoder of a trained run, kept in memory."""
        from facessl.encoder import Encoder

        run = self.run(run_id)
        return self._kept.get(("encoder", run.id, _stamp(run.path / "model.json")), lambda: Encoder.from_run(run.path))

    def opinions(self, run_id: str, face: int) -> list[tuple[str, float]]:
        """Return whom a classifier run takes a face of its set for: everybody, likeliest first, with the softmax share.

        Raises:
            FaceSSLError: The run has left no model.
        """
        run, encoder = self.run(run_id), self.encoder(run_id)
        faces = self.dataset(run.config["recipe"]["dataset"]).faces
        key = ("opinions", run.id, _stamp(run.path / "model.json"), str(face))
        return self._kept.get(key, lambda: encoder.opinions(faces[face][None], len(encoder.people))[0])

    def looked(self, run_id: str, face: int, person: str) -> np.ndarray:
        """Return where a classifier run looks in a face of its set for this person; see ``explain.grad_cam``.

        Raises:
            FaceSSLError: The run has left no model, or it does not know the person.
        """
        from facessl import explain

        run, encoder = self.run(run_id), self.encoder(run_id)
        faces = self.dataset(run.config["recipe"]["dataset"]).faces
        key = ("looked", run.id, _stamp(run.path / "model.json"), str(face), person)
        return self._kept.get(key, lambda: explain.grad_cam(encoder, faces[face], person))

    def gallery(self, run_id: str) -> "Gallery":
        """Return the known faces of a trained run, kept in memory."""
        from facessl.gallery import Gallery

        run = self.run(run_id)
        path = run.path / "gallery.npz"
        if not path.exists():
            raise RunError(f"{run.id} knows nobody: choose a finished pre-training or fine-tuning on named people.")
        return self._kept.get(("gallery", run.id, _stamp(path)), lambda: Gallery.load(run.path))

    def identify(self, run_id: str, image: np.ndarray, false_accept_rate: float = 0.01) -> "list[FaceAnswer]":
        """Find every face of a picture (H, W, 3) uint8 RGB and say who it is, or that it is nobody known.

        An empty list means that no face was found. Another rate on the same picture is answered at once.
        """
        from facessl import recognition

        run, known, encoder = self.run(run_id), self.gallery(run_id), self.encoder(run_id)
        opened = self.dataset(run.config["recipe"]["dataset"])
        picture = hashlib.sha256(image.tobytes()).hexdigest()
        key = ("found", run.id, _stamp(run.path / "model.json"), str(image.shape), picture)
        found = self._kept.get(key, lambda: recognition.find_faces(encoder, opened, image))
        return recognition.name_faces(found, known, false_accept_rate)

    def sample(self, run_id: str, *, stranger: bool, seed: int) -> tuple[np.ndarray, str] | None:
        """Return a new photo and who is on it, of a known person or a stranger, where the set's source draws people.

        The photo is in no split. None when the set was made of real photos.
        """
        opened = self.dataset(self.run(run_id).config["recipe"]["dataset"])
        recipe = recipes.build(config.PrepareRecipe, opened.info["recipe"])
        plugin = registry.load("sources", opened.info["recipe"]["source"])
        if not hasattr(plugin, "left_out"):
            return None
        options = recipe.plugin_options("sources")
        source = plugin.left_out(options, 4, 10) if stranger else plugin.unseen(options, 10)
        photo = source.photos[np.random.default_rng(seed).integers(len(source.photos))]
        return source.read(photo), photo.person

    def embedding(self, run_id: str) -> "StoredEmbedding":
        """Return the vectors and the map of a finished embed run."""
        from facessl import embeddings

        run = self.run(run_id)
        return self._kept.get(
            ("embedding", run.id, _stamp(run.path / "result.json")), lambda: embeddings.load(run.path)
        )

    def clusters(self, run_id: str, k: int, seed: int = 0) -> "Clusters":
        """Return the K-means clusters of the faces on the map of an embed run; computed once for each k."""
        from facessl import embeddings

        stored = self.embedding(run_id)
        opened = self.dataset(self.run(run_id).config["recipe"]["dataset"])
        key = ("clusters", run_id, str(len(opened.edits)), str(k), str(seed))
        return self._kept.get(key, lambda: embeddings.clusters_among(
            stored.embeddings, stored.shown(opened.used), k, seed, opened.labels(np.arange(len(opened.used)))
        ))  # fmt: skip

    def views(self, face: np.ndarray, recipe: ViewRecipe, count: int, size: int, seed: int) -> np.ndarray:
        """Return ``count`` views of one face (S, S, 3): (count, size, size, 3) uint8, as training draws them."""
        from facessl import views

        return views.render(face[None], views.draw(count, recipe, np.random.default_rng(seed)), size)

    def likeness(self, dataset_name: str, model: str, recipe: ViewRecipe, size: int) -> "Likeness":
        """Return how alike views of this recipe stay to a run's network, or to an ``untrained`` one; measured once.

        Takes seconds on a CPU. ``size`` is the side of a view for the untrained network; a run brings its own.
        """
        from facessl import likeness

        opened = self.dataset(dataset_name)
        encoder = self._untrained(size) if model == "untrained" else self.encoder(model)
        stamp = str(size) if model == "untrained" else _stamp(self.run(model).path / "model.json")
        seen = (opened.info["created"], str(len(opened.edits)))
        key = ("likeness", dataset_name, *seen, model, stamp, recipe.model_dump_json())
        return self._kept.get(key, lambda: likeness.measure(encoder, opened, recipe))

    def _untrained(self, size: int) -> "Encoder":
        from facessl.encoder import Encoder

        return self._kept.get(("untrained", str(size)), lambda: Encoder.untrained("resnet18", {}, size, seed=0))

    # -- presets of views ----------------------------------------------------------------------------------------

    def presets(self) -> list[str]:
        """Return the presets of views, those that come along first."""
        return presets.names(self.workspace)

    def preset(self, name: str) -> ViewRecipe:
        return presets.load(self.workspace, name)

    def save_preset(self, name: str, recipe: ViewRecipe, *, replace: bool = False) -> str:
        """Save view settings under a name; see ``presets.save``."""
        return presets.save(self.workspace, name, recipe, replace=replace)

    def delete_preset(self, name: str) -> None:
        presets.delete(self.workspace, name)
