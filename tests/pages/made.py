"""Runs made by hand on the set of ``tests/tiny.py``: what a page shows is known beforehand, and nothing is trained."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from streamlit.testing.v1 import AppTest

from facessl import answers as kept_answers
from facessl import embeddings, evaluation, files, runs
from facessl.config import RECIPES
from facessl.dataset import open_dataset
from facessl.metrics import wilson_interval
from facessl.recipes import build
from facessl.run import Run
from tests.tiny import leave_model, make_set

APP = Path(__file__).parents[2] / "app.py"
BASELINES = {"majority": 2, "1-NN on pixels": 3, "PCA + SVM": 4, "PCA + LDA": 4}  # right of the 6 test photos


def open_page(name: str) -> AppTest:
    """Return the app on the page ``pages/<name>.py``."""
    app = AppTest.from_file(str(APP), default_timeout=120).run()
    app.switch_page(f"pages/{name}.py")
    return app.run()


def words(app: AppTest) -> str:
    """Return all plain text of a page."""
    parts = (app.markdown, app.caption, app.subheader, app.info, app.success, app.warning, app.error)
    return "\n".join(str(element.value) for elements in parts for element in elements)


def make_run(workspace: Path, kind: str, title: str, **settings: object) -> Run:
    """Write a run with this recipe that is finished, as far as its status goes."""
    run = runs.create(workspace, kind, build(RECIPES[kind], {"dataset": "tiny", **settings}), title=title)
    run.update(state="finished", message="Finished.", epoch=2, epochs=2, seconds=3.0, device="cpu")
    return run


def tiny_set(workspace: Path) -> None:
    """Write the set: 3 people with 16 train, 2 val and 2 test faces each, and 4 nameless faces."""
    make_set(workspace, people=3, photos=20, unnamed=4)


def pretrained(workspace: Path, **settings: object) -> Run:
    """Write a pre-training whose k-NN got 5 of 6 val photos right; pixels got 3, the untrained network 2."""
    run = make_run(workspace, "pretrain", "SimCLR of the tests", **settings)
    run.log_metrics(epoch=0, knn_accuracy=2 / 6, knn_pixels=3 / 6, knn_photos=6)
    run.log_metrics(epoch=1, loss=4.0, chance=5.5, knn_accuracy=5 / 6)
    figures = {"knn_accuracy": 5 / 6, "knn_untrained": 2 / 6, "knn_pixels": 3 / 6, "knn_raw_pixels": 1 / 6}
    figures |= {"knn_photos": 6, "loss": 4.0}
    files.write_json(run.path / "result.json", {"run": run.id, "dataset": "tiny", "seconds": 3.0, "metrics": figures})
    leave_model(run.path)
    return run


def finetuned(workspace: Path, title: str, *, right: int, **settings: Any) -> Run:
    """Write a fine-tuning that names ``right`` of the 6 test photos; the last ones are taken for the next person."""
    dataset = open_dataset(workspace, "tiny")
    labels = dataset.labels(dataset.rows("test"))
    return answered(workspace, title, np.where(np.arange(6) < right, labels, (labels + 1) % 3), **settings)


def answered(
    workspace: Path,
    title: str,
    answers: np.ndarray,
    probability: float | np.ndarray = 0.9,
    plain: Mapping[str, int] = BASELINES,
    paired: bool = False,
    **settings: object,
) -> Run:
    """Write a fine-tuning that gave these names, (N,) labels, to the N test photos of the set.

    ``plain`` says of how many test photos in six each plain method was right; where ``paired``, of the first so many.
    """  # fmt: skip
    run = make_run(workspace, "finetune", title, **settings)
    dataset = open_dataset(workspace, "tiny")
    test, people = dataset.rows("test"), len(dataset.people)
    labels = dataset.labels(test)
    judged = evaluation.classification(labels, np.eye(people)[answers], dataset.people)
    for epoch in (1, 2):
        run.log_metrics(epoch=epoch, train_loss=1.0, train_top1=0.5, val_loss=1.0, val_top1=0.1 * epoch)
    photos = len(test)
    rows = [
        {"name": name, "top1": n / 6, "photos": photos, "low": low, "high": high}
        for name, n in plain.items()
        for low, high in [wilson_interval(n * photos // 6, photos)]
    ]
    report = {"people": dataset.people, "report": judged.pop("report"), "confusion": judged.pop("confusion")}
    files.write_json(run.path / "report.json", {**report, "baselines": rows})
    files.write_json(run.path / "result.json", {"run": run.id, "dataset": "tiny", "seconds": 3.0, "metrics": judged})
    leave_model(run.path)
    table = pd.DataFrame({"face": test, "label": labels, "predicted": answers, "probability": probability})
    table.to_parquet(run.path / "predictions.parquet", index=False)
    if paired:
        kept_answers.store_plain(run.path, test, labels, {
            name: np.where(np.arange(photos) < n, labels, (labels + 1) % people) for name, n in plain.items()
        })  # fmt: skip
    return run


def mapped(workspace: Path) -> Run:
    """Write a map on which the three people, and the nameless, lie in four corners, far from each other."""
    run = make_run(workspace, "embed", "Map of the tests", model="pixels")
    labels = open_dataset(workspace, "tiny").labels(np.arange(64))
    noise = np.random.default_rng(0).normal(0, 0.05, (64, 4))
    rows = np.eye(4)[labels] + noise  # -1 is the last
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    embeddings.store(run.path, rows.astype(np.float32), rows[:, :2].astype(np.float32))
    files.write_json(run.path / "result.json", {"run": run.id, "dataset": "tiny", "seconds": 3.0, "metrics": {}})
    return run
