"""From what was asked for to a recipe that can work here: ids made whole, gaps filled from the run built upon, checked.

What cannot work is refused now, in a sentence, and not by a run that fails later.
"""

from pathlib import Path
from typing import Any

from facessl import config, dataset, devices, distributed, pairs, preparation, recipes, registry, run, runs
from facessl.config import (
    DetectorsRecipe,
    EmbedRecipe,
    EvaluateRecipe,
    FinetuneRecipe,
    PrepareRecipe,
    PretrainRecipe,
    ProbeRecipe,
    StudyRecipe,
    TrainRecipe,
)
from facessl.errors import DatasetError, RecipeError, RunError
from facessl.recipes import Recipe

_NO_RUN = ("scratch", "imagenet", "pixels", "pixels-whitened", "untrained")
_OF_THE_RUN = ("backbone", "backbone_options", "image_size")


def resolve(kind: str, settings: dict[str, Any], workspace: Path) -> Recipe:
    """Return the recipe that flat ``settings`` mean in this workspace.

    Args:
        kind: prepare, pretrain, finetune, embed, evaluate or study.
        settings: Only what was said; a run may be named by the end or the beginning of its id.
        workspace: Where sets and runs are.

    Raises:
        FaceSSLError: They contradict each other, or name something that is not here.
    """
    settings = dict(settings)
    named_by = "model" if kind in ("embed", "evaluate") else "init"
    start = settings.get(named_by)
    if isinstance(start, str) and start not in _NO_RUN:
        parent = runs.find(workspace, start)
        settings[named_by] = parent.id
        _take_from(parent, kind, settings)
    recipe = recipes.build(config.RECIPES[kind], settings)
    if isinstance(recipe, DetectorsRecipe):
        recipe = recipe.model_copy(update={"weights": yunet_file(recipe.weights, workspace)})
    if isinstance(recipe, EvaluateRecipe) and recipe.pairs:
        recipe = recipe.model_copy(update={"pairs": str(Path(recipe.pairs).expanduser().resolve())})
    if isinstance(recipe, PrepareRecipe):
        if recipe.path:
            # The worker starts elsewhere, and the set must find its photos again from anywhere.
            recipe = recipe.model_copy(update={"path": str(Path(recipe.path).expanduser().resolve())})
        if recipe.detector == "yunet":
            recipe = recipe.model_copy(update={"weights": yunet_file(recipe.weights, workspace)})
        if recipe.parent:
            name = preparation.free_name(recipe.parent.split("@", maxsplit=1)[0], workspace)
            recipe = preparation.version_of(recipe.model_copy(update={"name": name}), workspace)
    check(recipe, workspace)
    return recipe


def yunet_file(given: str, workspace: Path) -> str:
    """Return the whole path of YuNet's file: the one given, else the newest in the workspace's ``weights``; or ""."""
    if given:
        return str(Path(given).expanduser().resolve())
    files = sorted((workspace / "weights").glob("face_detection_yunet*.onnx"))
    return str(files[-1]) if files else ""


def check(recipe: Recipe, workspace: Path) -> None:
    """Raise FaceSSLError when a recipe refers to something that is not here, or cannot work on it."""
    if isinstance(recipe, PrepareRecipe):
        preparation.check(recipe, workspace)
        return
    if isinstance(recipe, DetectorsRecipe):
        dataset.open_dataset(workspace, recipe.dataset)
        return
    if isinstance(recipe, StudyRecipe):
        plugin = registry.load("studies", recipe.preset)
        plugin.steps(dataset.open_dataset(workspace, recipe.dataset), recipe.plugin_options("studies"), workspace)
        return
    assert isinstance(recipe, EmbedRecipe | EvaluateRecipe | PretrainRecipe | FinetuneRecipe)
    opened = [dataset.open_dataset(workspace, name) for name in sets_of(recipe)]
    start = recipe.model if isinstance(recipe, EmbedRecipe | EvaluateRecipe) else recipe.init
    if start not in _NO_RUN and not (runs.find(workspace, start).path / "model.json").exists():
        raise RunError(f"{start} has no trained model; choose a finished pre-training or fine-tuning.")
    _check_device(recipe)
    if isinstance(recipe, EvaluateRecipe):
        pairs.of(recipe, opened[0])
    if isinstance(recipe, PretrainRecipe):
        if twice := sorted(name for name in set(sets_of(recipe)) if sets_of(recipe).count(name) > 1):
            raise RecipeError(f"{twice[0]} was named twice; also is for further sets, each of them once.")
        named_only = getattr(registry.load("methods", recipe.method), "NEEDS_NAMES", False)
        if named_only and recipe.also:
            raise RecipeError(f"{recipe.method} learns from names, and further sets join in nameless; leave also out.")
        faces = sum(len(one.rows(*(("train",) if named_only else ("unlabelled", "train")))) for one in opened)
        if faces < 2:
            raise DatasetError(f"{recipe.dataset} has too few faces to learn from; prepare a set with more photos.")
    if isinstance(recipe, FinetuneRecipe):
        _check_names(opened[0])


def _check_device(recipe: EmbedRecipe | EvaluateRecipe | TrainRecipe) -> None:
    _check_processes(recipe)
    if recipe.device in ("auto", "cpu"):
        return
    devices.pick(recipe.device)  # says what there is instead
    if ":" not in recipe.device:
        return
    if int(recipe.device.partition(":")[2]) >= (count := len(devices.gpus())):
        raise RecipeError(f"This machine has no {recipe.device}; choose auto, or cuda:0 up to cuda:{count - 1}.")
    if (processes := getattr(recipe, "processes", 1)) > 1:
        raise RecipeError(f"{processes} processes need as many GPUs and not {recipe.device} alone; choose cuda.")


def _check_processes(recipe: EmbedRecipe | EvaluateRecipe | TrainRecipe) -> None:
    processes = getattr(recipe, "processes", 1)
    # Under torchrun they may be on other machines, whose GPUs nobody can count here.
    if processes == 1 or ":" in recipe.device or distributed.launched().size > 1:
        return
    if devices.pick(recipe.device).kind == "cuda" and processes > (count := len(devices.gpus())):
        raise RecipeError(
            f"Each process needs a GPU of its own, and this machine has {count}; choose {count} of them, or device cpu."
        )


def sets_of(recipe: Recipe) -> tuple[str, ...]:
    """Return the prepared sets that a recipe works on."""
    if isinstance(recipe, PrepareRecipe):
        return (recipe.parent,) if recipe.parent else ()
    return (recipe.dataset, *getattr(recipe, "also", ())) if hasattr(recipe, "dataset") else ()


def title_of(recipe: Recipe, titles: dict[str, str]) -> str:
    """Return what a run is called before anybody renames it; ``titles`` are those of the runs there are, by id."""
    if isinstance(recipe, PrepareRecipe):
        if recipe.parent:
            return f"Add photos to {recipe.parent}, as {recipe.name}"
        return f"Prepare {recipe.name} from {registry.load('sources', recipe.source).TITLE.lower()}"
    if isinstance(recipe, PretrainRecipe):
        what = "Estimate: " if isinstance(recipe, ProbeRecipe) else ""
        return f"{what}{registry.load('methods', recipe.method).TITLE} · {recipe.backbone} on {recipe.dataset}"
    if isinstance(recipe, FinetuneRecipe):
        start = titles.get(recipe.init, recipe.init)
        return f"{'Fine-tuned' if recipe.mode == 'finetune' else 'Frozen'} {recipe.backbone} from {start}"
    if isinstance(recipe, StudyRecipe | DetectorsRecipe):
        study = registry.load("studies", recipe.preset) if isinstance(recipe, StudyRecipe) else None
        return f"{study.TITLE if study else 'Detectors compared'} on {recipe.dataset}"
    assert isinstance(recipe, EmbedRecipe | EvaluateRecipe)
    what = "Map" if isinstance(recipe, EmbedRecipe) else "Pairs"
    return f"{what} of {recipe.dataset} by {titles.get(recipe.model, recipe.model)}"


def _take_from(parent: run.Run, kind: str, settings: dict[str, Any]) -> None:
    """Fill in what a network brings along; refuse what contradicts it."""
    own = parent.config["recipe"]
    # Pre-training may go on at another size; a classifier reads faces as its network learnt to read them.
    taken = {"finetune": _OF_THE_RUN, "pretrain": _OF_THE_RUN[:2]}.get(kind, ())
    for name in taken:
        # A command brings text, a form numbers.
        if name in own and str(settings.setdefault(name, own[name])) != str(own[name]):
            raise RecipeError(
                f"{parent.id} was trained with {name} {own[name]}, not {settings[name]}; leave {name} out, "
                "or start from another run."
            )


def _check_names(opened: dataset.FaceDataset) -> None:
    if len(opened.people) < 2:
        raise DatasetError(f"{opened.name} has fewer than two named people, so there is nothing to tell apart.")
    for split, use in (("train", "learn from"), ("test", "judge on")):
        if not len(opened.rows(split)):
            raise DatasetError(f"{opened.name} has no {split} faces to {use}; prepare it with more photos a person.")
