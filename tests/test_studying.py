"""A study takes its steps once: it stops, goes on, uses again what is there, and says what it left out and why."""

import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from facessl import borrowed, conducting, files, jobs, registry, resolve, runs, worker
from facessl.backbones import _imagenet
from facessl.config import RECIPES
from facessl.dataset import open_dataset
from facessl.errors import RunError
from facessl.recipes import build
from facessl.run import Run
from facessl.studio import Studio
from facessl.studying import Done, Report, Step
from tests.tiny import make_set

SMALL = {"backbone": "tinyvgg", "image_size": 32, "batch_size": 16, "epochs": 1, "threads": 1}
PRETRAIN = Step("pre", "pretrain", {**SMALL, "method": "simclr"})
FROZEN = Step("frozen", "finetune", {**SMALL, "init": "@pre", "mode": "frozen"})
OWN = Step("own", "inside", {"of": "@pre", "number": 2})
OWN_ALONE = Step("own", "inside", {"number": 2})
BORROWED = Step("borrowed", "pretrain", {**SMALL, "init": "imagenet"}, "The weights are not here; put them there.")
AFTER_IT = Step("after", "finetune", {**SMALL, "init": "@borrowed"})


class Options(BaseModel):
    model_config = ConfigDict(frozen=True)

    seed: int = 0
    device: str = "auto"


class Question(SimpleNamespace):
    """A study of the tests: says which steps are done, and counts how often it worked itself."""

    TITLE, REFERENCE, Options = "A question of the tests", "nobody", Options

    def __init__(self, *steps: Step) -> None:
        super().__init__(planned=list(steps), worked=0)

    def steps(self, *_: Any) -> list[Step]:
        return self.planned

    def answer(
        self, dataset: Any, options: Any, done: Mapping[str, Done], workspace: Path, left_out: Mapping[str, str]
    ) -> Report:
        self.left_out = dict(left_out)
        return Report([f"Done: {', '.join(done)}."])

    def inside(self, key: str, settings: dict[str, Any], *_: Any) -> dict[str, Any]:
        self.worked += 1
        return {"key": key, "settings": settings}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with a set, whose runs are carried out in this process as soon as they are started."""
    make_set(tmp_path)
    monkeypatch.setattr(jobs, "start", lambda workspace, run, **_: worker.work(workspace, run.id))
    return tmp_path


def asked(workspace: Path, question: Question, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Make a run of a study that only the tests know."""
    load, names = registry.load, registry.names
    monkeypatch.setattr(registry, "names", lambda kind: (*names(kind), "ours") if kind == "studies" else names(kind))
    monkeypatch.setattr(registry, "load", lambda kind, name: question if name == "ours" else load(kind, name))
    recipe = build(RECIPES["study"], {"preset": "ours", "dataset": "tiny"})
    return runs.create(workspace, "study", recipe, title="ours", edits={"tiny": 0})


def children(workspace: Path, study: Run) -> list[Run]:
    return [run for run in runs.list_all(workspace) if run.config["group"] == study.id]


def report(study: Run) -> dict[str, Any]:
    return files.read_json(study.path / "report.json")


def test_the_steps_are_runs_of_its_group_and_the_report_says_what_was_left_out(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = asked(here, Question(PRETRAIN, FROZEN, OWN, BORROWED, AFTER_IT), monkeypatch)
    assert worker.work(here, study.id) == "finished", study.log_text()
    made = {run.kind: run for run in children(here, study)}
    assert set(made) == {"pretrain", "finetune"}
    assert made["finetune"].config["recipe"]["init"] == made["pretrain"].id
    assert report(study)["sentences"] == ["Done: pre, frozen, own."]
    assert report(study)["missing"] == ["The weights are not here; put them there."]
    assert files.read_json(study.path / "inside" / "own.json")["settings"] == {"of": made["pretrain"].id, "number": 2}
    assert (study.status().step, study.status().steps) == (3, 3)
    assert study.result() == {"run": study.id, "dataset": "tiny", "preset": "ours", **report(study),
                              "seconds": study.status().seconds}  # fmt: skip


def test_a_finished_run_is_used_again_whoever_made_it_and_on_whatever_device(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = resolve.resolve("pretrain", {**PRETRAIN.settings, "dataset": "tiny", "threads": 2, "device": "cpu"}, here)
    theirs = runs.create(here, "pretrain", recipe, title="theirs", edits={"tiny": 0})
    assert worker.work(here, theirs.id) == "finished"
    study = asked(here, Question(PRETRAIN), monkeypatch)
    worker.work(here, study.id)
    assert report(study)["runs"] == {"pre": theirs.id} and not children(here, study)


@pytest.mark.parametrize("other", ["epochs", "edits", "older", "changed"])
def test_a_run_of_other_settings_or_other_faces_is_not_used_again(
    here: Path, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    settings = {**PRETRAIN.settings, "dataset": "tiny"} | ({"epochs": 2} if other == "epochs" else {})
    theirs = runs.create(here, "pretrain", resolve.resolve("pretrain", settings, here), title="theirs",
                         edits={"tiny": 1 if other == "edits" else 0})  # fmt: skip
    content = files.read_json(theirs.path / "config.json")
    content |= {"created": "2020-01-01T00:00:00"} if other == "older" else {}
    content |= {"changes": [{"from": {"epochs": 3}, "to": {"epochs": 1}}]} if other == "changed" else {}
    files.write_json(theirs.path / "config.json", content)
    theirs.update(state="finished")
    for file in ("result.json", "model.json"):
        files.write_json(theirs.path / file, {})
    study = asked(here, Question(PRETRAIN), monkeypatch)
    worker.work(here, study.id)
    assert report(study)["runs"] == {"pre": children(here, study)[0].id}


def test_it_goes_on_in_the_middle_and_does_nothing_twice(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    question = Question(PRETRAIN, OWN, FROZEN)
    study = asked(here, question, monkeypatch)
    take = conducting._Study.take

    def stopped_before_the_third(self: Any, step: Step) -> Done:
        if step.key == "frozen":
            study.request_stop()
            study.check_stop()
        return take(self, step)

    monkeypatch.setattr(conducting._Study, "take", stopped_before_the_third)
    assert worker.work(here, study.id) == "stopped"
    assert report(study)["sentences"] == ["Done: pre, own."]
    monkeypatch.setattr(conducting._Study, "take", take)
    (study.path / "stop").unlink()
    first = children(here, study)[0].status().attempts
    assert worker.work(here, study.id) == "finished"
    assert report(study)["sentences"] == ["Done: pre, own, frozen."]
    assert question.worked == 1
    assert len(children(here, study)) == 2 and children(here, study)[-1].status().attempts == first


@pytest.mark.parametrize(
    ("other", "worked"), [("", 1), ("settings", 2), ("options", 2), ("edits", 2), ("older", 2), ("unfinished", 2)]
)
def test_its_own_work_is_used_again_by_a_later_study_of_the_same(
    here: Path, monkeypatch: pytest.MonkeyPatch, other: str, worked: int
) -> None:
    question = Question(OWN_ALONE)
    first = asked(here, question, monkeypatch)
    assert worker.work(here, first.id) == "finished"
    content = files.read_json(first.path / "config.json")
    content |= {"created": "2020-01-01T00:00:00"} if other == "older" else {}
    content |= {"edits": {"tiny": 1}} if other == "edits" else {}
    content["recipe"] |= {"options": {"seed": 1}} if other == "options" else {"options": {"device": "cpu"}}
    files.write_json(first.path / "config.json", content)
    if other == "unfinished":
        first.update(state="stopped")
    if other == "settings":
        question.planned = [Step("own", "inside", {"number": 3})]
    second = asked(here, question, monkeypatch)
    assert worker.work(here, second.id) == "finished"
    assert question.worked == worked
    assert files.read_json(second.path / "inside" / "own.json")["settings"] == question.planned[0].settings


def test_a_failed_run_fails_the_study_by_name_and_once_mended_it_goes_on(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = asked(here, Question(PRETRAIN, FROZEN), monkeypatch)
    work = worker._WORK["finetune"]

    def broken(run: Run, workspace: Path) -> dict[str, Any]:
        raise RunError("The lamp is out.")

    monkeypatch.setitem(worker._WORK, "finetune", broken)
    assert worker.work(here, study.id) == "failed"
    child = children(here, study)[0]
    assert study.status().error.startswith(f"Step 2 of 2, “{child.title}”, failed: The lamp is out.")
    monkeypatch.setitem(worker._WORK, "finetune", work)
    assert worker.work(here, study.id) == "finished"
    assert [run.id for run in children(here, study) if run.kind == "finetune"] == [child.id]


def test_a_stop_is_passed_on_to_the_run_that_it_waits_for(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = asked(here, Question(PRETRAIN), monkeypatch)

    def started_and_stopped(workspace: Path, run: Run, **_: Any) -> None:
        run.update(state="running", epoch=1, epochs=4)
        monkeypatch.setattr(Run, "is_alive", lambda self: True)
        study.request_stop()

    monkeypatch.setattr(jobs, "start", started_and_stopped)
    assert worker.work(here, study.id) == "stopped"
    assert children(here, study)[0].stop_requested()


def test_it_waits_without_a_place_in_the_queue(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = asked(here, Question(PRETRAIN), monkeypatch)
    seen: list[list[str]] = []
    work = worker._WORK["pretrain"]

    def looking(run: Run, workspace: Path) -> dict[str, Any]:
        seen.append([place.run.id for place in Studio(workspace).queue()])
        return work(run, workspace)

    monkeypatch.setitem(worker._WORK, "pretrain", looking)
    worker.work(here, study.id)
    assert seen == [[children(here, study)[0].id]]


def test_a_step_that_comes_before_what_it_needs_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="frozen refers to pre, which does not come before it"):
        conducting.left_out([FROZEN, PRETRAIN])


def test_runs_that_had_learnt_from_test_photos_are_named(tmp_path: Path) -> None:
    """Results of before it was counted, and work of the study itself, are not."""
    recipe = build(RECIPES["finetune"], SMALL)
    runs_of = [runs.create(tmp_path, "finetune", recipe, title=title) for title in ("Saw", "Did not", "Old")]
    told = [{"transductive": {"photos": seen, "of": 6, "with_names": 0}} for seen in (2, 0)]
    done = {run.title: Done(run.title, run, said) for run, said in zip(runs_of, [*told, {}], strict=True)}
    (sentence,) = conducting.seen_before({**done, "own": Done("own", None, {"transductive": {"photos": 3}})})
    assert sentence.endswith(f"others of their kind only: “Saw” ({runs_of[0].id}) from 2 of 6.")
    assert conducting.seen_before({"Old": done["Old"]}) == []


def test_what_is_missing_takes_along_all_that_builds_on_it() -> None:
    further = Step("further", "embed", {"model": "@after"})
    assert set(conducting.left_out([PRETRAIN, BORROWED, AFTER_IT, further])) == {"borrowed", "after", "further"}


# Borrowed weights: a file that stands in for torchvision's, in a folder that stands in for its server

CONTENT = b"stands in for 45 MB of weights"
NAME = f"resnet18-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"
NEEDING = Step("needing", "inside", {"weights": "imagenet"}, weights="resnet18")
AFTER_NEEDING = Step("after", "inside", {"of": "@needing"})
DOING_WITHOUT = Step("either", "inside", {"weights": "imagenet"}, weights="resnet18", otherwise={"weights": "none"})


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "server"
    folder.mkdir()
    monkeypatch.setattr(_imagenet, "_URL", folder.as_uri() + "/")
    monkeypatch.setattr(registry.load("backbones", "resnet18"), "IMAGENET_FILE", NAME)
    return folder


def test_a_study_fetches_the_weights_that_it_needs(here: Path, server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (server / NAME).write_bytes(CONTENT)
    question = Question(NEEDING, DOING_WITHOUT)
    assert borrowed.not_here(question.planned, here) == ["ResNet18"]
    study = asked(here, question, monkeypatch)
    assert worker.work(here, study.id) == "finished", study.log_text()
    assert (here / "weights" / NAME).read_bytes() == CONTENT and borrowed.not_here(question.planned, here) == []
    assert report(study)["sentences"] == ["Done: needing, either."] and report(study)["missing"] == []
    assert files.read_json(study.path / "inside" / "either.json")["settings"] == {"weights": "imagenet"}


@pytest.mark.parametrize(
    ("there", "sent", "why"),
    [(None, None, "could not be fetched (there is no connection to where they lie)"),
     (None, b"<html>log in</html>", "is not what its name promises"),
     (CONTENT[:-1], CONTENT, "is damaged; delete it")],
)  # fmt: skip
def test_without_whole_weights_a_study_goes_on_and_says_what_it_left_out_and_why(
    here: Path, server: Path, monkeypatch: pytest.MonkeyPatch, there: bytes | None, sent: bytes | None, why: str
) -> None:
    if there is not None:
        (here / "weights").mkdir()
        (here / "weights" / NAME).write_bytes(there)
    if sent is not None:
        (server / NAME).write_bytes(sent)
    question = Question(NEEDING, AFTER_NEEDING, DOING_WITHOUT, OWN_ALONE)
    study = asked(here, question, monkeypatch)
    assert worker.work(here, study.id) == "finished", study.log_text()
    assert report(study)["sentences"] == ["Done: either, own."]
    assert files.read_json(study.path / "inside" / "either.json")["settings"] == {"weights": "none"}
    (said,) = report(study)["missing"]
    assert said.startswith("What begins with the ImageNet weights of ResNet18 was left out.") and why in said
    assert NAME in said and question.left_out.keys() == {"needing", "after"}


def test_each_study_plans_without_looking_for_weights(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_imagenet, "weights_file", lambda *_: pytest.fail("a form must not fetch, nor read 45 MB"))
    for name, asked_for in (("s1", {}), ("s2", {}), ("label_efficiency", {"starts": "nothing, imagenet"})):
        plugin = registry.load("studies", name)
        steps = plugin.steps(open_dataset(here, "tiny"), plugin.Options(**asked_for), here)
        assert not any(step.missing for step in steps)
        borrowing = [step for step in steps if step.weights]
        assert borrowing and borrowed.not_here(steps, here)
        begin = [step for step in steps if "imagenet" in (step.settings.get("init"), step.settings.get("weights"))]
        assert begin == borrowing


def test_a_study_that_runs_in_processes_of_its_own_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    make_set(tmp_path)
    options = {"starts": "nothing", "mode": "frozen", "shares": "100", "seeds": 1, "frozen_epochs": 1}
    small = {"backbone": "tinyvgg", "image_size": 32, "batch_size": 16, "threads": 1, "device": "cpu"}
    study = Studio(tmp_path).start("study", {"preset": "label-efficiency", "dataset": "tiny", **options, **small})
    while study.is_alive():
        time.sleep(0.2)
    assert study.status().state == "finished", study.log_text()
    assert report(study)["tables"][0]["rows"][0]["top-1"]["photos"] == 3


def test_a_study_that_is_stopped_lets_its_run_save_and_goes_on_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    make_set(tmp_path)
    studio = Studio(tmp_path)
    options = {"starts": "nothing", "mode": "finetune", "shares": "100", "seeds": 1, "epochs": 5000}
    small = {"backbone": "tinyvgg", "image_size": 32, "batch_size": 16, "threads": 1, "device": "cpu"}
    study = studio.start("study", {"preset": "label-efficiency", "dataset": "tiny", **options, **small})
    deadline = time.monotonic() + 120
    while not (made := children(tmp_path, study)) or made[0].status().epoch == 0:
        assert time.monotonic() < deadline and study.is_alive(), study.log_text()
        time.sleep(0.05)
    (run,) = made
    reached = run.status().epoch
    for attempt in (1, 2):
        studio.stop(study.id)
        while study.is_alive() or run.is_alive():
            assert time.monotonic() < deadline, f"{study.log_text()}\n{run.log_text()}"
            time.sleep(0.05)
        assert (study.status().state, run.status().state) == ("stopped", "stopped"), run.log_text()
        assert run.status().epoch >= reached and run.written().attempts == attempt
        if attempt == 1:
            reached = run.status().epoch
            studio.resume(study.id)
            while run.status().epoch <= reached:
                assert time.monotonic() < deadline and study.is_alive(), study.log_text()
                time.sleep(0.05)
    assert children(tmp_path, study) == [run]
