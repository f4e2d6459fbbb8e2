"""The commands that start runs, and stay until these end."""

import contextlib
from typing import Any

from facessl import alternatives, attending, config, devices, distributed, states
from facessl.distributed import World
from facessl.errors import RecipeError, RunError
from facessl.following import follow, summary
from facessl.studio import Studio


def start(studio: Studio, *, kind: str, detach: bool, **settings: Any) -> dict[str, Any] | None:
    """Start a run and follow it to its end, under ``torchrun`` in all its processes."""
    # Of a study, the preset is its question; of what learns from views, theirs.
    if "views" in config.RECIPES[kind].model_fields:
        settings = _with_preset(studio, settings)
    if (world := distributed.launched()).size > 1:
        return _start_together(studio, world, kind, settings)
    run = studio.start(kind, settings)
    return summary(run) if detach else follow(run)


def _with_preset(studio: Studio, settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings with the views of the preset that they name."""
    preset = settings.pop("preset", None)
    return settings if preset is None else {"views": studio.preset(preset).model_dump(), **settings}


def probe(studio: Studio, *, each: bool, detach: bool, **settings: Any) -> Any:
    """Estimate a pre-training; with ``each`` also with one setting otherwise, whatever becomes of those."""
    if not each:
        return start(studio, kind="probe", detach=detach, **settings)
    base, *others = studio.estimate_each(_with_preset(studio, settings))
    if detach:
        return [summary(run) for run in (base, *others)]
    try:
        answer = follow(base)
        for other in others:
            with contextlib.suppress(RunError):  # what would not work says so in its row
                follow(other)
            if other.status().state == "stopped":
                break
    finally:
        for run in others:
            if run.status().state in states.ACTIVE:
                studio.stop(run.id)
    return {**answer, "each": alternatives.table(base, others)}


def _start_together(studio: Studio, world: World, kind: str, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Carry a run out in the processes that torchrun started; the first of them answers, the others follow it."""
    from facessl import worker

    if kind not in ("pretrain", "finetune"):
        if not world.first:
            return None
        raise RecipeError(f"{kind} runs in one process; call it without torchrun.")
    attending.give_way()  # all of them: they go in step, so that one alone would hold up the others
    distributed.join(devices.pick(settings.get("device") or "auto").kind)
    run_id = ""
    try:
        if world.first:
            run_id = studio.create(kind, settings | {"processes": world.size}).id
    finally:
        run_id = world.agree(run_id)  # nobody shall wait for a run that was refused
    if world.first:
        worker.work(studio.workspace, run_id)
        distributed.leave()
        return follow(studio.run(run_id))
    if run_id:
        worker.take_part(studio.workspace, run_id)
    return None  # one answer is enough


def demo(studio: Studio, **settings: Any) -> dict[str, Any]:
    """Start the demo and follow each of its runs."""
    made = studio.start_demo(settings)
    results = [follow(run) for run in made]
    return {"dataset": results[0]["dataset"], "runs": results}
