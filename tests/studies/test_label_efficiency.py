"""Label efficiency: which runs it takes, what its intervals are, and where curves cross."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from facessl import config, files, recipes, runs
from facessl.dataset import open_dataset
from facessl.errors import RecipeError
from facessl.studies import label_efficiency as study
from facessl.studies._crossings import _sentence, beside_plain
from facessl.studies._labels import Line, report
from facessl.studies._seeds import beats, estimate
from facessl.studies._starts import Start
from facessl.studying import Done
from tests.tiny import make_set

NOTHING = Line(Start("nothing", "nothing", "nothing"), "finetune")
SIMCLR = Line(Start("simclr", "method", "SimCLR"), "frozen")


def tuned(top1: float) -> Done:
    metrics = {"top1": top1, "top3": None, "top5": None, "macro_f1": top1, "photos": 50, "train_photos": 6}
    plain = {"name": "majority", "top1": 0.1, "low": 0.05, "high": 0.2, "photos": 50, "macro_f1": 0.02}
    return Done("key", None, {"metrics": metrics, "baselines": [plain]})


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
    files.write_json(run.path / "model.json", {})
    with pytest.raises(RecipeError, match="learnt from names"):
        study.steps(dataset, study.Options(starts=run.id), tmp_path)
    with pytest.raises(RecipeError, match="'nosuch' is no start"):
        study.steps(dataset, study.Options(starts="nosuch"), tmp_path)


@pytest.mark.parametrize("shares", ["", "0", "101", "ten", "nan"])
def test_shares_that_are_none_are_refused(shares: str) -> None:
    with pytest.raises(ValidationError, match="shares are numbers above 0"):
        study.Options(shares=shares)


def test_the_interval_over_seeds_is_students() -> None:
    shares = [0.5, 0.62, 0.55]
    found = estimate(shares, 50)
    low, high = stats.t.interval(0.95, 2, loc=np.mean(shares), scale=stats.sem(shares))
    assert (found.mean, found.low, found.high) == pytest.approx((np.mean(shares), low, high))


def test_the_interval_of_one_seed_is_wilsons() -> None:
    n, p, z = 50, 0.6, 1.959964
    middle, half = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    ends = ((middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n))
    assert estimate([0.6], 50)[1:3] == pytest.approx(ends, abs=1e-4)


def test_one_beats_another_when_seed_by_seed_the_gain_is_real() -> None:
    low = {seed: tuned(0.3 + 0.2 * seed) for seed in range(3)}  # seeds differ much, the gain hardly
    high = {seed: tuned(0.35 + 0.2 * seed + 0.001 * seed) for seed in range(3)}
    assert beats(high, low) == 1 and beats(low, high) == -1 and beats(low, low) == 0
    assert beats({0: tuned(0.9), 1: tuned(0.2)}, {0: tuned(0.3), 1: tuned(0.5)}) == 0


@pytest.mark.parametrize(("verdicts", "said"), [
    ((1, 1, 0, 0), "better than from nothing with 1 % and 5 % of the labels; from 10 % of the labels on, "
                   "from nothing is as good."),
    ((1, 0, -1, -1), "from 5 % of the labels on, from nothing is as good, and better with 10 % and 100 %."),
    ((1, 1, 1, 1), "with every share of the labels, from 1 % to 100 %."),
    ((0, 0, 0, 0), "with no share of the labels better than from nothing; no difference is more than chance."),
    ((0, 0, -1, 0), "with no share of the labels better than from nothing, and worse with 10 %."),
])  # fmt: skip
def test_where_curves_cross_is_said(verdicts: tuple[int, ...], said: str) -> None:
    assert _sentence(SIMCLR, dict(zip((1.0, 5.0, 10.0, 100.0), verdicts, strict=True))).endswith(said)


def test_a_plain_method_that_is_ahead_is_said_to_be() -> None:
    tops = {SIMCLR: {1.0: estimate([0.3], 50), 10.0: estimate([0.6], 50)}}
    plain = {"PCA + LDA": {1.0: estimate([0.4], 50), 10.0: estimate([0.5], 50)}}
    assert beside_plain(tops, plain) == [
        "With 1 % of the labels PCA + LDA names more photos right than any network here: 40.0 %."
    ]


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
    assert content["tables"][0]["rows"][1]["top-1"]["how"] == "frozen"
    assert "5 % of the labels would be the photos of a smaller share" in content["tables"][0]["note"]
