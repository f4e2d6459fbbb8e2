"""Early stopping by hand."""

import io

import pytest
import torch
from torch import nn

from facessl.stopping import BestEpoch


def heard(patience: int, *epochs: tuple[float, float]) -> tuple[BestEpoch, nn.Linear]:
    """Return what is left after epochs of (top-1, loss), whose weights are the epochs' numbers."""
    best, network = BestEpoch(patience), nn.Linear(1, 1, bias=False)
    for number, (top1, loss) in enumerate(epochs, start=1):
        nn.init.constant_(network.weight, number)
        best.hear(number, {"val_top1": top1, "val_loss": loss}, network)
    return best, network


def test_it_is_over_after_so_many_epochs_without_a_better_one() -> None:
    assert not heard(2, (0.5, 1.0), (0.4, 0.9))[0].over
    assert heard(2, (0.5, 1.0), (0.4, 0.9), (0.5, 1.0))[0].over
    assert not heard(2, (0.5, 1.0), (0.4, 0.9), (0.6, 2.0))[0].over


def test_of_equally_many_right_the_lower_loss_is_better_and_no_number_never_is() -> None:
    assert heard(9, (0.5, 1.0), (0.5, 0.8), (0.4, 0.1))[0].epoch == 2
    assert heard(9, (0.5, 1.0), (0.5, float("nan")), (0.5, 1.0))[0].epoch == 1


def test_the_best_epochs_weights_come_back_and_are_not_those_of_a_later_one() -> None:
    best, network = heard(9, (0.2, 1.0), (0.6, 1.0), (0.5, 1.0))
    assert network.weight.item() == 3
    best.give(network)
    assert network.weight.item() == 2


def test_it_goes_on_from_its_state() -> None:
    best, _ = heard(2, (0.5, 1.0), (0.4, 1.0))
    file = io.BytesIO()
    torch.save(best.state(), file)
    file.seek(0)
    again, network = BestEpoch(2), nn.Linear(1, 1, bias=False)
    again.restore(torch.load(file, weights_only=True))
    again.hear(3, {"val_top1": 0.5, "val_loss": 1.0}, network)
    assert again.over
    again.give(network)
    assert network.weight.item() == 1


def test_what_it_began_with_is_kept_where_no_epoch_is_better() -> None:
    best, network = BestEpoch(2), nn.Linear(1, 1, bias=False)
    for number, right in enumerate((0.8, 0.7, 0.8)):
        nn.init.constant_(network.weight, number)
        best.hear(number, {"val_top1": right, "val_loss": 1.0}, network)
    assert best.over and best.summary(9)["best_epoch"] == 0
    assert best.why(9).endswith("the linear probe that it began as is kept (val top-1 80.0 %).")
    best.give(network)
    assert network.weight.item() == 0


def test_it_says_when_and_why() -> None:
    best, _ = heard(2, (0.5, 1.0), (0.4, 1.0), (0.4, 1.0))
    assert best.why(50) == (
        "Stopped early after epoch 3 of 50: 2 epochs without a better val result; "
        "the weights of epoch 1 are kept (val top-1 50.0 %)."
    )
    assert best.why(3).startswith("All 3 epochs ran; the weights of epoch 1 are kept")
    summary = best.summary(50)
    assert (summary["epoch"], summary["best_epoch"], summary["early"]) == (3, 1, True)
    assert summary["val_top1"] == pytest.approx(0.5)
