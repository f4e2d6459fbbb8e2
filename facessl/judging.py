"""What a finished fine-tuning reached: judged once on ``test``, beside the plain methods, and its model kept."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from facessl import answers, baselines, checkpoints, evaluation, files, learnt, registry, whitening
from facessl.baselines import BaselineScore
from facessl.config import FinetuneRecipe
from facessl.dataset import FaceDataset, identities
from facessl.devices import Compute
from facessl.encoder import Encoder, build_backbone
from facessl.errors import DatasetError
from facessl.learnt import History
from facessl.pretraining import model_card
from facessl.run import Run
from facessl.whitening import Whitening

_PLAIN_SIDE = 64  # pixels; more help none of the plain methods, and cost them minutes
UNTRAINED = "untrained {}, linear layer"  # of which network


def judge(
    run: Run,
    recipe: FinetuneRecipe,
    dataset: FaceDataset,
    encoder: Encoder,
    rows: np.ndarray,
    compute: Compute,
    workspace: Path,
) -> dict[str, Any]:
    """Judge the classifier on ``test``, write its report, predictions and model; return the run's result.

    Args:
        run: Whose folder gets ``report.json``, the predictions, also the plain methods', and the model.
        recipe: How it was trained.
        dataset: What it was trained on.
        encoder: The trained network with its classifier.
        rows: The train faces whose names it learnt from.
        compute: What it was trained on.
        workspace: Where the runs are that it began from, and their sets: what they had seen is said.

    Raises:
        DatasetError: There is no test face.
    """
    run.update(message="Judging it on the test part, once.", seconds_left=None)
    test = dataset.rows("test")
    if not len(test):
        raise DatasetError(f"{dataset.name} has no test faces; prepare it with more photos a person.")
    beside = _plain_rows(recipe, dataset, rows, test, compute)
    judged = _reported(run.path, dataset, test, encoder.logits(dataset.faces[test]), beside)
    before = learnt.before(run, workspace)
    exposure, notes = _exposure(learnt.learnt_from(run, workspace), before, dataset, test)
    figures = {
        **judged, "split": "test", "frozen": recipe.mode == "frozen", "train_photos": len(rows),
        "names_before": before.by_names, "photos_named_before": before.moved_by(),
    }  # fmt: skip
    _keep_model(run, recipe, dataset, encoder, compute, figures)
    trained = [row for row in run.metrics() if row["epoch"] > 0]
    return {
        "run": run.id,
        "dataset": recipe.dataset,
        "device": encoder.device.name,
        "images_per_second": round(float(np.median([row["images_per_second"] for row in trained])), 1),
        "mode": recipe.mode,
        "label_fraction": recipe.label_fraction,
        "metrics": figures,
        "transductive": exposure,
        "baselines": [row.figures() for row in beside],
        "notes": notes,
    }


def _reported(
    folder: Path, dataset: FaceDataset, test: np.ndarray, logits: np.ndarray, beside: list[BaselineScore]
) -> dict[str, Any]:
    """Write the report and everybody's answers on the test faces into a run's folder; return the classifier's figures.

    ``logits`` (M, P) are the classifier's, ``beside`` what the plain methods reached on the same M faces.
    """
    labels = dataset.labels(test)
    judged = evaluation.classification(labels, logits, dataset.people)
    confusion, report = judged.pop("confusion"), judged.pop("report")
    files.write_json(folder / "report.json", {
        "people": dataset.people, "report": report, "confusion": confusion,
        "baselines": [row.figures() for row in beside], "intervals": "95 %, Wilson",
    })  # fmt: skip
    _store_predictions(folder, test, labels, logits)
    answers.store_plain(folder, test, labels, {row.name: row.answers for row in beside})
    return judged


def _keep_model(
    run: Run, recipe: FinetuneRecipe, dataset: FaceDataset, encoder: Encoder, compute: Compute, figures: dict[str, Any]
) -> None:
    if not encoder.linear_probe:  # else the classifier has learnt to read whitened embeddings
        encoder.whitening = whitening_of(recipe, dataset, encoder)
    card = model_card(run, recipe, compute, people=dataset.people, figures=figures)
    card["linear_probe"] = encoder.linear_probe
    checkpoints.save_model(run.path, encoder.weights(), card)


def _exposure(
    known: History, before: History, dataset: FaceDataset, test: np.ndarray
) -> tuple[dict[str, Any], list[str]]:
    """Return how many of the test photos were learnt from, in this run and before, and what is to be said of that."""
    asked = frozenset(identities(dataset.crops.iloc[test]))
    photos, named = known.among(lambda rows: asked & frozenset(identities(rows)))
    notes = []
    if photos:
        how = f"of {named:,} of them also the names" if named else "nameless"
        notes.append(
            f"Transductive: the network learnt from {photos:,} of the {len(asked):,} test photos, {how}; compare it "
            "with others of its kind only."
        )
    if before.by_names:
        # Their set may be gone, and the number of its photos with it.
        count = f" ({moved:,} photos)" if (moved := before.moved_by()) else ""
        notes.append(
            f"The network had learnt from names before{count}, so the share of labels used here is not all it knows."
        )
    told = {"photos": photos, "of": len(asked), "with_names": named, "unknown": known.gone}
    return told, [*notes, *known.unknown()]


def whitening_of(recipe: FinetuneRecipe, dataset: FaceDataset, encoder: Encoder) -> Whitening | None:
    """Return the whitening of embeddings, fitted without names: also on faces whose names are not used."""
    return whitening.of_embeddings(encoder.descriptors(_nameless(recipe, dataset)), recipe.whiten)


def _nameless(recipe: FinetuneRecipe, dataset: FaceDataset) -> np.ndarray:
    """Return the faces that a whitening is fitted on, the network's and that of pixels, (K, S, S, 3) uint8."""
    faces = dataset.rows("unlabelled", "train")
    return dataset.faces[np.sort(np.random.default_rng(recipe.seed).permutation(faces)[: whitening.FACES])]


def _plain_rows(
    recipe: FinetuneRecipe, dataset: FaceDataset, rows: np.ndarray, test: np.ndarray, compute: Compute
) -> list[BaselineScore]:
    """Return what needs no learning of features, on the same faces and names."""
    known, labels = dataset.labels(rows), dataset.labels(test)
    found = baselines.score(
        dataset.faces[rows], known, dataset.faces[test], labels,
        seed=recipe.seed, side=min(recipe.image_size, _PLAIN_SIDE),
        nameless=_nameless(recipe, dataset),
    )  # fmt: skip
    if len(np.unique(known)) < 2:
        return found
    untrained, title = _untrained(recipe, dataset, compute), registry.load("backbones", recipe.backbone).TITLE
    features = [untrained.classified(dataset.faces[part]) for part in (rows, test)]
    return [*found, baselines.linear(UNTRAINED.format(title), features[0], known, features[1], labels)]


def _untrained(recipe: FinetuneRecipe, dataset: FaceDataset, compute: Compute) -> Encoder:
    """Return the recipe's network as chance made it, used as mode frozen would use it."""
    torch.manual_seed(recipe.seed)
    network = build_backbone(recipe.backbone, recipe.backbone_options)
    encoder = Encoder(
        network, recipe.image_size, compute.device, compute.precision,
        mirror=recipe.mirror, grid=recipe.grid, linear_probe=True,
    )  # fmt: skip
    encoder.whitening = whitening_of(recipe, dataset, encoder)
    return encoder


def _store_predictions(folder: Path, rows: np.ndarray, labels: np.ndarray, logits: np.ndarray) -> None:
    """Write ``predictions.parquet``: what the classifier said of each test face, first and second."""
    import pandas as pd

    shares = torch.from_numpy(logits).softmax(dim=1).numpy()
    order = np.argsort(-logits, axis=1, kind="stable")  # of equal ones the first, as argmax has it
    table: dict[str, np.ndarray] = {"face": rows, "label": labels}
    for place, (answer, share) in enumerate((("predicted", "probability"), ("second", "second_probability"))):
        chosen = order[:, place]
        table |= {answer: chosen, share: shares[np.arange(len(rows)), chosen]}
    pd.DataFrame(table).to_parquet(folder / "predictions.parquet", index=False)
