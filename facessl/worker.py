"""What a worker process does: wait for its turn, do the run's work from start to end, say how it ended."""

import contextlib
import dataclasses
import errno
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from facessl import attending, devices, distributed, files, runs, states, together, turns
from facessl.config import EmbedRecipe, FinetuneRecipe
from facessl.dataset import open_for
from facessl.errors import FaceSSLError, Stopped
from facessl.run import Run, timed

# One lucky photo makes a stranger somebody; at the same false-accept rate, the mean over a person's three most similar
# photos named 52 % of the known instead of 19 % (docs/LOG.md, 2026-11-22).
_BEST_OF = 3


def work(workspace: Path, run_id: str) -> str:
    """Carry a run to its end and return the state it ended in.

    However the work ends, the status says so; what nobody foresaw leaves its traceback in the log. A process of the
    run's own ends here.
    """
    run = runs.find(workspace, run_id)
    own_process = attending.has_own_process()
    with attending.held(run):
        run.update(state="queued", attempts=run.written().attempts + 1, counted_at=None)
        with _ends_told(run), attending.attended(run, own_process=own_process):
            attending.keep_room(run)
            _in_turn(run, workspace)
        if own_process:
            attending.leave()  # the last word was said
        return run.status().state if run.path.is_dir() else "deleted"


def take_part(workspace: Path, run_id: str) -> None:
    """Be one of the processes of a run that ``torchrun`` started; the first of them tells how the run ended."""
    run, world = runs.find(workspace, run_id), distributed.launched()
    try:
        with attending.helping(run):
            if world.first:
                with _ends_told(run):
                    files.write_json(run.path / "result.json", _WORK[run.kind](run, workspace))
            else:
                with contextlib.suppress(Stopped):
                    _WORK[run.kind](together.Onlooker(run.path), workspace)
    finally:
        distributed.leave()


@contextlib.contextmanager
def _ends_told(run: Run) -> Iterator[None]:
    """Write into the status how the work inside ended, if it did not end well."""
    try:
        yield
    except Stopped as stop:
        _end(run, state="stopped", message=str(stop))
    except FaceSSLError as error:
        _fail(run, str(error))
    # The last place that can tell the person anything: nothing above it shows a status, and the traceback is logged.
    except Exception as error:
        if run.path.is_dir():
            _fail(run, _what_failed(error))
            traceback.print_exc()
    finally:
        attending.give_room_back(run)


def _in_turn(run: Run, workspace: Path) -> None:
    run.recipe()  # one that cannot be read shall not wait in a queue
    attending.wait_for_parents(workspace, run)
    recipe = run.config["recipe"]
    with _place(run, workspace):
        run.update(state="running", message="Starting.", started=files.now())
        run.log(f"Attempt {run.written().attempts} begins.")
        with timed(run):
            result = _carried_out(run, workspace, recipe.get("processes", 1))
        result["seconds"] = run.written().seconds
        files.write_json(run.path / "result.json", result)
        run.log("Finished.")
        run.update(state="finished", message=_how_it_ended(result), seconds_left=0.0, finished=files.now())


@contextlib.contextmanager
def _place(run: Run, workspace: Path) -> Iterator[None]:
    """Wait for the run's turn, and keep it while inside; see ``states.PLACELESS`` for those that need none."""
    if run.kind in states.PLACELESS:
        yield
        return
    recipe = run.config["recipe"]
    queues = devices.queues(recipe.get("device", "cpu"))
    with turns.turn(workspace, run, queues, recipe.get("processes", 1)) as taken, devices.visible(taken):
        yield


def _how_it_ended(result: dict[str, Any]) -> str:
    """Return the last message of a run: also, where learning ended early, when, why, and which weights are kept."""
    stop = result.get("early_stop")
    return f"Finished. {stop['why']}" if stop and stop["early"] else "Finished."


def _carried_out(run: Run, workspace: Path, processes: int) -> dict[str, Any]:
    if processes == 1 or distributed.launched().size > 1:
        return _WORK[run.kind](run, workspace)
    (run.path / "result.json").unlink(missing_ok=True)
    with attending.with_helpers():
        together.launch(workspace, run, processes)
    return files.read_json(run.path / "result.json")


def _what_failed(error: Exception) -> str:
    """Return the sentence for what no part of facessl says itself."""
    text = str(error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk is full; make room, then resume this."
    if type(error).__name__ == "OutOfMemoryError":  # torch's, known here without loading it
        return "The GPU's memory is full; choose a smaller batch or image size."
    # A CPU allocation that fails is a plain RuntimeError in torch, and an OSError where a process cannot start.
    no_memory = isinstance(error, OSError) and error.errno == errno.ENOMEM
    if isinstance(error, MemoryError) or no_memory or "DefaultCPUAllocator" in text:
        return "The machine's memory is full; choose a smaller batch or image size."
    if isinstance(error, OSError):
        return f"A file could not be read or written: {error.strerror or error} ({error.filename or 'no name'})."
    return f"Something nobody foresaw: {type(error).__name__}: {error}. The log has the details."


def _fail(run: Run, sentence: str) -> None:
    _end(run, state="failed", message="Failed.", error=sentence)


def _end(run: Run, **how: str) -> None:
    attending.give_room_back(run)  # the disk may be full
    run.log(how.get("error") or how["message"])
    run.update(**how, seconds_left=None, counted_at=None, finished=files.now())


def _prepare(run: Run, workspace: Path) -> dict[str, Any]:
    from facessl import preparation

    return preparation.prepare(run, workspace)


def _pretrain(run: Run, workspace: Path) -> dict[str, Any]:
    with attending.breakable():  # torch takes seconds
        from facessl import pretraining

    result = pretraining.pretrain(run, workspace)
    if not distributed.launched().first:
        return {}
    return result | _know_people(run, workspace, judged_on="val")  # test waits for a classifier


def _finetune(run: Run, workspace: Path) -> dict[str, Any]:
    with attending.breakable():  # torch takes seconds
        from facessl import finetuning

    result = finetuning.finetune(run, workspace)
    if not distributed.launched().first:
        return {}
    return result | _know_people(run, workspace, judged_on="test")


def _know_people(run: Run, workspace: Path, *, judged_on: str) -> dict[str, Any]:
    """Give a trained model its gallery, so that it can identify at once; return how well it does so.

    Known are the train photos whose names the run used: a model with few labels knows few photos.
    """
    from facessl import gallery, learnt, recognition
    from facessl.encoder import Encoder

    dataset = open_for(run, workspace, run.config["recipe"]["dataset"])
    recipe = run.recipe()
    fraction = recipe.label_fraction if isinstance(recipe, FinetuneRecipe) else 1.0
    if not dataset.people or not len(dataset.rows("train")):
        return {}  # nobody has a name, so there is nobody to know
    run.update(message="Remembering the known faces.")
    encoder = Encoder.from_run(run.path)
    named = learnt.labelled_share(dataset, fraction, recipe.seed)
    rows = np.union1d(named, dataset.rows("val", judged_on))
    embeddings, labels = encoder.embed(dataset.faces[rows]), dataset.labels(rows)
    splits = dataset.crops["split"].to_numpy()[rows]
    known = gallery.build(embeddings, labels, splits, dataset.people, best_of=_BEST_OF)
    known = dataclasses.replace(known, faces=rows[known.faces])
    known.save(run.path)
    if not len(known.impostors):
        return {}  # no val faces: it knows people, but not how alike strangers are
    probes, truth = embeddings[splits == judged_on], labels[splits == judged_on]
    strangers = recognition.stranger_faces(dataset)
    if len(strangers):
        probes = np.concatenate([probes, encoder.embed(strangers)])
        truth = np.concatenate([truth, np.full(len(strangers), -1)])
    judged = gallery.evaluate(known, probes, truth, known.threshold())
    return {"identification": {**judged, "split": judged_on, "known_photos": len(named)}}


def _embed(run: Run, workspace: Path) -> dict[str, Any]:
    from facessl import embeddings

    recipe: EmbedRecipe = run.recipe()
    with attending.breakable():  # torch takes seconds
        from facessl import models

        dataset = open_for(run, workspace, recipe.dataset)
        device = devices.pick(recipe.device)
    run.update(device=device.name, message="Computing the embeddings.", step=0, steps=len(dataset.faces))
    start = time.monotonic()

    def progress(done: int) -> None:
        run.check_stop()
        run.update(step=done, steps=len(dataset.faces))

    vectors = models.embed(
        models.Model(recipe.model, recipe.backbone, recipe.image_size, recipe.seed, recipe.device),
        dataset.faces,
        workspace,
        fitted_on=lambda: dataset.faces[dataset.rows("unlabelled", "train")],
        progress=progress,
    )
    speed = len(vectors) / max(time.monotonic() - start, 1e-9)
    run.check_stop()
    run.update(message="Drawing the map.", images_per_second=round(speed, 1))
    rows = dataset.rows()
    drawn = np.full((len(vectors), 2), np.nan, np.float32)  # what does not belong to the set is not on the map
    drawn[rows] = embeddings.project(
        vectors[rows], neighbours=recipe.neighbours, min_dist=recipe.min_dist, seed=recipe.seed
    )
    embeddings.store(run.path, vectors, drawn)
    return {
        "run": run.id,
        "dataset": recipe.dataset,
        "model": recipe.model,
        "device": device.name,
        "images_per_second": round(speed, 1),
        "metrics": {"faces": len(rows), "dimensions": vectors.shape[1]},
    }


def _evaluate(run: Run, workspace: Path) -> dict[str, Any]:
    with attending.breakable():  # torch takes seconds
        from facessl import evaluating

    return evaluating.evaluate(run, workspace)


def _detectors(run: Run, workspace: Path) -> dict[str, Any]:
    from facessl import preparation

    return preparation.compare_detectors(run, workspace)


def _probe(run: Run, workspace: Path) -> dict[str, Any]:
    with attending.breakable():  # torch takes seconds
        from facessl import probe

    return probe.probe(run, workspace)


def _study(run: Run, workspace: Path) -> dict[str, Any]:
    from facessl import conducting

    return conducting.conduct(run, workspace)


_WORK: dict[str, Callable[[Run, Path], dict[str, Any]]] = {
    "prepare": _prepare,
    "pretrain": _pretrain,
    "finetune": _finetune,
    "embed": _embed,
    "evaluate": _evaluate,
    "detectors": _detectors,
    "probe": _probe,
    "study": _study,
}
