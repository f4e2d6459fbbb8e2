"""A model file gives back the network that was saved; embeddings are unit rows and do not depend on the batch."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from facessl import checkpoints, config, devices, recipes, registry, runs, views
from facessl.encoder import Encoder, build_backbone
from facessl.errors import ModelError
from facessl.finetuning import finetune
from facessl.whitening import unit_rows
from tests.tiny import make_set


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = tmp_path_factory.mktemp("encoder")
    make_set(workspace)
    settings = {"dataset": "tiny", "backbone": "tinyvgg", "image_size": 32, "epochs": 1, "device": "cpu", "threads": 1}
    run = runs.create(workspace, "finetune", recipes.build(config.FinetuneRecipe, settings), title="test")
    finetune(run, workspace)
    return run.path


def test_the_model_of_a_tinyvgg_of_before_its_places_could_be_chosen_loads(tmp_path: Path) -> None:
    """Then the network kept 13 places a side whatever the picture's size, and its card did not say so."""
    network = build_backbone("tinyvgg", {"hidden_units": 4, "places": 13})
    old = Encoder(network, 32, devices.pick("cpu"), classifier=nn.Linear(4 * 13**2, 3), people=("Ada", "Bo", "Cy"))
    card = {"backbone": "tinyvgg", "backbone_options": {"hidden_units": 4}, "image_size": 32, "people": old.people}
    checkpoints.save_model(tmp_path, old.weights(), card | {"precision": "fp32", "device": "cpu"})
    np.testing.assert_allclose(
        Encoder.from_run(tmp_path, "cpu").logits(pictures(2)), old.logits(pictures(2)), atol=1e-5
    )


def pictures(count: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (count, 40, 40, 3), dtype=np.uint8)


def test_rows_are_unit_float32_and_independent_of_the_batch(trained: Path) -> None:
    encoder = Encoder.from_run(trained, "cpu")
    encoder.precision = "fp32"
    faces = pictures(7)
    together = encoder.embed(faces)
    assert together.dtype == np.float32 and together.shape[0] == 7
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    alone = np.concatenate([encoder.embed(face[None]) for face in faces])
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_looking_at_faces_in_the_middle_of_training_changes_nothing() -> None:
    encoder = Encoder.untrained("resnet18", {}, 32, seed=0, device="cpu")
    encoder.precision = "fp32"
    before = encoder.features(pictures(6))
    state = {name: tensor.clone() for name, tensor in encoder.backbone.state_dict().items()}
    encoder.backbone.train()  # batch norm would now judge each face by those beside it, and remember them
    assert np.array_equal(encoder.features(pictures(6)), before)
    np.testing.assert_allclose(encoder.features(pictures(6)[:2]), before[:2], atol=1e-4)
    assert encoder.backbone.training
    for name, tensor in encoder.backbone.state_dict().items():
        assert torch.equal(tensor, state[name]), name


def test_two_openings_agree_bit_for_bit(trained: Path) -> None:
    first, second = (Encoder.from_run(trained, "cpu").embed(pictures(5)) for _ in "ab")
    assert np.array_equal(first, second)


def test_opinions_are_the_softmax_of_the_logits(trained: Path) -> None:
    encoder = Encoder.from_run(trained, "cpu")
    faces = pictures(4)
    shares = torch.from_numpy(encoder.logits(faces)).softmax(dim=1).numpy()
    for row, opinion in zip(shares, encoder.opinions(faces, top=2), strict=True):
        order = np.argsort(-row)[:2]
        assert [person for person, _ in opinion] == [encoder.people[i] for i in order]
        assert [share for _, share in opinion] == pytest.approx(row[order].tolist(), abs=1e-5)


def test_no_faces_give_no_rows(trained: Path) -> None:
    encoder = Encoder.from_run(trained, "cpu")
    empty = encoder.embed(pictures(0))
    assert empty.shape == (0, encoder.embed(pictures(1)).shape[1])
    assert encoder.opinions(pictures(0)) == []


def test_a_model_without_a_classifier_says_so() -> None:
    encoder = Encoder.untrained("tinyvgg", {}, 32, seed=0, device="cpu")
    with pytest.raises(ModelError, match="never fine-tuned"):
        encoder.logits(pictures(1))
    assert encoder.opinions(pictures(2)) == [[], []]


def test_the_untrained_network_follows_its_seed() -> None:
    rows = [Encoder.untrained("tinyvgg", {}, 32, seed=seed, device="cpu").embed(pictures(2)) for seed in (1, 1, 2)]
    assert np.array_equal(rows[0], rows[1]) and not np.array_equal(rows[0], rows[2])


def test_a_card_that_does_not_fit_is_refused(trained: Path, tmp_path: Path) -> None:
    weights, card = checkpoints.load_model(trained)
    checkpoints.save_model(tmp_path, weights, {**card, "backbone": "resnet18", "backbone_options": {}})
    with pytest.raises(ModelError, match="does not fit its card"):
        Encoder.from_run(tmp_path, "cpu")


def test_unit_rows_leave_zeros_alone() -> None:
    assert unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0, 0]]


def test_a_face_and_its_mirror_image_have_one_embedding() -> None:
    encoder = Encoder.untrained("resnet18", {}, 32, seed=0, device="cpu")
    encoder.precision = "fp32"
    faces = pictures(3)
    turned = np.ascontiguousarray(faces[:, :, ::-1])
    np.testing.assert_allclose(encoder.embed(faces), encoder.embed(turned), atol=1e-6)
    by_hand = unit_rows(encoder.features(faces) + encoder.features(turned))
    np.testing.assert_allclose(encoder.embed(faces), by_hand, atol=1e-6)
    encoder.mirror = False
    assert not np.allclose(encoder.embed(faces), encoder.embed(turned), atol=1e-3)


def test_an_embedding_keeps_where_things_are() -> None:
    """Two maps of ResNet18, read stage by stage, averaged by hand at 2 × 2 places, each of length 1."""
    encoder = Encoder.untrained("resnet18", {"stages": 3}, 64, seed=0, device="cpu", grid=2)
    encoder.precision, encoder.mirror = "fp32", False
    faces = pictures(2)
    network = encoder.backbone.eval()
    with torch.inference_mode():
        x = views.to_input(views.plain(faces, 64))
        for name in ("conv1", "bn1", "relu", "maxpool", "layer1"):
            x = getattr(network, name)(x)
        maps = [x := network.layer2(x), network.layer3(x)]
    by_hand = []
    for found in maps:
        half = found.shape[-1] // 2
        corners = [found[..., i : i + half, j : j + half].mean((2, 3)) for i in (0, half) for j in (0, half)]
        flat = torch.stack(corners, dim=2).flatten(1)
        by_hand.append(flat / flat.norm(dim=1, keepdim=True))
    np.testing.assert_allclose(encoder.descriptors(faces), torch.cat(by_hand, 1).numpy(), atol=1e-5)
    assert encoder.descriptors(faces[:0]).shape == (0, (128 + 256) * 4)
    encoder.grid = 0
    assert encoder.descriptors(faces).shape == (2, 256)


@pytest.mark.parametrize("name", registry.names("backbones"))
def test_every_backbone_can_be_described_by_place(name: str) -> None:
    encoder = Encoder.untrained(name, {}, 48, seed=0, device="cpu", grid=3)
    found = encoder.embed(pictures(2))
    assert found.shape[0] == 2 and np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


def test_a_linear_probe_reads_embeddings(tmp_path: Path) -> None:
    make_set(tmp_path)
    settings = {"dataset": "tiny", "backbone": "tinyvgg", "image_size": 32, "epochs": 2, "device": "cpu", "threads": 1}
    run = runs.create(
        tmp_path, "finetune", recipes.build(config.FinetuneRecipe, {**settings, "mode": "frozen"}), title=""
    )
    finetune(run, tmp_path)
    encoder = Encoder.from_run(run.path, "cpu")
    faces = pictures(3)
    layer = encoder.classifier
    rows = torch.from_numpy(encoder.embed(faces))
    by_hand = layer(rows * rows.shape[1] ** 0.5).detach().numpy()
    np.testing.assert_allclose(encoder.logits(faces), by_hand, atol=1e-5)
    assert encoder.whitening is not None and rows.shape[1] == layer.in_features == len(encoder.whitening.matrix)
