"""The work of a ``pretrain`` run: a network learns from faces without their names."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facessl import (
    __version__,
    attending,
    beginnings,
    checkpoints,
    distributed,
    files,
    learnt,
    metrics,
    registry,
    training,
    views,
    whitening,
)
from facessl.baselines import pixel_embeddings, whitened_pixels
from facessl.batches import FaceBatches, FacePool
from facessl.config import PretrainRecipe
from facessl.dataset import FaceDataset, open_for
from facessl.devices import Compute
from facessl.distributed import World
from facessl.encoder import Encoder
from facessl.errors import DatasetError
from facessl.learnt import History
from facessl.methods import Material, Method
from facessl.run import Run
from facessl.whitening import unit_rows

_GALLERY_FACES = 4096  # k-NN compares with so many train faces at most: it runs after every epoch
_BLOCK = 2048  # faces that a method which groups them is shown at a time
_WATCHED_FACES = 128  # spread, alignment and uniformity are measured on so many


@dataclass
class Watch:
    """Tells after each epoch whether the network is learning anything, without training on a single name."""

    dataset: FaceDataset
    encoder: Encoder
    recipe: PretrainRecipe

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.recipe.seed)
        learnt_from = self.dataset.rows("unlabelled", "train")
        self._known = np.sort(rng.permutation(self.dataset.rows("train"))[:_GALLERY_FACES])
        self._probes = self.dataset.rows("val")
        fitted = rng.permutation(learnt_from)[: whitening.FACES]
        self._fitted, self._watched = np.sort(fitted), np.sort(fitted[:_WATCHED_FACES])
        self._views = [views.draw(len(self._watched), self.recipe.views, rng) for _ in "01"]

    def __call__(self, epoch: int) -> dict[str, Any]:
        """Return the figures of an epoch (0: of the untrained network), and leave the encoder whitened."""
        return self.judged(self.encoder.descriptors(self.dataset.faces[self.faces]), epoch)

    def judged(self, descriptors: np.ndarray, epoch: int) -> dict[str, Any]:
        """Return the figures that the descriptors of ``faces`` give."""
        found: dict[str, Any] = {}
        features = self._split(descriptors)
        # The untrained network's as well: of the layout of its maps, whitening makes a much stronger opponent.
        self.encoder.whitening = whitening.of_embeddings(features["fitted"], self.recipe.whiten)
        if "probes" in features:
            known, probes = features["known"], features["probes"]
            found["knn_accuracy"] = self._knn(self.encoder.rows(known), self.encoder.rows(probes))
            found["knn_unwhitened"] = self._knn(unit_rows(known), unit_rows(probes))
            if epoch == 0:
                found |= self._pixels()
        faces, size = self.dataset.faces[self._watched], self.recipe.image_size
        pair = [unit_rows(self.encoder.features(views.render(faces, drawn, size))) for drawn in self._views]
        found["spread"] = metrics.spread(pair[0])
        found["collapsed"] = found["spread"] < metrics.COLLAPSED
        found["alignment"] = metrics.alignment(*pair)
        found["uniformity"] = metrics.uniformity(pair[0])
        return found

    @property
    def faces(self) -> np.ndarray:
        """Return the rows of the faces whose features are computed after each epoch, ascending."""
        parts = [self._fitted, self._known, self._probes] if len(self._known) and len(self._probes) else [self._fitted]
        return np.unique(np.concatenate(parts))

    def _split(self, descriptors: np.ndarray) -> dict[str, np.ndarray]:
        """Return whose descriptors serve for what; most faces serve twice and are computed once."""
        needed = {"fitted": self._fitted}
        if len(self._known) and len(self._probes):
            needed |= {"known": self._known, "probes": self._probes}
        rows = self.faces
        return {name: descriptors[np.searchsorted(rows, own)] for name, own in needed.items()}

    def _knn(self, known: np.ndarray, probes: np.ndarray) -> float:
        """Return the k-NN accuracy on val, in 0-1."""
        of = self.dataset.labels
        return metrics.knn_accuracy(known, of(self._known), probes, of(self._probes), k=self.recipe.knn_k)

    def _pixels(self) -> dict[str, Any]:
        """Return what comparing pixels reaches: normalised, as they are, and described like the network's embeddings.

        The best of them, on real faces the whitened ones by far, is the line to beat.
        """
        side = self.recipe.image_size
        faces = [self.dataset.faces[rows] for rows in (self._known, self._probes)]
        described = whitened_pixels(self.dataset.faces[self._fitted], side, self.recipe.seed)
        return {
            "knn_pixels": self._knn(*(pixel_embeddings(some, side) for some in faces)),
            "knn_raw_pixels": self._knn(*(unit_rows(_flat(some, side)) for some in faces)),
            "knn_whitened_pixels": self._knn(*(described(some) for some in faces)),
            "knn_photos": len(self._probes),
            "knn_k": self.recipe.knn_k,
            "knn_temperature": metrics.KNN_TEMPERATURE,
        }


def _flat(faces: np.ndarray, side: int) -> np.ndarray:
    return views.plain(faces, side).reshape(len(faces), -1).astype(np.float32)


@dataclass
class Relabelling:
    """Asks a method that makes up its own labels for them, before the epochs in which they are due."""

    run: Run
    method: Method
    batches: FaceBatches
    encoder: Encoder
    recipe: PretrainRecipe
    world: World

    def __call__(self, epoch: int) -> None:
        every = self.method.every
        if self.method.relabel is None or (epoch % every if every else epoch):
            return
        if self.world.first:
            self.run.update(message="Grouping the faces.")
        material = Material(self._faces, self._features, epoch, self.recipe.seed)
        self.batches.labels = self.method.relabel(material)

    def state(self) -> Tensor:
        return torch.from_numpy(self.batches.labels)

    def restore(self, state: Tensor) -> None:
        self.batches.labels = state.numpy()

    def _faces(self, side: int) -> np.ndarray:
        return np.concatenate([views.plain(faces, side) for faces in self._blocks()])

    def _features(self) -> np.ndarray:
        # Each process has batch norm's figures of its own share; they shall agree on one grouping.
        found = np.concatenate([self.encoder.features(faces) for faces in self._blocks()]) if self.world.first else None
        agreed: np.ndarray = self.world.agree(found)
        return agreed

    def _blocks(self) -> Iterator[np.ndarray]:
        pool = self.batches.pool
        for start in range(0, len(pool), _BLOCK):
            yield pool.take(np.arange(start, min(start + _BLOCK, len(pool))))


@dataclass(frozen=True)
class SetUp:
    """Everything that a pre-training needs, loaded."""

    compute: Compute
    world: World
    method: Method
    batches: FaceBatches
    watch: Watch


def set_up(run: Run, workspace: Path) -> SetUp:
    """Load what the run's recipe names, and write down what its "auto" came to.

    Raises:
        DatasetError: There are fewer than two faces to learn from. ModelError: The weights to start from do not fit.
    """
    recipe: PretrainRecipe = run.recipe()
    compute = beginnings.compute_for(run, recipe)
    world = distributed.join(compute.device.kind)
    torch.manual_seed(recipe.seed)
    run.update(device=compute.device.name, message="Loading the faces.")
    with attending.breakable():
        dataset = open_for(run, workspace, recipe.dataset)
        backbone = beginnings.starting_backbone(recipe, workspace)
        plugin = registry.load("methods", recipe.method)
        method: Method = plugin.build(backbone, recipe.plugin_options("methods"), len(dataset.people))
        others = [open_for(run, workspace, name) for name in recipe.also]
        pool, labels = faces_to_learn_from(dataset, others, named_only=method.needs_labels)
        batches = FaceBatches(pool, labels, method.views, recipe, compute, world)
    run.resolved(faces_in=batches.kept_in, batch_size=batches.batch_size, **beginnings.resolved(compute, world))
    encoder = Encoder(
        backbone, recipe.image_size, compute.device, compute.precision, mirror=recipe.mirror, grid=recipe.grid
    )
    watch = Watch(dataset, encoder, recipe)
    if method.relabel is not None:
        batches.prelude = Relabelling(run, method, batches, encoder, recipe, world)
    return SetUp(compute, world, method, batches, watch)


def pretrain(run: Run, workspace: Path) -> dict[str, Any]:
    """Train the run's recipe and leave its encoder; return the command's JSON object, in the first process.

    Raises:
        DatasetError: There are fewer than two faces to learn from.
        Stopped, RunError, ModelError: see ``training.fit``.
    """
    recipe: PretrainRecipe = run.recipe()
    made = set_up(run, workspace)
    training.fit(run, made.method, made.batches, recipe, made.compute, made.watch, made.world)
    if not made.world.first:
        return {}
    return _finish(run, recipe, made.watch, made.compute, learnt.before(run, workspace))


def faces_to_learn_from(
    dataset: FaceDataset, others: Sequence[FaceDataset], *, named_only: bool
) -> tuple[FacePool, np.ndarray]:
    """Return the unlabelled and train faces of all sets, never val or test, and their labels."""
    splits = ("train",) if named_only else ("unlabelled", "train")
    parts = [(dataset, dataset.rows(*splits))]
    labels = [dataset.labels(parts[0][1])]
    for other in others:
        parts.append((other, other.rows("unlabelled", "train")))
        labels.append(np.full(len(parts[-1][1]), -1))  # people of another set have other numbers
    pool = FacePool(parts)
    if len(pool) < 2:
        raise DatasetError(f"{dataset.name} has {len(pool)} faces to learn from; prepare a set with more photos.")
    return pool, np.concatenate(labels)


def _finish(run: Run, recipe: PretrainRecipe, watch: Watch, compute: Compute, before: History) -> dict[str, Any]:
    rows = run.metrics()
    last = rows[-1]
    untrained = rows[0] if rows[0]["epoch"] == 0 else {}  # its row may have been damaged, and was lost
    figures = {
        "loss": last["loss"],
        "chance": last["chance"],
        "spread": last["spread"],
        "alignment": last["alignment"],
        "uniformity": last["uniformity"],
    }
    if "knn_accuracy" in last:
        figures |= {
            "knn_accuracy": last["knn_accuracy"],
            "knn_unwhitened": last["knn_unwhitened"],
            "knn_untrained": untrained.get("knn_accuracy"),
            "knn_pixels": untrained.get("knn_pixels"),
            "knn_raw_pixels": untrained.get("knn_raw_pixels"),
            "knn_whitened_pixels": untrained.get("knn_whitened_pixels"),  # not of a run begun before there was one
            "knn_photos": len(watch.dataset.rows("val")),
            "knn_k": recipe.knn_k,
            "knn_temperature": metrics.KNN_TEMPERATURE,
            "split": "val",
            "frozen": True,
            "names_before": before.by_names,
            "photos_named_before": before.moved_by(),
        }
    trained = [row for row in rows if row["epoch"] > 0]
    speed = float(np.median([row["images_per_second"] for row in trained]))
    card = model_card(run, recipe, compute, people=[], figures=figures)
    if watch.encoder.whitening is None:
        watch(last["epoch"])  # resumed after its last epoch: the whitening was not kept, and is the same again
    checkpoints.save_model(run.path, watch.encoder.weights(), card)
    return {
        "run": run.id,
        "dataset": recipe.dataset,
        "device": compute.device.name,
        "images_per_second": round(speed, 1),
        "metrics": figures,
    }


def model_card(
    run: Run, recipe: Any, compute: Compute, *, people: list[str], figures: dict[str, Any]
) -> dict[str, Any]:
    """Return the JSON beside a model's weights: how to rebuild it, and where it came from."""
    return {
        "facessl": __version__,
        "run": run.id,
        "kind": run.kind,
        "dataset": recipe.dataset,
        "backbone": recipe.backbone,
        "backbone_options": recipe.backbone_options,
        "image_size": recipe.image_size,
        "mean": list(views.MEAN),
        "std": list(views.STD),
        "people": people,
        "mirror": recipe.mirror,
        "grid": recipe.grid,
        "init": recipe.init,
        "device": compute.device.kind,
        "precision": compute.precision,
        "threads": compute.threads,
        "torch": torch.__version__,
        "created": files.now(),
        "metrics": figures,
    }
