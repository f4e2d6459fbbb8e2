"""Label efficiency: which runs it takes, what its intervals are, and where curves cross."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from scipy import stats

from facessl import answers, config, figures, files, recipes, registry, runs
from facessl.dataset import open_dataset
from facessl.errors import DatasetError, RecipeError
from facessl.metrics import wilson_interval
from facessl.run import Run
from facessl.studies import label_efficiency as study
from facessl.studies._crossings import _sentence, beside_plain
from facessl.studies._labels import report
from facessl.studies._lines import Line
from facessl.studies._seeds import beats, estimate, told_apart
from facessl.studies._starts import Start
from facessl.studying import Done
from tests.tiny import leave_model, make_set

NOTHING = Line(Start("nothing", "nothing", "nothing"), "finetune")
SIMCLR = Line(Start("simclr", "method", "SimCLR"), "frozen")
UNTRAINED = Line(NOTHING.start, "frozen")


def tuned(top1: float, right: list[bool] | None = None, folder: Path | None = None) -> Done:
    """Return a fine-tuning; where it is to be compared, with the photos that it named right, in a folder."""
    run = None
    if right is not None and folder is not None:
        folder.mkdir(parents=True)
        rows = {"face": range(len(right)), "label": 0, "predicted": [0 if one else 1 for one in right]}
        pd.DataFrame(rows).to_parquet(folder / "predictions.parquet")
        run = Run(folder)
    metrics = {"top1": top1, "top3": None, "top5": None, "macro_f1": top1, "photos": 50, "train_photos": 6}
    plain = {"name": "majority", "top1": 0.1, "low": 0.05, "high": 0.2, "photos": 50, "macro_f1": 0.02}
    return Done("key", run, {"metrics": metrics, "baselines": [plain]})


def test_shares_that_name_the_same_photos_are_done_once(tmp_path: Path) -> None:
    make_set(tmp_path)  # 8 train photos each: 1, 5 and 10 % are one
    options = study.Options(starts="nothing, simclr", seeds=2)
    assert study.distinct_shares(open_dataset(tmp_path, "tiny"), options) == [1, 25, 50, 100]


def test_each_start_each_way_each_share_each_seed_after_one_pretraining(tmp_path: Path) -> None:
    make_set(tmp_path)
    options = study.Options(starts="nothing, simclr", seeds=2, shares="50, 100")
    steps = study.steps(open_dataset(tmp_path, "tiny"), options, tmp_path)
    assert [step.kind for step in steps] == ["pretrain"] + ["finetune"] * 2 * 2 * 2 * 2
    assert {step.settings["init"] for step in steps[1:]} == {"scratch", "@pretrain simclr, seed 0"}
    assert {step.settings["seed"] for step in steps[1:]} == {0, 1}
    each = study.steps(open_dataset(tmp_path, "tiny"), options.model_copy(update={"pretrain_each": True}), tmp_path)
    assert [step.kind for step in each].count("pretrain") == 2


def test_few_labels_take_more_epochs_so_that_steps_stay_alike(tmp_path: Path) -> None:
    make_set(tmp_path)
    options = study.Options(starts="nothing", mode="finetune", seeds=1, shares="1 50 100", epochs=10, stretch=4)
    steps = study.steps(open_dataset(tmp_path, "tiny"), options, tmp_path)
    assert [step.settings["epochs"] for step in steps] == [40, 20, 10]


def test_what_learnt_from_names_is_no_start_for_few_of_them(tmp_path: Path) -> None:
    make_set(tmp_path)
    dataset = open_dataset(tmp_path, "tiny")
    with pytest.raises(RecipeError, match="learns from all names"):
        study.steps(dataset, study.Options(starts="supervised"), tmp_path)
    recipe = recipes.build(config.FinetuneRecipe, {"dataset": "tiny", "backbone": "tinyvgg"})
    run = runs.create(tmp_path, "finetune", recipe, title="knows names")
    leave_model(run.path)
    with pytest.raises(RecipeError, match="learnt from names"):
        study.steps(dataset, study.Options(starts=run.id), tmp_path)
    with pytest.raises(RecipeError, match="'nosuch' is unknown here"):
        study.steps(dataset, study.Options(starts="nosuch"), tmp_path)


@pytest.mark.parametrize("shares", ["", "0", "101", "ten", "nan"])
def test_shares_that_are_none_are_refused(shares: str) -> None:
    with pytest.raises(ValidationError, match="shares are numbers above 0"):
        study.Options(shares=shares)


def test_the_interval_is_students_over_seeds_where_photos_are_plenty() -> None:
    shares = [0.5, 0.62, 0.55]
    found = estimate(shares, 10**7)
    low, high = stats.t.interval(0.95, 2, loc=np.mean(shares), scale=stats.sem(shares))
    assert (found.mean, found.low, found.high) == pytest.approx((np.mean(shares), low, high), abs=1e-4)


@pytest.mark.parametrize("shares", [[0.75, 0.75], [2 / 16, 2 / 16, 2 / 16], [0.5, 0.75], [1.0, 1.0], [0.0, 0.0]])
def test_no_interval_is_narrower_than_wilsons_over_the_photos(shares: list[float]) -> None:
    found, (low, high) = estimate(shares, 16), wilson_interval(round(16 * float(np.mean(shares))), 16)
    assert found.low <= low + 1e-9 and found.high >= high - 1e-9
    if len(set(shares)) == 1:
        assert (found.low, found.high) == pytest.approx((low, high))


def test_seeds_and_photos_add_up_like_errors_that_do_not_know_of_each_other() -> None:
    """Drawn a thousand times, each time other seeds and other photos, the interval holds the truth as it says."""
    rng, hits = np.random.default_rng(0), 0
    for _ in range(1000):
        photos = rng.normal(0.5, 0.25, 100).clip(0, 1)  # how likely each is named right
        seeds = [rng.binomial(1, (photos + rng.normal(0, 0.03)).clip(0, 1)).mean() for _ in range(3)]
        found = estimate(seeds, 100)
        hits += found.low <= 0.5 <= found.high
    assert hits >= 950


def test_the_interval_of_one_seed_is_wilsons() -> None:
    n, p, z = 50, 0.6, 1.959964
    middle, half = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    ends = ((middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n))
    assert estimate([0.6], 50)[1:3] == pytest.approx(ends, abs=1e-4)


def named(folder: Path, *right: int) -> dict[int, Done]:
    """Return a run a seed, which named the first so many of a hundred photos right."""
    return {seed: tuned(n / 100, [i < n for i in range(100)], folder / str(seed)) for seed, n in enumerate(right)}


def test_one_beats_another_when_seed_by_seed_the_gain_is_real(tmp_path: Path) -> None:
    low, high = named(tmp_path / "low", 30, 50, 70), named(tmp_path / "high", 45, 66, 86)  # seeds differ, gains hardly
    assert beats(high, low) == 1 and beats(low, high) == -1 and beats(low, low) == 0
    assert beats(named(tmp_path / "a", 90, 20), named(tmp_path / "b", 30, 50)) == 0


def test_seeds_that_agree_on_one_photo_of_sixteen_decide_nothing(tmp_path: Path) -> None:
    first, second = (
        {seed: tuned(n / 16, [i < n for i in range(16)], tmp_path / f"{n}-{seed}") for seed in range(seeds)}
        for n, seeds in ((13, 2), (12, 2))
    )
    assert beats(first, second) == 0 and "no more than chance, 2 seeds each" in told_apart(first, second)
    assert told_apart(first, first) == "just as good, 2 seeds each"


@pytest.mark.parametrize(("ahead", "verdict"), [(5, 0), (6, 1)])  # McNemar: 2 · 2⁻⁵ = 6.3 %, 2 · 2⁻⁶ = 3.1 %
def test_few_photos_that_differ_are_a_coins_throws_however_many_seeds(tmp_path: Path, ahead: int, verdict: int) -> None:
    first, second = named(tmp_path / "a", *[50 + ahead] * 3), named(tmp_path / "b", 50, 50, 50)
    assert beats(first, second) == verdict


def test_one_seed_is_decided_by_mcnemars_test(tmp_path: Path) -> None:
    assert beats(named(tmp_path / "a", 60), named(tmp_path / "b", 50)) == 1
    assert beats(named(tmp_path / "c", 53), named(tmp_path / "d", 50)) == 0


@pytest.mark.parametrize(("verdicts", "said"), [
    ((1, 1, 0, 0), "better than “untrained, frozen” with 1 % and 5 % of the labels; from 10 % of the labels on, "
                   "the two are not told apart."),
    ((1, 0, -1, -1), "from 5 % of the labels on, the two are not told apart, but with 10 % and 100 % “untrained, "
                     "frozen” is better."),
    ((1, -1, -1, -1), "from 5 % of the labels on, “untrained, frozen” is better."),
    ((1, 1, 1, 1), "with every share of the labels, from 1 % to 100 %."),
    ((0, 0, 0, 0), "with no share of the labels better than “untrained, frozen”; no difference is more than chance."),
    ((0, 0, -1, 0), "with no share of the labels better than “untrained, frozen”, and worse with 10 %."),
])  # fmt: skip
def test_where_curves_cross_is_said(verdicts: tuple[int, ...], said: str) -> None:
    sentence = _sentence(SIMCLR, UNTRAINED, dict(zip((1.0, 5.0, 10.0, 100.0), verdicts, strict=True)))
    assert sentence.startswith("“SimCLR, frozen” is") and sentence.endswith(said)


IMAGENET = Line(Start("imagenet", "imagenet", "ImageNet", "Put its weights there."), "finetune")


@pytest.mark.parametrize(
    ("asked", "done", "said"),
    [
        ([NOTHING], [NOTHING], "nothing to compare that with"),
        ([NOTHING, IMAGENET], [NOTHING], "ImageNet cannot be had: Put its weights there."),
        ([NOTHING, SIMCLR], [NOTHING], "So far there is no start that could be compared"),
        ([NOTHING, SIMCLR], [SIMCLR], "So far there is no start that could be compared"),
        ([SIMCLR], [SIMCLR], "Without nothing or untrained among the starts"),
        ([NOTHING, SIMCLR], [NOTHING, SIMCLR], "and “from nothing, fine-tuned” are not told apart"),
    ],
)
def test_a_study_of_one_start_has_nothing_to_compare_it_with(asked: list[Line], done: list[Line], said: str) -> None:
    runs_of = {line: {10: {0: tuned(0.9 if line == SIMCLR else 0.1)}} for line in asked}
    reached = {line: runs_of[line] if line in done else {} for line in asked}
    sentence = report(reached, same=[], pretrained_once=True).sentences[0]
    assert said in sentence
    # What could be added is said exactly where nothing that was asked for will ever be comparable.
    assert ("imagenet" in sentence and "simclr" in sentence and "supcon" not in sentence) == (
        "compare that" in sentence
    )


def test_a_network_without_learning_is_read_and_begun_like_those_that_learnt_before(tmp_path: Path) -> None:
    make_set(tmp_path)
    options = study.Options(starts="nothing, untrained, simclr", seeds=1, shares="100")
    steps = {step.key: step.settings for step in study.steps(open_dataset(tmp_path, "tiny"), options, tmp_path)}
    # Frozen, nothing and untrained are one: five lines, not six.
    assert list(steps)[1:] == [
        f"{word}, {mode}, 100 %, seed 0"
        for word, mode in (("nothing", "frozen"), ("nothing", "finetune"), ("untrained", "finetune"),
                           ("simclr", "frozen"), ("simclr", "finetune"))
    ]  # fmt: skip
    recipe, learnt_before, plain = (
        recipes.build(config.FinetuneRecipe, {**steps[f"{word}, finetune, 100 %, seed 0"], "init": init})
        for word, init in (("untrained", "scratch"), ("simclr", "a-run"), ("nothing", "scratch"))
    )
    assert recipe.reads_embedding and learnt_before.reads_embedding and not plain.reads_embedding
    differ = {name for name, value in recipe.model_dump().items() if learnt_before.model_dump()[name] != value}
    assert differ == {"init", "head"}  # whose auto means the embedding, of what learnt before
    alone = study.steps(open_dataset(tmp_path, "tiny"), options.model_copy(update={"starts": "untrained"}), tmp_path)
    assert [step.settings["mode"] for step in alone] == ["frozen", "finetune"]


def test_a_run_of_another_network_is_said_to_be_one(tmp_path: Path) -> None:
    def done(word: str, stem: str) -> Done:
        one = tuned(0.5, [True], tmp_path / word / stem)
        recipe = {"dataset": "tiny", "backbone_options": {"stem": stem, "stages": 3}}
        settings = {
            "kind": "finetune",
            "title": "",
            "recipe": recipe,
            "after": [],
            "group": "",
            "edits": {},
            "created": "",
        }
        files.write_json(tmp_path / word / stem / "config.json", settings)
        return one

    before = Line(Start("a-run", "run", "SimCLR of before"), "frozen")
    for stem, unlike in (("imagenet", True), ("medium", False)):
        reached = {UNTRAINED: {100.0: {0: done("nothing" + stem, "medium")}}, before: {100.0: {0: done("run", stem)}}}
        note = report(reached, same=[], pretrained_once=True).tables[0].note
        assert ("Of another network" in note and "SimCLR of before; part" in note) == unlike
        alone = report({before: reached[before]}, same=[], pretrained_once=True)
        assert "Of another network" not in alone.tables[0].note


def test_a_stem_is_that_of_every_network_that_brings_none(tmp_path: Path) -> None:
    make_set(tmp_path)
    dataset = open_dataset(tmp_path, "tiny")
    options = study.Options(starts="nothing, simclr, imagenet", seeds=1, shares="100", stem="small")
    stems = {step.key.split(",")[0]: step.settings.get("stem") for step in study.steps(dataset, options, tmp_path)}
    assert stems == {"pretrain simclr": "small", "nothing": "small", "simclr": "small", "imagenet": None}
    with pytest.raises(RecipeError, match="tinyvgg has no stems"):
        study.steps(dataset, options.model_copy(update={"backbone": "tinyvgg", "starts": "nothing"}), tmp_path)


def test_like_is_compared_with_like_and_both_are_named() -> None:
    simclr, untrained = SIMCLR.start, Start("untrained", "untrained", "the untrained network")
    lines = [UNTRAINED, NOTHING, Line(untrained, "finetune"), SIMCLR, Line(simclr, "finetune")]
    reached = {line: {10.0: {0: tuned(0.5)}} for line in lines}
    first, second, *others = report(reached, same=[], pretrained_once=True).sentences
    assert first.startswith("“SimCLR, frozen” and “untrained, frozen” are")
    assert second.startswith("“SimCLR, fine-tuned” and “from nothing on the untrained embedding, fine-tuned” are")
    assert not any("Compared so" in said for said in others)
    unlike = {line: reached[line] for line in (NOTHING, SIMCLR, Line(simclr, "finetune"))}
    first, second, third, *_ = report(unlike, same=[], pretrained_once=True).sentences
    assert "“from nothing, fine-tuned”" in first and "“from nothing, fine-tuned”" in second
    assert third.startswith("Compared so, “SimCLR, frozen” and “SimCLR, fine-tuned” differ in more than the start")


def test_weights_that_cannot_be_had_are_named_where_nothing_else_is_left_to_compare(tmp_path: Path) -> None:
    make_set(tmp_path)
    dataset, options = open_dataset(tmp_path, "tiny"), study.Options(starts="nothing, imagenet", shares="100", seeds=1)
    done = {"nothing, finetune, 100 %, seed 0": tuned(0.5)}
    left_out = {f"imagenet, {mode}, 100 %, seed 0": "No network here." for mode in ("frozen", "finetune")}
    alone, waiting = (
        study.answer(dataset, options, done, tmp_path, missing).sentences[0] for missing in (left_out, {})
    )
    assert "ImageNet cannot be had: No network here." in alone and waiting.startswith("So far there is no start")


def test_the_best_network_is_compared_with_the_plain_methods_of_its_own_seeds() -> None:
    """Another network was judged with two seeds; of the second, plain pixels named few."""
    done = {seed: tuned(0.5) for seed in (0, 1)}
    for seed, share in ((0, 0.8), (1, 0.2)):
        done[seed].result["baselines"][0].update(name="1-NN", top1=share)
    best = tuned(0.7)
    best.result["baselines"][0].update(name="1-NN", top1=0.8)
    said = report({NOTHING: {10: done}, SIMCLR: {10: {0: best}}}, same=[], pretrained_once=True).sentences
    assert any("1-NN names more photos right than any network here: 80.0 %" in sentence for sentence in said)


def test_the_plain_methods_are_drawn_behind_the_starts() -> None:
    (chart,) = report({NOTHING: {5: {0: tuned(0.4)}, 10: {0: tuned(0.5)}}}, same=[], pretrained_once=True).charts
    assert {line["name"]: line.get("quiet", False) for line in chart.lines} == {NOTHING.name: False, "majority": True}


def test_one_share_is_no_curve_but_bars_the_best_first() -> None:
    reached = {NOTHING: {10: {0: tuned(0.05)}}, SIMCLR: {10: {0: tuned(0.5)}}}
    (chart,) = report(reached, same=[], pretrained_once=True).charts
    assert (chart.kind, chart.title) == ("bars", "Accuracy with 10 % of the labels")
    (line,) = chart.lines
    assert line["x"] == [SIMCLR.name, "majority", NOTHING.name] and line["y"] == [50, 10, 5]
    assert line["low"][1] < 10 < line["high"][1]
    assert len(figures.report_chart(asdict(chart)).data[0].y) == 3


def test_a_plain_method_that_is_ahead_is_said_to_be() -> None:
    tops = {SIMCLR: {1.0: estimate([0.3], 50), 10.0: estimate([0.6], 50)}}
    plain = {"PCA + LDA": {1.0: estimate([0.4], 50), 10.0: estimate([0.5], 50)}}
    reached = {SIMCLR: {1.0: {0: tuned(0.3)}, 10.0: {0: tuned(0.6)}}}  # of before answers were kept
    assert beside_plain(reached, tops, plain) == [
        "With 1 % of the labels PCA + LDA names more photos right than any network here: 40.0 %."
    ]
    assert "was not tested." in beside_plain(reached, tops, {"1-NN": {1.0: estimate([0.1], 50)}})[0]


def beside(folder: Path, network: int, plain: int) -> dict[int, Done]:
    """Return two seeds that named the first so many of a hundred photos right, as did the plain method beside."""
    done = named(folder, network, network)
    for one in done.values():
        right = np.arange(100) < plain
        answers.store_plain(one.run.path, np.arange(100), np.zeros(100, int), {"1-NN": np.where(right, 0, 1)})
    return done


@pytest.mark.parametrize(("at", "said"), [
    ({1.0: (50, 60)}, "With 1 % of the labels 1-NN names more photos right than any network here: 60.0 %, and not "
                      "by chance."),
    ({1.0: (50, 53)}, "With 1 % of the labels 1-NN names more photos right than any network here: 53.0 %, which can be "
                      "chance."),
    ({1.0: (50, 60), 10.0: (60, 63), 100.0: (90, 70)},
     "With 1 % and 10 % of the labels 1-NN names more photos right than any network here: 60.0 % and 63.0 %; with 1 % "
     "that is not by chance, with 10 % it can be."),
    ({1.0: (60, 50), 10.0: (63, 60)},
     "With every share of the labels compared, the best network names more photos right than any plain method, on the "
     "mean; with 1 % that is not by chance, with 10 % it can be."),
])  # fmt: skip
def test_who_is_ahead_of_plain_methods_by_more_than_chance(
    tmp_path: Path, at: dict[float, tuple[int, int]], said: str
) -> None:
    """McNemar's test over photos by hand: of ten that differ all are one's, 2 · 2⁻¹⁰ = 0.2 %; of three, 25 %."""
    curve = {share: beside(tmp_path / f"{share}", *both) for share, both in at.items()}
    tops = {share: estimate([network / 100] * 2, 100) for share, (network, _) in at.items()}
    plain = {share: estimate([other / 100] * 2, 100) for share, (_, other) in at.items()}
    worse = {share: estimate([0.01], 100) for share in at}  # another network, which is not the best
    reached = {NOTHING: {share: {0: tuned(0.01)} for share in at}, SIMCLR: curve}
    assert beside_plain(reached, {NOTHING: worse, SIMCLR: tops}, {"majority": worse, "1-NN": plain}) == [said]


def test_the_report_has_a_band_and_the_plain_rows_beside_at_each_share() -> None:
    reached = {NOTHING: {1.0: {0: tuned(0.2), 1: tuned(0.3)}, 100.0: {0: tuned(0.8), 1: tuned(0.9)}},
               SIMCLR: {1.0: {0: tuned(0.5), 1: tuned(0.6)}}}  # fmt: skip
    content: dict[str, Any] = report(reached, same=[5], pretrained_once=True).as_dict()
    lines = {line["name"]: line for line in content["charts"][0]["lines"]}
    assert lines["from nothing, fine-tuned"]["x"] == [1, 100] and lines["SimCLR, frozen"]["y"] == [55.0]
    assert lines["majority"]["y"] == [10, 10]
    rows = [(row["labels, %"], row["model"]) for row in content["tables"][0]["rows"]]
    assert rows == [(1, "from nothing, fine-tuned"), (1, "SimCLR, frozen"), (1, "majority"),
                    (100, "from nothing, fine-tuned"), (100, "majority")]  # fmt: skip
    assert content["tables"][0]["columns"][:2] == ["model", "top-1"]  # on a phone what follows is scrolled to
    how = content["tables"][0]["rows"][1]["top-1"]["how"]
    assert how == "frozen, mean of 2 seeds, interval over seeds and photos, which two leave wide"
    assert "5 % of the labels would be the photos of a smaller share" in content["tables"][0]["note"]


@pytest.mark.parametrize("preset", ["label_efficiency", "s1", "s2"])
def test_a_set_without_test_faces_is_refused_before_anything_is_trained(prepared_home: Path, preset: str) -> None:
    dataset, plugin = open_dataset(prepared_home, "demo"), registry.load("studies", preset)
    rows = dataset.rows
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(dataset), "rows", lambda self, *splits: rows(*splits)[: 0 if splits == ("test",) else None])
        with pytest.raises(DatasetError, match="demo has no test faces to judge on"):
            plugin.steps(dataset, plugin.Options(), prepared_home)
