"""Stages that keep their weights, and stages that learn slower."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from facessl import recipes, registry, stages
from facessl.config import FinetuneRecipe
from facessl.encoder import build_backbone
from facessl.errors import RecipeError
from facessl.gradients import set_to_learn

EVERY = [(name, {}) for name in registry.names("backbones")] + [("resnet18", {"stages": n}) for n in (2, 3)]


@pytest.mark.parametrize(("name", "options"), EVERY)
def test_the_stages_of_every_backbone_hold_each_parameter_once(name: str, options: dict[str, int]) -> None:
    network = build_backbone(name, options)
    found = [id(p) for stage in stages.modules_of(network) for module in stage for p in module.parameters()]
    assert len(found) == len(set(found))
    assert set(found) == {id(p) for p in network.parameters()}
    assert all(any(list(module.parameters()) for module in stage) for stage in stages.modules_of(network))
    plugin = registry.load("backbones", name)
    assert plugin.stages(plugin.Options(**options)) == network.stages


@pytest.mark.parametrize(("name", "options"), EVERY)
def test_the_stages_of_every_backbone_are_passed_in_their_order_and_end_with_a_map(
    name: str, options: dict[str, int]
) -> None:
    network = build_backbone(name, options).eval()
    passed: list[int] = []
    shapes: list[torch.Size] = []

    def remember(number: int, output: Tensor) -> None:
        passed.append(number)
        shapes.append(output.shape)

    ends = [stage[-1] for stage in stages.modules_of(network)]
    for number, module in enumerate(ends):
        module.register_forward_hook(lambda m, i, output, number=number: remember(number, output))
    network(torch.zeros(1, 3, 64, 64))
    assert passed == list(range(len(ends)))
    assert all(len(shape) == 4 for shape in shapes)
    assert all(before[-1] >= after[-1] for before, after in pairwise(shapes))


def test_each_stage_nearer_the_picture_learns_at_a_share_of_the_next_ones_rate() -> None:
    """By hand for TinyVGG: two stages of two convolutions."""
    factors = stages.rate_factors(build_backbone("tinyvgg", {}), 0.3)
    assert {name: round(factor, 6) for name, factor in factors.items()} == {
        "0.weight": 0.09, "0.bias": 0.09, "2.weight": 0.09, "2.bias": 0.09,
        "5.weight": 0.3, "5.bias": 0.3, "7.weight": 0.3, "7.bias": 0.3,
    }  # fmt: skip
    assert stages.rate_factors(build_backbone("tinyvgg", {}), 1.0) == {}


@pytest.mark.parametrize("count", range(6))
def test_so_many_first_stages_of_resnet18_are_frozen(count: int) -> None:
    network = build_backbone("resnet18", {})
    stages.freeze(network, count)
    stages_by_name = ({"conv1", "bn1"}, *({f"layer{number}"} for number in range(1, 5)))
    frozen, learning = (
        {name.split(".")[0] for name, p in network.named_parameters() if p.requires_grad is learns}
        for learns in (False, True)
    )
    assert frozen == set().union(*stages_by_name[:count])
    assert learning == set().union(*stages_by_name[count:])


def test_frozen_stages_behave_as_in_use_while_the_others_learn() -> None:
    network = build_backbone("resnet18", {})
    stages.freeze(network, 2)
    set_to_learn(network)
    assert not network.bn1.training and not network.layer1[0].bn1.training
    assert network.layer2[0].bn1.training and network.training
    before = network.bn1.running_mean.clone(), network.layer2[0].bn1.running_mean.clone()
    network(torch.randn(4, 3, 32, 32))
    assert torch.equal(network.bn1.running_mean, before[0])
    assert not torch.equal(network.layer2[0].bn1.running_mean, before[1])


def test_more_stages_than_there_are_are_refused_in_words() -> None:
    with pytest.raises(
        RecipeError, match="5 stages here, its first layers counting as one, so freeze_stages is at most 5"
    ):
        recipes.build(FinetuneRecipe, {"freeze_stages": 6, "stages": 4})
    with pytest.raises(RecipeError, match="ResNet18 has 3 stages here"):
        recipes.build(FinetuneRecipe, {"freeze_stages": 4, "stages": 2})
    assert recipes.build(FinetuneRecipe, {"freeze_stages": 9, "backbone": "efficientnet_b0"}).freeze_stages == 9
    with pytest.raises(ValueError, match="has 2 stages, so 3 of them"):
        stages.freeze(build_backbone("tinyvgg", {}), 3)


@pytest.mark.parametrize("settings", [{"freeze_stages": 1}, {"layer_decay": 0.5}])
def test_a_frozen_network_has_no_stages_to_set(settings: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match="mode frozen keeps the whole network"):
        recipes.build(FinetuneRecipe, {"mode": "frozen", **settings})
