"""S2: ratios and censoring on hand-made curves, light against people, and a study whole."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_mutual_info_score

from facessl import files
from facessl.dataset import open_dataset
from facessl.errors import DatasetError
from facessl.run import Run
from facessl.studies import _clusters, _epochs, _s2_report, s2
from facessl.studies._epochs import Race, over_seeds, race
from facessl.studies._seeds import estimate
from facessl.studying import Done
from tests.studies.taking import take
from tests.tiny import make_set

TINY = s2.Options(seeds=2, clusters=3, image_size=32, pretext_epochs=1, epochs=2, batch_size=16, threads=1)


def races(*ratios: float | None) -> list[Race]:
    """Races that came out so, of a supervised network that needed ten epochs."""
    return [Race(0.8, 10, None if ratio is None else round(10 * ratio), 20) for ratio in ratios]


def test_a_race_ends_at_the_first_epoch_that_reaches_the_others_best() -> None:
    found = race([0.2, 0.6, 0.9, 0.9, 0.7], [0.5, 0.9, 0.95])
    assert (found.best, found.supervised, found.pretrained, found.ratio) == (0.9, 3, 2, 2 / 3)


def test_who_never_gets_there_has_no_ratio() -> None:
    found = race([0.2, 0.6, 0.9], [0.5, 0.89, 0.89])
    assert found.pretrained is None and found.ratio is None and found.watched == 3


def test_a_race_needs_curves() -> None:
    with pytest.raises(ValueError, match="two curves"):
        race([], [0.1])


def test_five_seeds_give_the_middle_one_and_the_whole_range() -> None:
    found = over_seeds(races(0.4, 0.9, 0.5, 0.6, 0.3))
    assert (found.median, found.low, found.high, found.censored) == (0.5, 0.3, 0.9, 0)
    assert found.coverage == 1 - 2 / 2**5  # all five on one side of the median: 1 in 16


def test_a_censored_seed_is_the_slowest_and_leaves_the_upper_bound_open() -> None:
    found = over_seeds(races(0.4, None, 0.5, 0.6, 0.3))
    assert (found.median, found.low, found.high, found.censored) == (0.5, 0.3, None, 1)


def test_no_median_is_made_up_where_most_never_got_there() -> None:
    found = over_seeds(races(None, 0.4, None, 0.5, None))
    assert found.median is None and found.low == 0.4 and found.high is None and found.censored == 3


def test_many_seeds_give_an_inner_interval_that_covers_the_median() -> None:
    rng = np.random.default_rng(0)
    hits, bounds = 0, None
    for _ in range(800):
        drawn = np.exp(rng.normal(size=12))  # of median 1
        bounds = over_seeds([Race(0.8, 1, value, 9) for value in drawn])  # type: ignore[arg-type]
        assert bounds.low is not None and bounds.high is not None and drawn.min() < bounds.low
        hits += bounds.low <= 1 <= bounds.high
    assert bounds is not None and bounds.coverage == pytest.approx(0.9614, abs=1e-4)  # table of Conover, n = 12
    assert hits / 800 == pytest.approx(bounds.coverage, abs=0.02)


def test_one_seed_covers_nothing() -> None:
    assert over_seeds(races(0.5)).coverage == 0


def test_the_claim_is_judged_by_its_interval() -> None:
    assert "holds:" in _s2_report._claim(over_seeds(races(0.3, 0.4, 0.5, 0.4, 0.3)))[0]
    assert "is not decided" in _s2_report._claim(over_seeds(races(0.3, 0.4)))[0]  # two seeds decide nothing
    assert "does not hold" in _s2_report._claim(over_seeds(races(0.6, 0.9, 0.8, 0.7, 0.9)))[0]
    assert "is not decided" in _s2_report._claim(over_seeds(races(0.3, 0.9, 0.5, 0.4, None)))[0]
    assert "In 1 of 5 it never got there" in _s2_report._claim(over_seeds(races(0.3, 0.9, 0.5, 0.4, None)))[0]
    assert "cannot be upheld" in _s2_report._claim(over_seeds(races(None, None, 0.5)))[0]


@pytest.mark.parametrize(("epochs", "said"), [(1, "own epoch counted"), (20, "own 20 epochs counted")])
def test_the_pretexts_epochs_are_counted_in_plain_words(epochs: int, said: str) -> None:
    assert said in _s2_report._with_pretext(epochs, dict(enumerate(races(0.5))))[0]


def test_agreement_by_chance_is_never_minus_nothing() -> None:
    nothing = dict.fromkeys(("nmi", "ari", "ami", "nmi_by_chance"), -0.001)
    assert (
        "-0.00" not in _s2_report._light({"clusters": Done("clusters", None, {"people": nothing, "light": nothing})})[0]
    )


def test_one_seed_has_no_interval_and_says_so() -> None:
    (said,) = _s2_report._claim(over_seeds(races(1.0)))
    assert "coverage" not in said and "1.00 – 1.00" not in said and said.endswith("One seed has no interval.")


def halves(people: float, light: float, gap: list[float] | None) -> dict[str, Done]:
    both = [{"nmi": 0.1, "ari": 0.1, "nmi_by_chance": 0.1, "ami": ami, "ami_interval": [ami - 0.1, ami + 0.1]}
            for ami in (people, light)]  # fmt: skip
    return {"clusters": Done("clusters", None, {"people": both[0], "light": both[1], "gap": gap})}


@pytest.mark.parametrize(
    ("gap", "said"),
    [([-0.01, 0.11], "light or people is not decided"), ([0.01, 0.11], "finds light more than people"),
     ([-0.2, -0.1], "finds people more than light"), (None, "is not decided")],
)  # fmt: skip
def test_people_or_light_is_decided_by_an_interval(gap: list[float] | None, said: str) -> None:
    assert said in _s2_report._light(halves(0.10, 0.15, gap))[0]


def test_halves_of_the_faces_tell_light_from_people_only_where_they_differ() -> None:
    rng = np.random.default_rng(0)
    people, light = rng.integers(4, size=300), rng.integers(3, size=300)
    follows = _clusters.ami_intervals(light, people, light, 0, lambda: None)
    assert follows[1] == [1, 1] and follows[2][0] > 0.8 and follows[0][0] < 0 < follows[0][1]
    neither = _clusters.ami_intervals(rng.integers(3, size=300), people, light, 0, lambda: None)
    assert neither[2][0] < 0 < neither[2][1]


def test_a_set_without_names_is_refused_before_anything_is_trained(prepared_home: Path) -> None:
    dataset = open_dataset(prepared_home, "demo")
    dataset.__dict__["people"] = []
    with pytest.raises(DatasetError, match="fewer than two named people"):
        s2.steps(dataset, TINY, prepared_home)


def test_groups_of_light_agree_with_light_and_not_with_people() -> None:
    light, people = np.repeat([0, 1, 2], 40), np.tile(np.arange(4), 30)
    assert _clusters.agreement(light, light, 0)["ari"] == 1.0
    crossed = _clusters.agreement(light, people, 0)  # each light shows each person ten times
    assert crossed["nmi"] == pytest.approx(0, abs=1e-9)
    pairs, expected = 12 * 45, 3 * 780 * 4 * 435 / 7140  # pairs together in both, and as many as chance would put there
    assert crossed["ari"] == pytest.approx((pairs - expected) / ((3 * 780 + 4 * 435) / 2 - expected))
    assert _clusters.terciles(np.arange(9.0)).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_few_groups_can_know_many_people_as_wholly_as_three_shades() -> None:
    """A thousand people, each wholly in one of ten groups; and ten groups, each of one shade."""
    people = np.repeat(np.arange(1000), 3)
    groups = people % 10
    assert _clusters.ami(groups, people) == pytest.approx(1)
    assert _clusters.ami(groups, groups * 3 // 10) == pytest.approx(1)
    shuffled = np.random.default_rng(0).permutation(groups)
    assert _clusters.ami(shuffled, people) == pytest.approx(0, abs=0.05)
    # By the mean of both entropies, as is usual, the first would be a third at most, the second two thirds.
    assert adjusted_mutual_info_score(people, groups) < 0.35
    assert adjusted_mutual_info_score(groups * 3 // 10, groups) > 0.6


def test_agreement_is_shared_information_less_that_of_shuffled_groups_of_the_most_there_could_be() -> None:
    rng = np.random.default_rng(2)
    people = np.repeat(np.arange(60), 4)
    groups = np.where(rng.random(240) < 0.6, people % 5, rng.integers(5, size=240))

    def shared(one: np.ndarray, other: np.ndarray) -> float:
        """Mutual information, cell by cell of their table."""
        total = 0.0
        for i in set(one.tolist()):
            for j in set(other.tolist()):
                if both := np.mean((one == i) & (other == j)):
                    total += both * math.log(both / (np.mean(one == i) * np.mean(other == j)))
        return total

    by_chance = np.mean([shared(rng.permutation(groups), people) for _ in range(60)])
    most = min(shared(one, one) for one in (groups, people))  # with itself: its entropy
    expected = (shared(groups, people) - by_chance) / (most - by_chance)
    assert 0.2 < expected < 0.8 and _clusters.ami(groups, people) == pytest.approx(expected, abs=0.01)


@pytest.fixture(scope="module")
def taken(prepared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Done]:
    dataset = open_dataset(prepared_home, "demo")
    steps = s2.steps(dataset, TINY, prepared_home)
    return take(s2, dataset, TINY, prepared_home, tmp_path_factory.mktemp("s2"), steps)


def test_the_clusters_are_those_of_the_pretext(prepared_home: Path, taken: dict[str, Done]) -> None:
    dataset = open_dataset(prepared_home, "demo")
    found = taken["clusters"].result
    assert found["faces"] == len(dataset.rows("unlabelled", "train")) and found["clusters"] == 3
    assert found["people"].keys() == found["light"].keys() == {"nmi", "ari", "ami", "nmi_by_chance", "ami_interval"}
    assert found["gap"][0] < found["light"]["ami"] - found["people"]["ami"] < found["gap"][1]


def test_both_networks_of_a_seed_learn_the_same_way(prepared_home: Path, taken: dict[str, Done]) -> None:
    first, second = (taken[f"{way}-1"].run for way in ("pretrained", "nothing"))
    assert first is not None and second is not None
    differ = {key for key, value in first.config["recipe"].items() if second.config["recipe"][key] != value}
    assert differ == {"init"}


def test_the_report_measures_the_claim_on_every_seed(prepared_home: Path, taken: dict[str, Done]) -> None:
    report = s2.answer(open_dataset(prepared_home, "demo"), TINY, taken, prepared_home, {})
    tables = {table.title: table for table in report.tables}
    rows = tables["Epochs until the supervised model's best"].rows
    assert [row["seed"] for row in rows] == [0, 1]
    for row in rows:
        best = row["best of the supervised (val)"]
        assert best["low"] < best["share"] < best["high"] or best["share"] in (0, 1)
        assert (best["photos"], best["split"]) == (8, "val") and best["how"].startswith("fine-tuned")
        assert 0 <= row["its macro-F1"] <= 1
        assert row["ratio"] == "censored" or row["ratio"] == row["epoch of the pre-trained"] / row["its epoch"]
    reached = tables["What each way reaches"].rows
    assert (
        reached[0]["top-1"]["how"]
        == "fine-tuned, mean of 2 seeds, interval over seeds and photos, which two leave wide"
    )
    assert {"majority", "PCA + SVM (rbf)"} <= {row["model"] for row in reached}
    (chart,) = report.charts
    assert {line["name"].rpartition(": ")[2] for line in chart.lines} == {"accuracy", "loss"}
    assert all(len(line["x"]) == TINY.epochs for line in chart.lines)
    assert {line["name"].rpartition(": ")[2] for line in chart.lines if line.get("right")} == {"loss"}
    (similar,) = (said for said in report.sentences if said.startswith("“Similar accuracy”"))
    assert " – " in similar and similar.endswith("2 seeds each.")
    plain = max(row["top-1"]["share"] for row in reached[2:])
    network = max(row["top-1"]["share"] for row in reached[:2])
    (beside,) = (said for said in report.sentences if "plain method" in said or "learns no features" in said)
    assert f"{100 * plain:.1f} %" in beside and f"{100 * network:.1f} %" in beside
    assert beside.startswith("No network") == (plain > network)
    accuracies = [y for line in chart.lines if not line.get("right") for y in line["y"]]
    assert 1 < max(accuracies) <= 100  # per cent
    json.dumps(report.as_dict(), allow_nan=False)


def test_an_answer_is_there_before_anything_is_done(prepared_home: Path) -> None:
    report = s2.answer(open_dataset(prepared_home, "demo"), TINY, {}, prepared_home, {})
    assert report.sentences == [] and report.tables == [] and report.charts == []


def test_frozen_transfer_is_s2s_and_begins_with_borrowed_weights(tmp_path: Path) -> None:
    make_set(tmp_path)
    steps = {step.key: step for step in s2.steps(open_dataset(tmp_path, "tiny"), s2.Options(), tmp_path)}
    assert steps["transfer-frozen-0"].settings["mode"] == "frozen"
    borrowing = {step.key.rpartition("-")[0] for step in steps.values() if step.weights == "efficientnet_b0"}
    assert borrowing == {"transfer-frozen", "transfer-tuned"} and not any(step.missing for step in steps.values())
    assert sum(key.startswith("pretext-") for key in steps) == 5 and _epochs.CONFIDENCE == 0.95


def test_transfer_sees_what_it_was_trained_for_with_every_seed_of_the_study(tmp_path: Path) -> None:
    make_set(tmp_path)
    dataset, options = open_dataset(tmp_path, "tiny"), s2.Options(seeds=3, seed=7)
    for way in ("transfer-frozen", "transfer-tuned"):
        settings = [step.settings for step in s2.steps(dataset, options, tmp_path) if step.key.startswith(way)]
        assert [(one["seed"], one["image_size"]) for one in settings] == [(7, 224), (8, 224), (9, 224)]
    small = s2.steps(dataset, options.model_copy(update={"transfer_size": 96}), tmp_path)
    assert {step.settings["image_size"] for step in small if step.kind != "inside"} == {64, 96}


def judged(folder: Path, top1: float, side: int, plain: float, *, frozen: bool = False) -> Done:
    """Return a fine-tuning of twenty test photos, at so many pixels, beside one plain method."""
    folder.mkdir(parents=True)
    about = {"kind": "finetune", "title": "", "after": [], "group": "", "edits": {}, "created": ""}
    files.write_json(folder / "config.json", {**about, "recipe": {"dataset": "tiny", "image_size": side, "seed": 0}})
    right = [place < round(20 * top1) for place in range(20)]
    table = {"face": range(20), "label": 0, "predicted": [0 if one else 1 for one in right]}
    pd.DataFrame(table).to_parquet(folder / "predictions.parquet")
    metrics = {"top1": top1, "top3": None, "top5": None, "macro_f1": top1 / 2, "photos": 20, "frozen": frozen}
    score = {"name": "PCA + LDA", "top1": plain, "low": 0.0, "high": 1.0, "photos": 20, "macro_f1": plain / 2}
    return Done("", Run(folder), {"metrics": metrics, "baselines": [score]})


def test_the_race_has_macro_f1_of_the_epoch_that_was_best_or_none_of_an_earlier_version(tmp_path: Path) -> None:
    done = judged(tmp_path / "run", 0.5, 64, 0.2)
    rows = [{"epoch": epoch, "val_top1": 0.1 * epoch, "val_macro_f1": 0.05 * epoch} for epoch in (1, 2, 3)]
    files.write_text(tmp_path / "run" / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert _s2_report._macro_f1(done, 2) == 0.1
    old = [{name: row[name] for name in ("epoch", "val_top1")} for row in rows]
    files.write_text(tmp_path / "run" / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in old))
    assert _s2_report._macro_f1(done, 2) is None


@pytest.fixture
def three_ways(tmp_path: Path) -> dict[str, Done]:
    """TinyVGG from nothing and EfficientNet, of two seeds each, whose plain methods knew other names."""
    done = {}
    for seed in (0, 1):
        for way, top1, side in (("nothing", 0.5, 64), ("transfer-frozen", 0.6, 160), ("transfer-tuned", 0.95, 160)):
            key = f"{way}-{seed}"
            frozen = way == "transfer-frozen"
            done[key] = judged(tmp_path / key, top1 + seed / 20, side, 0.2 + seed / 5, frozen=frozen)
    return done


def test_transfer_is_judged_with_its_size_and_its_seeds(three_ways: dict[str, Done]) -> None:
    (said,) = _s2_report._transfer(three_ways)
    assert "TinyVGG from nothing at 64 pixels a side, 52.5 %" in said and "EfficientNet at 160 reaches 62.5 %" in said
    assert "97.5 %" in said and said.count("2 seeds each") == 2
    assert said.endswith("EfficientNet was trained for 224 pixels, so 160 hold it back.")
    for done in three_ways.values():
        assert done.run is not None
        content = files.read_json(done.run.path / "config.json")
        content["recipe"]["image_size"] = 224
        files.write_json(done.run.path / "config.json", content)
    assert "hold it back" not in _s2_report._transfer(three_ways)[0]


def test_plain_rows_beside_means_over_seeds_are_means_over_seeds(three_ways: dict[str, Done]) -> None:
    (table,) = _s2_report.on_test(three_ways)
    rows = {row["model"]: row for row in table.rows}
    assert (rows["PCA + LDA"]["top-1"]["share"], rows["PCA + LDA"]["macro-F1"]) == pytest.approx((0.3, 0.15))
    expected = estimate([0.2, 0.4], 20)
    assert (rows["PCA + LDA"]["top-1"]["low"], rows["PCA + LDA"]["top-1"]["high"]) == (expected.low, expected.high)
    assert [(row["seeds"], row.get("pixels a side")) for row in table.rows] == [(2, 64), (2, 160), (2, 160), (2, None)]
    assert [row["top-1"]["how"].partition(",")[0] for row in table.rows] == [
        "fine-tuned", "frozen", "fine-tuned", "plain method"
    ]  # fmt: skip
