"""Verification's figures against scikit-learn, slow readings of the protocol, and counts by hand."""

import numpy as np
import pytest
from sklearn import metrics

from facessl import verification
from tests.proofs import alignment


def scores(seed: int = 0, pairs: int = 400, decimals: int = 9, gap: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return random similarities of same and different pairs; few decimals make ties."""
    rng = np.random.default_rng(seed)
    same = rng.random(pairs) < 0.4
    return np.round(rng.normal(gap * same, 1), decimals), same


# -- the curve ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decimals", [9, 1, 0])
def test_the_curve_and_its_area_are_scikit_learns(decimals: int) -> None:
    similarity, same = scores(decimals=decimals)
    curve = verification.roc(similarity, same)
    far, tar, thresholds = metrics.roc_curve(same, similarity, drop_intermediate=False)
    np.testing.assert_allclose(curve.far, far)
    np.testing.assert_allclose(curve.tar, tar)
    np.testing.assert_allclose(curve.thresholds[1:], thresholds[1:])
    assert verification.auc(curve) == pytest.approx(metrics.roc_auc_score(same, similarity))


def test_weights_count_a_pair_that_often() -> None:
    similarity, same = scores(pairs=60, decimals=1)
    times = np.random.default_rng(1).integers(0, 4, 60)
    curve = verification.roc(similarity, same, times)
    assert verification.auc(curve) == pytest.approx(metrics.roc_auc_score(same, similarity, sample_weight=times))
    repeated = verification.roc(np.repeat(similarity, times), np.repeat(same, times))
    for rate in (0.01, 0.1, 0.5):
        assert verification.tar_at_far(curve, rate) == pytest.approx(verification.tar_at_far(repeated, rate))
    assert verification.eer(curve) == pytest.approx(verification.eer(repeated))


def test_every_rate_is_what_its_threshold_gives() -> None:
    similarity, same = scores(decimals=1)
    curve = verification.thinned(verification.roc(similarity, same), 20)
    for far, tar, threshold in zip(curve.far, curve.tar, curve.thresholds, strict=True):
        accepted = similarity >= threshold
        assert (far, tar) == (pytest.approx(accepted[~same].mean()), pytest.approx(accepted[same].mean()))


def test_a_thinned_curve_keeps_its_ends_and_its_left_part() -> None:
    similarity, same = scores(pairs=6000)
    curve = verification.roc(similarity, same)
    thin = verification.thinned(curve, 100)
    assert 80 <= len(thin.far) <= 100
    assert (thin.far[0], thin.tar[0], thin.far[-1], thin.tar[-1]) == (0, 0, 1, 1)
    assert (thin.far < 0.01).sum() > 10  # a hundredth of the curve's length
    assert verification.auc(thin) == pytest.approx(verification.auc(curve), abs=2e-3)
    assert verification.thinned(thin, 100) is thin


def test_the_equal_error_rate_by_hand() -> None:
    # Same 4 3 1, different 2 0 0: at a threshold of 2 one of three is wrong on either side.
    similarity, same = np.array([4, 3, 1, 2, 0, 0.0]), np.array([1, 1, 1, 0, 0, 0], bool)
    assert verification.eer(verification.roc(similarity, same)) == pytest.approx(1 / 3)
    # Two of each, one similarity shared by a same and a different pair: between (0, ½) and (½, 1) the line FAR = FRR
    # is crossed at ¼.
    crossed = verification.roc(np.array([2, 1, 1, 0.0]), np.array([True, True, False, False]))
    assert verification.eer(crossed) == pytest.approx(0.25)


def test_the_equal_error_rate_lies_between_the_two_errors_of_neighbouring_thresholds() -> None:
    similarity, same = scores(pairs=3000)
    rate = verification.eer(verification.roc(similarity, same))
    threshold = np.quantile(similarity[~same], 1 - rate)
    assert np.mean(similarity[same] < threshold) == pytest.approx(rate, abs=2e-3)


def test_the_true_accept_rate_is_that_of_a_threshold_that_exists() -> None:
    different = np.arange(100.0)
    same = np.array([99.5, 98.5, 97.5, 50.0])
    similarity = np.concatenate([same, different])
    curve = verification.roc(similarity, np.arange(104) < 4)
    assert verification.tar_at_far(curve, 0.0) == 0.25
    assert verification.tar_at_far(curve, 0.01) == 0.5  # 99 alone may pass
    assert verification.tar_at_far(curve, 0.0199) == 0.5
    assert verification.tar_at_far(curve, 0.02) == 0.75
    assert verification.tar_at_far(curve, 1) == 1


@pytest.mark.parametrize("similarity", [0.3, 0.0])
def test_constant_scores_are_chance(similarity: float) -> None:
    same = np.arange(12) < 6
    curve = verification.roc(np.full(12, similarity), same)
    assert (verification.auc(curve), verification.eer(curve)) == (0.5, 0.5)
    assert verification.tar_at_far(curve, 0.01) == 0
    folds = verification.judge(np.full(12, similarity), same, np.arange(12) % 2)
    assert [(fold.threshold, fold.accuracy) for fold in folds] == [(similarity, 0.5)] * 2  # everything is accepted
    more_different = verification.best_threshold(np.full(12, similarity), np.arange(12) < 5)
    assert more_different > similarity  # nothing is


def test_perfect_and_inverted_scores() -> None:
    same = np.arange(10) < 5
    right, wrong = (verification.roc(sign * np.arange(10.0), same) for sign in (-1, 1))
    assert (verification.auc(right), verification.eer(right), verification.tar_at_far(right, 0)) == (1, 0, 1)
    assert (verification.auc(wrong), verification.eer(wrong), verification.tar_at_far(wrong, 0)) == (0, 1, 0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused(bad: float) -> None:
    similarity, same = scores(pairs=20)
    similarity[3] = bad
    for ask in (verification.roc, verification.best_threshold):
        with pytest.raises(ValueError, match="1 of 20 similarities"):
            ask(similarity, same)
    with pytest.raises(ValueError, match="1 of 20"):
        verification.judge(similarity, same, np.arange(20) % 2)


def test_one_kind_of_pairs_is_no_curve() -> None:
    for same in (np.ones(5, bool), np.zeros(5, bool)):
        with pytest.raises(ValueError, match="one kind is missing"):
            verification.roc(np.arange(5.0), same)


# -- thresholds and folds ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("decimals", [9, 1, 0])
@pytest.mark.parametrize("seed", range(4))
def test_no_threshold_answers_more_pairs_rightly(seed: int, decimals: int) -> None:
    similarity, same = scores(seed, pairs=50, decimals=decimals)
    candidates = [*similarity, *(similarity + 1e-6), -np.inf]
    best = max(np.sum((similarity >= threshold) == same) for threshold in candidates)
    assert np.sum((similarity >= verification.best_threshold(similarity, same)) == same) == best


def test_a_threshold_lies_midway_and_of_equals_is_the_middle_one() -> None:
    same = np.array([True, True, False, False])
    assert verification.best_threshold(np.array([0.9, 0.7, 0.3, 0.1]), same) == pytest.approx(0.5)
    # Same 5 and 1, different 3: just below 5, or below everything, one of three is wrong; the lower of the two counts.
    assert verification.best_threshold(np.array([5, 1, 3.0]), np.array([True, True, False])) <= 1


def test_neighbouring_numbers_have_a_threshold_between_them() -> None:
    low = np.float64(0.5)
    similarity = np.array([np.nextafter(low, 1), low])
    threshold = verification.best_threshold(similarity, np.array([True, False]))
    assert ((similarity >= threshold) == [True, False]).all()


def test_two_folds_by_hand() -> None:
    # Fold 1: same 8 and 6, different 5 and 1; fold 2: same 9 and 4, different 3 and 2. The best thresholds are 5.5
    # (fold 1, all right), asked of fold 2: 4 is wrong; and 3.5 (fold 2, all right), asked of fold 1: 5 is wrong.
    similarity = np.array([8, 6, 5, 1, 9, 4, 3, 2.0])
    same = np.array([1, 1, 0, 0, 1, 1, 0, 0], bool)
    first, second = verification.judge(similarity, same, np.repeat([1, 2], 4))
    assert first == verification.Fold(1, 2, 2, 3.5, 0.75)
    assert second == verification.Fold(2, 2, 2, 5.5, 0.75)
    assert verification.mean_accuracy([first, second]) == (0.75, 0.0)


def test_the_standard_error_is_the_protocols() -> None:
    folds = [verification.Fold(n, 1, 1, 0.0, accuracy) for n, accuracy in enumerate([0.6, 0.7, 0.8])]
    mean, error = verification.mean_accuracy(folds)
    assert mean == pytest.approx(0.7) and error == pytest.approx(0.1 / np.sqrt(3))
    assert verification.mean_accuracy(folds[:1]) == (0.6, None)
    assert verification.mean_accuracy([]) == (None, None)


def test_ten_folds_agree_with_the_other_reading_of_the_protocol() -> None:
    """The proof on alignment has its own; without ties both choose as good a threshold, at other places of a gap."""
    rng = np.random.default_rng(0)
    same = np.tile(np.arange(60) < 30, (10, 1))
    similarity = rng.normal(1.0 * same, 1)
    folds = verification.judge(similarity.ravel(), same.ravel(), np.repeat(np.arange(10), 60))
    slow = [alignment.accuracy(similarity, same, f, [n for n in range(10) if n != f]) for f in range(10)]
    assert np.abs(np.array([fold.accuracy for fold in folds]) - slow).max() <= 2 / 60
    assert np.mean([fold.accuracy for fold in folds]) == pytest.approx(np.mean(slow), abs=0.005)


def test_a_fold_s_own_pairs_have_no_say_in_its_threshold() -> None:
    similarity, same = scores(pairs=100)
    fold = np.arange(100) % 4
    before = verification.judge(similarity, same, fold)
    turned = np.where(fold == 2, ~same, same)
    after = verification.judge(similarity, turned, fold)
    assert after[2].threshold == before[2].threshold
    assert after[2].accuracy == pytest.approx(1 - before[2].accuracy)


def test_folds_of_one_kind_are_not_judged_but_help_the_others() -> None:
    similarity = np.array([8, 7, 2, 1, 9, 6.0])
    same = np.array([1, 1, 0, 0, 1, 1], bool)
    folds = verification.judge(similarity, same, np.array([1, 2, 1, 2, 3, 3]))
    assert [fold.accuracy for fold in folds] == [1.0, 1.0, None]
    figures, notes = verification.figures(similarity, same, folds)
    assert figures["accuracy"] == 1 and any("1 of 3 folds are not judged" in note for note in notes)


def test_where_the_other_folds_have_one_kind_there_is_no_threshold() -> None:
    similarity, same = np.array([8, 2, 9, 7.0]), np.array([1, 0, 1, 1], bool)
    first, second = verification.judge(similarity, same, np.array([1, 1, 2, 2]))
    assert (first.threshold, first.accuracy) == (None, None)
    assert second.accuracy is None
    figures, notes = verification.figures(similarity, same, [first, second])
    assert figures["accuracy"] is None and figures["auc"] == 1
    assert "There is no accuracy" in notes[0]


def test_one_fold_has_no_accuracy_but_a_curve() -> None:
    similarity, same = scores()
    folds = verification.judge(similarity, same, np.ones(400, int))
    figures, notes = verification.figures(similarity, same, folds)
    assert (folds[0].threshold, figures["accuracy"], figures["accuracy_se"]) == (None, None, None)
    assert figures["auc"] > 0.6 and "There is no accuracy" in notes[0]


@pytest.mark.parametrize(("different", "said"), [(99, (False, False)), (100, (True, False)), (1000, (True, True))])
def test_rates_that_so_few_pairs_cannot_show_are_not_said(different: int, said: tuple[bool, bool]) -> None:
    same = np.arange(20 + different) < 20
    similarity = np.random.default_rng(0).normal(2.0 * same, 1)
    figures, notes = verification.figures(
        similarity, same, verification.judge(similarity, same, np.arange(len(same)) % 2)
    )
    assert (figures["tar_at_far_1e-2"] is not None, figures["tar_at_far_1e-3"] is not None) == said
    (note,) = [note for note in notes if "Too few pairs" in note] or [""]
    assert note.count("%") == 2 - sum(said)
    bounds = verification.intervals(similarity, same, None, np.arange(2 * len(same)).reshape(-1, 2) % 30, seed=0)
    assert (bounds["tar_at_far_1e-2"] is not None, bounds["tar_at_far_1e-3"] is not None) == said


# -- intervals ---------------------------------------------------------------------------------------------------


def crossed(people: int, pairs: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return pairs of people of whom some are hard to tell apart from anybody."""
    rng = np.random.default_rng(seed)
    own = rng.normal(0, 1, people)
    alone = np.arange(pairs) % people
    couples = rng.permutation(np.stack(np.triu_indices(people, 1), axis=1))
    couples = couples[np.arange(pairs) % len(couples)]
    similarity = np.concatenate([rng.normal(2 + own[alone], 0.3), rng.normal(own[couples].sum(axis=1), 0.3)])
    return similarity, np.arange(2 * pairs) < pairs, np.concatenate([np.stack([alone, alone], axis=1), couples])


def test_people_are_drawn_and_not_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times the pairs of the same people leave an interval as wide as it was: it is people who differ."""
    monkeypatch.setattr(verification, "DRAWS", 300)
    widths = []
    for pairs in (150, 1500):
        similarity, same, people = crossed(10, pairs, seed=3)
        low, high = verification.intervals(similarity, same, similarity > 1, people, seed=0)["auc"]
        assert low < verification.auc(verification.roc(similarity, same)) < high
        widths.append(high - low)
    assert widths[1] > 0.7 * widths[0]


def test_more_people_narrow_the_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "DRAWS", 100)
    widths: dict[int, list[dict[str, float]]] = {8: [], 80: []}
    for people, found in widths.items():
        for seed in range(4):
            similarity, same, of = crossed(people, 800, seed)
            bounds = verification.intervals(similarity, same, similarity > 1, of, seed=0)
            found.append({name: bound[1] - bound[0] for name, bound in bounds.items() if bound})
    for name in ("accuracy", "auc", "eer"):
        few, many = (np.mean([width[name] for width in found]) for found in widths.values())
        assert many < 0.6 * few, name


def test_an_interval_of_the_accuracy_is_around_it_and_of_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "DRAWS", 200)
    similarity, same, people = crossed(20, 400, seed=2)
    accepted = similarity >= 1
    found = verification.intervals(similarity, same, accepted, people, seed=0)
    low, high = found["accuracy"]
    assert low < np.mean(accepted == same) < high
    order = np.random.default_rng(0).permutation(len(same))
    again = verification.intervals(similarity[order], same[order], accepted[order], people[order], seed=0)
    assert again["accuracy"] == pytest.approx(found["accuracy"])  # the pairs' order says nothing
    assert verification.intervals(similarity, same, accepted, people, seed=1) != found
    assert verification.intervals(similarity, same, None, people, seed=0)["accuracy"] is None


def test_four_people_have_no_interval() -> None:
    similarity, same, people = crossed(4, 60, seed=0)
    assert set(verification.intervals(similarity, same, None, people, seed=0).values()) == {None}
