"""What S2 says: the claim measured in epochs, what each way reaches on test, and what the pixel clusters are."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from facessl import studying
from facessl.studies._cells import FINE_TUNED, Row, curve, percent, plain_rows, test_row
from facessl.studies._epochs import Race, Ratio, over_seeds, race
from facessl.studying import Chart, Done, Table

_WAYS = {"pretrained": "TinyVGG, pseudo-labels first", "nothing": "TinyVGG from nothing"}
_TRANSFER = {
    "transfer-frozen": "EfficientNet, ImageNet weights as they are (S2's transfer)",
    "transfer-tuned": "EfficientNet, ImageNet weights, fine-tuned",
}


def races(done: Mapping[str, Done]) -> dict[int, Race]:
    """Return for each seed that is done, by its number, when both networks reached the supervised one's best."""
    found = {}
    for number in _seeds(done, "nothing"):
        if f"pretrained-{number}" not in done:
            continue
        supervised, pretrained = (curve(done[f"{way}-{number}"], "val_top1")[1] for way in ("nothing", "pretrained"))
        if supervised and pretrained:
            found[number] = race(supervised, pretrained)
    return found


def race_table(done: Mapping[str, Done]) -> list[Table]:
    """Return the race seed by seed; none before a seed is done."""
    found = races(done)
    if not found:
        return []
    columns = ["seed", "best of the supervised (val)", "its epoch", "epoch of the pre-trained", "ratio"]
    rows: list[Row] = []
    for number, one in found.items():
        recipe = _recipe(done[f"nothing-{number}"])
        never = f"not within {one.watched}"
        rows.append(dict(zip(columns, (
            recipe["seed"], one.best, one.supervised,
            never if one.pretrained is None else one.pretrained, "censored" if one.ratio is None else one.ratio,
        ), strict=True)))  # fmt: skip
    note = (
        "Epochs of learning names until validation accuracy is what the supervised network of the same seed reaches at "
        "best. A seed that never gets there is censored: it counts as slower than all others, and gets no number."
    )
    return [Table(title="Epochs until the supervised model's best", note=note, columns=columns, rows=rows)]


def on_test(done: Mapping[str, Done]) -> list[Table]:
    """Return what each way reaches on test, beside the plain rows; none before the first is done."""
    rows = [row for way, name in _WAYS.items() if (row := _over_seeds(name, _of(done, way)))]
    rows += [test_row(name, done[key]) for key, name in _TRANSFER.items() if key in done]
    if not rows:
        return []
    first = next(one for way in (*_WAYS, *_TRANSFER) for one in ([done[way]] if way in done else _of(done, way)))
    note = (
        "On test, once per run, at its end. TinyVGG: the mean over seeds with the t-interval of that mean, or with one "
        "seed the Wilson interval; it says how much training varies, and not how much another test split would."
    )
    return [Table(title="What each way reaches", note=note, columns=["model", "top-1", "top-3", "top-5", "macro-F1"],
                  rows=[*rows, *plain_rows(first)])]  # fmt: skip


def _over_seeds(name: str, runs: Sequence[Done]) -> Row | None:
    """Return the row of several seeds of one way."""
    if not runs:
        return None
    if len(runs) == 1:
        return test_row(name, runs[0])
    row: Row = {"model": name, "macro-F1": fmean(one.result["metrics"]["macro_f1"] for one in runs)}
    photos = runs[0].result["metrics"]["photos"]
    for k in (1, 3, 5):
        shares = [one.result["metrics"][f"top{k}"] for one in runs]
        if None not in shares:
            how = f"{FINE_TUNED}, mean of {len(runs)} seeds"
            row[f"top-{k}"] = studying.accuracy(fmean(shares), t_interval(shares), photos=photos, split="test", how=how)
    return row


def t_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return Student's 95 % interval of the mean of two or more shares, kept within 0-1."""
    from scipy import stats

    mean, error = fmean(values), float(stats.sem(values))
    half = error * float(stats.t.ppf(0.975, len(values) - 1))
    return max(0.0, mean - half), min(1.0, mean + half)


def cluster_table(done: Mapping[str, Done]) -> list[Table]:
    """Return how far pixel clusters agree with people and with light; none before they were compared."""
    if "clusters" not in done:
        return []
    found = done["clusters"].result
    columns = ["compared with", "NMI", "NMI by chance", "ARI", "AMI"]
    compared = {"people": f"people ({found['persons']:,})", "light": "light (thirds of brightness)"}
    rows = [
        dict(zip(columns, (name, one["nmi"], one["nmi_by_chance"], one["ari"], one["ami"]), strict=True))
        for key, name in compared.items() if (one := found[key])
    ]  # fmt: skip
    note = (
        f"{found['clusters']} groups that K-means makes of the pixels of {found['faces']:,} unlabelled and train "
        f"faces; compared on the {found['named']:,} whose photos came with a name (all of them, if none did). ARI and "
        "AMI are 0 by chance, NMI is not: many people with few photos raise it."
    )
    return [Table(title="Do pixel clusters find people, or light?", note=note, columns=columns, rows=rows)]


def charts(done: Mapping[str, Done]) -> list[Chart]:
    """Return accuracy and loss on val of every way on one chart; bands are the range over seeds."""
    groups = {name: _of(done, way) for way, name in _WAYS.items()}
    groups |= {name: [done[key]] for key, name in _TRANSFER.items() if key in done}
    lines = []
    for field, said in (("val_top1", "accuracy"), ("val_loss", "loss")):
        for name, runs in groups.items():
            if line := _line(f"{name}: {said}", [curve(one, field) for one in runs]):
                lines.append(line)
    if not lines:
        return []
    title = "Accuracy (a share, to 1) and loss on val while names are learnt"
    return [Chart(title=title, kind="lines", x_title="epoch", y_title="share right, and loss", lines=lines)]


def _line(name: str, curves: Sequence[tuple[list[int], list[float]]]) -> dict[str, Any] | None:
    """Return the mean of curves epoch by epoch with their range, as far as all of them go."""
    length = min((len(values) for _, values in curves), default=0)
    if not length:
        return None
    columns = list(zip(*(values[:length] for _, values in curves), strict=True))
    several = len(curves) > 1
    return {
        "name": name, "x": curves[0][0][:length], "y": [fmean(column) for column in columns],
        "low": [min(column) if several else None for column in columns],
        "high": [max(column) if several else None for column in columns],
    }  # fmt: skip


def sentences(pretext_epochs: int, done: Mapping[str, Done]) -> list[str]:
    """Return the answer in words: half the epochs or not, similar accuracy or not, transfer, people or light."""
    found = races(done)
    said = _claim(over_seeds(list(found.values()))) + _with_pretext(pretext_epochs, found) if found else []
    return [*said, *_similar(done), *_transfer(done), *_light(done)]


def _claim(ratio: Ratio) -> list[str]:
    seeds = f"{ratio.seeds} seeds" if ratio.seeds > 1 else "one seed"
    never = (
        f" In {ratio.censored} of {ratio.seeds} it never got there within the epochs it was given." if ratio.censored
        else ""
    )  # fmt: skip
    if ratio.median is None:
        return [f"“Half the epochs” cannot be upheld: over {seeds} there is no median ratio of epochs.{never}"]
    low, high = (f"{bound:.2f}" if bound is not None else "open" for bound in (ratio.low, ratio.high))
    few = "" if ratio.seeds >= 5 else " Fewer than five seeds say little."
    if ratio.high is not None and ratio.high <= 0.5:
        verdict = "“Half the epochs” holds"
    elif ratio.low is not None and ratio.low > 0.5:
        verdict = "“Half the epochs” does not hold"
    else:
        verdict = "“Half the epochs” is not decided"
    return [
        f"{verdict}: with pseudo-labels first, TinyVGG needs {ratio.median:.2f} times the epochs of TinyVGG from "
        f"nothing to reach that one's best validation accuracy (median over {seeds}; {low} – {high}, an interval of "
        f"{percent(ratio.coverage)} coverage).{never}{few}"
    ]


def _with_pretext(pretext_epochs: int, found: Mapping[int, Race]) -> list[str]:
    """Return the same with the pretext's own epochs counted, which the claim leaves out."""
    whole = over_seeds([
        Race(one.best, one.supervised, None if one.pretrained is None else one.pretrained + pretext_epochs,
             one.watched + pretext_epochs)
        for one in found.values()
    ])  # fmt: skip
    if whole.median is None:
        return []
    return [f"The pretext's own {pretext_epochs} epochs counted, it is {whole.median:.2f} times."]


def _similar(done: Mapping[str, Done]) -> list[str]:
    pretrained, nothing = (_of(done, way) for way in ("pretrained", "nothing"))
    if not pretrained or not nothing:
        return []
    first, second = (fmean(one.result["metrics"]["top1"] for one in runs) for runs in (pretrained, nothing))
    photos = nothing[0].result["metrics"]["photos"]
    return [f"“Similar accuracy”: {percent(first)} with pseudo-labels first, {percent(second)} from nothing, of "
            f"{photos:,} test photos."]  # fmt: skip


def _transfer(done: Mapping[str, Done]) -> list[str]:
    there = {key: percent(done[key].result["metrics"]["top1"]) for key in _TRANSFER if key in done}
    if len(there) < len(_TRANSFER):
        return []
    return [f"“Transfer did poorly”: EfficientNet reaches {there['transfer-frozen']} with its ImageNet weights left as "
            f"they are, which is what S2 called transfer, and {there['transfer-tuned']} fine-tuned."]  # fmt: skip


def _light(done: Mapping[str, Done]) -> list[str]:
    if "clusters" not in done or done["clusters"].result["people"] is None:
        return []
    people, light = done["clusters"].result["people"], done["clusters"].result["light"]
    verdict = "light more than people" if light["ami"] > people["ami"] else "people more than light"
    return [
        f"K-means on pixels finds {verdict}: with people its groups share NMI {people['nmi']:.2f} (shuffled "
        f"{people['nmi_by_chance']:.2f}) and ARI {people['ari']:.2f}, with brightness {light['nmi']:.2f} (shuffled "
        f"{light['nmi_by_chance']:.2f}) and {light['ari']:.2f}."
    ]


def _of(done: Mapping[str, Done], way: str) -> list[Done]:
    return [done[f"{way}-{number}"] for number in _seeds(done, way)]


def _seeds(done: Mapping[str, Done], way: str) -> list[int]:
    return sorted(int(key.rpartition("-")[2]) for key in done if key.rpartition("-")[0] == way and key[-1].isdigit())


def _recipe(done: Done) -> dict[str, Any]:
    assert done.run is not None
    recipe: dict[str, Any] = done.run.config["recipe"]
    return recipe
