"""Facts that hold for every method, on a tiny backbone and random pictures."""

import math
from collections.abc import Sequence

import pytest
import torch
from torch import nn

from facessl import registry
from facessl.methods import Method

PEOPLE = 4


class TinyBackbone(nn.Sequential):
    feature_dim = 16

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 16, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def build(name: str, seed: int = 0, **options: object) -> Method:
    torch.manual_seed(seed)
    plugin = registry.load("methods", name)
    return plugin.build(TinyBackbone(), plugin.Options(**options), PEOPLE)


def batch(method: Method, n: int = 16) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Random pictures whose views differ a little, whose colour says who it is, and whose light comes from one side.

    Without the light they would have no up and no left, which some methods ask for.
    """
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(n) % PEOPLE
    pictures = torch.randn(n, 3, 16, 16, generator=generator) + torch.randn(n, 3, 1, 1, generator=generator)
    pictures += 2 * torch.eye(PEOPLE)[labels][:, :3, None, None]
    pictures += torch.linspace(-1.5, 1.5, 16)[:, None] + torch.linspace(-0.75, 0.75, 16)
    views = [pictures + 0.1 * torch.randn(n, 3, 16, 16, generator=generator) for _ in range(method.views)]
    return views, labels


def loss_of(method: Method, views: Sequence[torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
    """Return the loss of a whole batch, in one part."""
    return method.loss(method.outputs(views), labels)


def losses(method: Method, steps: int) -> list[float]:
    torch.manual_seed(0)
    method.modules.train()
    optimizer = torch.optim.Adam(method.modules.parameters(), lr=0.01)
    found = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_of(method, *batch(method))
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found


@pytest.mark.parametrize("name", registry.names("methods"))
def test_every_method_says_what_it_is(name):
    plugin = registry.load("methods", name)
    assert plugin.TITLE and plugin.REFERENCE
    assert plugin.Options.model_config["frozen"]
    assert all(field.description for field in plugin.Options.model_fields.values())


@pytest.mark.parametrize("name", registry.names("methods"))
def test_every_methods_loss_falls_in_20_steps(name):
    found = losses(build(name), 21)
    assert all(math.isfinite(loss) for loss in found)
    assert found[-1] < 0.9 * found[0]


@pytest.mark.parametrize("name", registry.names("methods"))
def test_every_method_is_deterministic_by_seed(name):
    first, again, other = losses(build(name), 3), losses(build(name), 3), losses(build(name, seed=1), 3)
    assert first == again
    assert first != other


@pytest.mark.parametrize("name", registry.names("methods"))
def test_every_method_trains_all_of_its_modules(name):
    method = build(name)
    assert "backbone" in method.modules
    loss_of(method, *batch(method)).backward()
    silent = [name for name, weight in method.modules.named_parameters() if weight.grad is None]
    assert silent == []


@pytest.mark.parametrize("name", registry.names("methods"))
def test_every_methods_loss_is_a_float32_scalar_in_mixed_precision(name):
    method = build(name)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = loss_of(method, *batch(method))
    assert loss.shape == () and loss.dtype == torch.float32


@pytest.mark.parametrize("name", registry.names("methods"))
def test_what_the_loss_compares_has_a_row_for_each_face_of_any_part(name):
    method = build(name)
    method.modules.eval()
    views, _ = batch(method)
    whole = method.outputs(views)
    parts = [method.outputs([view[rows] for view in views]) for rows in (slice(0, 5), slice(5, 16))]
    for rows, pieces in zip(whole, zip(*parts, strict=True), strict=True):
        assert len(rows) == 16
        torch.testing.assert_close(torch.cat(pieces), rows)
