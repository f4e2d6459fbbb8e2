"""What S1 says: their figures beside ours, epoch by epoch, on test, and person by person."""

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
    finished,
    percent,
    plain_rows,
    reached,
    report_of,
    said,
    test_row,
    who_wins,
)
from facessl.studying import Chart, Done, Table

_SIMCLR, _CLASSIFIER = "SimCLR", "ResNet18 “transfer”"
_THEIRS, _AS_THEY, _RIGHT = "their figure", "ours as they did it", "ours done right"
_OURS = {
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
    rows = [test_row(name, done[key]) for key, name in _OURS.items() if key in done]
    if not rows:
        return []
    first = next(done[key] for key in _OURS if key in done)
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
        if k == 1 or _more_people_than(3, done)
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
            found.append((f"{_RIGHT}, {_OURS[key]} (val)", *own))
    return [{"name": name, "x": x, "y": y, "low": [None] * len(x), "high": [None] * len(x)} for name, x, y in found]


def _more_people_than(k: int, done: Mapping[str, Done]) -> bool:
    """Return whether a share of k likeliest can say anything: what was measured of this set tells."""
    notebooks = [done[key].result["chance"] < 1 / k for key in ("notebook", "notebook-classifier") if key in done]
    return any(notebooks) or any(curve(done[key], f"val_top{k}")[0] for key in _OURS if key in done)


def sentences(dataset: FaceDataset, done: Mapping[str, Done]) -> list[str]:
    """Return the answer in words: does transfer beat SimCLR, why 20 %, what of their loss."""
    return [*_survives(done), *why.sentence(done), *_as_published(done), *_loss(dataset, done)]


def _survives(done: Mapping[str, Done]) -> list[str]:
    """Return whether "transfer beats SimCLR" survives; that cannot be said without ImageNet weights."""
    if finished(done, "imagenet-tuned", "simclr-tuned"):
        return [
            _verdict(
                done, "imagenet-tuned", "simclr-tuned", "both fine-tuned, from a linear layer fitted on the embedding"
            )
        ]
    if finished(done, "nothing-embedding", "simclr-tuned"):
        return [
            "Whether transfer beats SimCLR cannot be said here without ImageNet weights. What S1 called transfer was a "
            "network from nothing: "
            + _verdict(
                done,
                "nothing-embedding",
                "simclr-tuned",
                f"“{_OURS['nothing-embedding']}” and “{_OURS['simclr-tuned']}”, both begun as a linear layer fitted on "
                "the embedding, then all layers trained with names",
            )
        ]
    return []


def _verdict(done: Mapping[str, Done], rival: str, simclr: str, how: str) -> str:
    rivals, ours = reached(done[rival]), reached(done[simclr])
    assert rivals is not None and ours is not None
    name = "“Transfer beats SimCLR”" if rival == "imagenet-tuned" else "“It beats SimCLR”"
    p, real = who_wins(done[rival], done[simclr])
    ahead = rivals["share"] > ours["share"]
    verdict = ("survives" if ahead else "does not survive") if real else "is not decided"
    why_not = "" if real else ": the difference can be chance"
    return (
        f"{name} {verdict} on this set: {said(rivals)} against {said(ours)} of {ours['photos']:,} test photos "
        f"({how}; one seed, McNemar p = {p:.2g}{why_not})."
    )


def _as_published(done: Mapping[str, Done]) -> list[str]:
    if not finished(done, "notebook", "notebook-classifier"):
        return []
    simclr, classifier = (
        said(accuracy(found["epochs"][-1]["top1"], found["photos"], found["split"], ""))
        for found in (done[key].result for key in ("notebook", "notebook-classifier"))
    )
    rest = done["notebook"].result["argmax"]
    return [
        f"Done as S1 did it, this set gives SimCLR {simclr} (the same network as the {percent(rest)} above, "
        "judged as S1 judged it: with batch norm as while training, and as the mean over batches) and the classifier "
        f"{classifier}; S1 printed {published.SIMCLR_TOP1[-1]} % and {published.CLASSIFIER_TOP1[-1]} %. The "
        "two were not asked the same question: one learnt from names, the other's axes were never told of any."
    ]


def _loss(dataset: FaceDataset, done: Mapping[str, Done]) -> list[str]:
    if "notebook" not in done or not done["notebook"].result["epochs"]:
        return []
    last = done["notebook"].result["epochs"][-1]
    return [
        f"The loss that S1 printed is that of an epoch's last batch, which held {published.LAST_BATCH} pictures "
        f"(knowing nothing costs ln {published.LAST_BATCH} = 2.48 there, and ln 64 = 4.16 in a full one). Here the "
        f"last batch of {last['last_batch']} gives {last['last_loss']:.3f}, the mean over all is {last['loss']:.3f}."
    ]


def caveats(done: Mapping[str, Done]) -> list[str]:
    """Return what was otherwise than in S1 and could not be helped."""
    from facessl.studies._crops import FROM_FACES, FROM_PHOTOS, TOO_FEW  # with OpenCV, which a form must not wait for

    found = []
    if "notebook" in done:
        result = done["notebook"].result
        if result["start"] == "nothing":
            found.append("S1's SimCLR began with ImageNet weights; they are not here, so as they did it began from "
                         "nothing as well.")  # fmt: skip
        if result["crops"] == FROM_PHOTOS:
            found.append(f"As they did it looked at {result['photos_seen']:,} photos and kept each of the "
                         f"{result['faces_seen']:,} boxes that Haar found in them, also what is no face.")  # fmt: skip
        if result["crops"] == TOO_FEW:
            found.append("In the photos of this set S1's own Haar detection finds too few faces to split, so the grey "
                         "crops of as they did it are the set's own, aligned ones.")  # fmt: skip
        if result["crops"] == FROM_FACES:
            found.append("The photos that this set was made of cannot be read any more, so the grey crops of as they "
                         "did it are the set's own, aligned ones.")  # fmt: skip
    if "simclr-tuned" in done and _more_people_than(3, done) and not curve(done["simclr-tuned"], "val_top3")[0]:
        found.append("The fine-tuning is of an earlier version, which measured top-1 alone after each epoch; its top-3 "
                     "and top-5 are those at the end, on test.")  # fmt: skip
    return found
