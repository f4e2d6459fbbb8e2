"""Who somebody is, or pose, light, expression and hair? What of each can be read out, on generated faces."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from facessl import studying
from facessl.dataset import FaceDataset
from facessl.errors import DatasetError
from facessl.recipes import MAX_SEED, Device
from facessl.run import Run
from facessl.studies import _starts
from facessl.studies._cells import listed
from facessl.studies._readout import read_out, spanned
from facessl.studying import Chart, Done, Report, Step, Table

TITLE = "What does the embedding know?"
REFERENCE = (
    "Alain and Bengio 2017, Understanding intermediate layers using linear classifier probes, "
    "https://arxiv.org/abs/1610.01644"
)

# What is read out, and from which recorded factors; of several the mean R² is told.
FACTORS: Mapping[str, tuple[str, ...]] = {
    "yaw": ("yaw",),
    "pitch": ("pitch",),
    "light, side": ("light_azimuth",),
    "light, height": ("light_elevation",),
    "exposure": ("exposure",),
    "smile": ("smile",),
    "mouth open": ("mouth_open",),
    "hair colour": ("hair_red", "hair_green", "hair_blue"),
    "hair volume": ("hair_volume",),
}
# What a table's narrow columns call them is no part of a sentence.
_IN_WORDS = {"light, side": "the side of the light", "light, height": "the height of the light"}
_PLAIN = {"pixels": "pixels", "pixels-whitened": "PCA-whitened pixels", "untrained": "untrained network"}
_PLAIN_ROWS = "plain methods"  # the step that judges them
# Part of what is asked of whitened pixels, so that no study takes over what was read of them when they were described
# by 150 directions, all alike.
_DESCRIBED = {"whitened_pixels": "described as a network's embedding is"}
_SPLITS = ("train", "val", "test")


class Options(BaseModel):
    """What is asked, and what it is asked about."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: str = Field(
        _starts.ALL,
        description="What is asked besides pixels, with commas: all (each method that learns without names), single "
        "methods, which pre-train here, runs, imagenet.",
    )
    backbone: str = Field("resnet18", description="The network; an existing run brings its own.")
    stem: _starts.Stem = Field(
        "auto",
        description="First layers of ResNet18; auto: medium for pictures of less than 96 pixels. ImageNet's and an "
        "existing run's bring their own.",
    )
    image_size: int = Field(64, ge=32, le=512, description="Side of a face in pixels; an existing run brings its own.")
    epochs: int = Field(20, ge=1, le=10_000, description="Epochs of the methods that pre-train here.")
    batch_size: int = Field(64, ge=2, le=8192, description="Faces a step.")
    seed: int = Field(0, ge=0, le=MAX_SEED, description="Everything random follows from it.")
    device: Device = Field("auto", description="Where to compute.")
    threads: int = Field(0, ge=0, le=256, description="CPU threads; 0 means one a core.")

    @field_validator("models")
    @classmethod
    def _not_empty(cls, text: str) -> str:
        return _starts.named(text, "name a model or more, with commas between them: all, simclr, a run's id, imagenet")


def steps(dataset: FaceDataset, options: Options, workspace: Path) -> list[Step]:
    """Return the pre-trainings, then one reading for each model.

    Raises:
        DatasetError: Nobody recorded the factors of these faces, or there is nobody to tell apart.
        RecipeError: A model is none; or the backbone has no such stem.
    """
    if dataset.info["recipe"]["source"] != "synthetic":
        raise DatasetError(
            f"{dataset.name} is made of real photos, whose pose, light and hair nobody recorded; prepare a set of "
            "generated faces (source synthetic) and ask there."
        )
    dataset.check_people()
    _starts.check_stem(options.backbone, options.stem)
    starts = _asked(options, workspace)
    network = _starts.network(options.backbone, options.stem, options.image_size)
    machine = {
        "batch_size": options.batch_size, "device": options.device, "threads": options.threads, "seed": options.seed,
    }  # fmt: skip
    made = [
        Step(f"pretrain {start.word}", "pretrain", {
            **network, **machine, "method": start.word, "epochs": options.epochs,
        })
        for start in starts if start.kind == "method"
    ]  # fmt: skip
    # As they are, not the mean with their mirror image: a later study uses again what was read alike.
    alike = {"mirror": False}
    readings = [
        Step(name, "inside", {"model": name, **alike, **(_DESCRIBED if name == "pixels-whitened" else {})})
        for name in _PLAIN
    ]
    readings.append(Step(_PLAIN_ROWS, "inside", {**_DESCRIBED}))
    for start in starts:
        if not start.begins_with_nothing:  # the untrained network is read anyway
            model = f"@pretrain {start.word}" if start.kind == "method" else start.word
            readings.append(Step(start.word, "inside", {"model": model, **alike}, start.missing,
                                 start.weights(options.backbone)))  # fmt: skip
    return [*made, *readings]


def _asked(options: Options, workspace: Path) -> list[_starts.Start]:
    """Return what is asked besides the plain rows, which are asked anyway."""
    learnt = ",".join(word for word in _starts.words(options.models) if word not in _PLAIN)
    return _starts.read(learnt, options.backbone, workspace, nameless=False)


def inside(
    key: str, settings: dict[str, Any], dataset: FaceDataset, options: Options, run: Run, workspace: Path
) -> dict[str, Any]:
    """Return what can be read out of one model's vectors: each factor's R², and how many faces get their name.

    Raises:
        DatasetError: The faces have no recorded factors, or there are too few.
    """
    rows = dataset.rows(*_SPLITS)
    crops = dataset.crops.iloc[rows]
    columns = [f"factor_{name}" for names in FACTORS.values() for name in names]
    if not set(columns) <= set(crops.columns):
        raise DatasetError(f"{dataset.name} has no record of its faces' factors; prepare it again.")
    targets = crops[columns].to_numpy(dtype=np.float64)
    known = np.isfinite(targets).all(axis=1)  # faces that were added from elsewhere are not
    rows, targets, labels = rows[known], targets[known], dataset.labels(rows)[known]
    fitted = (crops["split"] == "train").to_numpy()[known]
    if len(np.unique(labels)) < 2 or not fitted.any() or fitted.all():
        raise DatasetError(f"{dataset.name} has too few people or test faces for this; prepare a larger set.")
    if key == _PLAIN_ROWS:
        return {"plain": _plain_rows(dataset, rows, labels, fitted, options.seed, options.image_size)}
    vectors = _vectors(settings["model"], dataset, rows, options, workspace, run.check_stop)
    found = read_out(vectors, targets, labels, fitted, seed=options.seed, check=run.check_stop)
    return {"person": _person(vectors, labels, fitted), "factors": _by_factor([vars(each) for each in found])}


def _vectors(
    name: str, dataset: FaceDataset, rows: np.ndarray, options: Options, workspace: Path, check: Callable[[], None]
) -> np.ndarray:
    """Return a model's vectors of face rows, (N, D), of each face as it is.

    An embedding is usually the mean of a face and its mirror image, which has lost what a mirror turns round whatever
    the network knows, and plain pixels are no such mean. So here all are read without; a network's whitening, which
    was fitted on means, is fitted again on this set's nameless faces.
    """
    from facessl import models, whitening

    model = models.Model(
        name, options.backbone, options.image_size, options.seed, options.device, mirror=False, stem=options.stem
    )
    faces, known = dataset.faces[rows], dataset.rows("unlabelled", "train")
    if name in ("pixels", "pixels-whitened"):
        return models.embed(model, faces, workspace, fitted_on=lambda: dataset.faces[known], progress=lambda _: check())
    network = models.encoder(model, workspace)
    network.mirror = False
    of_no_run = name in ("untrained", "imagenet")
    own = network.whitening
    directions = models.default("whiten") if of_no_run else 0 if own is None else len(own.matrix)
    if directions:
        drawn = np.sort(np.random.default_rng(options.seed).permutation(known)[: whitening.FACES])
        network.whitening = whitening.of_embeddings(network.descriptors(dataset.faces[drawn]), directions)
    return network.embed(faces, lambda _: check())


def _plain_rows(
    dataset: FaceDataset, rows: np.ndarray, labels: np.ndarray, fitted: np.ndarray, seed: int, side: int
) -> list[dict[str, Any]]:
    """Return how many faces the plain methods name right, fitted on and asked about the same faces as the others."""
    from facessl import baselines

    near, far = rows[fitted], rows[~fitted]
    scores = baselines.score(
        dataset.faces[near], labels[fitted], dataset.faces[far], labels[~fitted], seed=seed, side=side,
        nameless=dataset.faces[dataset.rows("unlabelled", "train")],
    )  # fmt: skip
    return [
        {"name": one.name, "top1": one.top1, "low": one.low, "high": one.high, "photos": one.photos,
         "macro_f1": one.macro_f1} for one in scores
    ]  # fmt: skip


def _person(vectors: np.ndarray, labels: np.ndarray, fitted: np.ndarray) -> dict[str, Any]:
    """Return how many faces a linear layer names right that it was not fitted on, and how many the most usual name."""
    from facessl import baselines

    near, far = spanned(vectors[fitted].astype(np.float64), vectors[~fitted].astype(np.float64))
    judged = baselines.linear("person", near, labels[fitted], far, labels[~fitted])
    chance = float(np.mean(labels[~fitted] == np.bincount(labels[fitted]).argmax()))
    return {
        "accuracy": judged.top1, "low": judged.low, "high": judged.high, "photos": judged.photos,
        "macro_f1": judged.macro_f1, "chance": chance, "people": len(np.unique(labels)),
    }  # fmt: skip


def _by_factor(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the read-outs by what they are called; of several factors the mean of each figure."""
    result, rest = {}, iter(found)
    for title, names in FACTORS.items():
        parts = [next(rest) for _ in names]
        result[title] = {figure: float(np.mean([part[figure] for part in parts])) for figure in parts[0]}
    return result


# -- the answer --------------------------------------------------------------------------------------------------


def answer(
    dataset: FaceDataset, options: Options, done: Mapping[str, Done], workspace: Path, left_out: Mapping[str, str]
) -> Report:
    """Return the heat map, the figures behind it, and in words what is known best and least."""
    titles = {**_PLAIN, **{start.word: start.title for start in _asked(options, workspace)}}
    read = {titles[key]: each.result for key, each in done.items() if each.run is None and key != _PLAIN_ROWS}
    plain = done[_PLAIN_ROWS].result["plain"] if _PLAIN_ROWS in done else []
    if not read:
        return Report(sentences=["No model is read yet."])
    columns = ["person", *FACTORS]
    heat = Chart(
        "What a straight line reads out, in % (0: no better than chance, 100: everything)", "heat",
        x_title="", y_title="", x=columns, y=list(read), z=[_heat_row(result) for result in read.values()],
        first=True,
    )  # fmt: skip
    return Report([*_sentences(read)], [_table(read, plain)], [heat])


def _heat_row(result: Mapping[str, Any]) -> list[float | None]:
    """Return per cent of what there is to know; what is worse than chance is below 0, as in the table."""
    person = result["person"]
    known = [(person["accuracy"] - person["chance"]) / max(1 - person["chance"], 1e-9)]
    known += [result["factors"][factor]["score"] for factor in FACTORS]
    return [100 * share for share in known]


def _table(read: Mapping[str, Mapping[str, Any]], plain: Sequence[Mapping[str, Any]]) -> Table:
    note = (
        "Person: a linear layer fitted on the train faces names the val and test faces; chance is the most usual name "
        f"of train, right in {100 * next(iter(read.values()))['person']['chance']:.1f} %. Others: R² of a ridge "
        "regression fitted on train faces, judged on val and test faces of people it was not fitted on (five folds), "
        "0 for always saying the mean; in brackets the 95 % interval, a bootstrap over people. Networks and "
        "whitened pixels are read of each face as it is. Elsewhere they are the mean of a face and its mirror image, "
        "which knows nothing of yaw and the side of the light, whatever a network knows. The plain methods below name "
        "people and read nothing else; their whitened pixels are such means."
    )
    rows = []
    for model, result in read.items():
        person = result["person"]
        cell = studying.accuracy(
            person["accuracy"], (person["low"], person["high"]), photos=person["photos"], split="val and test",
            how="frozen",
        )  # fmt: skip
        scores = {factor: _r2(result["factors"][factor]) for factor in FACTORS}
        rows.append({"model": model, "person": cell, "macro-F1": person["macro_f1"], **scores})
    rows += [
        {
            "model": one["name"],
            "person": studying.accuracy(
                one["top1"], (one["low"], one["high"]), photos=one["photos"], split="val and test", how="plain method"
            ),
            "macro-F1": one["macro_f1"],
        }
        for one in plain
    ]
    return Table("What each knows", note, ["model", "person", "macro-F1", *FACTORS], rows)


def _r2(score: Mapping[str, float]) -> dict[str, float]:
    return studying.figure(score["score"], (score["low"], score["high"]))


def _sentences(read: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return for each learnt model what it knows more and less of than PCA-whitened pixels, beyond the intervals."""
    plain = read.get(_PLAIN["pixels-whitened"])
    learnt = {model: result for model, result in read.items() if model not in _PLAIN.values()}
    if plain is None or not learnt:
        return ["Only models without learning are read so far."]
    sentences = []
    for model, result in learnt.items():
        more, less = (_beyond(result, plain), _beyond(plain, result))
        if not more and not less:
            sentences.append(f"{model} and PCA-whitened pixels know the same, as far as so few faces can tell.")
            continue
        parts = [f"more about {listed(more)}"] * bool(more) + [f"less about {listed(less)}"] * bool(less)
        sentences.append(f"{model} knows {' and '.join(parts)} than PCA-whitened pixels.")
    return sentences


def _beyond(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """Return of what the first knows more, in words, their intervals lying apart."""
    pairs = {"person": (first["person"], second["person"])}
    pairs |= {factor: (first["factors"][factor], second["factors"][factor]) for factor in FACTORS}
    return [_IN_WORDS.get(name, name) for name, (one, other) in pairs.items() if one["low"] > other["high"]]
