from pages._shared.results import Score, verdict


def score(name: str, share: float, low: float, high: float) -> Score:
    return Score(name, "fine-tuned", "top-1", "test", 100, share, low, high, 1.0, "run")


def test_a_network_that_loses_is_said_to_lose() -> None:
    leads, said = verdict(
        score("net", 0.60, 0.50, 0.69), [score("Majority", 0.1, 0, 0.2), score("PCA + SVM", 0.8, 0.71, 0.87)]
    )
    assert not leads
    assert "loses" in said
    assert "PCA + SVM" in said
    assert "20.0 points" in said
    assert "overlap" not in said


def test_a_lead_within_the_intervals_is_not_settled() -> None:
    leads, said = verdict(score("net", 0.82, 0.73, 0.88), [score("PCA + SVM", 0.8, 0.71, 0.87)])
    assert leads
    assert "2.0 points" in said
    assert "With 100 test photos the 95 % intervals overlap, so this is not settled." in said


def test_as_good_is_no_lead() -> None:
    leads, said = verdict(score("net", 0.8, 0.71, 0.87), [score("PCA + SVM", 0.8, 0.71, 0.87)])
    assert not leads
    assert "no better" in said
