"""The benchmark: both sides see the same faces, and its figures mean what they are called."""

import json
import subprocess
import sys
from pathlib import Path
from statistics import median

import numpy as np
import pytest
import torch
from torch import nn

from facessl import bench, recipes
from facessl.bench import _arithmetic, _example, _faces, _loss, _rounds, _timeline, _train, _views
from facessl.cli import main
from facessl.errors import DatasetError, RecipeError
from tests.tiny import make_set

NOWHERE = Path("/nowhere")


def recipe(**settings: object) -> bench.BenchRecipe:
    small = {"faces": 4, "repeats": 2, "size": (32,), "batch_size": 2, "steps": 2, "warm_up": 1, "threads": 1}
    return recipes.build(bench.BenchRecipe, {**small, **settings})


def of(answer: dict, key: str, what: str) -> dict:
    return next(row for row in answer[key] if row["what"] == what)


@pytest.fixture
def without_lightly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightly", None)


# -- taking turns ---------------------------------------------------------------------------------------------------


def test_the_sides_take_turns_and_the_first_round_does_not_count():
    order: list[str] = []
    ours, peer = _rounds.alternately(
        lambda: order.append("o") or float(len(order)),
        lambda: order.append("p") or float(len(order)),
        2,
        lambda n: None,
    )
    assert "".join(order) == "opopop"
    assert (ours, peer) == ([3, 5], [4, 6])


def test_the_ratio_is_that_of_the_medians():
    """Medians 20 and 4; single repeats 10/5, 20/1 and 90/4, whose median is 20."""
    row = _rounds.compared("x", "a second", [10, 20, 90], [5, 1, 4])
    assert (row["ours"], row["peer"], row["ratio"]) == (20, 4, 5)
    assert (row["lowest"], row["highest"]) == (2, 22.5)


def test_of_seconds_and_bytes_less_is_better():
    row = _rounds.compared("x", "ms", [2, 2, 3], [6, 8, 30], less_is_better=True)
    assert (row["ratio"], row["lowest"], row["highest"]) == (4, 3, 10)


# -- faces ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", [True, False])
def test_both_sides_see_the_same_faces(named: bool, tmp_path: Path):
    make_set(tmp_path)
    with _faces.opened(recipe(dataset="tiny" if named else ""), tmp_path, [32]) as found:
        faces = found[32]
        theirs = np.stack([np.asarray(image) for image in faces.images()])
        ours = faces.pool(10).take(np.arange(10))
        assert len(theirs) == 4 and len(np.unique(theirs.reshape(4, -1), axis=0)) == 4
        assert np.array_equal(ours, theirs[[0, 1, 2, 3, 0, 1, 2, 3, 0, 1]])  # round after round


def test_faces_of_a_set_are_those_that_may_be_learnt_from(tmp_path: Path):
    make_set(tmp_path)
    with _faces.opened(recipe(dataset="tiny", faces=1000), tmp_path, [32]) as found:
        splits = set(found[32].dataset.crops["split"].to_numpy()[found[32].rows])
    assert splits == {"unlabelled", "train"}


def test_generated_faces_have_the_size_of_the_views(tmp_path: Path):
    with _faces.opened(recipe(), tmp_path, [32, 64]) as found:
        assert {size: image.size for size in found for image in found[size].images()} == {32: (32, 32), 64: (64, 64)}


def test_our_views_are_of_every_face_once(tmp_path: Path):
    """Five faces in batches of two, and the last one alone."""
    make_set(tmp_path)
    with _faces.opened(recipe(dataset="tiny", faces=5), tmp_path, [32]) as found:
        parts = found[32].parts(2)
        assert [len(part) for part in parts] == [2, 2, 1]
        assert np.array_equal(np.concatenate([part.rows for part in parts]), found[32].rows)
        pictures, make = _views.our_side(found[32], _views.settings(recipe(), 32, batch_size=2))
        seconds = [make(), make()]
    assert len(pictures) == 2 and all(0 < part < whole for part, whole in zip(pictures, seconds, strict=True))


# -- where the time goes --------------------------------------------------------------------------------------------


def test_the_shares_are_of_what_was_done(monkeypatch: pytest.MonkeyPatch):
    """A clock by hand: 1 s of warming up, then 2 s of waiting, 1 s of views and 5 s of the model, twice."""
    clock = [0.0]
    monkeypatch.setattr(_timeline.time, "perf_counter", lambda: clock[0])
    timeline = _timeline.Timeline("cpu")
    timeline.mark("model")
    clock[0] += 1
    timeline.start()
    for _ in "12":
        for what, seconds in (("waiting", 2), ("views", 1), ("model", 5)):
            timeline.mark(what)
            clock[0] += seconds
    stretch = timeline.stop()
    assert stretch.seconds == 16
    assert stretch.shares == {"waiting": 0.25, "views": 0.125, "model": 0.625}


def test_watched_batches_time_the_steps_between_warming_up_and_the_last(monkeypatch: pytest.MonkeyPatch):
    """Two steps warm up and two are timed, at 3 s each; then as many on one batch, at 1 s; the last is for nothing."""
    clock, asked = [0.0], list[tuple[int, int]]()
    monkeypatch.setattr(_timeline.time, "perf_counter", lambda: clock[0])

    class Slow:
        faces, batch_size, steps, labels, prelude = 10, 2, 5, torch.zeros(2), None

        def __call__(self, epoch: int, step: int) -> "Slow":
            clock[0] += 3
            asked.append((epoch, step))
            return self

        def views(self, part: slice) -> list[torch.Tensor]:
            return [torch.arange(2.0)[part]]

    watched = _train.Watched(Slow(), "cpu", warm_up=2, steps=2)
    assert watched.steps == 9
    for epoch in (0, 1):
        asked.clear()
        for step in range(9):
            batch = watched(epoch, step)
            clock[0] += 1 if step in (2, 3, 6, 7) else 100
        assert [stretch.seconds for stretch in watched.stretches] == [4, 1]
        assert watched.stretches[0].shares == {"waiting": 0.75, "views": 0, "model": 0.25}
        assert asked == [(epoch, 0), (epoch, 1), (epoch, 2), (epoch, 3), *([(0, 0)] if epoch == 0 else [])]
    assert len(batch) == 2 and batch.views(slice(1, 2))[0].tolist() == [1]


# -- arithmetic -----------------------------------------------------------------------------------------------------


def test_a_convolution_costs_what_counting_says():
    """6 × 6 places × 5 channels out × 3 in × 3 × 3 weights, each a multiplication and an addition, for 2 pictures;
    as much again for the weights' gradient. Nobody wants a gradient of the pictures."""
    layer, pictures = nn.Conv2d(3, 5, kernel_size=3), torch.zeros(2, 3, 8, 8)
    assert _arithmetic.flops(lambda: [layer(pictures)]) == 2 * (2 * 6 * 6 * 5 * 3 * 3 * 3 * 2)


def test_resnet18_costs_what_its_paper_says():
    """He et al. 2016, table 1: 1.8e9 multiplications and additions for a picture of 224 px. The gradient costs twice
    that, save for the first layer, and a face has two views."""
    plan = _views.settings(recipe(), 224)
    assert _arithmetic.flops_per_image(plan) == pytest.approx(2 * 3 * 2 * 1.8e9, rel=0.03)


def test_resnet18s_work_grows_with_the_picture():
    small, large = (_arithmetic.flops_per_image(_views.settings(recipe(), size)) for size in (64, 128))
    assert large == pytest.approx(4 * small, rel=0.01)


# -- the other side -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cores", "tried"),
    [(1, [0, 1]), (2, [0, 1, 2]), (6, [0, 1, 2, 3, 4, 6]), (16, [0, 1, 2, 3, 4, 8, 16])],
)
def test_worker_counts(cores: int, tried: list[int]):
    assert _example.worker_counts(cores) == tried


def test_lightlys_loss_holds_at_least_one_matrix_of_all_logits():
    """At 1,024 pairs 2,048 × 2,048 numbers of 4 bytes; ours, in blocks of 1,024 × 1,024, less than that."""
    matrix = 2048 * 2048 * 4 / 2**20
    assert _loss._peak_mib_elsewhere("peer", 1024, 16, "cpu", threads=1) > matrix  # here others left memory to reuse


# -- the commands ---------------------------------------------------------------------------------------------------


def test_views_by_command(capsys: pytest.CaptureFixture[str], empty_workspace: Path):
    make_set(empty_workspace)
    words = "bench views --dataset tiny --size 32 40 --faces 4 --repeats 2 --json"
    assert main(words.split()) == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    names = ["views 32 px", "views as input 32 px", "views 40 px", "views as input 40 px"]
    assert [row["what"] for row in answer["rows"]] == names
    for row in answer["rows"]:
        every = of(answer, "samples", row["what"])
        assert len(every["ours"]) == len(every["peer"]) == 2
        assert row["ours"] == pytest.approx(median(every["ours"])) and row["peer"] == pytest.approx(
            median(every["peer"])
        )
        assert row["ratio"] == pytest.approx(median(every["ours"]) / median(every["peer"]))
        assert row["lowest"] <= row["highest"]
    pictures, inputs = (of(answer, "samples", name)["ours"] for name in names[:2])
    assert all(whole < part for part, whole in zip(pictures, inputs, strict=True))  # what comes on top takes time
    assert answer["gpu"] == "not measured on a GPU"
    assert answer["machine"]["cores"] >= 1 and answer["machine"]["torch"] == torch.__version__.split("+")[0]
    assert answer["settings"]["face_sides"] == {"32": 32, "40": 32} and answer["settings"]["threads"] == 1
    assert answer["command"] == "python -m facessl bench views --dataset tiny --size 32 40 --faces 4 --repeats 2"


def test_views_leave_the_number_of_threads_as_it_was():
    import cv2

    before = cv2.getNumThreads()
    bench.run("views", recipe(repeats=1), NOWHERE)
    assert cv2.getNumThreads() == before


@pytest.mark.long
def test_training_tells_speed_shares_workers_and_arithmetic(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_example, "worker_counts", lambda cores: [0, 1])
    answer = bench.run("train", recipe(), NOWHERE)
    row = of(answer, "rows", "train 32 px")
    every = of(answer, "samples", "train 32 px")
    fixed = of(answer, "rows", "train 32 px beside a fixed batch")
    assert fixed["ours"] == row["ours"] and fixed["ratio"] == pytest.approx(row["ours"] / fixed["peer"])
    assert row["unit"] == "images/s" and len(every["ours"]) == len(every["peer"]) == 2
    assert row["ratio"] == pytest.approx(median(every["ours"]) / median(every["peer"]))
    assert [share["side"] for share in answer["shares"]] == ["ours", "peer"]
    for share in answer["shares"]:
        assert share["waiting"] + share["views"] + share["model"] == pytest.approx(1, abs=0.02)
        assert min(share["waiting"], share["views"], share["views_alone"]) >= 0 < share["model"]
    workers = answer["workers"][0]
    assert workers["images_per_second"][str(workers["best"])] == max(workers["images_per_second"].values())
    work = answer["arithmetic"][0]
    assert work["ours_tflops"] == pytest.approx(work["gflop_per_image"] * row["ours"] / 1000)
    assert work["share_of_limit"] is None and answer["gpu"] == "not measured on a GPU"
    assert (answer["settings"]["batch_size"], answer["settings"]["steps"]) == (2, 2)


@pytest.mark.usefixtures("without_lightly")
def test_without_lightly_our_own_figures_are_given(capsys: pytest.CaptureFixture[str], empty_workspace: Path):
    assert main(["bench", "views", "--size", "32", "--faces", "4", "--repeats", "1"]) == 0
    out = capsys.readouterr().out
    assert "pip install lightly" in out and "nobody known" not in out
    answer = bench.run("train", recipe(repeats=1), NOWHERE)
    row = answer["rows"][0]
    assert row["ours"] > 0 and row["peer"] is None and row["ratio"] is None
    assert [share["side"] for share in answer["shares"]] == ["ours"] and answer["workers"] == []


@pytest.mark.usefixtures("without_lightly")
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory from /proc")
def test_the_loss_by_time_and_memory():
    """Our memory is that of three blocks of the 1,024 × 1,024 logits at most, and of some rows of 16 numbers."""
    answer = bench.run("loss", recipe(repeats=1, pairs=1024, dimensions=16), NOWHERE)
    assert [row["what"] for row in answer["rows"]] == ["nt_xent N=1024", "memory N=1024"]
    time, memory = answer["rows"]
    assert (time["unit"], memory["unit"]) == ("ms", "MiB") and time["ours"] > 0
    assert 4 < memory["ours"] < 16


@pytest.mark.parametrize(
    ("settings", "error", "sentence"),
    [
        ({"size": (8,)}, RecipeError, "image_size"),
        ({"size": (9999,)}, RecipeError, "image_size"),
        ({"batch_size": 1}, RecipeError, "batch_size"),
        ({"dataset": "nothing"}, DatasetError, "prepare one first"),
        ({"dataset": "a b"}, DatasetError, "no prepared set"),
        ({"device": "mps"}, RecipeError, "no mps device"),
    ],
)
def test_what_cannot_be_measured_is_said(settings: dict, error: type[Exception], sentence: str, tmp_path: Path):
    with pytest.raises(error, match=sentence):
        bench.run("train", recipe(**settings), tmp_path)


@pytest.mark.parametrize("words", ["views --repeats 0", "views --size large", "views --faces 1", "loss --pairs 9000"])
def test_bad_settings_are_one_line(words: str, capsys: pytest.CaptureFixture[str], empty_workspace: Path):
    assert main(["bench", *words.split()]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and words.split()[1].lstrip("-") in err


def test_what_to_measure_is_asked_for(capsys: pytest.CaptureFixture[str], empty_workspace: Path):
    with pytest.raises(SystemExit) as ended:
        main(["bench", "everything"])
    assert ended.value.code == 2 and "views" in capsys.readouterr().err


def test_the_command_line_stays_light():
    code = "import sys, facessl.cli; print('torch' in sys.modules, 'lightly' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.gpu
def test_a_cards_limits_are_above_what_a_step_reaches():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    answer = bench.run("train", recipe(size=(112,), batch_size=64, steps=10, device="cuda"), NOWHERE)
    assert answer["gpu"]["matmul_bf16_tflops"] > 1 and answer["gpu"]["copy_gb_per_s"] > 10
    assert 0 < answer["arithmetic"][0]["share_of_limit"] < 1
    for share in answer["shares"]:
        assert share["waiting"] + share["views"] + share["model"] == pytest.approx(1, abs=0.05)
