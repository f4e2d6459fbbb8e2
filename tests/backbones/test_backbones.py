"""Facts that hold for every backbone, and those of one."""

import os
from pathlib import Path

import pytest
import torch
from torchvision.models import EfficientNet_B0_Weights, ResNet18_Weights, efficientnet_b0, resnet18

from facessl import registry
from facessl.errors import ModelError, RecipeError


def build(name: str, weights=None, **options: object) -> torch.nn.Module:
    plugin = registry.load("backbones", name)
    return plugin.build(plugin.Options(**options), weights)


@pytest.mark.parametrize("name", registry.names("backbones"))
@pytest.mark.parametrize("size", [32, 64, 96])
def test_every_backbone_maps_pictures_of_any_size_to_its_feature_dim(name, size):
    network = build(name).eval()
    with torch.inference_mode():
        assert network(torch.zeros(2, 3, size, size)).shape == (2, network.feature_dim)


@pytest.mark.parametrize("name", registry.names("backbones"))
def test_every_backbone_says_what_it_is(name):
    plugin = registry.load("backbones", name)
    assert plugin.TITLE and plugin.REFERENCE
    assert plugin.Options.model_config["frozen"]


@pytest.mark.parametrize(("stem", "shrink"), [("imagenet", 4), ("medium", 2), ("small", 1)])
def test_resnet18s_stem_shrinks_as_it_says(stem, shrink):
    network = build("resnet18", stem=stem)
    seen = []
    network.layer1.register_forward_hook(lambda module, inputs, output: seen.append(output.shape[-1]))
    network.eval()(torch.zeros(1, 3, 64, 64))
    assert seen == [64 // shrink]


def test_resnet18_without_its_classifier_is_torchvisions():
    torch.manual_seed(0)
    whole = resnet18(weights=None)
    network = build("resnet18")
    network.load_state_dict({name: value for name, value in whole.state_dict().items() if not name.startswith("fc.")})
    picture = torch.randn(2, 3, 64, 64)
    assert torch.allclose(whole.fc(network.eval()(picture)), whole.eval()(picture), atol=1e-5)


def test_tinyvggs_grid_is_what_64_pixels_leave():
    network = build("tinyvgg")
    assert network[:-2](torch.zeros(1, 3, 64, 64)).shape == (1, 10, 13, 13)
    assert network.feature_dim == 1690
    assert build("tinyvgg", hidden_units=4).feature_dim == 676


@pytest.mark.parametrize(("size", "places"), [(16, 1), (32, 5), (48, 9), (64, 13), (224, 13)])
def test_tinyvgg_keeps_as_many_places_as_the_picture_leaves(size, places):
    options = registry.backbone_options("tinyvgg", {}, size, imagenet=False)
    assert options == {"hidden_units": 10, "places": places}
    network = build("tinyvgg", **options)
    left = network[:-2](torch.zeros(1, 3, size, size)).shape[-1]
    assert places == min(13, left)
    assert network(torch.zeros(2, 3, size, size)).shape == (2, 10 * places**2) == (2, network.feature_dim)
    assert registry.backbone_options("tinyvgg", {"places": 3}, size, imagenet=False)["places"] == 3


def test_a_tinyvgg_of_before_its_places_could_be_chosen_keeps_its_13_places():
    assert build("tinyvgg", hidden_units=10)(torch.zeros(1, 3, 32, 32)).shape == (1, 1690)


@pytest.mark.parametrize("name", registry.names("backbones"))
def test_what_a_setting_was_before_it_could_be_chosen_is_what_is_built_where_it_was_left_open(name):
    before = registry.backbone_options_of_before(name)
    torch.manual_seed(0)
    one, other = build(name), build(name, **before)
    assert one.feature_dim == other.feature_dim
    assert one.state_dict().keys() == other.state_dict().keys()
    assert registry.backbone_options(name, before, 32, imagenet=False).items() >= before.items()


def test_a_network_that_is_gone_had_no_settings():
    assert registry.backbone_options_of_before("gone") == {}


def test_the_files_named_are_torchvisions():
    for name, weights in (("resnet18", ResNet18_Weights), ("efficientnet_b0", EfficientNet_B0_Weights)):
        assert weights.IMAGENET1K_V1.url.endswith("/" + registry.load("backbones", name).IMAGENET_FILE)


@pytest.mark.parametrize(("name", "original"), [("resnet18", resnet18), ("efficientnet_b0", efficientnet_b0)])
def test_weights_are_taken_from_a_file_of_torchvisions(name, original, tmp_path):
    torch.manual_seed(1)
    donor = original(weights=None).eval()
    torch.save(donor.state_dict(), tmp_path / "weights.pth")
    network = build(name, tmp_path / "weights.pth").eval()
    picture = torch.randn(1, 3, 64, 64)
    head = donor.fc if name == "resnet18" else donor.classifier
    assert torch.allclose(head(network(picture)), donor(picture), atol=1e-5)


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save(efficientnet_b0(weights=None).state_dict(), tmp_path / "weights.pth")
    with pytest.raises(ModelError, match="does not hold torchvision's weights of ResNet"):
        build("resnet18", tmp_path / "weights.pth")


@pytest.mark.parametrize("content", [b"", b"no weights at all", b"PK\x03\x04 half a zip"])
def test_a_file_of_something_else_is_refused(content, tmp_path):
    (tmp_path / "weights.pth").write_bytes(content)
    with pytest.raises(ModelError, match="does not hold"):
        build("resnet18", tmp_path / "weights.pth")


class Trap:
    """Unpickled, it would make a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


def test_code_in_a_weights_file_is_not_run(tmp_path):
    torch.save({"conv1.weight": Trap(tmp_path / "sprung")}, tmp_path / "weights.pth")
    with pytest.raises(ModelError, match="does not hold"):
        build("resnet18", tmp_path / "weights.pth")
    assert not (tmp_path / "sprung").exists()


def test_imagenet_weights_need_the_imagenet_stem(tmp_path):
    with pytest.raises(RecipeError, match="choose that stem"):
        build("resnet18", tmp_path / "weights.pth", stem="small")


def test_tinyvgg_has_no_imagenet_weights(tmp_path):
    with pytest.raises(RecipeError, match="TinyVGG has no ImageNet weights"):
        build("tinyvgg", tmp_path / "weights.pth")
