"""The commands: each page's work from a shell, with the same names, defaults and bounds.

``--json`` prints one JSON object (an array for listings) on one line, last on stdout. The exit code is 0 only on
success; errors are one line on stderr.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from facessl import attending, bench, config, distributed, flags, printing, recipes, registry, starting, states
from facessl.config import DemoRecipe, default_workspace
from facessl.errors import FaceSSLError, ImageError, RecipeError, RunError
from facessl.following import follow, summary
from facessl.recipes import Recipe
from facessl.run import Run
from facessl.studio import Studio
from facessl.viewing import ViewRecipe


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        given = vars(_parser(words).parse_args(words))
    except FaceSSLError as error:
        return _refused(error, by_all=True)
    try:
        command: Callable[..., Any] = given.pop("command")
        as_json = given.pop("json", False)
        answer = command(_studio(given.pop("workspace")), **given)
        if answer is not None:
            print(json.dumps(answer, ensure_ascii=False) if as_json else printing.as_text(answer), flush=True)
        return 0
    except FaceSSLError as error:
        return _refused(error)
    except BrokenPipeError:  # whoever read along has seen enough, as `head` does; nothing more may be written there
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _refused(error: FaceSSLError, *, by_all: bool = False) -> int:
    """Say on stderr why the command ends, and return its exit code.

    Of ``torchrun``'s processes the first speaks for all where each finds the same. What torchrun itself prints of a
    process that ended so cannot be helped, and would hide the line that matters.
    """
    world = distributed.launched()
    if world.first or not by_all:
        print(f"facessl: {error}", file=sys.stderr)
    if world.first and world.size > 1:
        print("facessl: the lines below are torchrun's, and say only that this ended.", file=sys.stderr, flush=True)
    return 1


def _studio(workspace: Path) -> Studio:
    if workspace.exists() and not workspace.is_dir():
        raise RunError(f"{workspace} is a file; give a folder as the workspace.")
    return Studio(workspace)


# -- the commands ------------------------------------------------------------------------------------------------


def _list_plugins(studio: Studio, *, kind: str) -> list[dict[str, Any]]:
    modules = [(name, registry.load(kind, name)) for name in registry.names(kind)]
    return [{"name": name, "title": m.TITLE, "reference": m.REFERENCE} for name, m in modules]


def _list_datasets(studio: Studio) -> list[dict[str, Any]]:
    return [dataset.summary() for dataset in studio.datasets()]


def _presets(
    studio: Studio, *, save: str = "", delete: str = "", of_run: str = "", replace: bool = False, **views: Any
) -> Any:
    """List the presets of views, save one from a run's views and single flags, or delete one."""
    if (views or of_run or replace) and not save:
        raise RecipeError("Settings, --from and --replace belong to --save NAME.")
    if delete:
        studio.delete_preset(delete)
        return {"preset": delete, "deleted": True}
    if not save:
        return [{"preset": name, **studio.preset(name).model_dump()} for name in studio.presets()]
    recipe = recipes.build(ViewRecipe, {**(_views_of(studio.run(of_run)) if of_run else {}), **views})
    return {"preset": studio.save_preset(save, recipe, replace=replace), **recipe.model_dump()}


def _views_of(run: Run) -> dict[str, Any]:
    recipe = getattr(run.recipe(), "views", None)
    if not isinstance(recipe, ViewRecipe):
        raise RecipeError(f"{run.id} is a run of {run.kind}, which has no views to save.")
    return recipe.model_dump()


def _list_runs(studio: Studio) -> list[dict[str, Any]]:
    whole, damaged = studio.runs(), studio.runs(states.DAMAGED)
    return [summary(run) for run in [*whole, *damaged] if run.kind not in states.PASSING]


def _delete(studio: Studio, *, run: str, with_dependants: bool) -> dict[str, Any]:
    found = studio.run(run)
    gone = [found.id, *(other.id for other in studio.dependants(found.id))] if with_dependants else [found.id]
    studio.delete(found.id, with_dependants=with_dependants)
    return {"run": found.id, "deleted": gone}


def _queue(studio: Studio) -> list[dict[str, Any]]:
    return [
        {
            "queue": place.queue,
            "place": place.position,
            "run": place.run.id,
            "title": place.run.title,
            "state": place.run.status().state,
        }
        for place in studio.queue()
    ]


def _rename(studio: Studio, *, run: str, title: str) -> dict[str, Any]:
    studio.rename(run, title)
    return summary(studio.run(run))


def _note(studio: Studio, *, run: str, text: str) -> dict[str, Any]:
    studio.note(run, text)
    return summary(studio.run(run))


def _pause(studio: Studio, *, run: str) -> dict[str, Any]:
    found = studio.run(run)
    studio.pause(found.id)
    while found.status().state == "running" and found.pause_requested():
        time.sleep(0.1)
    return summary(found)


def _resume(studio: Studio, *, run: str, detach: bool, **changes: Any) -> dict[str, Any]:
    resumed = studio.resume(run, changes)
    return summary(resumed) if detach else follow(resumed)


def _stop(studio: Studio, *, run: str) -> dict[str, Any]:
    found = studio.run(run)
    if found.status().state not in states.ACTIVE:
        raise RunError(f"{found.id} is not running (it is {found.status().state}), so there is nothing to stop.")
    studio.stop(found.id)
    while found.is_alive():
        time.sleep(0.1)
    return summary(found)


def _identify(studio: Studio, *, model: str, photos: list[str], false_accept_rate: float) -> dict[str, Any]:
    from facessl.images import read_image

    found = studio.run(model)
    faces = []
    for photo in photos:
        try:
            image = read_image(Path(photo))
        except ImageError as error:
            raise ImageError(f"{photo}: {error}") from error
        answers = studio.identify(found.id, image, false_accept_rate)
        if not answers:
            print(f"{photo}: no face was found.", file=sys.stderr)
        faces += [{"photo": photo, **answer.as_dict()} for answer in answers]
    return {"model": found.id, "photos": len(photos), "faces": faces}


def _bench(studio: Studio, *, what: str, **settings: Any) -> dict[str, Any]:
    recipe = recipes.build(bench.BenchRecipe, settings)
    return bench.run(what, recipe, studio.workspace, lambda line: print(line, file=sys.stderr, flush=True))


def _work(studio: Studio, *, run: str) -> None:
    alone = distributed.launched().size == 1
    if alone:
        attending.give_way()  # before imports that take seconds; helpers have it from their worker
    from facessl.worker import take_part, work

    if not alone:
        take_part(studio.workspace, run)
    elif work(studio.workspace, run) == "failed":
        raise RunError(studio.run(run).status().error)


# -- words into commands -----------------------------------------------------------------------------------------


Add = Callable[..., argparse.ArgumentParser]  # (name, line of help, command, what the command is given besides)


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    common = flags.Parser(add_help=False)
    common.add_argument("--json", action="store_true", help="print one JSON object on one line")
    where = "where everything is kept ($FACESSL_HOME)"
    common.add_argument("--workspace", type=Path, default=default_workspace(), help=where)
    parser = flags.Parser(prog="facessl", description=__doc__, parents=[common])
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=flags.Parser)

    def add(name: str, help_line: str, command: Callable[..., Any], **fixed: Any) -> argparse.ArgumentParser:
        # The common flags may stand before or behind the command; a default set twice would undo the first.
        again = flags.without_defaults(common)
        made = commands.add_parser(name, help=help_line, description=help_line, parents=[again])
        made.set_defaults(command=command, **fixed)
        return made

    for kind in registry.KINDS:
        add(kind, f"list the {kind}", _list_plugins, kind=kind)
    add("datasets", "list the prepared sets", _list_datasets)
    _add_preset_flags(add("presets", "list the presets of views, save one, or delete one", _presets), words)
    for kind, recipe in config.RECIPES.items():
        told = (recipe.__doc__ or "").strip()
        made = add(kind, told, starting.probe) if kind == "probe" else add(kind, told, starting.start, kind=kind)
        _add_start_flags(made, recipe, words)
        if kind == "probe":
            which = "and with each setting otherwise that decides over time and memory"
            made.add_argument("--each", action="store_true", help=which)
    flags.add_recipe_flags(add("demo", (DemoRecipe.__doc__ or "").strip(), starting.demo), DemoRecipe, words)
    identify = add("identify", "say who is in a photo, or that it is nobody known", _identify)
    identify.add_argument("--model", required=True, help="a trained run's id")
    identify.add_argument("--false-accept-rate", type=flags.share, default=0.01, help="share of strangers let through")
    identify.add_argument("photos", nargs="+", metavar="PHOTO")
    _add_commands_on_runs(add)
    compared = add("bench", (bench.BenchRecipe.__doc__ or "").strip(), _bench)
    compared.add_argument("what", choices=bench.WHAT)
    flags.add_recipe_flags(compared, bench.BenchRecipe, words)
    add("work", "carry out a run (what the studio starts; not for hands)", _work).add_argument("run")
    return parser


def _add_start_flags(made: argparse.ArgumentParser, recipe: type[Recipe], words: Sequence[str]) -> None:
    made.add_argument("--detach", action="store_true", help="return at once and let it run")
    if "views" in recipe.model_fields:
        of_views = "settings of the views, by name (see presets); single flags count more"
        made.add_argument("--preset", default=argparse.SUPPRESS, metavar="NAME", help=of_views)
    flags.add_recipe_flags(made, recipe, words)


def _add_commands_on_runs(add: Add) -> None:
    def add_on(name: str, help_line: str, command: Callable[..., Any]) -> argparse.ArgumentParser:
        made = add(name, help_line, command)
        made.add_argument("run", metavar="RUN")
        return made

    add("runs", "list the runs, newest first", _list_runs)
    add("queue", "list who works and who waits; a paused run keeps its place", _queue)
    resume = add_on("resume", "take a stopped, failed or interrupted run up again", _resume)
    resume.add_argument("--detach", action="store_true", help="return at once and let it run")
    for name in states.CHANGEABLE:
        flags.add_flag(resume, name, config.TrainRecipe.model_fields[name], "")
    add_on("pause", "let a run wait where it is, until it is resumed", _pause)
    add_on("stop", "stop a run and keep its state", _stop)
    add_on("rename", "give a run another title", _rename).add_argument("title", metavar="TITLE")
    add_on("note", "write a note about a run", _note).add_argument("text", metavar="TEXT")
    delete = add_on("delete", "delete a run and what it learnt", _delete)
    delete.add_argument("--with-dependants", action="store_true", help="and the runs that build on it")


def _add_preset_flags(made: argparse.ArgumentParser, words: Sequence[str]) -> None:
    do = made.add_mutually_exclusive_group()
    do.add_argument("--save", default="", metavar="NAME", help="save the settings given, the others by default")
    do.add_argument("--delete", default="", metavar="NAME", help="delete a saved preset; runs keep their settings")
    made.add_argument("--from", default="", dest="of_run", metavar="RUN", help="save a run's; single flags count more")
    made.add_argument("--replace", action="store_true", help="save over a preset of that name")
    flags.add_recipe_flags(made, ViewRecipe, words)
