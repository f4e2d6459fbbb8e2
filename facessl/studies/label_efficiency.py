"""How many names are enough? Accuracy against the share of labels: from nothing, pre-trained, borrowed, plain."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from facessl.dataset import FaceDataset
from facessl.recipes import MAX_SEED, Device
from facessl.studies import _labels, _starts
from facessl.studies._lines import Line
from facessl.studies._starts import Start
from facessl.studying import Done, Report, Step

TITLE = "Label efficiency"
REFERENCE = (
    "Chen et al. 2020, Big self-supervised models are strong semi-supervised learners, https://arxiv.org/abs/2006.10029"
)


class Options(BaseModel):
    """Which starts, with how many names, how often."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    starts: str = Field(
        "nothing, untrained, simclr, imagenet",
        description="Where learning starts, with commas: nothing (averaged features), untrained (the same network, "
        "read and begun as those that have learnt before: what they are compared with), imagenet, methods that "
        "pre-train here (all: each that learns without names), ids of runs.",
    )
    shares: str = Field(
        "1, 5, 10, 25, 50, 100", description="Shares of each person's train labels in per cent, at least one photo."
    )
    mode: Literal["both", "frozen", "finetune"] = Field(
        "both", description="Learn a linear layer on the frozen network, train all of it, or both."
    )
    seeds: int = Field(3, ge=1, le=50, description="Repetitions, each with other labels, other order, other weights.")
    seed: int = Field(0, ge=0, le=MAX_SEED - 50, description="The first seed; the others follow it.")
    pretrain_each: bool = Field(
        False,
        description="Pre-train anew for every seed: the intervals then cover that too, at so many times the cost.",
    )
    backbone: str = Field("resnet18", description="The network; an existing run brings its own.")
    stem: _starts.Stem = Field(
        "auto",
        description="First layers of ResNet18; auto: medium for pictures of less than 96 pixels. ImageNet's and an "
        "existing run's bring their own.",
    )
    image_size: int = Field(64, ge=32, le=512, description="Side of a face in pixels; an existing run brings its own.")
    pretrain_epochs: int = Field(20, ge=1, le=10_000, description="Epochs of the methods that pre-train here.")
    epochs: int = Field(20, ge=1, le=10_000, description="Epochs of fine-tuning with all labels.")
    frozen_epochs: int = Field(60, ge=1, le=10_000, description="Epochs of a linear layer with all labels.")
    stretch: float = Field(
        4.0,
        ge=1,
        le=100,
        description="With few labels, at most so many times as many epochs: an epoch has fewer steps.",
    )
    batch_size: int = Field(64, ge=2, le=8192, description="Faces a step.")
    device: Device = Field("auto", description="Where to compute.")
    threads: int = Field(0, ge=0, le=256, description="CPU threads; 0 means one a core.")

    @field_validator("shares")
    @classmethod
    def _percentages(cls, text: str) -> str:
        return ", ".join(f"{share:g}" for share in read_shares(text))

    @field_validator("starts")
    @classmethod
    def _not_empty(cls, text: str) -> str:
        return _starts.named(
            text, "name a start or more, with commas between them: nothing, untrained, imagenet, simclr, a run's id"
        )


def read_shares(text: str) -> list[float]:
    """Return the shares, per cent, ascending and each once; ValueError where they are none."""
    try:
        shares = sorted({float(word) for word in text.replace("%", " ").replace(",", " ").split()})
    except ValueError:
        shares = []
    if not shares or not all(0 < share <= 100 for share in shares):
        raise ValueError(f"shares are numbers above 0 and up to 100 with commas between them; got {text!r}")
    return shares


def steps(dataset: FaceDataset, options: Options, workspace: Path) -> list[Step]:
    """Return the pre-trainings, then the fine-tunings: share by share, so that the curves grow from the left.

    Raises:
        DatasetError: There is nobody to tell apart, or no face to learn from or to judge on.
        RecipeError: A start is none, or has seen the names; or the backbone has no such stem.
    """
    dataset.check_classifiable()
    _starts.check_stem(options.backbone, options.stem)
    starts = _starts.read(options.starts, options.backbone, workspace)
    network = _starts.network(options.backbone, options.stem, options.image_size)
    machine = {"batch_size": options.batch_size, "device": options.device, "threads": options.threads}
    found = [
        Step(_pretraining(start, seed, options), "pretrain", {
            **network, **machine, "method": start.word, "epochs": options.pretrain_epochs, "seed": seed,
        })
        for start in starts if start.kind == "method" for seed in _pretrain_seeds(options)
    ]  # fmt: skip
    for share in distinct_shares(dataset, options):
        for seed in _seeds(options):
            for line in _lines(starts, options):
                found.append(_fine_tuning(line, share, seed, options, {**machine, "seed": seed}))
    return found


def answer(
    dataset: FaceDataset, options: Options, done: Mapping[str, Done], workspace: Path, left_out: Mapping[str, str]
) -> Report:
    """Return curves, crossing points and the plain rows beside, as far as the runs are done."""
    shares = distinct_shares(dataset, options)
    starts = [
        replace(start, missing=left_out.get(_key(_lines([start], options)[0], shares[0], options.seed), ""))
        for start in _starts.read(options.starts, options.backbone, workspace)
    ]
    reached: dict[Line, dict[float, dict[int, Done]]] = {line: {} for line in _lines(starts, options)}
    for line, curve in reached.items():
        for share in shares:
            keys = {seed: _key(line, share, seed) for seed in _seeds(options)}
            if there := {seed: done[key] for seed, key in keys.items() if key in done}:
                curve[share] = there
    same = [share for share in read_shares(options.shares) if share not in shares]
    return _labels.report(reached, same=same, pretrained_once=not options.pretrain_each)


def distinct_shares(dataset: FaceDataset, options: Options) -> list[float]:
    """Return those shares, per cent, that name different photos: in a small set 1 % and 5 % both are one a person."""
    rows = dataset.rows("train")
    counts = np.unique(dataset.labels(rows), return_counts=True)[1]
    found: dict[tuple[int, ...], float] = {}
    for share in read_shares(options.shares):
        found.setdefault(tuple(max(1, round(share / 100 * int(count))) for count in counts), share)
    return list(found.values())


def _seeds(options: Options) -> range:
    return range(options.seed, options.seed + options.seeds)


def _pretrain_seeds(options: Options) -> range:
    return _seeds(options) if options.pretrain_each else range(options.seed, options.seed + 1)


def _lines(starts: list[Start], options: Options) -> list[Line]:
    modes = ("frozen", "finetune") if options.mode == "both" else (options.mode,)
    lines = [Line(start, mode) for start in starts for mode in modes]
    # A frozen network is read by its embedding anyway, so those two would be one.
    twice = any(start.kind == "nothing" for start in starts)
    return [line for line in lines if not (twice and line.start.kind == "untrained" and line.mode == "frozen")]


def _pretraining(start: Start, seed: int, options: Options) -> str:
    return f"pretrain {start.word}, seed {seed if options.pretrain_each else options.seed}"


def _key(line: Line, share: float, seed: int) -> str:
    return f"{line.start.word}, {line.mode}, {share:g} %, seed {seed}"


def _fine_tuning(line: Line, share: float, seed: int, options: Options, more: dict[str, object]) -> Step:
    whole = options.frozen_epochs if line.mode == "frozen" else options.epochs
    settings = {
        **more,
        "mode": line.mode,
        "label_fraction": share / 100,
        "epochs": round(whole * min(options.stretch, 100 / share)),
    }
    kind, word = line.start.kind, line.start.word
    init = {
        "nothing": "scratch",
        "untrained": "scratch",
        "imagenet": "imagenet",
        "method": f"@{_pretraining(line.start, seed, options)}",
    }
    settings["init"] = init.get(kind, word)
    if kind == "untrained" and line.mode == "finetune":
        settings["head"] = "embedding"
    if kind != "run":  # which brings its own
        stem: _starts.Stem = "auto" if kind == "imagenet" else options.stem  # whose weights bring their own
        settings |= _starts.network(options.backbone, stem, options.image_size)
    missing, weights = line.start.missing, line.start.weights(options.backbone)
    return Step(_key(line, share, seed), "finetune", settings, missing, weights)
