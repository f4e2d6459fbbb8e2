"""S1: the notebook's loss by hand, what guessing an axis is worth, its split, and a study whole."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import train_test_split

from facessl import devices, files, losses, registry
from facessl.dataset import open_dataset
from facessl.errors import DatasetError, Stopped
from facessl.metrics import wilson_interval
from facessl.run import Run
from facessl.studies import _crops, _notebook, _pictures, _published, _s1_report, _s1_sentences, _split, _why, s1
from facessl.studying import Done
from tests.studies.taking import take

TINY = s1.Options(image_size=32, epochs=1, pretrain_epochs=1, batch_size=16, threads=1, stem="imagenet")  # the fastest


def orthoplex(dimensions: int) -> torch.Tensor:
    """The corners of a cross-polytope: the most even way to lay 2 D points on a sphere of D dimensions."""
    return torch.cat([torch.eye(dimensions), -torch.eye(dimensions)])


def slow_loss(z0: torch.Tensor, z1: torch.Tensor, temperature: float) -> float:
    """The notebook's loss, number by number."""
    total = 0.0
    for i in range(len(z0)):
        cosines = [float(z0[i] @ z1[j] / (z0[i].norm() * z1[j].norm())) / temperature for j in range(len(z1))]
        total -= math.log(math.exp(cosines[i]) / sum(math.exp(value) for value in cosines))
    return total / len(z0)


def test_the_notebooks_loss_is_a_search_among_the_second_views() -> None:
    z0, z1 = torch.randn(2, 5, 6, generator=torch.Generator().manual_seed(0))
    assert _notebook.cross_view_loss(z0, z1).item() == pytest.approx(slow_loss(z0, z1, 0.5), abs=1e-5)


def test_copies_that_all_point_one_way_cost_ln_n() -> None:
    z = torch.ones(12, 6)
    assert _notebook.cross_view_loss(z, z).item() == pytest.approx(math.log(12), abs=1e-6)


def test_twelve_copies_in_six_dimensions_cannot_cost_less_than_they_published() -> None:
    # Ten others at a right angle, one opposite: -ln(e² / (e² + 10 e⁰ + e⁻²)) = 0.8637, and they printed 1.05 to 1.16.
    z = orthoplex(6)
    floor = math.log(1 + 10 * math.exp(-2) + math.exp(-4))
    assert len(z) == _published.LAST_BATCH == 972 - 15 * 64
    assert _notebook.cross_view_loss(z, z).item() == pytest.approx(floor, abs=1e-6)
    assert floor < min(_published.SIMCLR_LOSS) and max(_published.SIMCLR_LOSS) < math.log(12)


def test_copies_attract_nobody_the_gradient_only_spreads_them() -> None:
    # With copies the loss of anchor i is ln sum_j exp((cos ij - 1) / t): its pair is at cosine 1 whatever z is, so its
    # gradient is that of the spreading term alone.
    z = torch.randn(7, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    copies, alone = z.clone().requires_grad_(), z.clone().requires_grad_()
    _notebook.cross_view_loss(copies, copies).backward()
    unit = torch.nn.functional.normalize(alone, dim=1)
    torch.logsumexp((unit @ unit.T).fill_diagonal_(1.0).sub(1) / 0.5, dim=1).mean().backward()
    assert copies.grad is not None and alone.grad is not None
    assert torch.allclose(copies.grad, alone.grad, atol=1e-12)


def test_nt_xent_has_more_negatives_than_the_notebook() -> None:
    z = torch.ones(9, 4)
    assert _notebook.cross_view_loss(z, z).item() == pytest.approx(math.log(9), abs=1e-6)
    assert losses.nt_xent(z, z, 0.5).item() == pytest.approx(math.log(17), abs=1e-5)


def test_the_largest_axis_is_a_guess() -> None:
    rng = np.random.default_rng(0)
    answers, labels = rng.normal(size=(60_000, 6)).argmax(axis=1), rng.integers(6, size=60_000)
    assert np.mean(answers == labels) == pytest.approx(1 / 6, abs=0.006)  # four standard errors
    assert _notebook.matched(answers, labels) == pytest.approx(1 / 6, abs=0.01)


def test_axes_given_to_people_afterwards_are_a_permutation() -> None:
    labels = np.repeat([0, 1, 2], 5)
    assert _notebook.matched((labels + 1) % 3, labels) == 1.0
    assert _notebook.matched(np.zeros(15, int), labels) == pytest.approx(1 / 3)  # one axis is one person, not three


def test_their_accuracy_is_the_mean_over_batches_also_of_a_smaller_last_one() -> None:
    labels = np.zeros(65 + 31, int)
    right = np.tile([1.0, 0.0, 0.0, 0.0], (64, 1))
    wrong = np.tile([0.0, 1.0, 0.5, 0.2], (32, 1))
    pictures = _pictures.Pictures(np.zeros((96, 1, 1, 3), np.uint8), labels, labels, np.arange(96), 4)
    found = _notebook._judged_as_it_did(np.concatenate([right, wrong]), pictures)
    assert (found["top1"], found["top3"], found["top5"]) == (0.5, 0.5, 1.0)  # 64 of 96 would be 2/3
    assert found["macro_f1"] == pytest.approx(0.8)  # of the only one there: precision 1, recall 64 of 96


def test_names_on_the_way_are_counted_as_scikit_learn_counts_them() -> None:
    """A network that stands still gives the same answers before and during an epoch."""
    faces = np.random.default_rng(0).integers(0, 256, (70, 4, 4, 3), dtype=np.uint8)
    labels = np.arange(70) % 3
    pictures = _pictures.Pictures(faces, labels, np.arange(10, 70), np.arange(10), 3)
    work = _pictures.Work(pictures, devices.compute("cpu", "fp32", 1), lambda: None, np.random.default_rng(0))
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 3))
    answers = network(torch.from_numpy(faces[10:]).permute(0, 3, 1, 2).float() / 255).argmax(dim=1).numpy()
    found = _notebook._taught(network, torch.optim.SGD(network.parameters(), lr=0.0), work)
    assert found["train_macro_f1"] == pytest.approx(f1_score(labels[10:], answers, average="macro"))
    assert found["train_top1"] == pytest.approx(accuracy_score(labels[10:], answers))


def test_as_they_did_it_has_a_top_5_where_there_are_more_people_and_a_version_measured_it() -> None:
    row = {"epoch": 1, "top1": 0.2, "top3": 0.4, "top5": 0.6, "macro_f1": 0.17, "last_loss": 1.0}
    result = {"epochs": [row], "photos": 50, "chance": 1 / 6, "split": _why.POOLED}
    (table,) = _s1_report.by_epoch({"notebook": Done("", None, result)})
    first = table.rows[0]
    assert (first["ours as they did it: top-5"]["share"], first["ours as they did it: macro-F1"]) == (0.6, 0.17)
    assert {"ours as they did it: top-5", "ours as they did it: macro-F1"} <= set(table.columns)
    five = {**result, "chance": 1 / 5}
    assert _s1_report.by_epoch({"notebook": Done("", None, five)})[0].rows[0]["ours as they did it: top-5"] is None
    old = {**result, "epochs": [{name: row[name] for name in ("epoch", "top1", "top3", "last_loss")}]}
    first = _s1_report.by_epoch({"notebook": Done("", None, old)})[0].rows[0]
    assert first["ours as they did it: top-5"] is first["ours as they did it: macro-F1"] is None
    assert first["ours as they did it: top-3"]["share"] == 0.4


def test_the_pooled_split_is_scikit_learns_four_fifths_of_everybody() -> None:
    labels = np.repeat(np.arange(6), [207, 203, 190, 202, 205, 209])
    learnt, judged = _split.pooled_split(labels)
    assert (len(learnt), len(judged)) == (972, 244)  # as the notebook's own report counts
    assert np.bincount(labels[judged]).tolist() == [42, 41, 38, 40, 41, 42]  # the supports that it printed
    theirs = train_test_split(labels * 0 + np.arange(1216), test_size=0.2, random_state=42, stratify=labels)
    assert learnt.tolist() == theirs[0].tolist() and judged.tolist() == theirs[1].tolist()


def test_a_split_of_too_few_is_refused_in_words_before_anything_is_computed(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="too few for 3 people"):
        _split.pooled_split(np.array([0, 0, 1, 1, 2, 2]))
    few = SimpleNamespace(
        check_classifiable=lambda: None, rows=lambda *splits: np.arange(9), labels=lambda rows: rows // 3
    )
    with pytest.raises(DatasetError, match="20 % of 9 faces for judging, too few for 3 people"):
        s1.steps(few, s1.Options(), tmp_path)


class TwoBoxes:
    """A cascade that finds two boxes, and notes how it was asked."""

    def detectMultiScale(self, grey: np.ndarray, *how: object, minSize: tuple[int, int]) -> np.ndarray:  # noqa: N802, N803
        self.asked = (grey.shape, *how, minSize)
        return np.array([(30, 10, 20, 10), (0, 0, 10, 10)])


def test_every_box_is_kept_in_grey_whatever_its_shape() -> None:
    photo = np.zeros((40, 60, 3), np.uint8)
    photo[10:20, 30:50] = (200, 100, 50)
    cascade = TwoBoxes()
    left, right = _crops.every_box(cascade, photo, 8)  # type: ignore[arg-type]
    assert cascade.asked == ((40, 60), 1.3, 5, (30, 30))  # as the notebook asks
    assert left.shape == right.shape == (8, 8) and not left.any()
    assert (right == round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)).all()


def test_a_photo_of_two_faces_gives_two_crops_of_its_label(
    prepared_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = open_dataset(prepared_home, "demo")
    read = _crops.PhotoReader.read
    monkeypatch.setattr(_crops.PhotoReader, "read", lambda self, photo: np.concatenate([read(self, photo)] * 2, axis=1))
    crops = _crops.grey(dataset, 32, prepared_home, tmp_path, lambda: None)
    assert (crops.photos, crops.how) == (80, _crops.FROM_PHOTOS)
    assert len(crops.pictures) > 120 and np.bincount(crops.labels).min() > 30  # 20 photos each
    assert set(crops.splits) == {"train", "val", "test"}


@pytest.fixture(scope="module")
def taken(prepared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Done]]:
    dataset = open_dataset(prepared_home, "demo")
    folder = tmp_path_factory.mktemp("s1")
    steps = s1.steps(dataset, TINY, prepared_home)
    return folder, take(s1, dataset, TINY, prepared_home, folder, steps)


def test_crops_come_from_the_photos_and_are_kept_for_the_next_step(
    prepared_home: Path, taken: tuple[Path, dict[str, Done]]
) -> None:
    folder, done = taken
    assert done["notebook"].result["crops"] == _crops.FROM_PHOTOS
    assert len(list(folder.glob("every-box-32-*.npz"))) == 1
    assert not list(folder.glob(".*partial*"))


def test_without_the_photos_the_sets_own_crops_are_taken_and_that_is_said(tmp_path: Path) -> None:
    from tests.tiny import make_set

    path = make_set(tmp_path)
    info = json.loads((path / "dataset.json").read_text())
    info["recipe"] |= {"source": "folder", "path": str(tmp_path / "gone"), "options": {}}
    (path / "dataset.json").write_text(json.dumps(info))
    dataset = open_dataset(tmp_path, "tiny")
    rows = dataset.rows("train", "val", "test")
    crops = _crops.grey(dataset, 32, tmp_path, tmp_path, lambda: None)
    assert crops.how == _crops.FROM_FACES and crops.pictures.shape == (len(rows), 32, 32)
    assert crops.labels.tolist() == dataset.labels(rows).tolist()


def test_where_haar_finds_too_few_the_sets_own_crops_are_taken_and_that_is_said(
    prepared_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_crops, "every_box", lambda *_: [])
    crops = _crops.grey(open_dataset(prepared_home, "demo"), 32, prepared_home, tmp_path, lambda: None)
    assert crops.how == _crops.TOO_FEW and len(crops.pictures) == 80


def test_crops_of_the_old_kind_are_not_taken_for_these(prepared_home: Path) -> None:
    """They stood in ``grey-…npz``, results of them under a step's ``what`` alone."""
    steps = s1.steps(open_dataset(prepared_home, "demo"), TINY, prepared_home)
    assert all("crops" in step.settings for step in steps if step.kind == "inside")


def test_a_set_without_names_is_refused_before_anything_is_trained(prepared_home: Path) -> None:
    dataset = open_dataset(prepared_home, "demo")
    dataset.__dict__["people"] = []
    with pytest.raises(DatasetError, match="fewer than two named people"):
        s1.steps(dataset, TINY, prepared_home)


def test_every_step_that_can_be_taken_was(taken: tuple[Path, dict[str, Done]]) -> None:
    _, done = taken
    assert {f"why-{name}" for name in _why.CHANGES if name != "notebook"} <= done.keys()
    assert {
        "notebook",
        "notebook-classifier",
        "simclr",
        "simclr-linear",
        "simclr-tuned",
        "nothing",
        "nothing-embedding",
    } <= done.keys()
    assert "imagenet-tuned" not in done  # no weights in a test's workspace


def test_the_report_holds_three_columns_a_panel_and_what_is_missing(
    prepared_home: Path, taken: tuple[Path, dict[str, Done]]
) -> None:
    without = dict.fromkeys(("imagenet-linear", "imagenet-tuned", _why.TRANSFER), "no weights in tests")
    report = s1.answer(open_dataset(prepared_home, "demo"), TINY, taken[1], prepared_home, without)
    tables = {table.title: table for table in report.tables}
    first = tables["Their figure · ours as they did it · ours done right"].rows[0]
    assert first["their figure: top-1"]["share"] == 0.212
    assert first["ours as they did it: top-1"]["photos"] == 16  # a fifth of 80
    assert first["ours done right: top-1"]["split"] == "val"
    (row,) = (row for row in taken[1]["simclr-tuned"].run.metrics() if row["epoch"] == 1)  # type: ignore[union-attr]
    assert first["ours done right: top-3"]["share"] == row["val_top3"] >= row["val_top1"]
    assert first["ours done right: top-3"]["photos"] == row["val_photos"]
    assert "ours done right: top-5" not in first  # of four people it would always be 1
    assert not any("earlier version" in said for said in report.missing)
    (top3,) = (chart for chart in report.charts if chart.title == "Top-3 after each epoch")
    theirs, notebook = top3.lines[0], taken[1]["notebook"].result["epochs"]
    assert theirs["name"].startswith("their figure, SimCLR") and theirs["y"][0] > 0.212  # their top-1
    drawn = {line["name"]: line["y"] for line in top3.lines}
    assert drawn["ours as they did it, SimCLR"] == [epoch["top3"] for epoch in notebook if epoch["epoch"] > 0]
    assert drawn["ours done right, SimCLR, fine-tuned (val)"][0] == row["val_top3"]
    panel = tables[_why.TITLE].rows
    assert [row["what is done otherwise"] for row in panel][:1] == ["as the notebook did it"]
    assert all(row["chance"] == 0.25 for row in panel if "chance" in row)
    linear = "read right (linear layer on the features)"
    assert all(row[f"macro-F1, {linear}"] is not None for row in panel if linear in row)
    assert panel[-1]["read as it did (largest axis)"] == "not asked"
    model2 = tables[_why.TRANSFER_TITLE].rows
    assert [row["what is done otherwise"] for row in model2] == [
        "as the notebook did it: from nothing, the cell run twice", "from nothing, the cell run once"
    ]  # fmt: skip
    (before, first) = taken[1]["notebook-classifier"].result["epochs"]
    assert [row[_why._FIRST]["share"] for row in model2] == [first["train_top1"], before["train_top1"]]
    assert [row[_why._LAST]["share"] for row in model2] == [first["top1"], before["top1"]]
    assert any("not known here without" in table.note for table in report.tables)
    rows = tables["Done right, on test"].rows
    ours = max(row["top-1"]["share"] for row in rows if row["model"] in _s1_report.OURS.values())
    plain = max(row["top-1"]["share"] for row in rows if row["model"] not in _s1_report.OURS.values())
    (beside,) = (said for said in report.sentences if "plain method" in said or "learns no features" in said)
    assert f"{100 * ours:.1f} %" in beside and f"{100 * plain:.1f} %" in beside
    assert beside.startswith("No network") == (plain > ours)
    why_20 = next(said for said in report.sentences if said.startswith("Why 20 %"))
    assert why_20.count(" – ") == 3  # each share with its interval
    on_test = tables["Done right, on test"].rows
    assert {"majority", "PCA + LDA", "1-NN on PCA-whitened pixels"} <= {row["model"] for row in on_test}
    assert any("cannot be said here without ImageNet weights" in said for said in report.sentences)
    json.dumps(report.as_dict(), allow_nan=False)


def test_what_begins_with_imagenet_weights_is_missing_only_where_they_are(
    prepared_home: Path, taken: tuple[Path, dict[str, Done]]
) -> None:
    """While their run is queued, going or failed for another reason, it is only not done yet."""
    report = s1.answer(open_dataset(prepared_home, "demo"), TINY, taken[1], prepared_home, {})
    said = " ".join([*report.sentences, *(table.note for table in report.tables)])
    assert "without ImageNet weights" not in said and "not known here" not in said
    assert "is not known yet: what begins with ImageNet weights is not done" in said
    assert "is not known yet: it is not done" in said


def test_two_figures_of_one_network_are_told_apart(prepared_home: Path, taken: tuple[Path, dict[str, Done]]) -> None:
    """One is S1's own reading, with batch norm as while training; the other is read when training is over."""
    result = {**taken[1]["notebook"].result, "argmax": 0.123}
    result["epochs"] = [{**result["epochs"][-1], "top1": 0.045}]
    done = {**taken[1], "notebook": Done("notebook", None, result)}
    said = s1.answer(open_dataset(prepared_home, "demo"), TINY, done, prepared_home, {}).sentences
    assert any("right in 12.3 %" in sentence for sentence in said)
    (own,) = (sentence for sentence in said if "SimCLR 4.5 %" in sentence)
    assert "the same network as the 12.3 % above" in own and "with batch norm as while training" in own


def test_their_second_run_of_the_cell_goes_before_the_epochs_it_logs(taken: tuple[Path, dict[str, Done]]) -> None:
    result = taken[1]["notebook-classifier"].result
    assert [row["epoch"] for row in result["epochs"]] == [0, 1]
    assert result["report"]["weighted avg"]["support"] == result["photos"] * TINY.epochs


def test_test_faces_are_judged_on_only_as_they_did_it(taken: tuple[Path, dict[str, Done]]) -> None:
    assert taken[1]["notebook"].result["split"] == _why.POOLED
    assert taken[1]["why-own_split"].result["split"] == "test"
    assert not any("top1" in row and row.get("split") == "test" for row in taken[1]["simclr-tuned"].run.metrics())  # type: ignore[union-attr]


def test_the_same_seed_gives_the_same_numbers(
    prepared_home: Path, taken: tuple[Path, dict[str, Done]], tmp_path: Path
) -> None:
    dataset = open_dataset(prepared_home, "demo")
    step = next(step for step in s1.steps(dataset, TINY, prepared_home) if step.key == "notebook")
    again = take(s1, dataset, TINY, prepared_home, tmp_path, [step])
    assert again["notebook"].result == taken[1]["notebook"].result


def test_a_stop_ends_a_notebooks_training_between_two_batches(prepared_home: Path, tmp_path: Path) -> None:
    dataset = open_dataset(prepared_home, "demo")
    (tmp_path / "stop").touch()
    with pytest.raises(Stopped):
        s1.inside("notebook", {"what": "notebook"}, dataset, TINY, Run(tmp_path), prepared_home)


def test_an_answer_is_there_before_anything_is_done(prepared_home: Path) -> None:
    done: Mapping[str, Done] = {}
    report = s1.answer(open_dataset(prepared_home, "demo"), TINY, done, prepared_home, {})
    assert report.sentences == [] and len(report.tables) == 2  # what they published


@pytest.mark.parametrize(
    ("rival", "simclr", "said"),
    [(30, 12, "survives"), (12, 30, "does not survive"), (20, 17, "is not decided"), (17, 20, "is not decided")],
)
def test_transfer_beats_simclr_only_where_chance_cannot_say_so(
    tmp_path: Path, rival: int, simclr: int, said: str
) -> None:
    done = {"imagenet-tuned": judged(tmp_path / "a", rival), "simclr-tuned": judged(tmp_path / "b", simclr)}
    (sentence,) = _s1_sentences._survives(done, {})
    assert f"“Transfer beats SimCLR” {said} on this set: {rival / 40:.1%}".replace("%", " %") in sentence
    # The photos that only one got right are a coin's throws: 2 · 2⁻¹⁸ of eighteen, 2 · 2⁻³ of three.
    p = 2 * 0.5 ** abs(rival - simclr)
    assert f"p = {p:.2g}" in sentence and ("can be chance" in sentence) == (p > 0.05)


def test_without_imagenet_simclr_is_compared_with_the_network_from_nothing_that_is_read_alike(tmp_path: Path) -> None:
    right = {"nothing": 10, "nothing-embedding": 30, "simclr-tuned": 34}
    done = {key: judged(tmp_path / key, number) for key, number in right.items()}
    (sentence,) = _s1_sentences._survives(done, {})
    assert "is not decided on this set: 75.0 %" in sentence and "against 85.0 %" in sentence
    assert "“ResNet18 from nothing, on its untrained embedding” and “SimCLR, fine-tuned”" in sentence
    del done["nothing-embedding"]
    assert _s1_sentences._survives(done, {}) == []


@pytest.mark.parametrize(
    ("keys", "shown"),
    [(["nothing"], "From nothing done right, fine-tuned"),
     (["nothing", "imagenet-tuned"], "ImageNet done right, fine-tuned")],
)  # fmt: skip
def test_the_reports_side_by_side_hold_transfer_or_what_stood_in_for_it(
    tmp_path: Path, keys: list[str], shown: str
) -> None:
    done = {}
    for place, key in enumerate(keys):
        done[key] = judged(tmp_path / key, 20)
        figures = {"precision": 0.5, "recall": 0.25, "f1-score": 0.25 + place, "support": 40}
        files.write_json(tmp_path / key / "report.json", {"report": {"Ann": figures, "macro avg": figures}})
    (table,) = _s1_report._our_reports(SimpleNamespace(people=["Ann"]), done)  # type: ignore[arg-type]
    assert table.columns == ["person", *(f"{shown}: {said}" for said in ("precision", "recall", "F1", "photos"))]
    assert [row[f"{shown}: F1"] for row in table.rows] == [0.25 + len(keys) - 1] * 2


def judged(folder: Path, right: int) -> Done:
    """Return a fine-tune run that named the first so many of forty test photos rightly."""
    folder.mkdir()
    rows = {"face": range(40), "label": 0, "predicted": [0] * right + [1] * (40 - right)}
    pd.DataFrame(rows).to_parquet(folder / "predictions.parquet")
    metrics = {"top1": right / 40, "top1_interval": wilson_interval(right, 40), "photos": 40, "frozen": False}
    return Done("", Run(folder), {"metrics": metrics})


def test_model_2s_mistakes_are_switched_off_alone_and_together() -> None:
    """What its first cell gave is the first half of what both gave: it costs no training of its own."""
    epochs = [{"epoch": epoch, "train_top1": 0.5 + epoch / 10, "top1": 0.4 + epoch / 10} for epoch in (-1, 0, 1, 2)]
    result = {"epochs": epochs, "photos": 20, "faces_seen": 100, "split": _why.POOLED, "earlier": 2}
    done = {key: Done(key, None, result) for key in ("notebook-classifier", _why.TRANSFER)}
    (table,) = _why.transfer_table(done, {})
    assert [row["what is done otherwise"] for row in table.rows] == [
        "as the notebook did it: from nothing, the cell run twice", "from nothing, the cell run once",
        "true ImageNet weights, not from nothing", "neither: true ImageNet weights, the cell run once",
    ]  # fmt: skip
    assert [row[_why._FIRST]["share"] for row in table.rows] == [0.6, 0.4] * 2
    assert [row[_why._LAST]["share"] for row in table.rows] == pytest.approx([0.6, 0.4] * 2)
    assert table.rows[0][_why._FIRST]["photos"] == 80 and "not known here" not in table.note
    assert "A dash" in table.note and all(row[f"macro-F1, {_why._LAST}"] is None for row in table.rows)
    for epoch in epochs:
        epoch |= {"train_macro_f1": epoch["train_top1"] / 2, "macro_f1": epoch["top1"] / 2}
    (table,) = _why.transfer_table(done, {})
    for column in (_why._FIRST, _why._LAST):
        assert [row[f"macro-F1, {column}"] for row in table.rows] == [row[column]["share"] / 2 for row in table.rows]
    assert "A dash" not in table.note


def test_the_notebook_is_no_method_of_ours() -> None:
    assert not any("notebook" in name for name in registry.names("methods"))
    assert registry.names("studies")[-2:] == ("s1", "s2")


def test_a_picture_left_over_joins_the_last_batch() -> None:
    assert [len(batch) for batch in _pictures.batches_of(np.arange(129))] == [64, 65]
    assert [len(batch) for batch in _pictures.batches_of(np.arange(76))] == [64, 12]
