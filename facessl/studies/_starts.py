"""Where learning may start: from nothing, from borrowed weights, from a pre-training, from a run that is there."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from facessl import damage, methods, registry, runs
from facessl.errors import RecipeError, RunError
from facessl.run import Run


@dataclass(frozen=True)
class Start:
    """A start, by the word it was asked for with; of a run its whole id."""

    word: str
    kind: Literal["nothing", "untrained", "imagenet", "method", "run"]
    title: str
    missing: str = ""  # why it cannot be had here, and what to do

    @property
    def begins_with_nothing(self) -> bool:
        """Return whether the network has learnt nothing before; ``untrained`` reads its embedding all the same."""
        return self.kind in ("nothing", "untrained")

    def weights(self, backbone: str) -> str:
        """Return the backbone where the start is its ImageNet weights, for a step; else nothing."""
        return backbone if self.kind == "imagenet" else ""


ALL = "all"  # each method that learns without names
Stem = Literal["auto", "imagenet", "medium", "small"]  # first layers of a ResNet18 that no run brings


def words(text: str) -> list[str]:
    """Return the words of a list with commas, each once; ``all`` as the methods that learn without names."""
    given = [word.strip() for word in text.split(",") if word.strip()]
    return list(dict.fromkeys(name for word in given for name in (methods.nameless() if word == ALL else [word])))


def named(text: str, advice: str) -> str:
    """Return the words of a list with commas between them; ValueError with the advice where there is none."""
    found = words(text)
    if not found:
        raise ValueError(advice)
    return ", ".join(found)


def read(text: str, backbone: str, workspace: Path, *, nameless: bool = True) -> list[Start]:
    """Return the starts that a text names; with ``nameless`` only those that have not learnt from names.

    Raises:
        RecipeError: A word is no start, or a start has learnt from names: with few labels that would be all of them.
        ModelError: A run left no whole model.
    """
    return [_start(word, backbone, workspace, nameless=nameless) for word in words(text)]


def check_stem(backbone: str, stem: Stem) -> None:
    """Raise RecipeError where a backbone has no stems to choose from; only ResNet18 has."""
    if stem != "auto" and "stem" not in registry.load("backbones", backbone).Options.model_fields:
        raise RecipeError(f"{backbone} has no stems to choose from; leave the stem at auto.")


def network(backbone: str, stem: Stem, image_size: int) -> dict[str, Any]:
    """Return the settings of a network that no run brings."""
    return {"backbone": backbone, **({} if stem == "auto" else {"stem": stem}), "image_size": image_size}


def _start(word: str, backbone: str, workspace: Path, *, nameless: bool) -> Start:
    if word.lower() in ("nothing", "scratch"):
        return Start("nothing", "nothing", "nothing")
    if word == "untrained":
        return Start("untrained", "untrained", "the untrained network")
    if word == "imagenet":
        return Start("imagenet", "imagenet", "ImageNet", _no_weights(backbone))
    method = word.lower().replace("-", "_")
    if method in registry.names("methods"):
        plugin = registry.load("methods", method)
        if nameless and methods.needs_names(method):
            raise RecipeError(f"{plugin.TITLE} learns from all names, so it is no start for few of them; leave it out.")
        return Start(method, "method", plugin.TITLE)
    return _of_run(word, workspace, nameless=nameless)


def _of_run(word: str, workspace: Path, *, nameless: bool) -> Start:
    try:
        run = runs.find(workspace, word)
    except RunError as error:
        if any(run.id.startswith(word) or run.id.endswith(word) for run in runs.list_all(workspace)):
            raise RecipeError(str(error)) from error  # several
        known = ", ".join(registry.names("methods"))
        raise RecipeError(
            f"{word!r} is unknown here; name nothing, untrained, imagenet, a method ({known}), all for each method "
            "that learns without names, or a run that is here by its id."
        ) from error
    run.check_readable()
    damage.card(run.path)
    if nameless and (named := _learnt_from_names(run, workspace)):
        raise RecipeError(f"{named.id} learnt from names, so {run.id} is no start for few of them; leave it out.")
    return Start(run.id, "run", run.title)


def _learnt_from_names(run: Run, workspace: Path) -> Run | None:
    """Return the run, of this one and those it comes from, that learnt from names."""
    recipe: dict[str, Any] = run.config["recipe"]
    if run.kind == "finetune":
        return run
    if run.kind == "pretrain" and methods.needs_names(recipe["method"]):
        return run
    init = recipe.get("init", "scratch")
    there = init not in ("scratch", "imagenet") and (workspace / "runs" / init / "config.json").is_file()
    return _learnt_from_names(runs.find(workspace, init), workspace) if there else None


def _no_weights(backbone: str) -> str:
    plugin = registry.load("backbones", backbone)
    if plugin.IMAGENET_FILE is None:
        return f"There are no ImageNet weights of {plugin.TITLE}; choose another backbone to start from them."
    return ""  # they are here, or will be fetched
