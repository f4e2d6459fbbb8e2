"""Optimisers against the papers read slowly, against torch's and lightly's own, and saved in the middle."""

import copy
import itertools
import math

import numpy as np
import pytest
import torch
from lightly.utils.lars import LARS as LightlyLARS  # noqa: N811 - the other one
from torch import Tensor, nn

from facessl import optimisers


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(36, 3))


def gradients(model: nn.Module, step: int) -> None:
    """Give every parameter a gradient of its own that depends on the step alone."""
    generator = torch.Generator().manual_seed(step)
    for p in model.parameters():
        p.grad = torch.randn(p.shape, generator=generator)


def weights(model: nn.Module) -> list[Tensor]:
    return [p.detach().clone() for p in model.parameters()]


def trained(model: nn.Module, optimizer: torch.optim.Optimizer, steps: range, rate: float = 0.1) -> list[Tensor]:
    for step in steps:
        optimisers.set_rate(optimizer, rate / (step + 1))  # falls, so that the rate's place in the formula shows
        gradients(model, step)
        optimizer.step()
    return weights(model)


def lars_by_hand(model: nn.Module, steps: int, decay: float, rate: float = 0.1) -> list[np.ndarray]:
    """Algorithm 1 of the paper in float64; biases and batch norm as SimCLR has them: plain momentum, no decay."""
    w = [p.detach().double().numpy().copy() for p in model.parameters()]
    v = [np.zeros_like(each) for each in w]
    for step in range(steps):
        gradients(model, step)
        for i, p in enumerate(model.parameters()):
            g = p.grad.double().numpy()
            local, beta = 1.0, 0.0
            if w[i].ndim > 1:
                beta = decay
                local = 0.001 * np.sqrt((w[i] ** 2).sum()) / (np.sqrt((g**2).sum()) + beta * np.sqrt((w[i] ** 2).sum()))
            v[i] = 0.9 * v[i] + rate / (step + 1) * local * (g + beta * w[i])
            w[i] = w[i] - v[i]
    return w


@pytest.mark.parametrize("name", optimisers.NAMES)
def test_a_share_of_the_rate_is_the_rate_of_those_it_was_given_to(name: str) -> None:
    """Two optimisers, at the whole and at a third of the rate, each move what one with shares moves of it."""
    slow = {"0.weight", "0.bias"}
    models = [network() for _ in "abc"]
    for model, factors in zip(models, ({}, dict.fromkeys(slow, 1 / 3), {}), strict=True):
        optimizer = optimisers.build(name, model, learning_rate=0.1, weight_decay=0.01, factors=factors)
        trained(model, optimizer, range(4), rate=0.1 / 3 if model is models[2] else 0.1)
        assert optimisers.rate_of(optimizer) == pytest.approx((0.1 / 3 if model is models[2] else 0.1) / 4)
    whole, shared, third = (dict(model.named_parameters()) for model in models)
    for parameter, value in shared.items():
        torch.testing.assert_close(value, (third if parameter in slow else whole)[parameter], rtol=1e-5, atol=1e-7)
        assert not torch.equal(third[parameter], whole[parameter])


@pytest.mark.parametrize("name", optimisers.NAMES)
def test_shares_of_the_rate_are_in_the_state_and_what_wants_no_gradient_is_not(name: str) -> None:
    factors = {"0.weight": 0.5}
    models = [network() for _ in "ab"]
    for model in models:
        model[1].requires_grad_(False)
    first, second = (
        optimisers.build(name, model, learning_rate=0.1, weight_decay=0.0, factors=factors) for model in models
    )
    held = {id(p) for group in first.param_groups for p in group["params"]}
    assert held == {id(p) for p in models[0].parameters() if p.requires_grad}
    trained(models[0], first, range(3))
    trained(models[1], second, range(2))
    again = network()
    again[1].requires_grad_(False)
    again.load_state_dict(models[1].state_dict())
    resumed = optimisers.build(name, again, learning_rate=0.1, weight_decay=0.0, factors=factors)
    resumed.load_state_dict(second.state_dict())
    for found, expected in zip(trained(again, resumed, range(2, 3)), weights(models[0]), strict=True):
        assert torch.equal(found, expected)


@pytest.mark.parametrize("decay", [0.0, 1e-6, 0.1])
def test_lars_is_the_papers(decay: float) -> None:
    model = network()
    wanted = lars_by_hand(model, 5, decay)
    optimizer = optimisers.build("lars", model, learning_rate=1.0, weight_decay=decay)
    found = trained(model, optimizer, range(5))
    for a, b, start in zip(found, wanted, weights(network()), strict=True):
        assert np.abs(a.numpy() - b).max() < 1e-6
        assert not torch.equal(a, start)


def test_lars_is_lightlys_at_a_constant_rate() -> None:
    """There the rate multiplies the momentum's sum, here and in the paper what is added to it."""
    ours, theirs = network(), network()
    weights_of = [p for p in theirs.parameters() if p.ndim > 1]
    others = [p for p in theirs.parameters() if p.ndim == 1]
    groups = [{"params": weights_of, "weight_decay": 1e-2}, {"params": others, "weight_decay": 0.0}]
    pair = [
        (ours, optimisers.build("lars", ours, learning_rate=0.3, weight_decay=1e-2)),
        (theirs, LightlyLARS(groups, lr=0.3, momentum=0.9)),
    ]
    for model, optimizer in pair:
        for step in range(5):
            gradients(model, step)
            optimizer.step()
    for a, b in zip(weights(ours), weights(theirs), strict=True):
        assert torch.allclose(a, b, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("weight", "gradient", "wanted"), [(0.0, 2.0, -0.2), (3.0, 0.0, 2.9997), (0.0, 0.0, 0.0)])
def test_lars_knows_what_to_do_with_zeros(weight: float, gradient: float, wanted: float) -> None:
    """Weights of zero take a plain step; without a gradient the decay's direction is left, 0.001 of the length."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, weight)
    optimizer = optimisers.build("lars", model, learning_rate=0.1, weight_decay=0.5)
    model.weight.grad = torch.full((1, 1), gradient)
    optimizer.step()
    assert model.weight.item() == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("name", optimisers.NAMES)
def test_who_has_no_gradient_stays(name: str) -> None:
    model = network()
    gradients(model, 0)
    model[0].weight.grad = model[1].bias.grad = None
    before = weights(model)
    optimisers.build(name, model, learning_rate=0.1, weight_decay=0.1).step()
    moved = [not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True)]
    assert moved == [False, True, True, False, True, True]


def test_adam_is_what_older_runs_were_trained_with() -> None:
    ours, theirs = network(), network()
    old = torch.optim.Adam(theirs.parameters(), lr=1.0, weight_decay=0.1, fused=True)
    wanted = trained(theirs, old, range(3))
    optimizer = optimisers.build("adam", ours, learning_rate=1.0, weight_decay=0.1)
    trained(ours, optimizer, range(3))
    assert all(map(torch.equal, weights(ours), wanted))
    optimizer.load_state_dict(copy.deepcopy(old.state_dict()))  # an older run goes on
    assert all(map(torch.equal, trained(ours, optimizer, range(3, 6)), trained(theirs, old, range(3, 6))))


@pytest.mark.parametrize("name", ["adamw", "lars", "sgd"])
def test_biases_and_batch_norm_do_not_decay(name: str) -> None:
    models = [network(), network()]
    for model, decay in zip(models, (0.0, 0.5), strict=True):
        trained(model, optimisers.build(name, model, learning_rate=0.1, weight_decay=decay), range(2))
    same = [torch.equal(a, b) for a, b in zip(*(model.parameters() for model in models), strict=True)]
    assert same == [p.ndim == 1 for p in models[0].parameters()]


def test_adamw_is_the_papers() -> None:
    """Algorithm 2 in float64: the decay does not pass through the moments."""
    model = network()
    w = [p.detach().double().numpy().copy() for p in model.parameters()]
    moments = [(np.zeros_like(each), np.zeros_like(each)) for each in w]
    for step in range(4):
        gradients(model, step)
        for i, p in enumerate(model.parameters()):
            g, rate = p.grad.double().numpy(), 0.1 / (step + 1)
            m, v = (0.9 * moments[i][0] + 0.1 * g), (0.999 * moments[i][1] + 0.001 * g**2)
            moments[i] = m, v
            change = (m / (1 - 0.9 ** (step + 1))) / (np.sqrt(v / (1 - 0.999 ** (step + 1))) + 1e-8)
            w[i] = w[i] - rate * (change + (0.2 * w[i] if w[i].ndim > 1 else 0))
    optimizer = optimisers.build("adamw", model, learning_rate=1.0, weight_decay=0.2)
    for a, b in zip(trained(model, optimizer, range(4)), w, strict=True):
        assert np.abs(a.numpy() - b).max() < 2e-6


def test_sgd_keeps_nine_tenths_of_its_momentum() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 1.0)
    optimizer = optimisers.build("sgd", model, learning_rate=0.1, weight_decay=0.5)
    for _ in range(2):
        model.weight.grad = torch.ones(1, 1)
        optimizer.step()
    # 1 − 0.1 · 1.5 = 0.85, then − 0.1 · (0.9 · 1.5 + 1 + 0.5 · 0.85)
    assert model.weight.item() == pytest.approx(0.85 - 0.1 * 2.775)


@pytest.mark.parametrize("name", optimisers.NAMES)
def test_a_saved_state_goes_on_bit_for_bit(name: str) -> None:
    undisturbed = network()
    whole = trained(undisturbed, optimisers.build(name, undisturbed, learning_rate=1.0, weight_decay=0.1), range(6))
    model = network()
    optimizer = optimisers.build(name, model, learning_rate=1.0, weight_decay=0.1)
    trained(model, optimizer, range(3))
    saved = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
    resumed = network(seed=9)
    again = optimisers.build(name, resumed, learning_rate=0.5, weight_decay=0.1)
    resumed.load_state_dict(saved[0])
    again.load_state_dict(saved[1])
    assert all(map(torch.equal, trained(resumed, again, range(3, 6)), whole))


@pytest.mark.parametrize("name", optimisers.NAMES)
def test_a_state_saved_on_a_gpu_has_a_plain_rate_here(name: str) -> None:
    model = network()
    optimizer = optimisers.build(name, model, learning_rate=1.0, weight_decay=0.1)
    state = optimizer.state_dict()
    for group in state["param_groups"]:
        group["lr"] = torch.tensor(0.25)
    optimizer.load_state_dict(state)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25] * len(optimizer.param_groups)
    assert not isinstance(optimizer.param_groups[0]["lr"], Tensor)


def test_a_rate_that_is_a_tensor_is_set_in_place() -> None:
    """A recorded graph reads it from where it was."""
    model, plain = network(), network()
    rate = torch.tensor(9.0)
    optimizer = optimisers.LARS(model.parameters(), rate)
    found = trained(model, optimizer, range(3))
    assert optimizer.param_groups[0]["lr"] is rate and rate.item() == pytest.approx(0.1 / 3)
    for a, b in zip(found, trained(plain, optimisers.LARS(plain.parameters(), 9.0), range(3)), strict=True):
        assert torch.allclose(a, b, atol=1e-7)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", optimisers.NAMES)
def test_a_state_from_the_cpu_goes_on_on_a_gpu(name: str) -> None:
    here, there = network(), network().cuda()
    ours = optimisers.build(name, here, learning_rate=1.0, weight_decay=0.1)
    theirs = optimisers.build(name, there, learning_rate=1.0, weight_decay=0.1)
    trained(here, ours, range(3))
    there.load_state_dict(here.state_dict())
    theirs.load_state_dict(ours.state_dict())
    optimisers.set_rate(theirs, 0.01)
    rates = {group["lr"].device.type for group in theirs.param_groups}
    for model, optimizer in ((here, ours), (there, theirs)):
        optimisers.set_rate(optimizer, 0.01)
        gradients(here, 3)
        for p, q in zip(model.parameters(), here.parameters(), strict=True):
            p.grad = q.grad.to(p.device)
        optimizer.step()
    assert rates == {"cuda"}
    for p, q in zip(there.parameters(), here.parameters(), strict=True):
        assert torch.allclose(p.cpu(), q, atol=1e-6)


def test_an_unknown_optimiser_is_refused() -> None:
    with pytest.raises(ValueError, match="called adagrad; have adam, adamw, lars, sgd"):
        optimisers.build("adagrad", network(), learning_rate=1.0, weight_decay=0.0)


# -- gradients -------------------------------------------------------------------------------------------------------


def test_gradients_are_clipped_together() -> None:
    a, b, frozen = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    a.grad, b.grad = torch.tensor([3.0, 0.0]), torch.tensor([4.0])
    assert optimisers.clip([a, b, frozen], 0).item() == 5.0
    assert a.grad.tolist() == [3, 0] and b.grad.tolist() == [4]
    assert optimisers.clip(iter([a, b, frozen]), 10).item() == 5.0 and b.grad.item() == 4
    assert optimisers.clip([a, b, frozen], 1.0).item() == 5.0
    assert a.grad[0].item() == pytest.approx(0.6, rel=1e-5) and b.grad.item() == pytest.approx(0.8, rel=1e-5)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_gradient_that_is_no_number_is_measured_and_left(bad: float) -> None:
    a, b = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    a.grad, b.grad = torch.tensor([bad]), torch.tensor([4.0])
    assert not math.isfinite(optimisers.clip([a, b], 0).item())
    assert b.grad.item() == 4


# -- the rate --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
@pytest.mark.parametrize(("steps", "warm_up", "rising"), [(100, 0.05, 5), (100, 0.0, 1), (40, 0.5, 20), (1, 0.05, 1)])
def test_the_rate_rises_evenly_and_then_runs_out(schedule: str, steps: int, warm_up: float, rising: int) -> None:
    rates = [optimisers.learning_rate_at(step, steps, 2.0, schedule, warm_up) for step in range(steps)]
    assert rates[:rising] == pytest.approx([2.0 * (i + 1) / rising for i in range(rising)])
    rest = rates[rising:]
    if schedule == "constant":
        assert rest == [2.0] * len(rest)
    elif rest:
        assert rest[0] == 2.0 and rest[-1] < 0.02
        assert all(a > b for a, b in itertools.pairwise(rest))
        # a cosine is point-symmetric about its middle, where half is left
        assert [a + b for a, b in zip(rest[1:], rest[:0:-1], strict=True)] == pytest.approx([2.0] * (len(rest) - 1))


def test_the_rates_of_older_runs_are_the_same() -> None:
    """Computed by the loop of version 0.1.0: 20 steps, base 0.001, cosine."""
    rates = [optimisers.learning_rate_at(step, 20, 1e-3, "cosine") for step in (0, 1, 2, 10, 19)]
    wanted = [1e-3, 1e-3, 0.0009931806517013613, 0.0005412896727361663, 6.819348298638839e-06]
    assert rates == wanted


@pytest.mark.parametrize(
    ("schedule", "warm_up", "says"),
    [("linear", 0.05, "called linear; have cosine"), ("cosine", 0.6, "got 0.6"), ("cosine", math.nan, "got nan")],
)
def test_a_schedule_that_there_is_not_is_refused(schedule: str, warm_up: float, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        optimisers.learning_rate_at(0, 10, 1.0, schedule, warm_up)
