"""The work of a ``study`` run: its steps one after the other, most of them runs of their own.

A study waits for its runs without a place in a queue, as they have places of their own. Which run belongs to which
step is written down nowhere: it is the one whose recipe the step asks for. So what was finished before, by whomever,
is used again, and a study that was killed goes on where it was.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote

from facessl import attending, borrowed, devices, files, jobs, registry, resolve, runs, states, turns
from facessl.config import StudyRecipe
from facessl.dataset import FaceDataset, open_dataset, open_for
from facessl.errors import RunError, Stopped
from facessl.recipes import Recipe
from facessl.run import Run
from facessl.studying import Done, Report, Step, needs

_POLL_SECONDS = 0.2
_SAME_RESULT = ("device", "threads")  # settings with other values of which a run answers the same question


def conduct(run: Run, workspace: Path) -> dict[str, Any]:
    """Take a study's steps, write ``report.json`` after each, and return the command's JSON object.

    Raises:
        RunError: A step failed; the study can be resumed once that is mended.
        Stopped: Somebody stopped the study, or the run that it was waiting for.
    """
    recipe: StudyRecipe = run.recipe()
    dataset = open_for(run, workspace, recipe.dataset)
    plugin, options = registry.load("studies", recipe.preset), recipe.plugin_options("studies")
    planned = plugin.steps(dataset, options, workspace)
    steps = borrowed.settle(planned, borrowed.fetch(planned, workspace, run.say))
    study = _Study(run, workspace, dataset, plugin, options, left_out(steps))
    taken = [step for step in steps if step.key not in study.without]
    for number, step in enumerate(taken):
        study.place = f"{number + 1} of {len(taken)}"
        run.check_stop()
        run.update(step=number, steps=len(taken), message=f"{study.place}.", seconds_left=None)
        study.done[step.key] = study.take(step)
        run.update(step=number + 1)
        study.report()
    return {"run": run.id, "dataset": recipe.dataset, "preset": recipe.preset, **study.report()}


def left_out(steps: Sequence[Step]) -> dict[str, str]:
    """Return why steps cannot be taken, by key: what is missing of them, or of a step that they build on.

    Raises:
        ValueError: A step refers to one that does not come before it.
    """
    found: dict[str, str] = {}
    before = set[str]()
    for step in steps:
        if unknown := set(needs(step.settings)) - before:
            raise ValueError(f"step {step.key} refers to {', '.join(sorted(unknown))}, which does not come before it")
        before.add(step.key)
        because = step.missing or next((found[key] for key in needs(step.settings) if key in found), "")
        if because:
            found[step.key] = because
    return found


def seen_before(done: Mapping[str, Done]) -> list[str]:
    """Return the sentence that names the runs which had learnt from test photos, if any had."""
    seen = []
    for one in done.values():
        exposure = one.result.get("transductive") if one.run is not None and one.run.kind == "finetune" else None
        if one.run is not None and exposure and exposure["photos"]:
            seen.append(f"“{one.run.title}” ({one.run.id}) from {exposure['photos']:,} of {exposure['of']:,}")
    if not seen:
        return []
    return [f"Learnt from test photos before, so to be compared with others of their kind only: {', '.join(seen)}."]


@dataclass
class _Study:
    """A study on its way."""

    run: Run
    workspace: Path
    dataset: FaceDataset
    plugin: ModuleType
    options: Any
    without: Mapping[str, str]  # why steps cannot be taken, by key
    done: dict[str, Done] = field(default_factory=dict)
    place: str = ""  # "3 of 20"

    def report(self) -> dict[str, Any]:
        """Write what there is to say so far, and return it."""
        said: Report = self.plugin.answer(self.dataset, self.options, self.done, self.workspace, self.without)
        missing = list(dict.fromkeys([*said.missing, *self.without.values()]))
        made = {done.key: done.run.id for done in self.done.values() if done.run is not None}
        sentences = [*said.sentences, *seen_before(self.done)]
        content = {**said.as_dict(), "sentences": sentences, "missing": missing, "runs": made}
        files.write_json(self.run.path / "report.json", content)
        return content

    def take(self, step: Step) -> Done:
        if step.kind == "inside":
            return Done(step.key, None, self._inside(step))
        settings = {"dataset": self.dataset.name, **{name: self._meant(value) for name, value in step.settings.items()}}
        recipe = resolve.resolve(step.kind, settings, self.workspace)
        child = self._child(step.kind, recipe)
        self._wait_for(child)
        result = child.result()
        if result is None:
            raise RunError(f"“{child.title}” is finished, but its result is gone; delete that run, then resume this.")
        return Done(step.key, child, result)

    def _meant(self, value: Any) -> Any:
        if not isinstance(value, str) or not value.startswith("@"):
            return value
        made = self.done[value[1:]].run
        if made is None:
            raise ValueError(f"step {value[1:]} is work of the study itself, so no run can start from it")
        return made.id

    # -- steps that are runs -------------------------------------------------------------------------------------

    def _child(self, kind: str, recipe: Recipe) -> Run:
        """Return the run that does what a step asks for: one that is finished, else one of this study, else a new one.

        A study that was stopped finds its own half-done runs again.
        """
        seen = self._edits_seen(recipe)
        found = [run for run in runs.list_all(self.workspace) if self._answers(run.config, kind, recipe, seen)]
        finished = [run for run in found if run.written().state == "finished" and _is_whole(run)]
        own = [run for run in found if run.config["group"] == self.run.id]
        if finished or own:
            return (finished or own)[0]
        title = resolve.title_of(recipe, {run.id: run.title for run in runs.list_all(self.workspace)})
        return runs.create(self.workspace, kind, recipe, title=title, group=self.run.id, edits=seen)

    def _answers(self, content: Mapping[str, Any], kind: str, recipe: Recipe, seen: Mapping[str, int]) -> bool:
        """Return whether a run with this ``config.json`` does what the recipe asks for, on the same faces.

        One of this study may have gone on with other settings, where a person found that it must; no other may.
        """
        if content["kind"] != kind or content["edits"] != seen:
            return False
        settings = _as_made(content) if content["group"] == self.run.id else content["recipe"]
        if _asked(settings) != _asked(recipe.model_dump(mode="json")):
            return False
        if content.get("changes") and content["group"] != self.run.id:
            return False
        made = [open_dataset(self.workspace, name).info["created"] for name in resolve.sets_of(recipe)]
        return all(content["created"] >= when for when in made)  # else it saw another set of that name

    def _edits_seen(self, recipe: Recipe) -> dict[str, int]:
        mine = self.run.config["edits"]
        return {name: mine.get(name, len(open_dataset(self.workspace, name).edits)) for name in resolve.sets_of(recipe)}

    def _wait_for(self, child: Run) -> None:
        """Return when a run is finished; start it, or take it up again, where nobody works on it.

        Raises:
            RunError: It failed. Stopped: It was stopped, or this study was.
        """
        while child.is_alive() and child.stop_requested():  # of an attempt that was stopped a moment ago
            self._watch(child)
        # Also a stop that ends this process before it has looked is passed on: the run saves and ends by itself.
        with attending.saving_first(child.request_stop):
            if not child.is_alive() and child.status().state != "finished":
                self._start(child)
            while child.status().state in states.ACTIVE or child.has_died():
                if child.has_died():
                    jobs.revive(self.workspace)  # nobody else may be there to do so
                self._watch(child)
        status = child.status()
        if status.state in ("failed", "interrupted"):
            why = status.error or status.message
            raise RunError(f"Step {self.place}, “{child.title}”, {status.state}: {why} Mend that, then resume this.")
        if status.state != "finished":
            raise Stopped(f"Step {self.place}, “{child.title}”, was stopped; resume this to go on.")

    def _start(self, child: Run) -> None:
        try:
            jobs.start(self.workspace, child)
        except RunError:
            if not child.is_alive():  # else somebody took it up this very moment
                raise

    def _watch(self, child: Run) -> None:
        """Say how far a run has come, wait a moment, and pass on a stop."""
        status = child.status()
        epochs = f", epoch {min(status.epoch + 1, status.epochs)} of {status.epochs}" if status.epochs else ""
        state = f", {status.state}" if status.state != "running" else ""
        self.run.say(f"{self.place}: {child.title}{epochs}{state}.")
        try:
            self.run.check_stop()
        except Stopped:
            child.request_stop()  # it saves and ends by itself
            raise
        time.sleep(_POLL_SECONDS)

    # -- steps that the study does itself ------------------------------------------------------------------------

    def _inside(self, step: Step) -> dict[str, Any]:
        """Return what the plug-in makes of a step, or made of it in an earlier attempt or for an earlier study."""
        asked = json.loads(json.dumps({name: self._meant(value) for name, value in step.settings.items()}))
        path = self.run.path / "inside" / f"{quote(step.key, safe=' ')}.json"
        if path.exists() and (kept := files.read_json(path))["settings"] == asked:
            return dict(kept["result"])
        path.parent.mkdir(exist_ok=True)
        if (result := self._made_before(path.name, asked)) is not None:
            files.write_json(path, {"settings": asked, "result": result})
            return result
        queues = devices.queues(getattr(self.options, "device", "auto"))
        with turns.turn(self.workspace, self.run, queues) as taken, devices.visible(taken):
            titles = {run.id: run.title for run in runs.list_all(self.workspace)}
            self.run.say(f"{self.place}: {titles.get(step.key, step.key)}.")
            result = self.plugin.inside(step.key, asked, self.dataset, self.options, self.run, self.workspace)
        files.write_json(path, {"settings": asked, "result": result})
        return dict(files.read_json(path)["result"])  # the same as after a resume, whatever JSON makes of it

    def _made_before(self, file: str, asked: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return what a finished study made of the same step: same settings, of it and of the study, same faces."""
        mine = self.run.config
        made = self.dataset.info["created"]
        for run in runs.list_all(self.workspace):
            content, path = run.config, run.path / "inside" / file
            if content["kind"] != "study" or run.id == self.run.id or not path.exists():
                continue
            if content["edits"] != mine["edits"] or content.get("changes") or content["created"] < made:
                continue
            same = self._decides(content["recipe"]) == self._decides(mine["recipe"])
            if same and run.written().state == "finished" and (kept := files.read_json(path))["settings"] == asked:
                return dict(kept["result"])
        return None

    def _decides(self, recipe: Mapping[str, Any]) -> dict[str, Any]:
        """Return what of a study's recipe decides what it finds; settings that it does not name are the defaults."""
        defaults = {name: field.default for name, field in type(self.options).model_fields.items()}
        return {**recipe, "options": _asked({**defaults, **recipe["options"]})}


def _as_made(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's recipe as it was before anybody changed it; see ``Run.revise``."""
    recipe = dict(content["recipe"])
    for row in reversed(content.get("changes", [])):
        recipe |= row["from"]
    return recipe


def _asked(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a recipe decides its result."""
    return {name: value for name, value in recipe.items() if name not in _SAME_RESULT}


def _is_whole(run: Run) -> bool:
    """Return whether a finished run still has what others need of it."""
    learns = run.kind in states.PAUSABLE
    return (run.path / "result.json").exists() and (not learns or (run.path / "model.json").exists())
