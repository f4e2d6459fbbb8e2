"""Are pseudo-labels from clusters of pixels worth half the epochs? S2 says so; beside them, EfficientNet's transfer."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from facessl.dataset import FaceDataset
from facessl.recipes import MAX_SEED, Device
from facessl.run import Run
from facessl.studies import _s2_report as report
from facessl.studying import Done, Report, Step

TITLE = "S2: pseudo-labels from pixel clusters, and whether they save half the epochs"
REFERENCE = (
    "Face classification using self-supervised learning (student project); "
    "its pretext after Caron et al. 2018, https://arxiv.org/abs/1807.05520"
)


class Options(BaseModel):
    """Settings of the study; the defaults are S2's own where it had the setting."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seeds: int = Field(5, ge=1, le=100, description="How often each network learns each way; an interval needs five.")
    clusters: int = Field(10, ge=2, le=1000, description="Groups that K-means makes of the pixels; S2 took 10.")
    image_size: int = Field(64, ge=32, le=512, description="Side of a picture in pixels; TinyVGG was made for 64.")
    transfer_size: int = Field(
        224,
        ge=32,
        le=512,
        description="The same for EfficientNet, which was trained for 224. An epoch then takes about 12 times as long "
        "as with 64 pixels, and all of them are done once a seed: hours to days on a CPU, so lower it there.",
    )
    pretext_epochs: int = Field(20, ge=1, le=10_000, description="Epochs of learning the pseudo-labels.")
    epochs: int = Field(30, ge=1, le=10_000, description="Epochs of learning names, with and without a pretext.")
    batch_size: int = Field(64, ge=2, le=8192, description="Faces a step.")
    learning_rate: float = Field(1e-3, gt=0, le=10, description="Of TinyVGG, in the pretext and with names.")
    label_fraction: float = Field(1.0, gt=0, le=1, description="Share of each person's train names that is used.")
    seed: int = Field(0, ge=0, le=MAX_SEED - 100, description="The first of the seeds.")
    device: Device = Field("auto", description="Where to compute.")
    threads: int = Field(0, ge=0, le=256, description="CPU threads; 0 means one a core.")


def steps(dataset: FaceDataset, options: Options, workspace: Path) -> list[Step]:
    """Return K-means against people, TinyVGG with and without a pretext, and EfficientNet's transfer, for each seed.

    Raises:
        DatasetError: There is nobody to tell apart, or no face to learn from or to judge on.
    """
    dataset.check_classifiable()
    # "of": by what agreement is measured; results by another measure are not used again.
    compared = {"clusters": options.clusters, "intervals": "halves", "of": "the smaller entropy"}
    found = [Step("clusters", "inside", compared)]
    shared = {
        "image_size": options.image_size, "batch_size": options.batch_size,
        "device": options.device, "threads": options.threads,
    }  # fmt: skip
    named = {**shared, "mode": "finetune", "epochs": options.epochs, "label_fraction": options.label_fraction}
    # At a constant rate, for under a schedule that runs out the last epochs are always the best.
    tiny = {"backbone": "tinyvgg", "learning_rate": options.learning_rate, "schedule": "constant"}
    replaced = {"head": "features"}  # a new last layer on the network itself, as S2: a fitted one would win the race
    for number in range(options.seeds):
        seed = {"seed": options.seed + number}
        pretext = {**shared, **tiny, **seed, "method": "pseudo_labels", "clusters": options.clusters,
                   "clustered": "pixels", "epochs": options.pretext_epochs}  # fmt: skip
        found += [
            Step(f"pretext-{number}", "pretrain", pretext),
            Step(
                f"pretrained-{number}", "finetune", {**named, **tiny, **seed, **replaced, "init": f"@pretext-{number}"}
            ),
            Step(f"nothing-{number}", "finetune", {**named, **tiny, **seed, **replaced, "init": "scratch"}),
        ]
    backbone = "efficientnet_b0"
    transfer = {**shared, "backbone": backbone, "init": "imagenet", "image_size": options.transfer_size,
                "label_fraction": options.label_fraction}  # fmt: skip
    for number in range(options.seeds):
        seed = {"seed": options.seed + number}
        tuned = {"mode": "finetune", "epochs": options.epochs}
        found += [
            Step(f"transfer-frozen-{number}", "finetune", {**transfer, **seed, "mode": "frozen"}, weights=backbone),
            Step(f"transfer-tuned-{number}", "finetune", {**transfer, **seed, **tuned}, weights=backbone),
        ]
    return found


def inside(
    key: str, settings: dict[str, Any], dataset: FaceDataset, options: Options, run: Run, workspace: Path
) -> dict[str, Any]:
    """Compare K-means on pixels with people and with light; see ``_clusters.compare`` for the result."""
    from facessl.studies import _clusters

    run.check_stop()
    return _clusters.compare(dataset, options.clusters, options.seed, run.check_stop)


def answer(
    dataset: FaceDataset, options: Options, done: Mapping[str, Done], workspace: Path, left_out: Mapping[str, str]
) -> Report:
    """Return whether the pretext halves the epochs, what each way reaches, and what K-means found; as far as done."""
    return Report(
        sentences=report.sentences(options.pretext_epochs, done),
        tables=[*report.race_table(done), *report.on_test(done), *report.cluster_table(done)],
        charts=report.charts(done),
    )
