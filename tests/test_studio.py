"""What pages ask of the studio about runs: words, dependants, deletion, and refusals in one sentence."""

from pathlib import Path
from typing import Any

import pytest

from facessl import attending, devices, resolve, runs, turns
from facessl.config import EmbedRecipe, FinetuneRecipe, PretrainRecipe, ProbeRecipe, StudyRecipe
from facessl.errors import FaceSSLError, RecipeError, RunError
from facessl.files import write_json
from facessl.run import Run
from facessl.studio import Studio
from tests.tiny import make_set


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path)


@pytest.fixture
def family(tmp_path: Path) -> dict[str, Run]:
    """A pre-training; a fine-tuning of it with a map; a run that waited for the pre-training; and a stranger."""
    first = runs.create(tmp_path, "pretrain", PretrainRecipe(), title="first")
    tuned = runs.create(tmp_path, "finetune", FinetuneRecipe(init=first.id), title="tuned")
    mapped = runs.create(tmp_path, "embed", EmbedRecipe(model=tuned.id), title="mapped")
    after = runs.create(tmp_path, "embed", EmbedRecipe(), title="after", after=[first.id])
    stranger = runs.create(tmp_path, "pretrain", PretrainRecipe(), title="stranger")
    return {run.title: run for run in (first, tuned, mapped, after, stranger)}


def test_dependants_are_children_and_their_children(studio: Studio, family: dict[str, Run]) -> None:
    assert [run.title for run in studio.dependants(family["first"].id)] == ["after", "mapped", "tuned"]
    assert [run.title for run in studio.dependants(family["tuned"].id)] == ["mapped"]
    assert studio.dependants(family["stranger"].id) == []


def test_a_finished_study_builds_on_the_runs_that_it_reports_on(studio: Studio, family: dict[str, Run]) -> None:
    study = runs.create(studio.workspace, "study", StudyRecipe(), title="study")
    made = {"one": family["tuned"].id, "other": family["stranger"].id}
    report = {"sentences": [], "tables": [], "charts": [], "missing": [], "runs": made}
    write_json(study.path / "report.json", report)
    assert studio.dependants(family["stranger"].id) == []  # it is not finished, and would make that run anew
    study.update(state="finished")
    assert [run.title for run in studio.dependants(family["stranger"].id)] == ["study"]
    assert [run.title for run in studio.dependants(family["first"].id)] == ["study", "after", "mapped", "tuned"]
    with pytest.raises(RunError, match=r"“study” .* builds on this run"):
        studio.delete(family["stranger"].id)
    studio.delete(family["stranger"].id, with_dependants=True)
    assert {run.title for run in studio.runs()} == {"first", "tuned", "mapped", "after"}


def test_a_run_is_deleted_with_what_builds_on_it_only_when_asked(studio: Studio, family: dict[str, Run]) -> None:
    with pytest.raises(RunError, match="and 2 more build on this run; delete them first, or all together"):
        studio.delete(family["first"].id)
    with attending.held(family["mapped"]), pytest.raises(RunError, match="is still running"):
        studio.delete(family["first"].id, with_dependants=True)
    assert len(studio.runs()) == 5
    studio.delete(family["first"].id, with_dependants=True)
    assert [run.title for run in studio.runs()] == ["stranger"]


def test_an_estimate_keeps_nobody_from_deleting_what_it_began_from(studio: Studio, family: dict[str, Run]) -> None:
    runs.create(studio.workspace, "probe", ProbeRecipe(init=family["mapped"].id), title="Estimate")
    runs.create(studio.workspace, "probe", ProbeRecipe(init=family["stranger"].id), title="Estimate")
    studio.delete(family["stranger"].id)
    studio.delete(family["mapped"].id)
    assert {run.title for run in studio.runs()} == {"after", "tuned", "first"}


def test_further_sets_have_no_names_to_learn_from(studio: Studio) -> None:
    make_set(studio.workspace)
    make_set(studio.workspace, "other")
    for method in ("supervised", "supcon"):
        with pytest.raises(RecipeError, match=f"{method} learns from names, .* leave also out"):
            resolve.resolve("pretrain", {"dataset": "tiny", "also": ("other",), "method": method}, studio.workspace)


def test_a_set_joins_in_once(studio: Studio) -> None:
    make_set(studio.workspace)
    make_set(studio.workspace, "other")
    for also in (("tiny",), ("other", "other")):
        with pytest.raises(RecipeError, match=f"{also[0]} was named twice; also is for further sets"):
            resolve.check(PretrainRecipe(dataset="tiny", also=also), studio.workspace)


def test_one_of_several_gpus_can_be_asked_for_if_it_is_there(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    make_set(studio.workspace)
    card = devices.DeviceInfo("cuda", "a card", "bf16", 80.0)
    monkeypatch.setattr(devices, "detect", lambda: card)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")

    def resolved(**settings: object) -> Any:
        return resolve.resolve("pretrain", {"dataset": "tiny", **settings}, studio.workspace)

    assert resolved(device="cuda:1").device == "cuda:1"
    assert resolved(processes=2).processes == 2
    for device in ("auto", "cuda"):
        with pytest.raises(RecipeError, match=r"Each process needs a GPU .* this machine has 2; choose 2 of them"):
            resolved(processes=3, device=device)
    monkeypatch.setattr(devices, "cores", lambda: 3)
    assert resolved(processes=3, device="cpu").processes == 3
    with pytest.raises(RecipeError, match=r"This machine has 3 cores; choose 3 processes at most"):
        resolved(processes=4, device="cpu")
    monkeypatch.setattr(devices, "cores", lambda: 1)
    assert resolved(processes=2, device="cpu").processes == 2  # to see that it works
    with pytest.raises(RecipeError, match=r"Of a batch of 3 faces, 2 processes get fewer than two each; choose 1 "):
        resolved(processes=2, device="cpu", batch_size=3)
    with pytest.raises(RecipeError, match=r"no cuda:2; choose auto, or cuda:0 up to cuda:1"):
        resolved(device="cuda:2")
    with pytest.raises(RecipeError, match="2 processes need as many GPUs"):
        resolved(device="cuda:1", processes=2)


def test_a_run_has_another_title_and_a_note(studio: Studio, family: dict[str, Run]) -> None:
    studio.rename(family["first"].id, "the best")
    studio.note(family["first"].id, "Shown to the board.")
    found = studio.run(family["first"].id)
    assert (found.title, found.note) == ("the best", "Shown to the board.")
    with pytest.raises(RunError, match="at most 120"):
        studio.rename(found.id, "x" * 200)


def test_only_what_runs_and_learns_can_be_paused(studio: Studio, family: dict[str, Run]) -> None:
    with pytest.raises(RunError, match="stopped, so there is nothing to pause"):
        studio.pause(family["first"].id)
    with pytest.raises(RunError, match="Only pre-training and fine-tuning"):
        studio.pause(family["mapped"].id)
    with attending.held(family["first"]):
        family["first"].update(state="running")
        studio.pause(family["first"].id)
        assert family["first"].pause_requested()
        assert studio.resume(family["first"].id) == family["first"]
        assert not family["first"].pause_requested()
        with pytest.raises(RunError, match="already being worked on"):
            studio.resume(family["first"].id)


def test_changes_that_cannot_be_start_nothing(studio: Studio, tmp_path: Path) -> None:
    make_set(tmp_path)
    run = runs.create(tmp_path, "pretrain", PretrainRecipe(dataset="tiny"), title="it learns")
    before = (run.path / "config.json").read_text()
    for changes in ({"epochs": 0}, {"device": "cuda:99"}, {"image_size": 64}, {"nonsense": 1}):
        with pytest.raises(RecipeError) as refused:
            studio.resume(run.id, changes)
        assert "\n" not in str(refused.value)
    assert (run.path / "config.json").read_text() == before
    assert not run.is_alive() and run.status().attempts == 0


def test_the_queue_is_what_everybody_sees(studio: Studio, family: dict[str, Run], tmp_path: Path) -> None:
    with attending.held(family["first"]), turns.turn(tmp_path, family["first"], ["cpu"]):
        assert studio.queue() == Studio(tmp_path).queue() == [turns.Place("cpu", 0, family["first"])]
    assert studio.queue() == []


def test_every_refusal_is_one_of_ours(studio: Studio) -> None:
    for ask in (studio.pause, studio.resume, studio.stop, studio.delete, studio.dependants):
        with pytest.raises(FaceSSLError, match="There is no run"):
            ask("nothing")
