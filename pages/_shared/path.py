"""The path from photos to names: which steps there are, and how far this workspace has come. Reads JSON only."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from facessl.dataset import FaceDataset
from facessl.run import Run
from facessl.states import ACTIVE, Status
from facessl.studio import Studio
from pages._shared.results import named_before
from pages._shared.words import count, percent

# The page that shows a run of this kind.
PAGE_OF = {
    "prepare": "pages/data.py",
    "pretrain": "pages/pretrain.py",
    "embed": "pages/embeddings.py",
    "finetune": "pages/finetune.py",
}
PAGE_TITLE = {"prepare": "Data", "pretrain": "Pre-train", "embed": "Embeddings", "finetune": "Fine-tune"}
_ICON = {
    "prepare": ":material/photo_library:",
    "pretrain": ":material/school:",
    "embed": ":material/scatter_plot:",
    "finetune": ":material/tune:",
}
_WHAT = {
    "prepare": "Photos become aligned faces.",
    "pretrain": "Learn from faces without names.",
    "embed": "A map: every face a point.",
    "finetune": "Learn the few names there are.",
}


@dataclass(frozen=True)
class Step:
    """One step of the path."""

    title: str
    page: str
    icon: str
    what: str  # what is done there, in a few words
    state: str  # a run's state, or "ready" (can be used now), "later" (something before it is missing)
    figure: str  # what has come out so far, or ""
    run: Run | None = None  # the run behind it
    status: Status | None = None


def link_to(run: Run) -> dict[str, str]:
    """Return the query parameters that open a run on its page."""
    recipe = run.config["recipe"]
    if run.kind == "prepare":
        return {"dataset": recipe["name"]} if run.status().state == "finished" else {}
    return {"run": run.id, "dataset": recipe["dataset"]}


def path_steps(studio: Studio) -> list[Step]:
    """Return the six steps with the most telling run of each kind and the figures it left."""
    sets = studio.datasets()
    known = [run for run in studio.models() if (run.path / "gallery.npz").exists()]
    usable = "ready" if sets else "later"
    steps = {kind: _step(kind, what, _telling(studio.runs(kind)), usable) for kind, what in _WHAT.items()}
    if sets:
        # The sets count, not how they came here: one copied in from elsewhere has no run.
        done = "finished" if steps["prepare"].state not in ACTIVE else steps["prepare"].state
        steps["prepare"] = replace(steps["prepare"], state=done, figure=_data_figure(sets))
    views = Step(
        "Views", "pages/views.py", ":material/filter_b_and_w:", "How a face is changed while learning.", usable,
        "The same code that trains" if sets else "",
    )  # fmt: skip
    identify = Step(
        "Identify", "pages/identify.py", ":material/person_search:", "Who is on this photo?",
        "ready" if known else "later", f"Knows the people of {_set_of(known[0])}" if known else "",
    )  # fmt: skip
    return [steps["prepare"], views, steps["pretrain"], steps["embed"], steps["finetune"], identify]


def _telling(runs: Sequence[Run]) -> Run | None:
    """Return the run that says how far a step is: the one that works now, else the newest finished, else the newest."""
    states = [(run, run.status().state) for run in runs]
    working = [run for run, state in states if state in ACTIVE]
    finished = [run for run, state in states if state == "finished"]
    return next(iter([*working[-1:], *finished, *runs]), None)


def _set_of(run: Run) -> str:
    return str(run.config["recipe"]["dataset"])


def _step(kind: str, what: str, run: Run | None, without: str) -> Step:
    title, page, icon = PAGE_TITLE[kind], PAGE_OF[kind], _ICON[kind]
    if run is None:
        return Step(title, page, icon, what, "later" if kind == "prepare" else without, "")
    status = run.status()
    figure = status.message if status.state in ACTIVE else result_figure(kind, run.result() or {})
    return Step(title, page, icon, what, status.state, figure, run, status)


def _data_figure(sets: Sequence[FaceDataset]) -> str:
    if not sets:
        return ""
    if len(sets) > 1:
        return count(len(sets), "set")
    info = sets[0].info
    return f"{count(len(info['people']), 'person', 'people')}, {count(info['counts']['faces'], 'face')}"


def result_figure(kind: str, result: dict[str, Any]) -> str:
    """Return the one figure to remember of a finished run, with what it was measured on."""
    metrics = result.get("metrics", {})
    if kind == "pretrain" and metrics.get("knn_accuracy") is not None:
        return f"k-NN {percent(metrics['knn_accuracy'])} on val"
    if kind == "finetune" and metrics.get("top1") is not None:
        how = "frozen" if result.get("mode") == "frozen" else "fine-tuned"
        how += f", {named}" if (named := named_before(metrics)) else ""
        return f"top-1 {percent(metrics['top1'])} on test, {how}"
    if kind == "embed":
        return f"{result['dataset']} is mapped" if "dataset" in result else ""
    if kind == "prepare" and "people" in result:
        return f"{count(result['people'], 'person', 'people')}, {count(result['photos'], 'photo')}"
    return ""
