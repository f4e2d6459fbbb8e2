"""S1, "SimCLR and transfer learning": as its notebook did it, done right, and why it printed 20 %."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from facessl.dataset import FaceDataset
from facessl.errors import DatasetError
from facessl.recipes import MAX_SEED, Device
from facessl.run import Run
from facessl.studies import _s1_report as report
from facessl.studies import _s1_sentences as words
from facessl.studies import _why as why
from facessl.studies._split import POOLED, check_split, pooled_split
from facessl.studies._starts import Stem
from facessl.studying import Done, Report, Step

if TYPE_CHECKING:
    from facessl.studies._pictures import Pictures

TITLE = "S1: SimCLR and transfer learning, and why it printed 20 %"
REFERENCE = (
    "KarthikRachoori, Face-Recognition-Models-with-Multiple-Classifiers, "
    "https://github.com/KarthikRachoori/Face-Recognition-Models-with-Multiple-Classifiers"
)


class Options(BaseModel):
    """Settings of the study; the defaults are S1's own where it had the setting."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    image_size: int = Field(224, ge=32, le=512, description="Side of a picture in pixels; S1 took 224.")
    epochs: int = Field(5, ge=1, le=1000, description="Epochs of S1's trainings, and of our fine-tuning; S1 took 5.")
    pretrain_epochs: int = Field(
        20, ge=1, le=10_000, description="Epochs of SimCLR done right: it learns more slowly than with names."
    )
    batch_size: int = Field(64, ge=2, le=8192, description="Faces a step of what is done right; S1 took 64.")
    stem: Stem = Field(
        "auto", description="First layers of ResNet18 done right; auto: medium for pictures of less than 96 pixels."
    )
    rerun: bool = Field(
        True, description="Train S1's classifier for as many epochs before those it logs: its cell was run twice."
    )
    seed: int = Field(0, ge=0, le=MAX_SEED, description="Everything random follows from it.")
    device: Device = Field("auto", description="Where to compute.")
    threads: int = Field(0, ge=0, le=256, description="CPU threads; 0 means one a core.")


def steps(dataset: FaceDataset, options: Options, workspace: Path) -> list[Step]:
    """Return S1's two trainings, the same with one mistake less each, and our trainings.

    Raises:
        DatasetError: There is nobody to tell apart, or too few faces to learn from or to judge on.
    """
    dataset.check_classifiable()
    check_split(dataset.labels(dataset.rows(*POOLED)))  # what it falls back on; before anything is computed
    # What decides a result besides the study's own settings: a later study uses again what was done alike.
    began = {"crops": "every box", "weights": "imagenet"}
    names = ["notebook", "notebook-classifier", *(f"why-{name}" for name in why.CHANGES if name != "notebook")]
    backbone = "resnet18"
    inside = [  # its SimCLR began with ImageNet weights; without them it shows its mistakes as well
        Step(
            key, "inside", {"what": key.removeprefix("why-"), **began}, weights=backbone, otherwise={"weights": "none"}
        )
        for key in names
    ]
    inside.append(Step(why.TRANSFER, "inside", {"what": why.TRANSFER, **began}, weights=backbone))
    shared = {
        "backbone": backbone, "image_size": options.image_size, "batch_size": options.batch_size,
        "seed": options.seed, "device": options.device, "threads": options.threads,
    }  # fmt: skip
    stem = {"stem": options.stem}  # only where a network begins: after that it brings its own
    pretrain = Step("simclr", "pretrain", {**shared, **stem, "method": "simclr", "epochs": options.pretrain_epochs})
    tuned = {**shared, "mode": "finetune", "epochs": options.epochs}
    frozen = {**shared, "mode": "frozen"}
    ours = [
        Step("simclr-linear", "finetune", {**frozen, "init": "@simclr"}),
        Step("simclr-tuned", "finetune", {**tuned, "init": "@simclr"}),
        Step("nothing", "finetune", {**tuned, **stem, "init": "scratch"}),
        # The same, read and begun as those that have learnt before: what is left is where they start.
        Step("nothing-embedding", "finetune", {**tuned, **stem, "init": "scratch", "head": "embedding"}),
    ]
    imagenet = {"init": "imagenet", "stem": "imagenet"}
    transfer = [
        Step("imagenet-linear", "finetune", {**frozen, **imagenet}, weights=backbone),
        Step("imagenet-tuned", "finetune", {**tuned, **imagenet}, weights=backbone),
    ]
    return [*inside, pretrain, *ours, *transfer]


def inside(
    key: str, settings: dict[str, Any], dataset: FaceDataset, options: Options, run: Run, workspace: Path
) -> dict[str, Any]:
    """Do one training of the notebook; see ``_notebook.simclr`` and ``_notebook.classifier`` for the result.

    Besides, it says on which ``crops``, from which ``start``, and on which ``split``.

    Raises:
        DatasetError: There are too few people, or too few photos of them.
        Stopped: Somebody asked for it.
    """
    from facessl import devices
    from facessl.studies import _notebook as notebook
    from facessl.studies._pictures import Work

    what = str(settings["what"])
    change = why.CHANGES.get(what, why.CHANGES["notebook"])  # the notebook's classifier saw what its SimCLR saw
    pictures, told = _pictures(change, dataset, options, run, workspace)
    rng, compute = np.random.default_rng(options.seed), devices.compute(options.device, "fp32", options.threads)
    work = Work(pictures, compute, run.check_stop, rng)
    weights = notebook.imagenet_file(workspace) if settings.get("weights") == "imagenet" else None
    if what in ("notebook-classifier", why.TRANSFER):
        earlier = options.epochs if options.rerun else 0
        borrowed = weights if what == why.TRANSFER else None  # it said pretrained=False
        made = notebook.classifier(work, options.epochs, earlier, options.seed, borrowed)
        return {**made, **told, "start": "nothing" if borrowed is None else "ImageNet weights", "earlier": earlier}
    choices = notebook.Choices(
        views=change.views, nt_xent=change.nt_xent, head=change.head, epochs=options.epochs if change.trained else 0
    )
    made = notebook.simclr(work, choices, weights, options.seed)
    return {**made, **told, "start": "nothing" if weights is None else "ImageNet weights"}


def _pictures(
    change: why.Change, dataset: FaceDataset, options: Options, run: Run, workspace: Path
) -> "tuple[Pictures, dict[str, Any]]":
    """Return what to learn from and to be judged on, and in words which crops and which split these are."""
    from facessl import views
    from facessl.studies import _crops, _pictures

    if change.aligned:
        rows = dataset.rows(*POOLED)
        faces, labels = views.plain(np.asarray(dataset.faces[rows]), options.image_size), dataset.labels(rows)
        splits, told = (
            dataset.crops["split"].to_numpy()[rows],
            {"crops": "aligned, in colour", "photos_seen": len(rows)},
        )
    else:
        grey = _crops.grey(dataset, options.image_size, workspace, run.path, run.check_stop)
        faces, labels = np.broadcast_to(grey.pictures[..., None], (*grey.pictures.shape, 3)), grey.labels
        splits, told = grey.splits, {"crops": grey.how, "photos_seen": grey.photos}
    if change.own_split:
        learnt, judged = (np.flatnonzero(splits == part) for part in ("train", "test"))
        if not len(judged):
            raise DatasetError(f"{dataset.name} has no test faces; prepare it with more photos a person.")
    else:
        learnt, judged = pooled_split(labels)
    pictures = _pictures.Pictures(faces, labels, learnt, judged, len(dataset.people))
    return pictures, {**told, "faces_seen": len(labels), "split": "test" if change.own_split else why.POOLED}


def answer(
    dataset: FaceDataset, options: Options, done: Mapping[str, Done], workspace: Path, left_out: Mapping[str, str]
) -> Report:
    """Return their figures, ours as they did it and ours done right, and why it was 20 %; of what is done so far."""
    return Report(
        sentences=words.sentences(done, left_out),
        tables=[
            *report.by_epoch(done),
            *why.table(done),
            *why.transfer_table(done, left_out),
            *report.on_test(done),
            *report.classification(dataset, done),
        ],
        charts=[*why.chart(done), *why.transfer_chart(done), *report.charts(done)],
        missing=words.caveats(done),
    )
