"""A run that goes on with other settings: more epochs, another batch size, another device."""

from collections.abc import Mapping
from typing import Any

from facessl import files
from facessl.config import RECIPES
from facessl.errors import RecipeError
from facessl.recipes import Recipe, build
from facessl.run import Run
from facessl.states import CHANGEABLE, PAUSABLE, Status


def checked(run: Run, changes: Mapping[str, Any]) -> Recipe:
    """Return the recipe with other settings, which the run could go on with; see ``revise``.

    Raises:
        RecipeError: A setting cannot change, its value is not allowed, or the epochs are fewer than were learnt.
    """
    allowed = CHANGEABLE if run.kind in PAUSABLE else ()
    if refused := sorted(changes.keys() - set(allowed)):
        what = f"only {', '.join(allowed)} can change" if allowed else "its settings cannot change"
        raise RecipeError(f"{refused[0]} belongs to what the run is: when it goes on, {what}; start a new run.")
    status, before = run.written(), run.config["recipe"]
    recipe = build(RECIPES[run.kind], before | dict(changes))
    epochs: int = recipe.model_dump()["epochs"]
    if epochs < status.epoch:
        raise RecipeError(f"It has learnt for {status.epoch} epochs already; ask for as many or more.")
    if status.state != "finished" and epochs == status.epoch and within_an_epoch(status):
        raise RecipeError(f"It was stopped within epoch {status.epoch + 1}; ask for {status.epoch + 1} epochs or more.")
    if status.state == "finished" and epochs <= status.epoch:
        raise RecipeError(f"It has finished its {status.epoch} epochs; ask for more of them to go on.")
    if status.state == "finished" and not (run.path / "state.pt").exists():
        raise RecipeError("What it would go on from was deleted; start a new run from its weights.")
    return recipe


def within_an_epoch(status: Status) -> bool:
    """Return whether steps were made of an epoch that is not finished: the network has learnt from them already."""
    return status.step * status.epochs > status.epoch * status.steps


def revise(run: Run, changes: Mapping[str, Any]) -> None:
    """Let the run go on with other settings; for who holds it.

    ``config.json`` keeps what was changed, when, and after which epoch, in ``changes``. What had been resolved
    from the settings that change is forgotten, and so is how often the process died with the old ones.

    Raises:
        RecipeError: As ``checked``.
    """
    config = files.read_json(run.path / "config.json")
    before, after = config["recipe"], checked(run, changes).model_dump(mode="json")
    changed = [name for name in after if after[name] != before[name]]
    if not changed:
        return
    config["recipe"] = after
    row: dict[str, Any] = {"when": files.now(), "epoch": run.written().epoch}
    row |= {"from": {name: before[name] for name in changed}, "to": {name: after[name] for name in changed}}
    config["changes"] = [*config.get("changes", []), row]
    forgotten = {*changed, *(("precision", "threads") if "device" in changed else ())}
    config["resolved"] = {n: value for n, value in config.get("resolved", {}).items() if n not in forgotten}
    run.rewrite_config(config)
    (run.path / "deaths.json").unlink(missing_ok=True)
