"""The supervised contrastive loss against a slow reading of its paper."""

import math

import pytest
import torch
from torch import Tensor

from facessl.losses import nt_xent, sup_con


def sup_con_by_hand(z0: Tensor, z1: Tensor, labels: list[int], temperature: float) -> float:
    """Equation 2 as the paper prints it, over the 2N views; a label below 0 is nobody else's."""
    z = z0.double().tolist() + z1.double().tolist()
    who = [label if label >= 0 else f"face {i}" for i, label in enumerate(labels)] * 2

    def similarity(i: int, j: int) -> float:
        lengths = math.hypot(*z[i]) * math.hypot(*z[j])
        return sum(a * b for a, b in zip(z[i], z[j], strict=True)) / lengths / temperature if lengths else 0.0

    total = 0.0
    for i in range(len(z)):
        others = [a for a in range(len(z)) if a != i]
        positives = [p for p in others if who[p] == who[i]]
        denominator = math.log(sum(math.exp(similarity(i, a)) for a in others))
        total += -sum(similarity(i, p) - denominator for p in positives) / len(positives)
    return total / len(z)


def pairs(n: int, d: int, seed: int = 0) -> Tensor:
    return torch.randn(2, n, d, generator=torch.Generator().manual_seed(seed))


GROUPS = [[0, 0], [0, 1], [3, 3, 3, 3, 3], [7, 2, 7, 2, 900], [0, 1, 1, 2, 2, 2, 0, 5], [-1, 4, -1, 4, -7, -7, 4]]


@pytest.mark.parametrize("labels", GROUPS, ids=str)
@pytest.mark.parametrize("temperature", [0.05, 0.1, 1.0])
def test_agrees_with_the_papers_equation(labels, temperature):
    z0, z1 = pairs(len(labels), 6, seed=len(labels)).double()
    found = sup_con(3 * z0, z1, torch.tensor(labels), temperature).item()
    assert found == pytest.approx(sup_con_by_hand(z0, z1, labels, temperature), abs=1e-10)


@pytest.mark.parametrize("labels", [range(9), [-1] * 9, [5, 3, -1, 8, -1, 0, 1, -2, 2]], ids=str)
def test_with_nobody_twice_it_is_nt_xent(labels):
    z0, z1 = pairs(9, 16)
    assert sup_con(z0, z1, torch.tensor(labels), 0.1).item() == pytest.approx(nt_xent(z0, z1, 0.1).item(), abs=2e-6)


def test_a_person_alone_in_the_batch_has_its_own_other_view():
    """Two people at right angles, the one with two faces, the other with one; all views of a person are alike."""
    z = torch.tensor([[1.0, 0], [1, 0], [0, 1]])
    pair, alone = (math.log(3 + 2 * math.exp(-10)), math.log(1 + 4 * math.exp(-10)))
    wanted = (4 * pair + 2 * alone) / 6
    assert sup_con(z, z, torch.tensor([0, 0, 1]), 0.1).item() == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [0, 1, 0, 1], [0, 1, 2, 3], [-1, 0, 0, 0]])
def test_identical_vectors_score_chance_and_have_nowhere_to_go(labels):
    z = torch.full((2, 4, 8), 3.0, requires_grad=True)
    loss = sup_con(*z, torch.tensor(labels), 0.1)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(7), abs=1e-5)
    assert z.grad.abs().max() < 1e-6


@pytest.mark.parametrize("labels", GROUPS, ids=str)
def test_gradients_agree_with_finite_differences(labels):
    z0, z1 = pairs(len(labels), 3, seed=1).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: sup_con(a, b, torch.tensor(labels), 0.3), (z0, z1))


def test_the_order_of_the_faces_does_not_matter():
    z0, z1 = pairs(8, 6)
    labels, order = torch.tensor([0, 1, 1, 2, -1, 2, 0, -1]), torch.randperm(8, generator=torch.manual_seed(0))
    assert sup_con(z0[order], z1[order], labels[order]).item() == pytest.approx(sup_con(z0, z1, labels).item())


@pytest.mark.parametrize("scale", [1e-7, 1.0, 6e4])
def test_all_of_float16_is_read_as_float64_would(scale):
    z = (pairs(6, 16).sign() * scale).half().requires_grad_()
    labels = [0, 1, 1, 2, 0, -1]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = sup_con(*z, torch.tensor(labels), 0.1)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(sup_con_by_hand(*z.detach(), labels, 0.1), abs=2e-5)
    if scale >= 1:  # a gradient is as much larger as the vector is shorter, beyond what float16 holds
        assert z.grad.isfinite().all()


def test_zeros_get_no_gradient():
    z = pairs(5, 8)
    z[0, 1] = z[1, 1] = z[0, 4] = 0
    labels = [0, 0, 1, 1, 0]
    wanted = sup_con_by_hand(*z, labels, 0.2)
    loss = sup_con(*z.requires_grad_(), torch.tensor(labels), 0.2)
    loss.backward()
    assert loss.item() == pytest.approx(wanted, abs=1e-5)
    assert (z.grad.abs().amax(dim=2) == 0).nonzero().tolist() == [[0, 1], [0, 4], [1, 1]]


@pytest.mark.parametrize(
    ("z", "labels", "temperature", "says"),
    [
        (torch.ones(2, 3, 4), [0, 1], 0.1, r"labels must have the shape \(3,\), got \(2,\)"),
        (torch.ones(2, 1, 4), [0], 0.1, "at least 2 pairs, got 1"),
        (torch.ones(2, 3, 4), [0, 1, 2], 0.0, "temperature must be > 0"),
    ],
)
def test_what_cannot_work_is_refused(z, labels, temperature, says):
    with pytest.raises(ValueError, match=says):
        sup_con(*z, torch.tensor(labels), temperature)
