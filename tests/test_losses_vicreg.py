"""VICReg's loss against a slow reading of its paper, and against lightly's."""

import math

import numpy as np
import pytest
import torch
from lightly.loss import VICRegLoss
from torch import Tensor

from facessl.losses import vicreg


def vicreg_by_hand(z0: Tensor, z1: Tensor, weights: tuple[float, float, float]) -> float:
    """Algorithm 1, number by number."""
    invariance, variance, covariance = weights
    views = [z0.double().tolist(), z1.double().tolist()]
    n, d = z0.shape
    loss = invariance * sum((views[0][i][j] - views[1][i][j]) ** 2 for i in range(n) for j in range(d)) / (n * d)
    for z in views:
        mean = [sum(row[j] for row in z) / n for j in range(d)]

        def covaries(a: int, b: int, z: list = z, mean: list = mean) -> float:
            return sum((row[a] - mean[a]) * (row[b] - mean[b]) for row in z) / (n - 1)

        loss += variance * sum(max(0.0, 1 - math.sqrt(covaries(j, j) + 1e-4)) for j in range(d)) / d
        loss += covariance * sum(covaries(a, b) ** 2 for a in range(d) for b in range(d) if a != b) / d
    return loss


def pairs(n: int, d: int, seed: int = 0) -> Tensor:
    return torch.randn(2, n, d, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("weights", [(25, 25, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1)])
@pytest.mark.parametrize(("n", "d"), [(2, 3), (7, 4), (4, 9)])
def test_agrees_with_algorithm_1(n, d, weights):
    z0, z1 = 0.9 * pairs(n, d, seed=n) + 2  # some columns vary more than 1, some less
    assert vicreg(z0, z1, *weights).item() == pytest.approx(vicreg_by_hand(z0, z1, weights), rel=1e-5)


def test_agrees_with_lightly_who_halves_the_variance_term():
    ours, theirs = (pairs(16, 8).mul(0.7).requires_grad_() for _ in "01")
    loss, wanted = vicreg(*ours), VICRegLoss(lambda_param=25, mu_param=50, nu_param=1)(*theirs)
    loss.backward()
    wanted.backward()
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-6)
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_gradients_agree_with_finite_differences():
    z0, z1 = pairs(6, 4).mul(0.5).double().requires_grad_()
    assert torch.autograd.gradcheck(vicreg, (z0, z1))


def test_one_point_costs_what_is_missing_of_the_deviation_and_its_gradient_is_a_number():
    z = torch.full((2, 5, 8), 3.0, requires_grad=True)
    loss = vicreg(*z)
    loss.backward()
    assert loss.item() == pytest.approx(2 * 25 * (1 - math.sqrt(1e-4)))
    assert z.grad.isfinite().all()


def test_equal_views_with_independent_columns_of_enough_deviation_cost_nothing():
    z = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    assert vicreg(z, z).item() == 0


def test_where_the_cloud_lies_does_not_matter():
    z = pairs(9, 5)
    assert vicreg(*(z + 10)).item() == pytest.approx(vicreg(*z).item(), rel=1e-4)


def test_half_precision_is_computed_in_float32():
    z = (300 * pairs(8, 4)).half()  # whose squares sum to more than float16 holds
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = vicreg(*z)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(vicreg_by_hand(*z, (25, 25, 1)), rel=1e-5)


def test_the_covariances_are_numpys():
    z = pairs(10, 4)
    of_both = [np.cov(view.double().numpy(), rowvar=False) for view in z]
    wanted = sum((cov**2).sum() - (np.diag(cov) ** 2).sum() for cov in of_both) / 4
    assert vicreg(*z, 0, 0, 1).item() == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(
    ("z0", "z1", "says"),
    [
        (torch.ones(3, 4), torch.ones(4, 4), r"\(3, 4\) and \(4, 4\)"),
        (torch.ones(4), torch.ones(4), "shape"),
        (torch.ones(1, 4), torch.ones(1, 4), "at least 2 pairs, got 1"),
    ],
)
def test_what_cannot_work_is_refused(z0, z1, says):
    with pytest.raises(ValueError, match=says):
        vicreg(z0, z1)
