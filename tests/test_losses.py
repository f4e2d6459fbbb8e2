import math
import subprocess
import sys

import pytest
import torch
from lightly.loss import NTXentLoss
from torch import Tensor

from facessl import losses
from facessl.losses import nt_xent


def nt_xent_by_hand(z0: Tensor, z1: Tensor, temperature: float) -> float:
    """Algorithm 1 as the paper prints it: views 2k-1 and 2k belong together, counted from 1."""
    z = [row for pair in zip(z0.tolist(), z1.tolist(), strict=True) for row in pair]

    def similarity(i: int, j: int) -> float:
        product = sum(a * b for a, b in zip(z[i], z[j], strict=True))
        lengths = math.hypot(*z[i]) * math.hypot(*z[j])
        return product / lengths if lengths else 0.0  # a vector of zeros is at right angles to everything

    def loss(i: int, j: int) -> float:
        others = sum(math.exp(similarity(i, k) / temperature) for k in range(len(z)) if k != i)
        return math.log(others) - similarity(i, j) / temperature  # the paper's −log of a quotient, which may underflow

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


@pytest.fixture(params=[1, 3, 4, 7, 16])
def small_blocks(request, monkeypatch):
    """Blocks so small that few pairs make many, whole ones and remainders."""
    monkeypatch.setitem(losses._SIDE, "cpu", request.param)


@pytest.mark.parametrize("n", [2, 3, 8, 9])
@pytest.mark.parametrize("temperature", [0.002, 0.1, 5.0])
def test_blocks_agree_with_algorithm_1(n, temperature, small_blocks):
    z0, z1 = pairs(n, 5, seed=n).double()
    assert nt_xent(z0, z1, temperature).item() == pytest.approx(nt_xent_by_hand(z0, z1, temperature), abs=1e-11)
    wanted = nt_xent_by_hand(z0.float(), z1.float(), temperature)
    rounding = 2e-7 / temperature  # of logits as large as 1 / temperature
    assert nt_xent(z0.float(), z1.float(), temperature).item() == pytest.approx(wanted, abs=1e-6 + rounding)


@pytest.mark.parametrize("n", [2, 5, 8])
def test_gradients_agree_with_finite_differences(n, small_blocks):
    z0, z1 = pairs(n, 3, seed=n).double()
    assert torch.autograd.gradcheck(lambda a, b: nt_xent(a, b, 0.3), (z0.requires_grad_(), z1.requires_grad_()))


@pytest.mark.parametrize("n", [513, 700, 1024])  # one block of 1,024 rows and two more, two of unlike size, two
@pytest.mark.parametrize("temperature", [0.02, 0.2])
def test_large_batches_agree_with_lightly(n, temperature):
    ours, theirs = pairs(n, 16, seed=n).requires_grad_(), pairs(n, 16, seed=n).requires_grad_()
    loss = nt_xent(*ours, temperature)
    wanted = NTXentLoss(temperature=temperature)(*theirs)
    loss.backward()
    wanted.backward()
    assert loss.item() == pytest.approx(wanted.item(), rel=2e-6)
    assert (ours.grad - theirs.grad).abs().max() < 1e-5 * theirs.grad.abs().max()


def test_the_largest_batch_scores_what_counting_says():
    """8,192 pairs that share 16 directions at right angles: each anchor meets 1,023 of its own and 15,360 others."""
    z = torch.eye(16).repeat(512, 1)
    wanted = math.log(1023 + 15360 * math.exp(-1 / 0.2))
    assert nt_xent(z, z, 0.2).item() == pytest.approx(wanted, rel=1e-6)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory from /proc")
def test_memory_grows_with_the_batch_not_with_its_square():
    """One matrix of all logits at N = 8,192 would be 1,024 MiB; forward and backward together get by with a tenth."""
    code = """
import re, torch
from facessl.losses import nt_xent
def peak(n):
    z = torch.randn(2, n, 16, requires_grad=True)
    nt_xent(z[0], z[1], 0.2).backward()
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
torch.set_num_threads(1)
print(-peak(64) + peak(8192))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0 < float(done.stdout) < 102


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_two_pairs_score_what_the_paper_gives_by_hand(temperature):
    """Each anchor has one positive and two negatives, here all at 0 or 90 degrees."""
    z = torch.eye(2)
    positive_equal = math.log(1 + 2 * math.exp(-1 / temperature))
    negative_equal = math.log(math.exp(1 / temperature) + 2)
    assert nt_xent(z, z, temperature).item() == pytest.approx(positive_equal, abs=1e-6)
    assert nt_xent(z, z.flip(0), temperature).item() == pytest.approx(negative_equal, rel=1e-6)


@pytest.mark.parametrize("n", [2, 4, 50])
def test_identical_vectors_score_chance(n):
    z = torch.ones(n, 8)
    assert nt_xent(z, z).item() == pytest.approx(math.log(2 * n - 1), abs=1e-5)


def test_identical_vectors_have_nowhere_to_go():
    z = torch.full((5, 8), 3.0, requires_grad=True)
    nt_xent(z, z * 2, 0.1).backward()
    assert z.grad.abs().max() < 1e-7


def test_zeros_are_at_right_angles_to_everything_and_get_no_gradient():
    z = pairs(6, 8)
    z[0, 1] = z[1, 1] = z[0, 4] = 0
    z[1, 5] = 1e-40  # too little to have a direction in float32
    wanted = nt_xent_by_hand(*z.where(z.abs() > 1e-38, 0), 0.2)
    z.requires_grad_()
    loss = nt_xent(*z, 0.2)
    loss.backward()
    assert loss.item() == pytest.approx(wanted, abs=1e-5)
    still = z.grad.abs().amax(dim=2) == 0
    assert still.nonzero().tolist() == [[0, 1], [0, 4], [1, 1], [1, 5]]
    assert z.grad.isfinite().all() and z.grad.abs().max() < 1


def test_nothing_but_zeros_scores_chance():
    z = torch.zeros(2, 3, 8, requires_grad=True)
    loss = nt_xent(*z, 0.05)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(5)) and not z.grad.any()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_no_number_shows_in_the_loss(bad):
    z = pairs(3, 4)
    z[0, 1, 2] = bad
    assert math.isnan(nt_xent(*z).item())


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


@pytest.mark.parametrize("small", [1e-7, 6e-5, 1.0])
@pytest.mark.parametrize("large", [1.0, 6e4])
def test_all_of_float16_is_read_as_float64_would(small, large):
    """The squares of 6e4 and of 1e-7 are beyond float16."""
    z0, z1 = pairs(6, 16).sign()  # entries of one size, so that 1e-7 is no mixture of it and nothing
    z0[::2] *= small
    z1[1::3] *= large
    z0, z1 = z0.half().requires_grad_(), z1.half().requires_grad_()
    loss = nt_xent(z0, z1, 0.1)
    assert loss.item() == pytest.approx(nt_xent_by_hand(z0.double(), z1.double(), 0.1), abs=1e-5)
    loss.backward()
    slow = z1.detach().double().requires_grad_()
    nt_xent(z0.detach().double(), slow, 0.1).backward()
    assert z1.grad.dtype == torch.float16
    assert torch.allclose(z1.grad.double(), slow.grad, rtol=1e-3, atol=6e-8)  # float16's precision, and its least step


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_all_of_float32_has_a_direction(scale):
    z0, z1 = pairs(6, 8)
    assert nt_xent(z0 * scale, z1, 0.1).item() == pytest.approx(nt_xent(z0, z1, 0.1).item(), rel=1e-6)


def test_the_backward_pass_is_float32_within_autocast_too():
    inside, outside = pairs(20, 16).requires_grad_(), pairs(20, 16).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        nt_xent(*inside, 0.05).backward()
    nt_xent(*outside, 0.05).backward()
    assert torch.equal(inside.grad, outside.grad)


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
