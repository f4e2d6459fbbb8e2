import math

import pytest
import torch
from torch import nn

from facessl.methods import rotation
from tests.methods.test_methods import batch, build, loss_of


class Seen(nn.Module):
    """A backbone that hands on the picture."""

    feature_dim = 3 * 4 * 4

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        return faces.flatten(1)


def test_the_four_logits_of_a_face_are_of_its_four_rotations():
    method = rotation.build(Seen(), rotation.Options(), 0)
    faces = torch.randn(5, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    (found,) = method.outputs([faces])
    for turns in range(4):
        turned = torch.stack([torch.rot90(face, turns, (1, 2)) for face in faces])
        wanted = method.modules["classifier"](turned.flatten(1))
        torch.testing.assert_close(found[:, turns], wanted)


def test_the_loss_is_the_mean_surprise_at_the_true_rotation():
    method = build("rotation")
    shares = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(1)).requires_grad_()
    surprise = [-shares[i, turns].softmax(0)[turns].log().item() for i in range(3) for turns in range(4)]
    assert method.loss((shares,), torch.zeros(3)).item() == pytest.approx(sum(surprise) / 12, abs=1e-6)


def test_a_network_that_cannot_tell_them_apart_scores_chance():
    method = build("rotation")
    for weight in method.modules["classifier"].parameters():
        nn.init.zeros_(weight)
    assert loss_of(method, *batch(method)).item() == pytest.approx(math.log(4), abs=1e-6)
    assert method.chance(16) == math.log(4)
