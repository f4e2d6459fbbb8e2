"""Takes a study's steps one after the other in this process, without the engine."""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from facessl import borrowed
from facessl.dataset import FaceDataset
from facessl.run import Run
from facessl.studying import Done, Step, needs
from tests.conftest import run_here


def take(
    plugin: ModuleType, dataset: FaceDataset, options: Any, workspace: Path, folder: Path, steps: Sequence[Step]
) -> dict[str, Done]:
    """Return what the steps gave that can be done without ImageNet weights; those that need a missing one are left out.

    A test fetches nothing, so what begins with such weights is left out, or does without.
    """
    steps = borrowed.settle(steps, {step.weights: "no weights in tests" for step in steps if step.weights})
    done: dict[str, Done] = {}
    folder.mkdir(parents=True, exist_ok=True)
    for step in steps:
        if step.missing or any(key not in done for key in needs(step.settings)):
            continue
        if step.kind == "inside":
            result = plugin.inside(step.key, step.settings, dataset, options, Run(folder), workspace)
            done[step.key] = Done(step.key, None, result)
            continue
        settings = {
            name: done[value[1:]].result["run"] if isinstance(value, str) and value.startswith("@") else value
            for name, value in step.settings.items()
        }
        run = run_here(workspace, step.kind, dataset=dataset.name, **settings)
        result = run.result()
        assert result is not None
        done[step.key] = Done(step.key, run, result)
    return done
