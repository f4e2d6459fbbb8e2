"""The commands: each page's work from a shell, with the same names, defaults and bounds.

``--json`` prints one JSON object (an array for listings) on one line, last on stdout. The exit code is 0 only on
success; errors are one line on stderr.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from facessl import bench, config, devices, distributed, recipes, registry, states
from facessl.config import DemoRecipe, default_workspace
from facessl.distributed import World
from facessl.errors import FaceSSLError, ImageError, RecipeError, RunError
from facessl.recipes import Recipe
from facessl.run import Run
from facessl.studio import Studio
from facessl.viewing import ViewRecipe

_POLL_SECONDS = 0.3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        given = vars(_parser(words).parse_args(words))
        command: Callable[..., Any] = given.pop("command")
        as_json = given.pop("json", False)
        answer = command(_studio(given.pop("workspace")), **given)
        if answer is not None:
            print(json.dumps(answer, ensure_ascii=False) if as_json else _as_text(answer))
        return 0
    except FaceSSLError as error:
        print(f"facessl: {error}", file=sys.stderr)
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
    return [_summary(run) for run in studio.runs() if run.kind not in states.PASSING]


def _summary(run: Run) -> dict[str, Any]:
    status = run.status()
    return {
        "run": run.id,
        "kind": run.kind,
        "title": run.title,
        "state": status.state,
        "epoch": status.epoch,
        "epochs": status.epochs,
        "seconds": status.seconds,
        "note": run.note,
        "error": status.error,
    }


def _start(studio: Studio, *, kind: str, detach: bool, **settings: Any) -> dict[str, Any]:
    # Of a study, the preset is its question; of what learns from views, theirs.
    if "views" in config.RECIPES[kind].model_fields and (preset := settings.pop("preset", None)) is not None:
        settings = {"views": studio.preset(preset).model_dump(), **settings}
    if (world := distributed.launched()).size > 1:
        return _start_together(studio, world, kind, settings)
    run = studio.start(kind, settings)
    return _summary(run) if detach else _follow(run)


def _start_together(studio: Studio, world: World, kind: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Carry a run out in the processes that torchrun started; the first of them answers, the others follow it."""
    from facessl import worker

    if kind not in ("pretrain", "finetune"):
        raise RecipeError(f"{kind} runs in one process; call it without torchrun.")
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
        return _follow(studio.run(run_id))
    if run_id:
        worker.take_part(studio.workspace, run_id)
    return {"run": run_id, "rank": world.rank}


def _demo(studio: Studio, **settings: Any) -> dict[str, Any]:
    made = studio.start_demo(settings)
    results = [_follow(run) for run in made]
    return {"dataset": results[0]["dataset"], "runs": results}


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
    return _summary(studio.run(run))


def _note(studio: Studio, *, run: str, text: str) -> dict[str, Any]:
    studio.note(run, text)
    return _summary(studio.run(run))


def _pause(studio: Studio, *, run: str) -> dict[str, Any]:
    found = studio.run(run)
    studio.pause(found.id)
    while found.status().state == "running" and found.pause_requested():
        time.sleep(0.1)
    return _summary(found)


def _resume(studio: Studio, *, run: str, detach: bool, **changes: Any) -> dict[str, Any]:
    resumed = studio.resume(run, changes)
    return _summary(resumed) if detach else _follow(resumed)


def _stop(studio: Studio, *, run: str) -> dict[str, Any]:
    found = studio.run(run)
    if found.status().state not in states.ACTIVE:
        raise RunError(f"{found.id} is not running (it is {found.status().state}), so there is nothing to stop.")
    studio.stop(found.id)
    while found.is_alive():
        time.sleep(0.1)
    return _summary(found)


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
    from facessl.worker import take_part, work

    if distributed.launched().size > 1:
        take_part(studio.workspace, run)
    elif work(studio.workspace, run) == "failed":
        raise RunError(studio.run(run).status().error)


def _follow(run: Run) -> dict[str, Any]:
    """Show a run's progress until it ends, and return its result; Ctrl-C asks it to stop.

    Raises:
        RunError: It failed or was stopped.
    """
    said = ("", -1, -1)
    asked = False
    while True:
        try:
            status = run.status()
            # A line each tenth of the way: one for each step would bury what matters.
            step = (status.state, status.epoch, status.step * 10 // max(status.steps, 1))
            if step != said:
                print(_progress_line(status), file=sys.stderr, flush=True)
                said = step
            if status.state not in states.ACTIVE:
                break
            time.sleep(_POLL_SECONDS)
        except KeyboardInterrupt:
            if asked:
                how = f"`python -m facessl stop {run.id}` ends it"
                raise RunError(f"{run.id} goes on in the background; {how}.") from None
            asked = True
            run.request_stop()
    result = run.result()
    if status.state != "finished" or result is None:
        reason = status.error or status.message
        raise RunError(f"{run.title}: {status.state}. {reason} (`python -m facessl resume {run.id}` takes it up again)")
    return result


def _progress_line(status: states.Status) -> str:
    parts = [f"{status.state}: {status.message}"]
    if status.steps:
        parts.append(f"{status.step * 100 // status.steps} %")
    return " ".join(parts)


# -- words into commands -----------------------------------------------------------------------------------------


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    common = _Parser(add_help=False)
    common.add_argument("--json", action="store_true", help="print one JSON object on one line")
    common.add_argument(
        "--workspace", type=Path, default=default_workspace(), help="where everything is kept ($FACESSL_HOME)"
    )
    parser = _Parser(prog="facessl", description=__doc__, parents=[common])
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)

    def add(name: str, help_line: str, command: Callable[..., Any], **fixed: Any) -> argparse.ArgumentParser:
        # The common flags may stand before or behind the command; a default set twice would undo the first.
        made = commands.add_parser(name, help=help_line, description=help_line, parents=[_without_defaults(common)])
        made.set_defaults(command=command, **fixed)
        return made

    for kind in registry.KINDS:
        add(kind, f"list the {kind}", _list_plugins, kind=kind)
    add("datasets", "list the prepared sets", _list_datasets)
    _add_preset_flags(add("presets", "list the presets of views, save one, or delete one", _presets), words)
    add("runs", "list the runs, newest first", _list_runs)
    for kind, recipe in config.RECIPES.items():
        made = add(kind, (recipe.__doc__ or "").strip(), _start, kind=kind)
        made.add_argument("--detach", action="store_true", help="return at once and let it run")
        if "views" in recipe.model_fields:
            of_views = "settings of the views, by name (see presets); single flags count more"
            made.add_argument("--preset", default=argparse.SUPPRESS, metavar="NAME", help=of_views)
        _add_recipe_flags(made, recipe, words)
    _add_recipe_flags(add("demo", (DemoRecipe.__doc__ or "").strip(), _demo), DemoRecipe, words)
    identify = add("identify", "say who is in a photo, or that it is nobody known", _identify)
    identify.add_argument("--model", required=True, help="a trained run's id")
    identify.add_argument("--false-accept-rate", type=_share, default=0.01, help="share of strangers let through")
    identify.add_argument("photos", nargs="+", metavar="PHOTO")
    resume = add("resume", "take a stopped, failed or interrupted run up again", _resume)
    resume.add_argument("run", metavar="RUN")
    resume.add_argument("--detach", action="store_true", help="return at once and let it run")
    for name in states.CHANGEABLE:
        _add_flag(resume, name, config.TrainRecipe.model_fields[name], "")
    add("pause", "let a run wait where it is, until it is resumed", _pause).add_argument("run", metavar="RUN")
    add("queue", "list who works and who waits; a paused run keeps its place", _queue)
    rename = add("rename", "give a run another title", _rename)
    rename.add_argument("run", metavar="RUN")
    rename.add_argument("title", metavar="TITLE")
    note = add("note", "write a note about a run", _note)
    note.add_argument("run", metavar="RUN")
    note.add_argument("text", metavar="TEXT")
    add("stop", "stop a run and keep its state", _stop).add_argument("run", metavar="RUN")
    delete = add("delete", "delete a run and what it learnt", _delete)
    delete.add_argument("run", metavar="RUN")
    delete.add_argument("--with-dependants", action="store_true", help="and the runs that build on it")
    compared = add("bench", (bench.BenchRecipe.__doc__ or "").strip(), _bench)
    compared.add_argument("what", choices=bench.WHAT)
    _add_recipe_flags(compared, bench.BenchRecipe, words)
    add("work", "carry out a run (what the studio starts; not for hands)", _work).add_argument("run")
    return parser


def _add_preset_flags(made: argparse.ArgumentParser, words: Sequence[str]) -> None:
    do = made.add_mutually_exclusive_group()
    do.add_argument("--save", default="", metavar="NAME", help="save the settings given, the others by default")
    do.add_argument("--delete", default="", metavar="NAME", help="delete a saved preset; runs keep their settings")
    made.add_argument("--from", default="", dest="of_run", metavar="RUN", help="save a run's; single flags count more")
    made.add_argument("--replace", action="store_true", help="save over a preset of that name")
    _add_recipe_flags(made, ViewRecipe, words)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; --help lists what there is.\n")


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"a share lies between 0 and 1, got {text!r}")
    return value


def _without_defaults(common: argparse.ArgumentParser) -> "_Parser":
    copy = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    for action in common._actions:
        copy._add_action(_suppressed(action))
    return copy


def _suppressed(action: argparse.Action) -> argparse.Action:
    import copy

    twin = copy.copy(action)
    twin.default = argparse.SUPPRESS
    return twin


def _add_recipe_flags(parser: argparse.ArgumentParser, recipe: type[Recipe], words: Sequence[str]) -> None:
    """Add a flag for each setting of the recipe, of its nested recipes, and of the plug-ins that ``words`` chose."""
    carriers = {carried_by for _, _, carried_by in recipe.PLUGINS}
    for name, field in recipe.model_fields.items():
        if isinstance(field.default, Recipe):
            for inner, inner_field in type(field.default).model_fields.items():
                _add_flag(parser, inner, inner_field, getattr(field.default, inner))
        elif name not in carriers:
            _add_flag(parser, name, field, field.default)
    for kind, named_by, _ in recipe.PLUGINS:
        chosen = _chosen(words, f"--{named_by}") or str(recipe.model_fields[named_by].default)
        chosen = chosen.replace("-", "_")
        if chosen in registry.names(kind):  # else the recipe itself says which names would work
            options: type[BaseModel] = registry.load(kind, chosen).Options
            for name, field in options.model_fields.items():
                _add_flag(parser, name, field, field.default, of=chosen)


def _add_flag(parser: argparse.ArgumentParser, name: str, field: FieldInfo, default: Any, of: str = "") -> None:
    flag = f"--{name.replace('_', '-')}"
    shown = f" (default {default})" if default not in ("", ()) else ""
    text = f"{of + ': ' if of else ''}{field.description}{shown}".replace("%", "%%")
    if field.annotation is bool:
        parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=text)
    elif isinstance(default, tuple):
        parser.add_argument(flag, nargs="+", default=argparse.SUPPRESS, help=text, metavar="NAME")
    else:
        parser.add_argument(flag, default=argparse.SUPPRESS, help=text, metavar=name.upper())


def _chosen(words: Sequence[str], flag: str) -> str | None:
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == flag:
            return following
        if word.startswith(f"{flag}="):
            return word.removeprefix(f"{flag}=")
    return None


# -- answers for people ------------------------------------------------------------------------------------------


def _as_text(answer: Any) -> str:
    if isinstance(answer, list):
        return _table(answer) if answer else "There is nothing to list."
    if "sentences" in answer:
        return _report(answer)
    lines = []
    for key, value in answer.items():
        if key == "roc":
            continue  # a curve is for charts
        if key == "notes" and value:
            lines += ["notes:", *value]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            lines.append(f"{key}:\n{_table(value)}")
        else:
            lines.append(f"{key}: {_cell(value, key)}")
    return "\n".join(lines)


def _report(answer: dict[str, Any]) -> str:
    """Return a study's report: its answer, its tables, what is missing; charts are for pages."""
    lines = list(answer["sentences"])
    for table in answer["tables"]:
        rows = [{column: row.get(column) for column in table["columns"]} for row in table["rows"]]
        lines += ["", f"{table['title']}. {table['note']}".strip(), *([_table(rows)] if rows else [])]
    return "\n".join([*lines, *(["", *answer["missing"]] if answer["missing"] else [])])


def _table(rows: list[dict[str, Any]]) -> str:
    columns = list(rows[0])
    cells = [columns] + [[_cell(row.get(column), column) for column in columns] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    padded = [[text.ljust(width) for text, width in zip(line, widths, strict=True)] for line in cells]
    return "\n".join("  ".join(line).rstrip() for line in padded)


def _accuracy(cell: dict[str, Any]) -> str:
    """Return an accuracy of a report with its interval, per cent, and on what it was measured."""
    if cell["share"] is None:
        return "–"
    known = cell["low"] is not None and cell["high"] is not None
    interval = f" ({100 * cell['low']:.1f}–{100 * cell['high']:.1f})" if known else ""
    return f"{100 * cell['share']:.1f} %{interval} {cell['how']}, {cell['photos']} {cell['split']}"


def _cell(value: Any, of: str = "") -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict) and "share" in value:
        return _accuracy(value)
    if isinstance(value, dict):
        return ", ".join(f"{k} {_cell(v, k)}" for k, v in value.items())
    if isinstance(value, list):
        return ", ".join(_cell(v) for v in value)
    if value is None:
        return "nobody known" if of == "person" else "–"
    return " ".join(str(value).split())  # a note may have several lines, a row has one
