"""What S2 says: the claim measured in epochs, what each way reaches on test, and what the pixel clusters are."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from facessl.studies import _plain
from facessl.studies._cells import FINE_TUNED, FROZEN, Row, accuracy, curve, percent, said
from facessl.studies._epochs import Race, Ratio, over_seeds, race
from facessl.studies._seeds import estimate, told_apart
from facessl.studying import Chart, Done, Table

_WAYS = {"pretrained": "TinyVGG, pseudo-labels first", "nothing": "TinyVGG from nothing"}
_TRANSFER = {
    "transfer-frozen": "EfficientNet, ImageNet weights as they are (S2's transfer)",
    "transfer-tuned": "EfficientNet, ImageNet weights, fine-tuned",
}
_TRAINED_FOR = 224  # pixels a side: Tan and Le 2019, table 1


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
    columns = ["seed", "best of the supervised (val)", "its macro-F1", "its epoch", "epoch of the pre-trained", "ratio"]
    rows: list[Row] = []
    for number, one in found.items():
        recipe = _recipe(done[f"nothing-{number}"])
        photos = int(curve(done[f"nothing-{number}"], "val_photos")[1][0])
        never = f"not within {one.watched}"
        rows.append(dict(zip(columns, (
            recipe["seed"], accuracy(one.best, photos, "val", f"{FINE_TUNED}, in its best epoch"),
            _macro_f1(done[f"nothing-{number}"], one.supervised), one.supervised,
            never if one.pretrained is None else one.pretrained, "censored" if one.ratio is None else one.ratio,
        ), strict=True)))  # fmt: skip
    note = (
        "Epochs of learning names until validation accuracy is what the supervised network of the same seed reaches at "
        "best. A seed that never gets there is censored: it counts as slower than all others, and gets no number. The "
        "best of many epochs flatters, and the plain methods have no epochs, so they stand in the next table alone. A "
        "dash for macro-F1: the version that trained it did not measure that."
    )
    return [Table(title="Epochs until the supervised model's best", note=note, columns=columns, rows=rows)]


def _macro_f1(done: Done, epoch: int) -> float | None:
    """Return what a run measured on val after an epoch; None of an earlier version, which did not."""
    return dict(zip(*curve(done, "val_macro_f1"), strict=True)).get(epoch)


def on_test(done: Mapping[str, Done]) -> list[Table]:
    """Return what each way reaches on test, beside the plain rows; none before the first is done."""
    ways = {way: runs for way in (*_WAYS, *_TRANSFER) if (runs := _by_seed(done, way))}
    if not ways:
        return []
    one_a_seed: dict[int, Done] = {}
    for runs in ways.values():
        one_a_seed = {**runs, **one_a_seed}
    note = (
        "On test, once per run, at its end. Of each way, and of each plain method by the same names, the mean over "
        "seeds, with a 95 % interval of seeds (Student's t) and test photos (Wilson's) together; of one seed Wilson's. "
        "EfficientNet begins as a linear layer fitted on its embedding; TinyVGG, as S2 had it, with a last layer by "
        "chance."
    )
    columns = ["model", "top-1", "top-3", "top-5", "macro-F1", "pixels a side", "seeds"]
    rows = [_over_seeds(name, ways[way]) for way, name in (_WAYS | _TRANSFER).items() if way in ways]
    return [Table(title="What each way reaches", note=note, columns=columns,
                  rows=[*rows, *_plain.rows(dict(sorted(one_a_seed.items())))])]  # fmt: skip


def _over_seeds(name: str, runs: Mapping[int, Done]) -> Row:
    """Return the row of one way."""
    figures = [one.result["metrics"] for one in runs.values()]
    how = FROZEN if figures[0]["frozen"] else FINE_TUNED
    row: Row = {"model": name, "macro-F1": fmean(each["macro_f1"] for each in figures), "seeds": len(runs),
                "pixels a side": _side(runs)}  # fmt: skip
    for k in (1, 3, 5):
        shares = [each[f"top{k}"] for each in figures]
        if None not in shares:
            row[f"top-{k}"] = estimate(shares, figures[0]["photos"]).cell(how)
    return row


def _side(runs: Mapping[int, Done]) -> int:
    return int(_recipe(next(iter(runs.values())))["image_size"])


def cluster_table(done: Mapping[str, Done]) -> list[Table]:
    """Return how far pixel clusters agree with people and with light; none before they were compared."""
    if "clusters" not in done:
        return []
    found = done["clusters"].result
    columns = ["compared with", "AMI", "95 % interval of AMI", "NMI", "NMI by chance", "ARI"]
    compared = {"people": f"people ({found['persons']:,})", "light": "light (thirds of brightness)"}
    rows = [
        dict(zip(columns, (
            name, one["ami"], _ends(one.get("ami_interval")), one["nmi"], one["nmi_by_chance"], one["ari"],
        ), strict=True))
        for key, name in compared.items() if (one := found[key])
    ]  # fmt: skip
    note = (
        f"{found['clusters']} groups that K-means makes of the pixels of {found['faces']:,} unlabelled and train "
        f"faces; compared on the {found['named']:,} whose photos came with a name (all of them, if none did). AMI "
        "decides: 0 by chance, and 1 where the finer of the two only divides up the coarser (all photos of a person "
        "are in one group; a group is all dark, all middling or all bright), which few groups can reach with many "
        "people as with three thirds of brightness. NMI and ARI stand beside, but cannot be compared so: they are 1 "
        "only where both are the same grouping, and NMI is not 0 by chance: many people with few photos raise it. "
        "Light is the mean grey of the very pixels that are grouped: skin, hair and background count as light too, and "
        "groups of pixels cannot but know something of their mean. The 95 % interval of AMI is of drawing half of the "
        "faces again and again."
    )
    return [Table(title="Do pixel clusters find people, or light?", note=note, columns=columns, rows=rows)]


def _ends(interval: Sequence[float] | None) -> str:
    return "not known" if interval is None else f"{interval[0]:z.2f} – {interval[1]:z.2f}"


def charts(done: Mapping[str, Done]) -> list[Chart]:
    """Return accuracy and loss on val of every way on one chart; bands are the range over seeds."""
    groups = {name: _by_seed(done, way).values() for way, name in (_WAYS | _TRANSFER).items()}
    lines = []
    for field, what, scale in (("val_top1", "accuracy", 100), ("val_loss", "loss", 1)):
        for name, runs in groups.items():
            if line := _line(f"{name}: {what}", [curve(one, field) for one in runs], scale):
                lines.append({**line, "right": True} if field == "val_loss" else line)
    if not lines:
        return []
    return [Chart(
        "Accuracy (left) and loss (right, dashed) on val while names are learnt", "lines",
        x_title="epoch", y_title="right on val, %", right_title="loss", lines=lines,
    )]  # fmt: skip


def _line(name: str, curves: Sequence[tuple[list[int], list[float]]], scale: float) -> dict[str, Any] | None:
    """Return the mean of curves epoch by epoch, times ``scale``, with their range, as far as all of them go."""
    length = min((len(values) for _, values in curves), default=0)
    if not length:
        return None
    columns = list(zip(*([scale * value for value in values[:length]] for _, values in curves), strict=True))
    several = len(curves) > 1
    return {
        "name": name, "x": curves[0][0][:length], "y": [fmean(column) for column in columns],
        "low": [min(column) if several else None for column in columns],
        "high": [max(column) if several else None for column in columns],
    }  # fmt: skip


def sentences(pretext_epochs: int, done: Mapping[str, Done]) -> list[str]:
    """Return the answer in words: half the epochs or not, similar accuracy or not, transfer, people or light."""
    found = races(done)
    claim = _claim(over_seeds(list(found.values()))) + _with_pretext(pretext_epochs, found) if found else []
    beside = _plain.beside({name: _by_seed(done, way) for way, name in (_WAYS | _TRANSFER).items()})
    return [*claim, *_similar(done), *beside, *_transfer(done), *_light(done)]


_ENOUGH = 5  # seeds


def _claim(ratio: Ratio) -> list[str]:
    seeds = f"{ratio.seeds} seeds" if ratio.seeds > 1 else "one seed"
    never = (
        f" In {ratio.censored} of {ratio.seeds} it never got there within the epochs it was given." if ratio.censored
        else ""
    )  # fmt: skip
    if ratio.median is None:
        return [f"“Half the epochs” cannot be upheld: over {seeds} there is no median ratio of epochs.{never}"]
    low, high = (f"{bound:.2f}" if bound is not None else "open" for bound in (ratio.low, ratio.high))
    little = " One seed has no interval." if ratio.seeds == 1 else " Fewer than five seeds say little."
    few = "" if ratio.seeds >= _ENOUGH else little
    if ratio.seeds < _ENOUGH:  # an interval of less than 90 % coverage decides nothing
        verdict = "“Half the epochs” is not decided"
    elif ratio.high is not None and ratio.high <= 0.5:
        verdict = "“Half the epochs” holds"
    elif ratio.low is not None and ratio.low > 0.5:
        verdict = "“Half the epochs” does not hold"
    else:
        verdict = "“Half the epochs” is not decided"
    interval = f"; {low} – {high}, an interval of {percent(ratio.coverage)} coverage" if ratio.seeds > 1 else ""
    return [
        f"{verdict}: with pseudo-labels first, TinyVGG needs {ratio.median:.2f} times the epochs of TinyVGG from "
        f"nothing to reach that one's best validation accuracy "
        f"({'median over ' if ratio.seeds > 1 else ''}{seeds}{interval}).{never}{few}"
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
    own = "epoch" if pretext_epochs == 1 else f"{pretext_epochs} epochs"
    return [f"The pretext's own {own} counted, it is {whole.median:.2f} times."]


def _similar(done: Mapping[str, Done]) -> list[str]:
    ways = {way: _by_seed(done, way) for way in ("pretrained", "nothing")}
    if not all(ways.values()):
        return []
    first, second = (_cell(runs) for runs in ways.values())
    verdict = told_apart(ways["pretrained"], ways["nothing"])
    return [f"“Similar accuracy”: {said(first)} with pseudo-labels first, {said(second)} from nothing, of "
            f"{first['photos']:,} test photos: the first is {verdict}."]  # fmt: skip


def _transfer(done: Mapping[str, Done]) -> list[str]:
    """Return what transfer reaches, and how that compares with TinyVGG of the same seeds."""
    nothing, ways = _by_seed(done, "nothing"), {way: _by_seed(done, way) for way in _TRANSFER}
    if not nothing or not all(ways.values()):
        return []
    frozen, tuned = (
        f"{said(_cell(ways[way]))} {how} ({told_apart(ways[way], nothing)})"
        for way, how in (
            ("transfer-frozen", "with its ImageNet weights left as they are, which is what S2 called transfer"),
            ("transfer-tuned", "fine-tuned"),
        )
    )
    side = _side(ways["transfer-tuned"])
    small = (
        f" EfficientNet was trained for {_TRAINED_FOR} pixels, so {side} hold it back." if side < _TRAINED_FOR else ""
    )
    return [
        f"“Transfer did poorly”: beside TinyVGG from nothing at {_side(nothing)} pixels a side, {said(_cell(nothing))} "
        f"of the same test photos, EfficientNet at {side} reaches {frozen}, and {tuned}.{small}"
    ]


def _light(done: Mapping[str, Done]) -> list[str]:
    if "clusters" not in done or done["clusters"].result["people"] is None:
        return []
    found = done["clusters"].result
    people, light, gap = found["people"], found["light"], found.get("gap")  # of light over people, in AMI
    if gap is None or gap[0] <= 0 <= gap[1]:
        verdict = "Whether K-means on pixels finds light or people is not decided"
    else:
        verdict = f"K-means on pixels finds {'light more than people' if gap[0] > 0 else 'people more than light'}"
    beyond = "" if gap is None else f", light's being larger by {gap[0]:z.2f} to {gap[1]:z.2f}"
    return [
        f"{verdict}: of the most that so many groups can know, beyond chance, they know {people['ami']:z.2f} of people "
        f"(AMI; {_ends(people.get('ami_interval'))}) and {light['ami']:z.2f} of the mean brightness of these pixels "
        f"({_ends(light.get('ami_interval'))}){beyond}; NMI is {people['nmi']:z.2f} (shuffled "
        f"{people['nmi_by_chance']:z.2f}) and {light['nmi']:z.2f} (shuffled {light['nmi_by_chance']:z.2f})."
    ]


def _cell(runs: Mapping[int, Done]) -> dict[str, Any]:
    figures = [one.result["metrics"] for one in runs.values()]
    return estimate([each["top1"] for each in figures], figures[0]["photos"]).cell("")


def _by_seed(done: Mapping[str, Done], way: str) -> dict[int, Done]:
    return {number: done[f"{way}-{number}"] for number in _seeds(done, way)}


def _seeds(done: Mapping[str, Done], way: str) -> list[int]:
    return sorted(int(key.rpartition("-")[2]) for key in done if key.rpartition("-")[0] == way and key[-1].isdigit())


def _recipe(done: Done) -> dict[str, Any]:
    assert done.run is not None
    recipe: dict[str, Any] = done.run.config["recipe"]
    return recipe
