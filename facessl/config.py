"""The recipes: what is asked for, with defaults, bounds and one line of help each.

Forms, command-line flags and ``config.json`` all come from these models, so a setting exists once.
"""

import math
import os
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from facessl import registry
from facessl.recipes import MAX_SEED, Device, Recipe, SetName
from facessl.viewing import GENTLE_VIEWS, ViewRecipe

Precision = Literal["auto", "bf16", "fp16", "fp32"]


class QualityRecipe(Recipe):
    """What a good crop has to reach; what does not is flagged, or rejected."""

    min_sharpness: float = Field(40, ge=0, le=10_000, description="Less is blurred (variance of the Laplacian).")
    min_brightness: float = Field(45, ge=0, le=255, description="Less is dark (mean grey, 0 to 255).")
    max_brightness: float = Field(215, ge=0, le=255, description="More is bright (mean grey, 0 to 255).")
    min_contrast: float = Field(20, ge=0, le=127, description="Less is flat (standard deviation of the grey).")
    min_face: int = Field(40, ge=0, le=10_000, description="A face narrower than this many photo pixels is small.")
    max_turn: float = Field(0.25, ge=0, le=1, description="A head turned further to the side is flagged (0 to 1).")
    reject: bool = Field(False, description="Leave such faces out instead of only flagging them.")


class PrepareRecipe(Recipe):
    """A source of photos becomes a set of aligned faces."""

    PLUGINS = (("sources", "source", "options"),)

    source: str = Field("synthetic", description="Where the photos come from.")
    path: str = Field("", description="Folder or zip with the photos, for the source that needs one.")
    name: SetName = Field("demo", description="Name of the prepared set.")
    parent: str = Field("", description="A set to add these photos to, as a new version; its settings hold.")
    size: int = Field(112, ge=32, le=512, description="Side of a face crop in pixels.")
    min_photos: int = Field(20, ge=1, description="People with fewer photos go, nameless, to the unlabelled part.")
    train_share: float = Field(0.8, gt=0, lt=1, description="Share of each person's photos for training.")
    val_share: float = Field(0.1, gt=0, lt=1, description="Share for validation; the rest is the test part.")
    split_seed: int = Field(1337, ge=0, le=MAX_SEED, description="Seed of split-folders.")
    detector: Literal["haar", "yunet", "middle"] = Field(
        "haar",
        description="Who looks for faces; yunet needs its file. middle: nobody, for photos that are aligned already.",
    )
    weights: str = Field("", description="YuNet's .onnx file; without one, that in the workspace's weights folder.")
    scale_factor: float = Field(1.2, gt=1.01, le=2, description="Haar pyramid step: smaller finds more, slower.")
    min_neighbors: int = Field(5, ge=1, le=20, description="Haar votes a face needs.")
    middle: float = Field(
        1.0, gt=0.05, le=1, description="Without a detector: the middle square's share of a photo's shorter side."
    )
    margin: float = Field(0.15, ge=0, le=1, description="Border kept around the found box, as a share of it.")
    align: bool = Field(True, description="Turn the eyes level where a plausible pair of eyes is found.")
    duplicates: bool = Field(True, description="Keep copies of one picture on one side of the split.")
    quality: QualityRecipe = Field(QualityRecipe(), description="What a good crop has to reach.")
    workers: int = Field(0, ge=0, le=64, description="Processes that look for faces; 0 means one a core.")
    options: dict[str, Any] = Field(default_factory=dict, description="Settings of the source.")

    @property
    def border(self) -> float:
        """Return the margin that crops get: the middle of a photo is cut as it was asked for."""
        return 0.0 if self.detector == "middle" else self.margin

    @model_validator(mode="after")
    def _shares_leave_a_test_part(self) -> Self:
        if self.train_share + self.val_share >= 0.999:
            raise ValueError("train_share + val_share must leave something for the test part; lower one of them")
        return self


class TrainRecipe(Recipe):
    """What pre-training and fine-tuning share."""

    PLUGINS: ClassVar[tuple[tuple[str, str, str], ...]] = (("backbones", "backbone", "backbone_options"),)

    dataset: str = Field("demo", description="The prepared set to learn from.")
    backbone: str = Field("resnet18", description="The network that turns a face into a vector.")
    init: str = Field("scratch", description="Start from a run's id, from imagenet weights, or from scratch.")
    epochs: int = Field(20, ge=1, le=10_000, description="Times that every face is seen.")
    batch_size: int = Field(64, ge=2, le=8192, description="Faces a step, before they become views.")
    image_size: int = Field(64, ge=32, le=512, description="Side of a view in pixels.")
    learning_rate: float = Field(1e-3, gt=0, le=10, description="Length of the optimiser's steps.")
    weight_decay: float = Field(1e-4, ge=0, le=1, description="Pull of the weights towards zero.")
    optimizer: Literal["adam", "adamw", "lars", "sgd"] = Field(
        "adam", description="How gradients become steps; lars is for batches of thousands, and rates near 1."
    )
    schedule: Literal["cosine", "constant"] = Field("cosine", description="How the learning rate runs out.")
    warm_up: float = Field(0.05, ge=0, le=0.5, description="Share of all steps in which the learning rate rises.")
    clip_norm: float = Field(0.0, ge=0, le=1e6, description="Longer gradients are cut to this length; 0: never.")
    accumulate: int = Field(
        1, ge=1, le=256, description="Parts in which a batch passes the network: less memory, half as much time again."
    )
    processes: int = Field(1, ge=1, le=64, description="GPUs that share each batch; on a CPU, processes.")
    views: ViewRecipe = Field(ViewRecipe(), description="How faces are changed while learning.")
    grid: int = Field(
        3,
        ge=0,
        le=16,
        description="An embedding keeps where things are in the face, at so many places a side; 0: only what is in it.",
    )
    whiten: int = Field(
        512,
        ge=0,
        le=2048,
        description="Directions kept when the embeddings are whitened, without names; 0: as they are.",
    )
    mirror: bool = Field(True, description="Embed a face together with its mirror image: better, twice the time.")
    seed: int = Field(0, ge=0, le=MAX_SEED, description="Everything random follows from it.")
    device: Device = Field("auto", description="Where to compute.")
    precision: Precision = Field("auto", description="Number format of the network's forward pass.")
    threads: int = Field(0, ge=0, le=256, description="CPU threads; 0 means one a core.")
    compile: bool = Field(
        False, description="Compile the network first (torch.compile): minutes once, then shorter steps; for long runs."
    )
    backbone_options: dict[str, Any] = Field(default_factory=dict, description="Settings of the backbone.")

    @model_validator(mode="after")
    def _the_backbone_is_settled(self) -> Self:
        imagenet = self.init == "imagenet"
        whole = registry.backbone_options(self.backbone, self.backbone_options, self.image_size, imagenet=imagenet)
        object.__setattr__(self, "backbone_options", whole)
        return self


class PretrainRecipe(TrainRecipe):
    """A network learns from faces without their names."""

    PLUGINS = (*TrainRecipe.PLUGINS, ("methods", "method", "options"))

    also: tuple[str, ...] = Field((), description="Further sets whose faces join in, nameless.")
    method: str = Field("simclr", description="What the network is asked to learn.")
    knn_k: int = Field(5, ge=1, le=200, description="Neighbours that vote in the k-NN accuracy on val.")
    options: dict[str, Any] = Field(default_factory=dict, description="Settings of the method.")


class ProbeRecipe(PretrainRecipe):
    """A few steps of a pre-training say what it will take: seconds an epoch, memory, and whether its loss is a number.

    ``epochs`` are those of the pre-training; nothing is learnt that stays.
    """

    steps: int = Field(3, ge=1, le=50, description="Steps that are measured, after one that warms up.")


class FinetuneRecipe(TrainRecipe):
    """A classifier learns from the few labels there are."""

    mode: Literal["finetune", "frozen"] = Field(
        "finetune", description="Train the whole network, or only a linear layer on its frozen embeddings."
    )
    head: Literal["auto", "embedding", "features"] = Field(
        "auto",
        description="What the classifier of a fine-tuned network reads: the embedding, beginning as a linear probe on "
        "it, or the averaged features, beginning by chance. auto: the embedding, but from scratch the features.",
    )
    refit: bool = Field(
        True,
        description="At the end the classifier on a fine-tuned embedding is fitted anew, as a linear probe of the "
        "unchanged faces: while the network moves, it learns from changed ones.",
    )
    label_fraction: float = Field(
        1.0, gt=0, le=1, description="Share of each person's train labels used (at least one)."
    )
    learning_rate: float = Field(3e-4, gt=0, le=10, description="Length of the optimiser's steps.")
    weight_decay: float = Field(8e-4, ge=0, le=1, description="Pull of the weights towards zero.")
    batch_size: int = Field(64, ge=2, le=8192, description="Faces a step.")
    layer_decay: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Each stage nearer the input learns at this share of the next one's rate; 1: all alike.",
    )
    freeze_stages: int = Field(
        0,
        ge=0,
        le=64,
        description="So many of the first stages keep their weights, the layers before them counting as one; 0: the "
        "whole network learns.",
    )
    class_weights: Literal["none", "balanced"] = Field(
        "none", description="none: every photo counts alike; balanced: the fewer a person has, the more each counts."
    )
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="Share of certainty given to all other people.")
    patience: int = Field(
        0,
        ge=0,
        le=10_000,
        description="Stop after so many epochs without a better val result, and keep the best epoch; 0: never.",
    )
    views: ViewRecipe = Field(GENTLE_VIEWS, description="How faces are changed while learning.")

    @model_validator(mode="after")
    def _stages_are_the_networks(self) -> Self:
        plugin = registry.load("backbones", self.backbone)
        stages = len(plugin.stages(self.plugin_options("backbones")))
        if self.freeze_stages > stages:
            raise ValueError(
                f"{plugin.TITLE} has {stages} stages here, its first layers counting as one, so "
                f"freeze_stages is at most {stages}"
            )
        if self.mode == "frozen" and (self.freeze_stages or self.layer_decay < 1):
            raise ValueError(
                "mode frozen keeps the whole network as it is; leave freeze_stages at 0 and layer_decay at 1"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _a_linear_layer_learns_otherwise(cls, given: Any) -> Any:
        """A linear layer on cached features bears larger steps and needs more epochs, which cost it nothing."""
        if isinstance(given, dict) and given.get("mode") == "frozen":
            return {"learning_rate": 1e-2, "weight_decay": 1e-3, "epochs": 60, **given}
        return given

    @property
    def reads_embedding(self) -> bool:
        """Whether the classifier is a linear layer on the embedding: of frozen networks always."""
        if self.mode == "frozen" or self.head != "auto":
            return self.mode == "frozen" or self.head == "embedding"
        return self.init != "scratch"  # there is no embedding yet that a probe could read


class EmbedRecipe(Recipe):
    """Every face of a set becomes a unit vector, and a point on a map."""

    dataset: str = Field("demo", description="The prepared set to embed.")
    model: str = Field("pixels", description="A run's id, or pixels, pixels-whitened, imagenet, untrained.")
    backbone: str = Field("resnet18", description="Network of the imagenet and untrained models.")
    image_size: int = Field(
        64, ge=16, le=512, description="Side of a face in pixels, where no run says it; pixels-whitened: 48 at most."
    )
    neighbours: int = Field(15, ge=2, le=200, description="UMAP: how many neighbours make up a neighbourhood.")
    min_dist: float = Field(0.1, ge=0, le=0.99, description="UMAP: how tightly points may sit.")
    seed: int = Field(0, ge=0, le=MAX_SEED, description="Seed of the map and of the untrained network.")
    device: Device = Field("auto", description="Where to compute.")


class EvaluateRecipe(Recipe):
    """How well a model tells whether two faces are one person's: on LFW's pairs, or on pairs of a set's test part."""

    dataset: str = Field("demo", description="The prepared set that holds the photos.")
    model: str = Field("pixels", description="A run's id, or pixels, pixels-whitened, imagenet, untrained.")
    pairs: str = Field("", description="LFW's pairs.txt; without one, pairs are drawn from the set's test part.")
    per_fold: int = Field(
        300, ge=1, le=10_000, description="Drawn pairs of each kind in a fold, as far as there are photos."
    )
    backbone: str = Field("resnet18", description="Network of the imagenet and untrained models.")
    image_size: int = Field(
        64, ge=16, le=512, description="Side of a face in pixels, where no run says it; pixels-whitened: 48 at most."
    )
    seed: int = Field(0, ge=0, le=MAX_SEED, description="Seed of the draw, the intervals and the untrained network.")
    device: Device = Field("auto", description="Where to compute.")


class DetectorsRecipe(Recipe):
    """Detectors look at the same photos of a set: how many faces each finds, and how long it takes."""

    dataset: str = Field("demo", description="The prepared set whose photos are looked at again.")
    photos: int = Field(200, ge=1, le=100_000, description="Photos drawn from the set, those without a face as well.")
    weights: str = Field("", description="YuNet's .onnx file; without one, that in the workspace's weights folder.")
    seed: int = Field(0, ge=0, le=MAX_SEED, description="Seed of the draw.")


class StudyRecipe(Recipe):
    """Several runs that answer one question together; `studies` lists the questions."""

    PLUGINS = (("studies", "preset", "options"),)

    preset: str = Field("label_efficiency", description="Which question.")
    dataset: str = Field("demo", description="The prepared set that it is asked of.")
    options: dict[str, Any] = Field(default_factory=dict, description="Settings of the study.")


class DemoRecipe(Recipe):
    """The whole path on generated faces."""

    people: int = Field(24, ge=3, le=200, description="Generated people in the set.")
    photos: int = Field(40, ge=5, le=500, description="Photos of each.")
    epochs: int = Field(40, ge=1, le=1000, description="Epochs of pre-training.")
    batch_size: int = Field(32, ge=2, le=1024, description="Faces a step: small, for few faces and many steps.")
    finetune_epochs: int = Field(8, ge=1, le=1000, description="Epochs of fine-tuning.")
    image_size: int = Field(40, ge=32, le=224, description="Side of a view in pixels: small, for many epochs.")
    seed: int = Field(0, ge=0, le=MAX_SEED, description="Everything random follows from it.")
    name: SetName = Field("demo", description="Name of the prepared set.")


RECIPES: dict[str, type[Recipe]] = {
    "prepare": PrepareRecipe,
    "pretrain": PretrainRecipe,
    "finetune": FinetuneRecipe,
    "embed": EmbedRecipe,
    "evaluate": EvaluateRecipe,
    "detectors": DetectorsRecipe,
    "probe": ProbeRecipe,
    "study": StudyRecipe,
}


def default_workspace() -> Path:
    """Return ``$FACESSL_HOME``, or ``workspace`` beside the package."""
    return Path(os.environ.get("FACESSL_HOME") or Path(__file__).parents[1] / "workspace").resolve()


def device_defaults(kind: str, device: str) -> dict[str, Any]:
    """Return the settings that suit a device better than the plain defaults, which suit a CPU."""
    if device != "cuda" or kind not in ("pretrain", "finetune"):
        return {}
    if kind == "pretrain":
        return {"image_size": 112, "batch_size": 512, "epochs": 100}
    return {"image_size": 112, "batch_size": 128, "epochs": 30}


def lars_rate(batch_size: int) -> float:
    """Return SimCLR's learning rate for LARS at a batch of N faces, 0.075 × √N: its rule for small batches, short runs.

    Reference: Chen et al. 2020, appendix B.1, https://arxiv.org/abs/2002.05709
    """
    return 0.075 * math.sqrt(batch_size)
