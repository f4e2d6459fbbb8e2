"""Pseudo-labels: what is grouped, when, and that a resumed run has the groups it had."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import adjusted_rand_score

from facessl import registry
from facessl.batches import FaceBatches
from facessl.dataset import FaceDataset
from facessl.methods import Material, Method
from facessl.pretraining import Relabelling, pretrain, set_up
from tests.cut_off import cut_off
from tests.test_training import new_run
from tests.tiny import make_set

ON_EMBEDDINGS = {"method": "pseudo_labels", "clustered": "embeddings", "clusters": 3, "every": 2}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    make_set(tmp_path)
    return tmp_path


class Flat(torch.nn.Module):
    feature_dim = 4

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        return faces.flatten(1)[:, :4]


def method(**options: object) -> Method:
    plugin = registry.load("methods", "pseudo_labels")
    made: Method = plugin.build(Flat(), plugin.Options(**options), 0)
    return made


def test_people_who_are_colours_are_the_groups_of_their_pixels(workspace: Path) -> None:
    """Three colours and three groups; the nameless have the third person's colour or another's."""
    made = set_up(new_run(workspace, "pretrain", method="pseudo_labels", clusters=3), workspace)
    assert made.batches.prelude is not None
    made.batches.prelude(0)
    dataset = FaceDataset(workspace / "datasets" / "tiny")
    people = dataset.labels(dataset.rows("unlabelled", "train"))
    named = people >= 0
    assert adjusted_rand_score(people[named], made.batches.labels[named]) == 1
    assert set(made.batches.labels) == {0, 1, 2}


def test_pixels_are_grouped_once_and_embeddings_again_and_again(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    real = Relabelling._features
    monkeypatch.setattr(
        Relabelling, "_faces", lambda self, side: asked.append(-1) or np.zeros((28, side, side, 3), np.uint8)
    )
    monkeypatch.setattr(Relabelling, "_features", lambda self: asked.append(len(asked)) or real(self))
    pretrain(new_run(workspace, "pretrain", method="pseudo_labels", clusters=2, epochs=3), workspace)
    assert asked == [-1]
    pretrain(new_run(workspace, "pretrain", **ON_EMBEDDINGS, epochs=5), workspace)
    assert asked == [-1, 1, 2, 3]  # before epochs 1, 3 and 5


def test_small_groups_of_embeddings_count_as_much_as_large_ones() -> None:
    """A face of a group of n among 30 faces in two groups weighs 30 / (2 n): both groups weigh 15."""
    made = method(clustered="embeddings", clusters=2)
    features = np.random.default_rng(4).normal(0, 1, (30, 4)).astype(np.float32)
    before = made.modules["classifier"].weight.clone()
    assert made.relabel is not None
    labels = made.relabel(Material(lambda side: np.zeros(0), lambda: features, epoch=0, seed=0))
    counts = [int((labels == group).sum()) for group in (0, 1)]
    assert sum(counts) == 30 and counts[0] != counts[1]
    weights = made.modules["balance"].weight[torch.from_numpy(labels)].numpy()
    assert [weights[labels == group].sum() for group in (0, 1)] == pytest.approx([15, 15])
    assert not torch.equal(before, made.modules["classifier"].weight)  # the groups have other numbers than before


def test_parts_of_a_batch_add_up_to_the_whole_as_over_processes() -> None:
    """Weights of 0.5, 4 and 1.5 lie unevenly in the halves; two processes average their losses and gradients."""
    made = method(clustered="embeddings", clusters=3)
    made.modules["balance"].weight.copy_(torch.tensor([0.5, 4.0, 1.5]))
    labels, weights = torch.tensor([0, 0, 0, 1, 2, 2]), [0.5, 0.5, 0.5, 4.0, 1.5, 1.5]
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(1)).requires_grad_()
    whole = made.loss((logits,), labels)
    shares = logits.detach().double().softmax(dim=1)
    by_hand = sum(-weights[row] * math.log(shares[row, label]) for row, label in enumerate(labels.tolist())) / 6
    assert whole.item() == pytest.approx(by_hand, abs=1e-6)
    (wanted,) = torch.autograd.grad(whole, logits)
    halves = [made.loss((logits[part],), labels[part]) for part in (slice(0, 3), slice(3, 6))]
    mean = (halves[0] + halves[1]) / 2
    assert mean.item() == pytest.approx(whole.item())
    torch.testing.assert_close(torch.autograd.grad(mean, logits)[0], wanted)


def test_faces_weigh_one_on_average_also_where_a_group_is_empty() -> None:
    """Two faces make two groups at most, however many are asked for: the loss is no smaller for that."""
    made = method(clustered="embeddings", clusters=5)
    assert made.relabel is not None
    features = np.eye(4, dtype=np.float32)[:2]
    labels = made.relabel(Material(lambda side: np.zeros(0), lambda: features, epoch=0, seed=0))
    assert made.modules["balance"].weight[torch.from_numpy(labels)].mean().item() == pytest.approx(1)


@pytest.mark.parametrize("steps", [1, 4, 8])
def test_a_run_stopped_between_two_groupings_resumes_with_the_groups_it_had(workspace: Path, steps: int) -> None:
    whole, stopped = (new_run(workspace, "pretrain", **ON_EMBEDDINGS, epochs=4) for _ in "01")
    pretrain(whole, workspace)
    cut_off(pretrain, stopped, workspace, steps)
    pretrain(stopped, workspace)
    expected, found = (load_file(run.path / "model.safetensors") for run in (whole, stopped))
    assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())
    losses = [[row.get("loss") for row in run.metrics()] for run in (whole, stopped)]
    assert losses[0] == losses[1]


def test_no_name_is_learnt(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[int] = set()
    real = FaceBatches.__call__

    def watched(self: FaceBatches, epoch: int, step: int) -> object:
        batch = real(self, epoch, step)
        seen.update(batch.labels.tolist())
        return batch

    monkeypatch.setattr(FaceBatches, "__call__", watched)
    pretrain(new_run(workspace, "pretrain", method="pseudo_labels", clusters=7, epochs=2), workspace)
    assert seen == set(range(7))  # three people would be -1 to 2
