"""The demo: the whole path on generated faces, as four runs that wait for one another."""

from collections.abc import Sequence
from pathlib import Path

from facessl import config, jobs, recipes, runs
from facessl.config import DemoRecipe
from facessl.recipes import Recipe
from facessl.run import Run
from facessl.viewing import ViewRecipe

_GROUP = "demo-"
# The coarse stem, though the finer one is the default at 40 px: with that an epoch takes too long for a demo that is to
# be done in five minutes on two cores. Without the fourth stage, which costs time and names fewer (docs/LOG.md).
_NETWORK = {"backbone": "resnet18", "backbone_options": {"stem": "imagenet", "stages": 3}}
# Gentler than the default: what the demo's figures in docs/LOG.md were measured with.
_VIEWS = ViewRecipe(crop_min=0.5, rotation=0.0, light_max=0.8, blur=0.3)


def start(workspace: Path, recipe: DemoRecipe, name: str) -> list[Run]:
    """Make and start the runs on a set of this name: prepare, pre-train, embed, fine-tune.

    They wait for one another by themselves, so the demo outlives the app like any run.
    """
    made: list[Run] = []

    def add(kind: str, recipe: Recipe, title: str, after: Sequence[Run]) -> Run:
        ids = [run.id for run in after]
        made.append(runs.create(workspace, kind, recipe, title=title, after=ids, group=f"{_GROUP}{name}"))
        return made[-1]

    source = {"people": recipe.people, "photos": recipe.photos, "seed": recipe.seed}
    least = min(config.PrepareRecipe().min_photos, recipe.photos)
    preparing = recipes.build(config.PrepareRecipe, {"name": name, "min_photos": least, "options": source})
    learning = {"dataset": name, "image_size": recipe.image_size, "seed": recipe.seed, **_NETWORK}
    learnt = {"epochs": recipe.epochs, "batch_size": recipe.batch_size, "views": _VIEWS, **learning}

    prepare = add("prepare", preparing, "Prepare the faces", [])
    pretrain = add("pretrain", config.PretrainRecipe(**learnt), "Learn without names", [prepare])
    mapping = config.EmbedRecipe(dataset=name, model=pretrain.id, seed=recipe.seed)
    add("embed", mapping, "Map the faces", [pretrain])
    naming = config.FinetuneRecipe(init=pretrain.id, epochs=recipe.finetune_epochs, **learning)
    add("finetune", naming, "Learn the names", [pretrain])
    for run in made:
        jobs.start(workspace, run)
    return made


def newest(newest_first: Sequence[Run]) -> list[Run]:
    """Return those of the runs that belong to the newest demo, in their order; nothing if there is no demo."""
    grouped = [run for run in newest_first if run.config["group"].startswith(_GROUP)]
    group = grouped[0].config["group"] if grouped else ""
    return [run for run in reversed(grouped) if run.config["group"] == group]
