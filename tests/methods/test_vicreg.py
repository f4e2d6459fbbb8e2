import pytest
import torch

from facessl.losses import vicreg
from tests.methods.test_methods import TinyBackbone, batch, build, loss_of


def test_the_loss_is_vicreg_of_the_projections_with_the_weights_asked():
    method = build("vicreg", invariance=3, variance=2, covariance=0.5)
    method.modules.eval()  # batch norm by fixed figures: one pass over both views equals a pass over each
    (view0, view1), labels = batch(method)
    backbone, head = method.modules["backbone"], method.modules["head"]
    wanted = vicreg(head(backbone(view0)), head(backbone(view1)), 3, 2, 0.5)
    assert loss_of(method, [view0, view1], labels).item() == pytest.approx(wanted.item(), rel=1e-5)


def test_the_defaults_are_the_papers_weights():
    method = build("vicreg")
    z = torch.randn(2, 8, 4, generator=torch.Generator().manual_seed(0))
    assert method.loss(z, torch.zeros(8)).item() == vicreg(*z, 25, 25, 1).item()


def test_the_expander_has_three_layers_as_wide_as_asked():
    head = build("vicreg", expander_dim=24).modules["head"]
    widths = [layer.out_features for layer in head if isinstance(layer, torch.nn.Linear)]
    assert widths == [24, 24, 24] and head[0].in_features == TinyBackbone.feature_dim
    assert head(torch.randn(5, TinyBackbone.feature_dim)).shape == (5, 24)


def test_names_are_not_used_and_nothing_is_chance():
    method = build("vicreg")
    views, labels = batch(method)
    assert not method.needs_labels and method.chance(16) is None
    assert loss_of(method, views, labels).item() == loss_of(method, views, torch.full_like(labels, -1)).item()
