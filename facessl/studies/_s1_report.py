"""What S1 shows: their figures beside ours, epoch by epoch, on test, and person by person."""

from collections.abc import Mapping
from typing import Any

from facessl.dataset import FaceDataset
from facessl.studies import _published as published
from facessl.studies import _why as why
from facessl.studies._cells import (
    FINE_TUNED,
    Row,
    accuracy,
    curve,
    plain_rows,
    report_of,
    test_row,
)
from facessl.studying import Chart, Done, Table

_SIMCLR, _CLASSIFIER = "SimCLR", "ResNet18 “transfer”"
_THEIRS, _AS_THEY, _RIGHT = "their figure", "ours as they did it", "ours done right"
OURS = {
    "simclr-linear": "SimCLR, linear layer on the frozen network",
    "simclr-tuned": "SimCLR, fine-tuned",
    "nothing": "ResNet18 from nothing",
    "nothing-embedding": "ResNet18 from nothing, on its untrained embedding",
    "imagenet-linear": "ImageNet weights, linear layer on the frozen network",
    "imagenet-tuned": "ImageNet weights, fine-tuned: true transfer",
}
_FIGURES = {"precision": "precision", "recall": "recall", "F1": "f1-score", "photos": "support"}
_LARGEST = "largest axis of the projection"
_NAMED = "trained with names, from nothing"


def by_epoch(done: Mapping[str, Done]) -> list[Table]:
    """Return one table: their figure, ours as they did it, ours done right, after each epoch."""
    rows = [*_simclr_rows(done), *_classifier_rows(done)]
    note = (
        f"Their figures: {published.SOURCE}; what it calls top-5 is top-3. {_SIMCLR} as they did it is read by the "
        f"{_LARGEST}; {_CLASSIFIER} is {_NAMED}, its cell run twice. Theirs is judged on test after every epoch, as no "
        "test should be; ours done right on val, with all layers trained with names, and on test once, in a later "
        "table. The plain methods have no epochs and stand there alone. They published no top-5, and no macro-F1 by "
        "epoch. A dash in ours: not measured by the version that trained it, or, of top-3 and top-5, no more people "
        "than that."
    )
    columns = ["model", "epoch", *(f"{who}: top-{k}" for k in (1, 3) for who in (_THEIRS, _AS_THEY, _RIGHT)),
               *(f"{who}: {what}" for what in ("top-5", "macro-F1") for who in (_AS_THEY, _RIGHT)),
               "their loss", "our loss as they did it"]  # fmt: skip
    return [Table(title="Their figure · ours as they did it · ours done right", note=note, columns=columns, rows=rows)]


def _simclr_rows(done: Mapping[str, Done]) -> list[Row]:
    ours = done["notebook"].result if "notebook" in done else None
    right = _right_epochs(done, "simclr-tuned")
    length = max(published.EPOCHS, len(ours["epochs"]) if ours else 0, len(right))
    rows = []
    for epoch in range(1, length + 1):
        row: Row = {"model": _SIMCLR, "epoch": epoch, **right.get(epoch, {})}
        if epoch <= published.EPOCHS:
            row |= _theirs(published.SIMCLR_TOP1, published.SIMCLR_TOP3, epoch)
            row["their loss"] = published.SIMCLR_LOSS[epoch - 1]
        if ours and epoch <= len(ours["epochs"]):
            own = ours["epochs"][epoch - 1]
            row |= _as_they(own, ours)
            row["our loss as they did it"] = own["last_loss"]
        rows.append(row)
    return rows


def _classifier_rows(done: Mapping[str, Done]) -> list[Row]:
    ours = done["notebook-classifier"].result if "notebook-classifier" in done else None
    logged = {row["epoch"]: row for row in ours["epochs"]} if ours else {}
    # True transfer where there are weights; else what the notebook really did, from nothing, with our care.
    right = _right_epochs(done, "imagenet-tuned" if "imagenet-tuned" in done else "nothing")
    rows = []
    for epoch in range(1, max([published.EPOCHS, *logged, *right]) + 1):
        row: Row = {"model": _CLASSIFIER, "epoch": epoch, **right.get(epoch, {})}
        if epoch <= published.EPOCHS:
            row |= _theirs(published.CLASSIFIER_TOP1, published.CLASSIFIER_TOP3, epoch)
        if ours and epoch in logged:
            row |= _as_they(logged[epoch], ours)
            row["our loss as they did it"] = logged[epoch]["loss"]
        rows.append(row)
    return rows


def _theirs(top1: tuple[float, ...], top3: tuple[float, ...], epoch: int) -> Row:
    pairs = {1: top1[epoch - 1], 3: top3[epoch - 1]}
    return {
        f"{_THEIRS}: top-{k}": accuracy(value / 100, published.PHOTOS, "their own 20 %", "as published")
        for k, value in pairs.items()
    }


def _as_they(row: Mapping[str, Any], found: Mapping[str, Any]) -> Row:
    """Return an epoch's cells as they did it; top-3 of three people or fewer says nothing.

    An earlier version measured neither top-5 nor macro-F1.
    """
    tops = {k: row.get(f"top{k}") if k == 1 or found["chance"] < 1 / k else None for k in (1, 3, 5)}
    cells: Row = {
        f"{_AS_THEY}: top-{k}": None if share is None else accuracy(share, found["photos"], found["split"], "their way")
        for k, share in tops.items()
    }
    return {**cells, f"{_AS_THEY}: macro-F1": row.get("macro_f1")}


def _right_epochs(done: Mapping[str, Done], key: str) -> dict[int, Row]:
    """Return the cells of ours done right, on val, by epoch; top-3 and top-5 where the run measured them."""
    if key not in done:
        return {}
    found: dict[int, Row] = {}
    for k in (1, 3, 5):
        photos = dict(zip(*curve(done[key], "val_photos"), strict=True))
        for epoch, share in zip(*curve(done[key], f"val_top{k}"), strict=True):
            cell = accuracy(share, int(photos[epoch]), "val", FINE_TUNED)
            found.setdefault(epoch, {})[f"{_RIGHT}: top-{k}"] = cell
    for epoch, score in zip(*curve(done[key], "val_macro_f1"), strict=True):
        found.setdefault(epoch, {})[f"{_RIGHT}: macro-F1"] = score
    return found


def on_test(done: Mapping[str, Done]) -> list[Table]:
    """Return ours done right on test, touched once, beside the plain rows; none before the first is done."""
    rows = [test_row(name, done[key]) for key, name in OURS.items() if key in done]
    if not rows:
        return []
    first = next(done[key] for key in OURS if key in done)
    note = (
        "On the set's own test split, once per run, at its end. The plain methods: same photos, same names. “ResNet18 "
        "from nothing” reads averaged features through a last layer that begins by chance, as the notebook's did. All "
        "others begin as a linear layer fitted on the network's whitened embedding, also the other one from nothing: "
        "what learnt before is compared with that."
    )
    return [Table(title="Done right, on test", note=note, columns=["model", "top-1", "top-3", "top-5", "macro-F1"],
                  rows=[*rows, *plain_rows(first)])]  # fmt: skip


def classification(dataset: FaceDataset, done: Mapping[str, Done]) -> list[Table]:
    """Return the classification reports side by side: theirs of their people, and ours of ours."""
    return [_their_report(), *_our_reports(dataset, done)]


def _their_report() -> Table:
    columns = ["person", "precision", "recall", "F1", "photos"]
    rows = [dict(zip(columns, (name, *row), strict=True)) for name, row in published.SIMCLR_REPORT.items()]
    note = f"As printed by the notebook at its end, of its own six people. {published.SOURCE}."
    return Table(title="Classification report: theirs, SimCLR", note=note, columns=columns, rows=rows)


def _our_reports(dataset: FaceDataset, done: Mapping[str, Done]) -> list[Table]:
    reports = _reports(dataset, done)
    if not reports:
        return []
    rows: list[Row] = []
    for person in [*dataset.people, "macro avg"]:
        row: Row = {"person": person}
        for name, report in reports.items():
            own = report.get(person, {})
            row |= {f"{name}: {said}": own.get(key) for said, key in _FIGURES.items()}
        rows.append(row)
    note = (
        f"As they did it: on {why.POOLED}; the classifier's report counts each photo once an epoch, as theirs did "
        "(1,220 = 5 × 244). Done right: on test, once."
    )
    columns = ["person", *(f"{name}: {said}" for name in reports for said in _FIGURES)]
    return [Table(title="Classification reports: ours, side by side", note=note, columns=columns, rows=rows)]


def _reports(dataset: FaceDataset, done: Mapping[str, Done]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for key, model in (("notebook", _SIMCLR), ("notebook-classifier", _CLASSIFIER)):
        if key in done and "report" in done[key].result:
            found[f"{model} as they did it"] = _by_name(done[key].result["report"], dataset.people)
    transfer = ("imagenet-tuned", "ImageNet done right, fine-tuned")
    if "imagenet-tuned" not in done:  # what the notebook really did under the name of transfer
        transfer = ("nothing", "From nothing done right, fine-tuned")
    for key, name in (("simclr-linear", "SimCLR done right, linear"), ("simclr-tuned", "SimCLR done right, fine-tuned"),
                      transfer):  # fmt: skip
        if key in done:
            found[name] = report_of(done[key])["report"]
    return found


def _by_name(report: Mapping[str, Any], people: list[str]) -> dict[str, Any]:
    """Return a classification report of labels as one of names."""
    return {people[int(key)] if key.isdigit() else key: row for key, row in report.items()}


def charts(done: Mapping[str, Done]) -> list[Chart]:
    """Return top-1 after each epoch, and top-3 where there are more than three people: theirs, and both of ours."""
    titles = {1: "share of photos named right", 3: "share of photos whose name is among the first three"}
    return [
        Chart(title=f"Top-{k} after each epoch", kind="lines", x_title="epoch", y_title=title, lines=_lines(done, k))
        for k, title in titles.items()
        if k == 1 or more_people_than(3, done)
    ]


def _lines(done: Mapping[str, Done], k: int) -> list[dict[str, Any]]:
    theirs = {1: (published.SIMCLR_TOP1, published.CLASSIFIER_TOP1),
              3: (published.SIMCLR_TOP3, published.CLASSIFIER_TOP3)}[k]  # fmt: skip
    epochs = list(range(1, published.EPOCHS + 1))
    found = [(f"{_THEIRS}, {name}", epochs, [value / 100 for value in values])
             for name, values in zip((_SIMCLR, _CLASSIFIER), theirs, strict=True)]  # fmt: skip
    for key, name in (("notebook", _SIMCLR), ("notebook-classifier", _CLASSIFIER)):
        if key in done:
            rows = [row for row in done[key].result["epochs"] if row["epoch"] > 0]
            found.append((f"{_AS_THEY}, {name}", [row["epoch"] for row in rows], [row[f"top{k}"] for row in rows]))
    for key in ("simclr-tuned", "nothing", "nothing-embedding", "imagenet-tuned"):
        if key in done and (own := curve(done[key], f"val_top{k}"))[0]:
            found.append((f"{_RIGHT}, {OURS[key]} (val)", *own))
    return [{"name": name, "x": x, "y": y, "low": [None] * len(x), "high": [None] * len(x)} for name, x, y in found]


def more_people_than(k: int, done: Mapping[str, Done]) -> bool:
    """Return whether a share of k likeliest can say anything: what was measured of this set tells."""
    notebooks = [done[key].result["chance"] < 1 / k for key in ("notebook", "notebook-classifier") if key in done]
    return any(notebooks) or any(curve(done[key], f"val_top{k}")[0] for key in OURS if key in done)
