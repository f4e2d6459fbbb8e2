import math

import pytest
import torch

from facessl.losses import nt_xent
from tests.methods.test_methods import TinyBackbone, batch, build, loss_of


def test_the_loss_is_nt_xent_of_the_projections():
    method = build("simclr", temperature=0.3)
    method.modules.eval()  # batch norm by fixed figures: one pass over both views equals a pass over each
    (view0, view1), labels = batch(method)
    backbone, head = method.modules["backbone"], method.modules["head"]
    wanted = nt_xent(head(backbone(view0)), head(backbone(view1)), 0.3)
    assert loss_of(method, [view0, view1], labels).item() == pytest.approx(wanted.item(), abs=1e-5)


def test_a_network_that_tells_nothing_apart_scores_chance():
    method = build("simclr")
    torch.nn.init.zeros_(method.modules["head"][-1].weight)  # only its bias speaks: all projections are alike
    views, labels = batch(method, n=16)
    assert method.chance(16) == math.log(31)
    assert loss_of(method, views, labels).item() == pytest.approx(method.chance(16), abs=1e-4)


def test_names_are_not_used():
    method = build("simclr")
    views, labels = batch(method)
    assert not method.needs_labels
    assert loss_of(method, views, labels).item() == loss_of(method, views, torch.full_like(labels, -1)).item()


def test_the_head_is_as_wide_as_asked():
    head = build("simclr", hidden_dim=24, projection_dim=6).modules["head"]
    assert head(torch.randn(5, TinyBackbone.feature_dim)).shape == (5, 6)
    assert head[0].out_features == 24


def test_the_head_has_the_weights_that_earlier_runs_saved():
    norm = [f"1.{name}" for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")]
    assert list(build("simclr").modules["head"].state_dict()) == ["0.weight", *norm, "3.weight", "3.bias"]
