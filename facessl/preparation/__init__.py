"""From a source of photos to a prepared set: filter people, split, detect, align, crop, pack.

The work is cut into chunks. Each leaves its part in the run's folder, so a stop, a crash or ``kill -9`` loses no
more than the chunks in hand, and the set comes out the same to the byte. It is built aside and renamed into
``workspace/datasets`` in one step: what is there is whole.
"""

import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from facessl import attending, files, registry, runs
from facessl.config import PrepareRecipe
from facessl.dataset import damaged_datasets, list_datasets, open_for
from facessl.errors import DatasetError
from facessl.preparation._chunks import CHUNK, Crew, open_recipe_source, recipe_detector
from facessl.preparation._compare import compare_detectors
from facessl.preparation._inherit import Inherited, version_of
from facessl.preparation._pack import Preview, pack, part_exists, publish
from facessl.preparation._photos import PhotoReader
from facessl.preparation._plan import Plan, make_plan
from facessl.run import Run
from facessl.sources import Source

__all__ = [
    "PhotoReader",
    "check",
    "compare_detectors",
    "free_name",
    "fresh_name",
    "open_recipe_source",
    "prepare",
    "recipe_detector",
    "version_of",
]


def check(recipe: PrepareRecipe, workspace: Path) -> None:
    """Raise what ``prepare`` would raise before it looks at any picture: DatasetError or SourceError.

    A source that has to fetch its photos first says in its own ``check`` whether it can.
    """
    if "@" in recipe.name and not recipe.parent:
        own = recipe.name.partition("@")[0]
        raise DatasetError(f"{recipe.name} is the name of a version; choose one without @, or give the parent {own}.")
    _refuse_taken_name(recipe.name, workspace)
    if recipe.detector != "haar":
        recipe_detector(recipe)
    plugin = registry.load("sources", recipe.source)
    if hasattr(plugin, "check"):
        plugin.check(recipe.plugin_options("sources"), recipe.path)
    else:
        open_recipe_source(recipe).close()


def free_name(name: str, workspace: Path) -> str:
    """Return ``name``, or ``name@2``, … where a set or a preparation has it already: what a new version is called."""
    return _unused(name, "@", workspace)


def fresh_name(name: str, workspace: Path) -> str:
    """Return ``name``, or ``name-2``, … where it is taken: what a set that is nobody's version is called."""
    return _unused(name, "-", workspace)


def _unused(name: str, mark: str, workspace: Path) -> str:
    used = {opened.name for opened in list_datasets(workspace)} | set(damaged_datasets(workspace))
    used |= {run.config["recipe"]["name"] for run in runs.list_all(workspace) if run.kind == "prepare"}
    candidate, number = name, 2
    while candidate in used:
        candidate, number = f"{name}{mark}{number}", number + 1
    return candidate


def prepare(run: Run, workspace: Path) -> dict[str, Any]:
    """Do the work of a ``prepare`` run, from where an earlier attempt left it.

    Returns:
        dataset, people, photos, counts, notes, seconds.

    Raises:
        SourceError: The photos cannot be taken in.
        DatasetError: The name is taken, or no face was found.
        Stopped: Somebody asked for it; the parts that are done stay.
    """
    recipe: PrepareRecipe = run.recipe()
    target = workspace / "datasets" / recipe.name
    if (target / "dataset.json").exists() and files.read_json(target / "dataset.json").get("run") == run.id:
        return _result(recipe.name, files.read_json(target / "dataset.json"))  # killed just before it could say so
    _refuse_taken_name(recipe.name, workspace)
    parent = Inherited.of(open_for(run, workspace, recipe.parent)) if recipe.parent else None
    run.update(message="Opening the photos.")  # a source that fetches them takes minutes the first time
    with attending.stopping_at_once(run):
        source = open_recipe_source(recipe)
    building = run.path / "building"
    try:
        return _build(run, recipe, source, parent, building, target)
    finally:
        source.close()


def _build(
    run: Run, recipe: PrepareRecipe, source: Source, parent: Inherited | None, building: Path, target: Path
) -> dict[str, Any]:
    start, before = time.monotonic(), files.read_json(run.path / "status.json")["seconds"]
    photos = [*parent.photos, *parent.renamed(source.photos)] if parent else source.photos
    of_parent = parent.notes(source.photos, target.parents[1]) if parent else []
    run.update(message="Splitting the photos.", step=0, steps=len(photos))
    plan = make_plan(photos, recipe, building, parent.splits if parent else ())
    _crop_all(run, recipe, plan, building, source, parent)
    run.update(message="Packing the faces.", step=len(photos), seconds_left=None)
    counts, notes = pack(building, plan, photos, recipe)
    info = {
        "name": recipe.name,
        "source": registry.load("sources", recipe.source).TITLE,
        "recipe": recipe.model_dump(mode="json"),
        "counts": counts,
        "people": plan.people,
        "notes": [*source.notes, *of_parent, *plan.notes, *notes],
        "version": parent.dataset.info["version"] + 1 if parent else 1,
        "inherited": len(parent.photos) if parent else 0,
        "created": files.now(),
        "run": run.id,
        "seconds": round(before + time.monotonic() - start, 2),
    }
    publish(building, target, info)
    return _result(recipe.name, info)


def _crop_all(
    run: Run, recipe: PrepareRecipe, plan: Plan, building: Path, source: Source, parent: Inherited | None
) -> None:
    """See to it that every chunk has left its part, saying meanwhile how it goes."""
    old = len(parent.photos) if parent else 0
    edges = [*range(0, old, CHUNK), *range(old, len(plan.places), CHUNK), len(plan.places)]
    chunks = [plan.places[first:last] for first, last in pairwise(edges)]
    if parent:
        run.update(message=f"Taking over the {old:,} photos of {recipe.parent}.")
        inherited = {index: chunk for index, chunk in enumerate(chunks) if chunk[0].photo < old}
        parent.write_parts(building, inherited, lambda index: run.check_stop())
    missing = [index for index in range(len(chunks)) if not part_exists(building, index)]
    done = sum(len(chunk) for chunk in chunks) - sum(len(chunks[index]) for index in missing)
    at_first, start, last = done, time.monotonic(), 0.0
    preview = Preview(run.path / "preview.jpg")
    total = len(plan.places)
    to_do = sum(len(chunks[index]) for index in missing)
    with Crew(recipe, source, building, photos=to_do, first=old) as crew:
        for index in crew.work({index: chunks[index] for index in missing}, run.check_stop):
            done += len(chunks[index])
            now = time.monotonic()
            preview.add(building, index)
            if now - last < 0.2 and done < total:
                continue
            last = now
            speed = (done - at_first) / max(now - start, 1e-6)
            run.update(
                message=f"Looked for faces in {done:,} of {total:,} photos.",
                step=done,
                images_per_second=round(speed, 1),
                seconds_left=round((total - done) / speed, 1),
            )


def _refuse_taken_name(name: str, workspace: Path) -> None:
    if (workspace / "datasets" / name).exists():
        raise DatasetError(f"There is a set called {name!r} already, and sets do not change; choose another name.")


def _result(name: str, info: dict[str, Any]) -> dict[str, Any]:
    counts = info["counts"]
    return {
        "dataset": name,
        "people": counts["people"],
        "photos": counts["photos"],
        "counts": counts,
        "notes": info["notes"],
        "seconds": info["seconds"],
    }
