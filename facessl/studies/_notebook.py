"""S1's notebook, step by step, with each of its mistakes as a setting that can be switched off.

What is done here is wrong on purpose and belongs to no method of ours: it shows where the published figures come from.
The notebook: https://github.com/KarthikRachoori/Face-Recognition-Models-with-Multiple-Classifiers
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere
from torch import Tensor, nn
from torch.optim import Optimizer

from facessl import baselines, losses, metrics, views
from facessl.backbones import _imagenet, resnet18
from facessl.studies._pictures import BATCH, Batches, Pictures, Work, as_input, batches_of, computed, outputs
from facessl.viewing import ViewRecipe

TEMPERATURE = 0.5
HIDDEN = 512
RATE = 1e-3  # of Adam, for SimCLR
CLASSIFIER_RATE, CLASSIFIER_DECAY = 3e-4, 8e-4
_TOPS = (1, 3, 5)


@dataclass(frozen=True)
class Choices:
    """What the notebook chose; the defaults are its own."""

    views: bool = False  # real views; else two copies of the same picture
    nt_xent: bool = False  # the loss over all 2N; else over the N × N similarities between first and second
    head: int = 0  # width of what the head gives; 0: as many as there are people
    epochs: int = 5


def cross_view_loss(z0: Tensor, z1: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """Return the notebook's contrastive loss: each first view shall find its second among the batch's second views.

    Half of NT-Xent: the N - 1 other first views are no negatives. For two copies the pair's cosine is 1 whatever the
    network does, so there is nothing to become invariant to: all it can do is to spread the pictures apart.

    Args:
        z0: Projections, shape (N, D), any scale.
        z1: Projections of the second copies, row i belongs to z0[i].
        temperature: Divides the cosines, > 0.

    Returns:
        Scalar; ln N where all projections point the same way.
    """
    cosines = F.normalize(z0, dim=1) @ F.normalize(z1, dim=1).T  # (N, N)
    return F.cross_entropy(cosines / temperature, torch.arange(len(z0), device=z0.device))


class Encoder(nn.Module):
    """ResNet18 without its last layer, and a head 512 → 512 → ReLU → ``width``."""

    def __init__(self, width: int, weights: Path | None) -> None:
        super().__init__()
        self.backbone: nn.Module = resnet18.build(resnet18.Options(), weights)
        features = cast("int", self.backbone.feature_dim)
        self.head = nn.Sequential(nn.Linear(features, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, width))

    def forward(self, pictures: Tensor) -> Tensor:
        found: Tensor = self.head(self.backbone(pictures))
        return found


def imagenet_file(workspace: Path) -> Path:
    """Return the file of ImageNet weights that the notebook's SimCLR began with.

    Raises:
        ModelError: It cannot be had, or is damaged.
    """
    return _imagenet.weights_file(resnet18.IMAGENET_FILE, workspace)


def simclr(work: Work, choices: Choices, weights: Path | None, seed: int) -> dict[str, Any]:
    """Train as the notebook's SimCLR does, and read it as the notebook does and as one should.

    Args:
        work: What to learn from and to be judged on, and where.
        choices: The notebook's, or with a mistake switched off.
        weights: ImageNet weights to begin with; None: from nothing.
        seed: Of the network's first weights.

    Returns:
        epochs: A row each: loss (mean), last_loss (of the last batch: what the notebook prints), last_batch (its
            pictures), top1, top3, top5 and macro_f1 of the projection's largest axes.
        argmax_f1: Macro-F1 of the largest axis.
        argmax, top3, matched, linear: Accuracies at the end: of the largest axis; of the three largest; of the
            largest, each axis given to the person it fits best; of a linear layer on the backbone's features.
        report: scikit-learn's classification report of the largest axis, where there is an axis a person.
        chance: 1 / P; axes, photos.
    """
    torch.manual_seed(seed)
    pictures, width = work.pictures, choices.head or work.pictures.people
    encoder = Encoder(width, weights).to(work.compute.device.kind)
    optimizer = torch.optim.Adam(encoder.parameters(), lr=RATE)
    rows = []
    for epoch in range(1, choices.epochs + 1):
        batches = batches_of(work.rng.permutation(pictures.learnt))
        values = _contrasted(encoder, optimizer, choices, batches, work)
        judged = _judged_as_it_did(outputs(encoder, work), pictures)
        rows.append({"epoch": epoch, "loss": float(np.mean(values)), "last_loss": values[-1],
                     "last_batch": len(batches[-1]), **judged})  # fmt: skip
    encoder.eval()
    return {"epochs": rows, "axes": width, **_read(encoder, work)}


def _contrasted(encoder: Encoder, optimizer: Optimizer, choices: Choices, batches: Batches, work: Work) -> list[float]:
    """Train an epoch; return the loss of each step."""
    encoder.train()
    loss_of = losses.nt_xent if choices.nt_xent else cross_view_loss
    found = []
    for batch in batches:
        work.check()
        first, second = _pair(work.pictures.faces[batch], real=choices.views, rng=work.rng)
        loss = loss_of(encoder(as_input(first, work.compute)), encoder(as_input(second, work.compute)), TEMPERATURE)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found


def _pair(faces: np.ndarray, *, real: bool, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    if not real:
        return faces, faces
    drawn = [views.draw(len(faces), ViewRecipe(), rng) for _ in "01"]
    first, second = (views.render(faces, one, faces.shape[1]) for one in drawn)
    return first, second


def _read(encoder: Encoder, work: Work) -> dict[str, Any]:
    from sklearn.metrics import classification_report

    pictures = work.pictures
    projections, labels = outputs(encoder, work), pictures.labels[pictures.judged]
    answers = projections.argmax(axis=1)
    found: dict[str, Any] = {
        "chance": 1 / pictures.people, "photos": len(labels), "argmax": float(np.mean(answers == labels)),
        "argmax_f1": metrics.macro_f1(labels, answers),
        "top3": metrics.top_k(projections, labels, (3,))[3],
        "matched": matched(answers, labels), "linear": _linear(encoder, work),
    }  # fmt: skip
    if projections.shape[1] == pictures.people:
        every = range(pictures.people)
        found["report"] = classification_report(labels, answers, labels=every, output_dict=True, zero_division=0.0)
    return found


def matched(answers: np.ndarray, labels: np.ndarray) -> float:
    """Return the accuracy when each axis stands for the person it fits best, no two for the same (Kuhn 1955)."""
    from scipy.optimize import linear_sum_assignment

    counts = np.zeros((int(answers.max()) + 1, int(labels.max()) + 1), int)
    np.add.at(counts, (answers, labels), 1)
    return float(counts[linear_sum_assignment(counts, maximize=True)].sum() / len(labels))


def _linear(encoder: Encoder, work: Work) -> dict[str, Any]:
    """Return what a linear layer on the frozen backbone's features reaches, each feature of unit variance."""
    pictures = work.pictures
    learnt, judged = (computed(encoder.backbone, work, part) for part in (pictures.learnt, pictures.judged))
    mean, spread = learnt.mean(axis=0), learnt.std(axis=0)
    learnt, judged = ((part - mean) / np.maximum(spread, 1e-6) for part in (learnt, judged))
    labels = pictures.labels
    score = baselines.linear("linear", learnt, labels[pictures.learnt], judged, labels[pictures.judged])
    return {"share": score.top1, "macro_f1": score.macro_f1}


def classifier(work: Work, epochs: int, earlier: int, seed: int, weights: Path | None = None) -> dict[str, Any]:
    """Train the notebook's second model: called pre-trained, and begun from nothing.

    Args:
        work: What to learn from and to be judged on, and where.
        epochs: Those that it logs.
        earlier: Epochs before: its cell was run again on a network that had been trained already.
        seed: Of the network's first weights.
        weights: ImageNet weights to begin with, which it meant to; None: from nothing, as it did.

    Returns:
        epochs: A row each: loss, train_top1, train_macro_f1, top1, top3, top5, macro_f1; epoch 1 is the first that it
            logs, those before are ≤ 0.
        report: Over the answers of all logged epochs together, as the notebook counts them; photos.
    """
    from sklearn.metrics import classification_report

    torch.manual_seed(seed)
    pictures = work.pictures
    backbone: Any = resnet18.build(resnet18.Options(), weights)
    network = nn.Sequential(backbone, nn.Linear(backbone.feature_dim, pictures.people)).to(work.compute.device.kind)
    optimizer = torch.optim.Adam(network.parameters(), lr=CLASSIFIER_RATE, weight_decay=CLASSIFIER_DECAY)
    labels = pictures.labels[pictures.judged]
    rows, answers = [], []
    for epoch in range(1 - earlier, epochs + 1):
        learnt = _taught(network, optimizer, work)
        network.eval()
        logits = outputs(network, work)
        tops = {f"top{k}": share for k, share in metrics.top_k(logits, labels, _TOPS).items()}
        rows.append({"epoch": epoch, **learnt, **tops, "macro_f1": metrics.macro_f1(labels, logits.argmax(axis=1))})
        if epoch > 0:
            answers.append(logits.argmax(axis=1))
    report = classification_report(np.tile(labels, len(answers)), np.concatenate(answers),
                                   labels=range(pictures.people), output_dict=True, zero_division=0.0)  # fmt: skip
    return {"epochs": rows, "report": report, "photos": len(labels), "chance": 1 / pictures.people}


def _taught(network: nn.Module, optimizer: Optimizer, work: Work) -> dict[str, float]:
    """Train an epoch with names; return its mean loss, and how well it named the pictures on the way."""
    network.train()
    pictures, values, asked, answers = work.pictures, [], [], []
    for batch in batches_of(work.rng.permutation(pictures.learnt)):
        work.check()
        targets = torch.from_numpy(pictures.labels[batch]).to(work.compute.device.kind)
        logits = network(as_input(pictures.faces[batch], work.compute))
        loss = F.cross_entropy(logits, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
        asked.append(pictures.labels[batch])
        answers.append(logits.argmax(dim=1).cpu().numpy())
    labels, named = np.concatenate(asked), np.concatenate(answers)
    return {"loss": float(np.mean(values)), "train_top1": float(np.mean(named == labels)),
            "train_macro_f1": metrics.macro_f1(labels, named)}  # fmt: skip


def _judged_as_it_did(projections: np.ndarray, pictures: Pictures) -> dict[str, float]:
    """Return top-1, top-3 and top-5 as it computes them: the mean over batches, also where the last is smaller.

    And macro_f1, which it did not compute, over all of them.
    """
    labels, starts = pictures.labels[pictures.judged], range(BATCH, len(projections), BATCH)
    parts = zip(np.split(projections, starts), np.split(labels, starts), strict=True)
    tops = [metrics.top_k(part, own, _TOPS) for part, own in parts]
    means = {f"top{k}": float(np.mean([top[k] for top in tops])) for k in _TOPS}
    return {**means, "macro_f1": metrics.macro_f1(labels, projections.argmax(axis=1))}
