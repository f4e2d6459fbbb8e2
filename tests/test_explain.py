"""Grad-CAM against networks whose answer depends on a known place, and against the paper's formula without captum."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from facessl import devices, registry, views
from facessl.encoder import Encoder, build_backbone
from facessl.errors import ModelError
from facessl.explain import _logits, grad_cam
from facessl.whitening import Whitening

SIZE = 64
PEOPLE = ("Ada", "Bo")


class CornerNetwork(nn.Module):
    """Two maps: how bright the top left corner is, and how bright everything else."""

    stages = (("see", "pool"),)
    feature_dim = 2

    def __init__(self) -> None:
        super().__init__()
        self.see = nn.Conv2d(3, 2, 1)
        nn.init.constant_(self.see.weight, 1.0)
        nn.init.constant_(self.see.bias, 10.0)  # brightness is positive
        self.pool = Cut()

    def forward(self, inputs: Tensor) -> Tensor:
        return self.pool(self.see(inputs)).mean((2, 3))


class Cut(nn.Module):
    def forward(self, maps: Tensor) -> Tensor:
        corner = torch.zeros_like(maps[:, :1])
        corner[:, :, : SIZE // 4, : SIZE // 4] = 1
        return maps * torch.cat([corner, 1 - corner], dim=1)


def corner_encoder(*, mirror: bool = False, linear_probe: bool = False) -> Encoder:
    """Return an encoder that says Ada for a bright corner, Bo for a bright rest."""
    classifier = nn.Linear(2, 2)
    classifier.load_state_dict({"weight": torch.eye(2), "bias": torch.zeros(2)})
    return Encoder(
        CornerNetwork(), SIZE, devices.pick("cpu"), classifier=classifier, people=PEOPLE,
        mirror=mirror, linear_probe=linear_probe,
    )  # fmt: skip


def a_face(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(60, 200, (*shape, 3), dtype=np.uint8)


def test_a_network_that_reads_one_corner_looks_into_that_corner() -> None:
    looked = grad_cam(corner_encoder(), a_face(SIZE, SIZE), "Ada")
    assert looked.shape == (SIZE, SIZE) and looked.dtype == np.float32 and looked.max() == 1
    corner = looked[: SIZE // 4, : SIZE // 4]
    assert corner.min() > 0.3
    assert looked.sum() == pytest.approx(corner.sum())
    rest = grad_cam(corner_encoder(), a_face(SIZE, SIZE), "Bo")
    assert rest[: SIZE // 4, : SIZE // 4].max() == 0 and (rest > 0).mean() == pytest.approx(15 / 16)


def test_the_picture_is_as_large_as_the_face() -> None:
    looked = grad_cam(corner_encoder(), a_face(128, 128), "Ada")
    assert looked.shape == (128, 128)
    assert looked[:31, :31].min() > 0.2 and not looked[34:].any() and not looked[:, 34:].any()


def test_a_mirrored_embedding_looks_at_both_corners() -> None:
    encoder = corner_encoder(mirror=True, linear_probe=True)
    looked = grad_cam(encoder, a_face(SIZE, SIZE), "Ada")
    part = SIZE // 4
    assert looked[:part, :part].min() > 0.3 and looked[:part, -part:].min() > 0.3
    assert looked[part:].max() == 0 and looked[:, part:-part].max() == 0


def test_where_nothing_speaks_for_a_person_nothing_is_lit() -> None:
    encoder = corner_encoder()
    assert encoder.classifier is not None
    encoder.classifier.load_state_dict({"weight": -torch.eye(2), "bias": torch.zeros(2)})
    assert not grad_cam(encoder, a_face(SIZE, SIZE), "Ada").any()


class PlacesNetwork(CornerNetwork):
    """How bright the picture is, place by place: its features are the map."""

    feature_dim = 64

    def forward(self, inputs: Tensor) -> Tensor:
        return functional.adaptive_avg_pool2d(self.pool(self.see(inputs)).sum(1, keepdim=True), 8).flatten(1)


@pytest.mark.parametrize("linear_probe", [True, False])
def test_a_classifier_that_reads_places_looks_at_the_one_that_speaks_for_somebody(linear_probe: bool) -> None:
    """On average a bright place speaks against Ada: one weight for the whole map would light none."""
    weight = -torch.ones(2, 8, 8)
    weight[0, 6:, 6:] = 1
    classifier = nn.Linear(64, 2)
    classifier.load_state_dict({"weight": weight.flatten(1), "bias": torch.zeros(2)})
    encoder = Encoder(
        PlacesNetwork(), SIZE, devices.pick("cpu"), classifier=classifier, people=PEOPLE, linear_probe=linear_probe
    )
    looked = grad_cam(encoder, a_face(SIZE, SIZE), "Ada")
    corner = looked[-SIZE // 4 :, -SIZE // 4 :]
    assert corner.mean() > 0.4 and looked.sum() == pytest.approx(corner.sum(), rel=0.02)
    if not linear_probe:  # a unit vector's other places rise where one falls
        assert not grad_cam(encoder, a_face(SIZE, SIZE), "Bo").any()


def by_hand(encoder: Encoder, face: np.ndarray, label: int, layer: str) -> np.ndarray:
    """Equations 1 and 2 of the paper, map by map; with a weight a place where the classifier reads places."""
    kept: list[Tensor] = []
    hook = encoder.backbone.get_submodule(layer).register_forward_hook(lambda m, i, out: kept.append(out))
    inputs = views.to_input(views.plain(face[None], encoder.image_size))
    logits = encoder.classifier(encoder.backbone(inputs))  # type: ignore[misc]
    hook.remove()
    (gradient,) = torch.autograd.grad(logits[0, label], kept[0])
    maps, gradients = kept[0][0].detach(), gradient[0]
    cam = torch.zeros(maps.shape[1:])
    for k in range(len(maps)):
        alpha = sum(gradients[k].flatten().tolist()) / gradients[k].numel() if encoder.maps else gradients[k]
        cam += alpha * maps[k]
    cam = functional.interpolate(cam.clamp(min=0)[None, None], face.shape[:2], mode="bilinear")[0, 0]
    return (cam / cam.max() if cam.any() else cam).numpy()


@pytest.mark.parametrize(
    ("backbone", "size", "layer"),
    [
        ("resnet18", 128, "layer4"),
        ("resnet18", 64, "layer3"),  # its layer 4 leaves two places a side
        ("tinyvgg", 64, "9"),
        ("efficientnet_b0", 128, "features.8"),
    ],
)
def test_it_is_the_papers_formula_on_the_last_maps_that_say_where(backbone: str, size: int, layer: str) -> None:
    torch.manual_seed(3)  # with some others nothing speaks for either person in the eyes of TinyVGG
    network = build_backbone(backbone, {})
    classifier = nn.Linear(network.feature_dim, 2)
    encoder = Encoder(network, size, devices.pick("cpu"), classifier=classifier, people=PEOPLE)
    face = a_face(112, 112)
    found = {person: grad_cam(encoder, face, person) for person in PEOPLE}
    for label, person in enumerate(PEOPLE):
        np.testing.assert_allclose(found[person], by_hand(encoder, face, label, layer), atol=1e-4)
    assert not np.allclose(found["Ada"], found["Bo"], atol=0.05)
    assert all(weight.grad is None for weight in network.parameters())


@pytest.mark.parametrize("backbone", registry.names("backbones"))
@pytest.mark.parametrize(("mirror", "grid"), [(True, 3), (False, 3), (True, 0)])
def test_a_linear_layer_on_embeddings_is_explained_by_what_it_really_computes(
    backbone: str, mirror: bool, grid: int
) -> None:
    encoder = Encoder.untrained(backbone, {}, SIZE, seed=0, device="cpu", grid=grid)
    encoder.mirror, encoder.linear_probe, encoder.precision, encoder.people = mirror, True, "fp32", PEOPLE
    face = a_face(SIZE, SIZE)
    width = encoder.descriptors(face[None]).shape[1]
    rng = np.random.default_rng(0)
    encoder.whitening = Whitening(
        rng.normal(size=width).astype(np.float32) / 100, rng.normal(size=(8, width)).astype(np.float32)
    )
    encoder.classifier = nn.Linear(8, 2)
    inputs = views.to_input(views.plain(face[None], SIZE))
    with encoder.held():
        logits = _logits(encoder, inputs).detach().numpy()
    np.testing.assert_allclose(logits, encoder.logits(face[None]), atol=2e-3)
    looked = [grad_cam(encoder, face, person) for person in PEOPLE]
    assert all(one.shape == (SIZE, SIZE) and one.max() in (0, 1) for one in looked)
    assert any(one.any() for one in looked)


def test_what_cannot_be_explained_is_said() -> None:
    with pytest.raises(ModelError, match="does not know Cy"):
        grad_cam(corner_encoder(), a_face(SIZE, SIZE), "Cy")
    with pytest.raises(ModelError, match="never fine-tuned"):
        grad_cam(Encoder.untrained("tinyvgg", {}, 32, seed=0, device="cpu"), a_face(32, 32), "Ada")
