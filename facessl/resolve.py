"""From what was asked for to a recipe that can work here: ids made whole, gaps filled from the run built upon, checked.

What cannot work is refused now, in a sentence, and not by a run that fails later.
"""

from pathlib import Path
from typing import Any

from facessl import (
    config,
    damage,
    dataset,
    devices,
    distributed,
    methods,
    pairs,
    preparation,
    recipes,
    registry,
    run,
    runs,
)
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
from facessl.errors import DatasetError, RecipeError
from facessl.recipes import Recipe

_NO_RUN = ("scratch", "imagenet", "pixels", "pixels-whitened", "untrained")
_BEGINNINGS = {"scratch": "nothing", "imagenet": "ImageNet"}  # in titles
_NO_NETWORK = {"pixels": "pixels", "pixels-whitened": "PCA-whitened pixels"}  # in titles
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
        parent.check_readable()
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
        _check_study(recipe, workspace)
        return
    assert isinstance(recipe, EmbedRecipe | EvaluateRecipe | PretrainRecipe | FinetuneRecipe)
    opened = [dataset.open_dataset(workspace, name) for name in sets_of(recipe)]
    start = recipe.model if isinstance(recipe, EmbedRecipe | EvaluateRecipe) else recipe.init
    registry.load("backbones", recipe.backbone)
    _check_start(recipe, start, workspace)
    _check_device(recipe)
    if isinstance(recipe, EvaluateRecipe):
        pairs.of(recipe, opened[0])
    if isinstance(recipe, PretrainRecipe):
        if twice := sorted(name for name in set(sets_of(recipe)) if sets_of(recipe).count(name) > 1):
            raise RecipeError(f"{twice[0]} was named twice; also is for further sets, each of them once.")
        named_only = methods.needs_names(recipe.method)
        if named_only and recipe.also:
            raise RecipeError(f"{recipe.method} learns from names, and further sets join in nameless; leave also out.")
        if named_only and not opened[0].people:
            raise DatasetError(
                f"{recipe.method} learns from names, and nobody in {recipe.dataset} has one; choose a method that "
                "needs none, or prepare a set whose photos have names."
            )
        if faces_to_learn_from(recipe, workspace) < 2:
            raise DatasetError(f"{recipe.dataset} has too few faces to learn from; prepare a set with more photos.")
    if isinstance(recipe, FinetuneRecipe):
        opened[0].check_classifiable(patience=recipe.patience)


def _check_study(recipe: StudyRecipe, workspace: Path) -> None:
    plugin, options = registry.load("studies", recipe.preset), recipe.plugin_options("studies")
    if backbone := getattr(options, "backbone", ""):
        registry.load("backbones", backbone)
    if hasattr(options, "device"):
        _check_device(options)
    plugin.steps(dataset.open_dataset(workspace, recipe.dataset), options, workspace)


def faces_to_learn_from(recipe: PretrainRecipe, workspace: Path) -> int:
    """Return how many faces a pre-training would learn from."""
    splits = ("train",) if methods.needs_names(recipe.method) else ("unlabelled", "train")
    return sum(len(dataset.open_dataset(workspace, name).rows(*splits)) for name in sets_of(recipe))


def _check_start(recipe: EmbedRecipe | EvaluateRecipe | TrainRecipe, start: str, workspace: Path) -> None:
    if start == "imagenet" and registry.load("backbones", recipe.backbone).IMAGENET_FILE is None:
        raise RecipeError(f"There are no ImageNet weights of {recipe.backbone}; choose another backbone or beginning.")
    if start not in _NO_RUN:
        damage.card(runs.find(workspace, start).path)


def _check_device(recipe: Any) -> None:
    """Raise RecipeError when this machine has not the ``device`` of a recipe, or of a study's options."""
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


def _check_processes(recipe: Any) -> None:
    processes = getattr(recipe, "processes", 1)
    if processes == 1:
        return
    if processes * 2 > (batch := getattr(recipe, "batch_size", processes * 2)):
        fewer = "1 process" if batch < 4 else f"{batch // 2} processes at most"
        raise RecipeError(
            f"Of a batch of {batch} faces, {processes} processes get fewer than two each; "
            f"choose {fewer}, or a larger batch."
        )
    # Under torchrun they may be on other machines, whose GPUs and cores nobody can count here.
    if ":" in recipe.device or distributed.launched().size > 1:
        return
    on_gpus = devices.pick(recipe.device).kind == "cuda"
    if on_gpus and processes > (count := len(devices.gpus())):
        raise RecipeError(
            f"Each process needs a GPU of its own, and this machine has {count}; choose {count} of them, or device cpu."
        )
    # Each holds faces, network and torch itself in memory: two can be tried anywhere, more are more than they bring.
    if not on_gpus and processes > (most := max(2, devices.cores())):
        raise RecipeError(f"This machine has {devices.cores()} cores; choose {most} processes at most, or 1.")


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
        method = registry.load("methods", recipe.method).TITLE
        seed = f" · seed {recipe.seed}" if recipe.seed else ""
        return f"{what}{method} · {_network(recipe)} on {recipe.dataset}{seed}"
    if isinstance(recipe, FinetuneRecipe):
        start = titles.get(recipe.init, _BEGINNINGS.get(recipe.init, recipe.init))
        # A network may come from another set than the one whose people it is to know.
        where = "" if f" on {recipe.dataset} " in f"{start} " else f" on {recipe.dataset}"
        what = "Fine-tuned" if recipe.mode == "finetune" else "Frozen"
        return f"{what} {_network(recipe)}{where}{_told_apart(recipe)} from {start}"
    if isinstance(recipe, StudyRecipe | DetectorsRecipe):
        study = registry.load("studies", recipe.preset) if isinstance(recipe, StudyRecipe) else None
        return f"{study.TITLE if study else 'Detectors compared'} on {recipe.dataset}"
    assert isinstance(recipe, EmbedRecipe | EvaluateRecipe)
    what = "Map" if isinstance(recipe, EmbedRecipe) else "Pairs"
    model = f"untrained {_network(recipe)}" if recipe.model == "untrained" else recipe.model
    return f"{what} of {recipe.dataset} by {titles.get(model, _NO_NETWORK.get(model, model))}"


def _network(recipe: TrainRecipe | EmbedRecipe | EvaluateRecipe) -> str:
    return str(registry.load("backbones", recipe.backbone).TITLE)


def _told_apart(recipe: FinetuneRecipe) -> str:
    """Return what fine-tunings that are alike otherwise mostly differ in, where it is not the usual.

    It stands before what a run began from: names are cut at their end, and the beginning's seed is another.
    """
    share = f"{recipe.label_fraction * 100:g} % of labels" if recipe.label_fraction < 1 else ""
    seed = f"seed {recipe.seed}" if recipe.seed else ""
    whole = recipe.mode == "finetune" and recipe.init == "scratch"
    read = "on its embedding" if whole and recipe.reads_embedding else ""  # usually on averaged features
    told = [part for part in (read, share, seed) if part]
    return f" ({', '.join(told)})" if told else ""


def _take_from(parent: run.Run, kind: str, settings: dict[str, Any]) -> None:
    """Fill in what a network brings along; refuse what contradicts it."""
    own = parent.config["recipe"]
    # Pre-training may go on at another size; a classifier reads faces as its network learnt to read them.
    taken = {"finetune": _OF_THE_RUN, "pretrain": _OF_THE_RUN[:2]}.get(kind, ())
    brought = {name: own[name] for name in taken if name in own}
    opens = _left_open(own["backbone"]) if "backbone" in brought else {}
    for name, value in {**brought, **brought.get("backbone_options", {})}.items():
        # A command brings text, a form numbers.
        given = str(settings.get(name, value)).lower()
        if given != str(value).lower() and given != opens.get(name):
            raise RecipeError(
                f"{parent.id} was trained with {name} {value}, not {settings[name]}; leave {name} out, "
                "or start from another run."
            )
    for name in opens:
        settings.pop(name, None)
    settings |= brought


def _left_open(backbone: str) -> dict[str, str]:
    """Return the settings of a backbone that a picture decides, with the value that leaves them open."""
    defaults = registry.load("backbones", backbone).Options().model_dump(mode="json")
    whole = registry.backbone_options(backbone, {}, 64, imagenet=False)
    return {name: str(value).lower() for name, value in defaults.items() if whole[name] != value}
