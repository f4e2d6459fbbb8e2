"""What a workspace holds: sets, runs, and what trained models say, read from files and kept in memory."""

import hashlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facessl import config, dataset, demo, edits, presets, recipes, registry, runs, states, turns
from facessl.dataset import FaceDataset
from facessl.errors import RunError
from facessl.kept import Kept
from facessl.preparation import PhotoReader
from facessl.run import Run
from facessl.turns import Place
from facessl.viewing import ViewRecipe

if TYPE_CHECKING:
    from facessl.embeddings import Clusters, StoredEmbedding
    from facessl.encoder import Encoder
    from facessl.gallery import Gallery
    from facessl.likeness import Likeness
    from facessl.recognition import FaceAnswer


def _mentions(run: Run) -> set[str]:
    """Return the ids of the runs that a run builds on; a study, once it is finished, on those that it reports on.

    Before that it makes anew what is gone.
    """
    config = run.config
    made_of = config["recipe"]
    found = {*config["after"], made_of.get("init", ""), made_of.get("model", "")}
    if config["kind"] == "study" and run.written().state == "finished":
        steps = (run.report() or {}).get("runs")
        found |= {made for made in steps.values() if isinstance(made, str)} if isinstance(steps, dict) else set()
    return found


def _changed(path: Path) -> str:
    """Return what changes when a file that may be missing is written to."""
    return f"{path.stat().st_mtime_ns}-{path.stat().st_size}" if path.exists() else ""


def _stamp(path: Path) -> str:
    """Return what changes when a file is written anew; FaceSSLError when it is not there yet."""
    try:
        return str(path.stat().st_mtime_ns)
    except FileNotFoundError:
        raise RunError(f"{path.parent.name} has not got that far yet; wait until it is finished.") from None


class Library:
    """Reads one workspace and changes nothing in it. Safe to share between sessions and threads."""

    def __init__(self, workspace: Path | None = None) -> None:
        self.workspace = (workspace or config.default_workspace()).resolve()
        self._kept = Kept({"clusters": 64, "likeness": 64, "opinions": 256, "looked": 128})
        self._reading = threading.Lock()  # a zip has one reading position

    # -- prepared sets --------------------------------------------------------------------------------------------

    def damaged_datasets(self) -> list[str]:
        """Return the names of the sets that cannot be read any more."""
        return dataset.damaged_datasets(self.workspace)

    def datasets(self) -> list[FaceDataset]:
        return dataset.list_datasets(self.workspace)

    def dataset(self, name: str) -> FaceDataset:
        """Return a finished set; its table is read once and kept."""
        opened = dataset.open_dataset(self.workspace, name)
        stamps = (_changed(opened.path / "dataset.json"), _changed(opened.path / edits.FILE))
        return self._kept.get(("dataset", name, *stamps), lambda: opened)

    def photo(self, name: str, photo: int) -> np.ndarray:
        """Return a photo of a set as it came, RGB uint8, read from its source again.

        Raises:
            FaceSSLError: The source is no longer where it was, or the photo cannot be read.
        """
        opened = self.dataset(name)
        key = ("photos", name, opened.info["created"])
        with self._reading:
            return self._kept.get(key, lambda: PhotoReader(opened, self.workspace)).read(photo)

    # -- runs -----------------------------------------------------------------------------------------------------

    def runs(self, kind: str | None = None) -> list[Run]:
        """Return the runs of a kind, newest first, or all but those that cannot be read (``states.DAMAGED``)."""
        every = runs.list_all(self.workspace)
        return [run for run in every if (run.kind == kind if kind else run.kind != states.DAMAGED)]

    def run(self, run_id: str) -> Run:
        return runs.find(self.workspace, run_id)

    def active(self) -> list[Run]:
        """Return the runs that are queued, running, paused or stopping, oldest first."""
        return [run for run in reversed(self.runs()) if run.status().state in states.ACTIVE]

    def queue(self) -> list[Place]:
        """Return who works and who waits, in every queue, in the order of their turns."""
        return turns.queue(self.workspace)

    def dependants(self, run_id: str) -> list[Run]:
        """Return the runs that build on a run, and those that build on them, newest first."""
        there = self.runs()
        mentions = {run.id: _mentions(run) for run in there}
        found, new = set[str](), {self.run(run_id).id}
        while new:
            new = {run.id for run in there if mentions[run.id] & new} - found
            found |= new
        return [run for run in there if run.id in found]

    def demo(self) -> list[Run]:
        """Return the runs of the newest demo in their order, or nothing."""
        return demo.newest(self.runs())

    def models(self, dataset_name: str | None = None) -> list[Run]:
        """Return the trained runs whose model can be used, newest first; of one set if named."""
        trained = [run for run in self.runs() if (run.path / "model.json").exists()]
        return [run for run in trained if dataset_name in (None, run.config["recipe"]["dataset"])]

    # -- presets of views -----------------------------------------------------------------------------------------

    def presets(self) -> list[str]:
        """Return the presets of views, those that come along first."""
        return presets.names(self.workspace)

    def preset(self, name: str) -> ViewRecipe:
        return presets.load(self.workspace, name)

    # -- models ---------------------------------------------------------------------------------------------------

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

    def first_views(self, run_id: str, epoch: int, count: int) -> list[np.ndarray]:
        """Return the views of the first faces of a pre-training's epoch (from 0); see ``seen.first_views``."""
        from facessl import seen

        run = self.run(run_id)
        key = ("seen", run.id, _changed(run.path / "config.json"), str(epoch), str(count))
        return self._kept.get(key, lambda: seen.first_views(run, self.workspace, epoch, count))
