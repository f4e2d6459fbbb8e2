import numpy as np
import pytest

from facessl.significance import McNemar, mcnemar
from pages._shared.results import Score, verdict


def score(name: str, share: float, low: float, high: float) -> Score:
    return Score(name, "fine-tuned", "top-1", "test", 100, share, low, high, 1.0, "run")


def test_a_network_that_loses_is_said_to_lose() -> None:
    leads, settled, said = verdict(
        score("net", 0.60, 0.50, 0.69), [score("Majority", 0.1, 0, 0.2), score("PCA + SVM", 0.8, 0.71, 0.87)]
    )
    assert not leads and settled
    assert "loses" in said
    assert "PCA + SVM" in said
    assert "20.0 points" in said
    assert "overlap" not in said


def test_a_lead_within_the_intervals_is_not_settled() -> None:
    leads, settled, said = verdict(score("net", 0.82, 0.73, 0.88), [score("PCA + SVM", 0.8, 0.71, 0.87)])
    assert leads and not settled
    assert "2.0 points" in said
    assert "With 100 test photos the 95 % intervals overlap, so this is not settled." in said


def test_as_good_is_no_lead() -> None:
    leads, _, said = verdict(score("net", 0.8, 0.71, 0.87), [score("PCA + SVM", 0.8, 0.71, 0.87)])
    assert not leads
    assert "no better" in said


def paired(only_network: int, only_plain: int) -> McNemar:
    """Return the test of 100 photos of which so many only one of the two got right."""
    number = np.arange(100)
    return mcnemar(number < 60 + only_network, (number < 60) | (number >= 100 - only_plain))


@pytest.mark.parametrize(
    ("only_network", "only_plain", "settled", "said"),
    [
        # Where photos are paired, intervals that overlap can still leave no doubt: 2 × 1 / 2¹⁰ by hand.
        (10, 0, True, "by 10.0 points, and not by chance (McNemar p = 0.002)."),
        (5, 0, False, "by 5.0 points, which can be chance (McNemar p = 0.062)."),  # 2 × 1 / 2⁵
        (0, 10, True, "10.0 points more, and not by chance (McNemar p = 0.002)."),
        (2, 3, False, "1.0 points more, which can be chance (McNemar p = 1.00)."),
    ],
)
def test_on_paired_photos_it_is_said_whether_a_lead_can_be_chance(
    only_network: int, only_plain: int, settled: bool, said: str
) -> None:
    net, other = (
        score(name, (60 + own) / 100, 0.5, 0.8) for name, own in (("net", only_network), ("1-NN", only_plain))
    )
    found = verdict(net, [other, score("Majority", 0.1, 0, 0.2)], paired(only_network, only_plain))
    assert (found.leads, found.settled) == (only_network > only_plain, settled)
    assert found.said.endswith(said) and "overlap" not in found.said


def test_without_plain_methods_nothing_is_settled() -> None:
    assert verdict(score("net", 0.8, 0.7, 0.9), [])[:2] == (True, False)
