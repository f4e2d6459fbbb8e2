import math

import pytest
import torch

from facessl.methods import supervised
from tests.methods.test_methods import PEOPLE, TinyBackbone, batch, build, loss_of


def test_a_network_that_tells_nobody_apart_scores_chance():
    method = build("supervised")
    for weight in method.modules["classifier"].parameters():
        torch.nn.init.zeros_(weight)
    assert loss_of(method, *batch(method)).item() == pytest.approx(math.log(PEOPLE), abs=1e-5)
    assert method.chance(16) == math.log(PEOPLE)


def test_the_loss_is_the_mean_surprise_at_the_right_name():
    method = build("supervised")
    views, labels = batch(method)
    shares = method.modules["classifier"](method.modules["backbone"](views[0])).softmax(dim=1).tolist()
    by_hand = -sum(math.log(shares[i][label]) for i, label in enumerate(labels)) / len(labels)
    assert loss_of(method, views, labels).item() == pytest.approx(by_hand, abs=1e-5)


def test_smoothing_keeps_the_loss_of_the_certain_above_zero():
    sure = build("supervised", label_smoothing=0.2)
    torch.nn.init.zeros_(sure.modules["classifier"].weight)
    sure.modules["classifier"].bias.data = torch.tensor([30.0, 0, 0, 0])
    views, _ = batch(sure)
    loss = loss_of(sure, views, torch.zeros(16, dtype=torch.int64)).item()
    assert loss == pytest.approx(30 * 0.2 * 3 / 4, abs=1e-4)  # the three others get 0.05 each, at 30 below


@pytest.mark.parametrize("people", [0, 1])
def test_one_person_alone_cannot_be_told_apart(people):
    with pytest.raises(ValueError, match=f"at least 2 people, got {people}"):
        supervised.build(TinyBackbone(), supervised.Options(), people)
