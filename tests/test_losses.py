import math

import pytest
import torch
from lightly.loss import NTXentLoss
from torch import Tensor

from facessl.losses import nt_xent


def nt_xent_by_hand(z0: Tensor, z1: Tensor, temperature: float) -> float:
    """Algorithm 1 as the paper prints it: views 2k-1 and 2k belong together, counted from 1."""
    z = [row for pair in zip(z0.tolist(), z1.tolist(), strict=True) for row in pair]

    def similarity(i: int, j: int) -> float:
        product = sum(a * b for a, b in zip(z[i], z[j], strict=True))
        return product / (math.hypot(*z[i]) * math.hypot(*z[j]))

    def loss(i: int, j: int) -> float:
        others = sum(math.exp(similarity(i, k) / temperature) for k in range(len(z)) if k != i)
        return -math.log(math.exp(similarity(i, j) / temperature) / others)

    n = len(z) // 2
    return sum(loss(2 * k, 2 * k + 1) + loss(2 * k + 1, 2 * k) for k in range(n)) / (2 * n)


def pairs(n: int, d: int, seed: int = 0) -> Tensor:
    return torch.randn(2, n, d, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("n", [2, 5, 9])
@pytest.mark.parametrize("temperature", [0.05, 0.2, 1.0])
def test_agrees_with_algorithm_1(n, temperature):
    z0, z1 = pairs(n, 8) * 3
    assert nt_xent(z0, z1, temperature).item() == pytest.approx(nt_xent_by_hand(z0, z1, temperature), abs=1e-4)


@pytest.mark.parametrize("n", [2, 3, 16, 65])
@pytest.mark.parametrize("d", [2, 32])
@pytest.mark.parametrize("temperature", [0.07, 0.5, 2.0])
def test_agrees_with_lightly(n, d, temperature):
    z0, z1 = pairs(n, d, seed=n)
    wanted = NTXentLoss(temperature=temperature, memory_bank_size=0)(z0, z1).item()
    assert nt_xent(z0, z1, temperature).item() == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("n", [2, 4, 50])
def test_identical_vectors_score_chance(n):
    z = torch.ones(n, 8)
    assert nt_xent(z, z).item() == pytest.approx(math.log(2 * n - 1), abs=1e-5)


def test_perfect_pairs_score_nearly_nothing():
    z = torch.eye(6)
    assert nt_xent(z, z, 0.05).item() < 1e-6


def test_scale_does_not_matter():
    z0, z1 = pairs(6, 8)
    assert nt_xent(100 * z0, 0.01 * z1).item() == pytest.approx(nt_xent(z0, z1).item(), abs=1e-5)


def test_the_views_can_change_places():
    z0, z1 = pairs(6, 8)
    assert nt_xent(z0, z1).item() == pytest.approx(nt_xent(z1, z0).item(), abs=1e-6)


def test_gradients_are_finite_and_agree_with_lightly():
    z0, z1 = pairs(16, 8)
    ours, theirs = z0.clone().requires_grad_(), z0.clone().requires_grad_()
    nt_xent(ours, z1, 0.1).backward()
    NTXentLoss(temperature=0.1, memory_bank_size=0)(theirs, z1).backward()
    assert torch.allclose(ours.grad, theirs.grad, atol=1e-5)
    z = torch.zeros(4, 8, requires_grad=True)  # a dead head gives the zero vector, which has no direction
    nt_xent(z, torch.ones(4, 8), 0.01).backward()
    assert torch.isfinite(z.grad).all()


def test_bfloat16_is_computed_in_float32():
    z0, z1 = pairs(32, 16).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = nt_xent(z0, z1, 0.05)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(nt_xent(z0.float(), z1.float(), 0.05).item(), abs=1e-5)


@pytest.mark.parametrize(
    ("z0", "z1", "temperature", "says"),
    [
        (torch.ones(3, 4), torch.ones(4, 4), 0.5, r"\(3, 4\) and \(4, 4\)"),
        (torch.ones(4), torch.ones(4), 0.5, "shape"),
        (torch.ones(1, 4), torch.ones(1, 4), 0.5, "at least 2 pairs, got 1"),
        (torch.ones(3, 4), torch.ones(3, 4), 0.0, "temperature must be > 0, got 0.0"),
        (torch.ones(3, 4), torch.ones(3, 4), math.nan, "temperature must be > 0, got nan"),
    ],
)
def test_what_cannot_work_is_refused(z0, z1, temperature, says):
    with pytest.raises(ValueError, match=says):
        nt_xent(z0, z1, temperature)
