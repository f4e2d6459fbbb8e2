"""A classifier on the embedding reads in training what it reads in use, and begins as scikit-learn's linear probe."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from facessl import heads, views, whitening
from facessl.encoder import Encoder


def faces(count: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (count, 40, 40, 3), dtype=np.uint8)


@pytest.mark.parametrize("whitened", [True, False])
def test_the_network_up_to_its_embedding_is_the_encoders_and_learns(whitened: bool) -> None:
    encoder = Encoder.untrained("resnet18", {"stages": 2}, 40, seed=0, device="cpu", grid=2)
    encoder.precision, encoder.mirror, encoder.linear_probe = "fp32", False, True
    if whitened:
        encoder.whitening = whitening.of_embeddings(encoder.descriptors(faces(40)), 8)
    expected = encoder.classified(faces(3))
    network = heads.OnEmbedding(encoder, expected.shape[1]).eval()
    found = network(views.to_input(faces(3)))
    np.testing.assert_allclose(found.detach().numpy(), expected, atol=1e-3)
    found.square().sum(0)[0].backward()
    assert all(p.grad is not None for name, p in encoder.backbone.named_parameters() if name.startswith("layer2"))
    assert {name.split(".")[0] for name in network.state_dict()} == {"backbone"}
    # A run stopped in the middle of a step saves its buffers as they were before it, and must find them again.
    assert dict(network.named_buffers()).keys() <= network.state_dict().keys()


@pytest.mark.parametrize("people", [2, 3])
def test_a_classifier_begins_as_a_linear_probe(people: int) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(30) % people
    read = (rng.normal(size=(30, 5)) + labels[:, None]).astype(np.float32)
    classifier = nn.Linear(5, 4)
    by_chance = classifier.weight.detach().clone()
    heads.become_a_probe(classifier, read, labels)
    with torch.no_grad():
        shares = classifier(torch.from_numpy(read))[:, :people].softmax(dim=1).numpy()
    expected = LogisticRegression(C=1 / (1e-3 * 30), max_iter=1000).fit(read, labels).predict_proba(read)
    np.testing.assert_allclose(shares, expected, atol=1e-4)
    assert torch.equal(classifier.weight[people:], by_chance[people:])  # nobody has shown these


def test_a_balanced_probe_weighs_each_person_alike() -> None:
    """As if everybody's faces were repeated until all had as many; the penalty counts faces, so it is repeated too."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [12, 6, 3])
    read = (rng.normal(size=(21, 5)) + labels[:, None]).astype(np.float32)
    classifier = nn.Linear(5, 3)
    heads.become_a_probe(classifier, read, labels, balanced=True)
    with torch.no_grad():
        shares = classifier(torch.from_numpy(read)).softmax(dim=1).numpy()
    repeats = {0: 1, 1: 2, 2: 4}
    repeated = np.concatenate([np.tile(np.flatnonzero(labels == person), times) for person, times in repeats.items()])
    expected = LogisticRegression(C=1 / (1e-3 * len(repeated)), max_iter=1000).fit(read[repeated], labels[repeated])
    np.testing.assert_allclose(shares, expected.predict_proba(read), atol=1e-3)
