"""The report of label efficiency: curves with bands, where they cross, and the plain methods beside."""

from collections.abc import Mapping, Sequence
from typing import Any

from facessl.studies import _crossings, _plain
from facessl.studies._cells import listed
from facessl.studies._lines import Curves, Line
from facessl.studies._seeds import Estimate, estimate
from facessl.studying import Chart, Done, Report, Table

Tops = Mapping[str, Mapping[float, Estimate | None]]  # by name and share of the labels in per cent


def report(reached: Curves, *, same: Sequence[float], pretrained_once: bool) -> Report:
    """Return what the finished fine-tunings say.

    Args:
        reached: By line, share of labels in per cent, and seed.
        same: Shares left out as they name the same photos as a smaller one.
        pretrained_once: All seeds share one pre-training.
    """
    there = {line: curve for line, curve in reached.items() if curve}
    if not there:
        return Report(sentences=["No fine-tuning is done yet."])
    tops = {line: {share: _tops(runs) for share, runs in curve.items()} for line, curve in there.items()}
    plain = _plain_curves(there)
    note = _note(there, same=same, pretrained_once=pretrained_once)
    # A network is compared with the plain methods of its own seeds: half-way, others have been done for more of them.
    beside = _crossings.beside_plain(there, tops, _plain_curves(_leading(there, tops)))
    sentences = [*_crossings.named(there, list(reached)), *beside]
    chart = _chart({line.name: curve for line, curve in tops.items()}, plain)
    # The accuracy right after the name: a phone shows three columns.
    columns = ["model", "top-1", "labels, %", "top-3", "top-5", "macro-F1", "named photos", "seeds"]
    rows = [*_network_rows(there), *_plain_rows(there)]
    rows.sort(key=lambda row: row["labels, %"])
    return Report(sentences, [Table("Accuracy by share of labels", note, columns, rows)], [chart])


def _note(reached: Curves, *, same: Sequence[float], pretrained_once: bool) -> str:
    seeds = {len(runs) for curve in reached.values() for runs in curve.values()}
    if max(seeds) == 1:
        said = ["One seed: the intervals are Wilson's over the test photos, and say nothing of another seed."]
    else:
        said = [
            "Mean over seeds; the 95 % interval is of seeds (Student's t) and test photos (Wilson's) together, and "
            "where one seed is done Wilson's. Better or worse is said where such an interval of the gain leaves 0 out, "
            "and McNemar's test over the photos agrees; a lead over, or of, the plain methods is tested likewise."
        ]
        if pretrained_once and any(line.start.kind == "method" for line in reached):
            said.append("All seeds share one pre-training, so the intervals leave its chance out.")
    if any(not line.reads_embedding for line in reached):
        said.append(
            "“From nothing, fine-tuned” reads averaged features, through a layer that begins by chance. All other "
            "networks that are fine-tuned begin as a linear layer fitted on their whitened embedding."
        )
    if any(line.start.kind == "untrained" and line.mode == "finetune" for line in reached):
        said.append("So does “from nothing on the untrained embedding”: fine-tuned networks are compared with that.")
    if any(line.start.kind == "run" for line in reached):
        said.append("A run that was there before is one pre-training, whatever the seeds.")
    if unlike := _of_another_network(reached):
        said.append(f"Of another network than what begins with nothing (its first layers, depth or image size): "
                    f"{listed(unlike)}; part of a difference may be the network's.")  # fmt: skip
    if any(line.name == "untrained, frozen" for line in reached):
        said.append("The untrained network stands here twice: as a start its layer is learnt like those of the other "
                    "frozen starts, in so many epochs; as a plain method it is fitted to the end.")  # fmt: skip
    if same:
        shares = " and ".join(f"{share:g} %" for share in same)
        said.append(f"{shares} of the labels would be the photos of a smaller share here, so they were left out.")
    return " ".join(said)


def _of_another_network(reached: Curves) -> list[str]:
    """Return the titles of the runs whose network is not that of what begins with nothing here, if anything does."""
    networks: dict[bool, dict[str, Any]] = {True: {}, False: {}}
    for line, curve in reached.items():
        run = next((done.run for runs in curve.values() for done in runs.values() if done.run), None)
        recipe = run.config["recipe"] if run else {}
        if recipe and line.start.kind in ("nothing", "untrained", "run"):
            network = [recipe[part] for part in ("backbone", "backbone_options", "image_size")]
            networks[line.start.begins_with_nothing][line.start.title] = network
    plain = list(networks[True].values())
    return [title for title, network in networks[False].items() if plain and network not in plain]


def _tops(runs: Mapping[int, Done], k: int = 1) -> Estimate | None:
    figures = [done.result["metrics"] for done in runs.values()]
    shares = [each[f"top{k}"] for each in figures if each[f"top{k}"] is not None]
    return estimate(shares, figures[0]["photos"]) if shares else None


def _network_rows(reached: Curves) -> list[dict[str, Any]]:
    return [
        {
            "labels, %": share,
            "named photos": _named_photos(runs),
            "model": line.name,
            **{f"top-{k}": top.cell(line.how) if (top := _tops(runs, k)) else None for k in (1, 3, 5)},
            "macro-F1": _mean([done.result["metrics"]["macro_f1"] for done in runs.values()]),
            "seeds": len(runs),
        }
        for line, curve in reached.items() for share, runs in curve.items()
    ]  # fmt: skip


def _plain_rows(reached: Curves) -> list[dict[str, Any]]:
    return [
        {"labels, %": share, "named photos": _named_photos(runs), **row}
        for share, runs in _one_a_seed(reached).items() for row in _plain.rows(runs)
    ]  # fmt: skip


def _leading(reached: Curves, tops: Mapping[Line, Mapping[float, Estimate | None]]) -> Curves:
    """Return of each share the runs of the line that is best on the mean."""
    found: dict[Line, dict[float, Mapping[int, Done]]] = {}
    for share in {share for curve in tops.values() for share in curve}:
        means = {line: top.mean for line, curve in tops.items() if (top := curve.get(share)) is not None}
        best = max(means, key=means.__getitem__)
        found.setdefault(best, {})[share] = reached[best][share]
    return found


def _plain_curves(reached: Curves) -> dict[str, dict[float, Estimate | None]]:
    """Return the curves of the plain methods."""
    found: dict[str, dict[float, Estimate | None]] = {}
    for share, runs in _one_a_seed(reached).items():
        for name, top in _plain.tops(runs).items():
            found.setdefault(name, {})[share] = top
    return found


def _one_a_seed(reached: Curves) -> dict[float, dict[int, Done]]:
    """Return by share and seed one of the runs: each was judged beside the plain methods, on the same photos."""
    found: dict[float, dict[int, Done]] = {}
    for curve in reached.values():
        for share, runs in curve.items():
            for seed, done in runs.items():
                found.setdefault(share, {}).setdefault(seed, done)
    return dict(sorted(found.items()))


def _named_photos(runs: Mapping[int, Done]) -> int:
    return int(next(iter(runs.values())).result["metrics"]["train_photos"])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _chart(networks: Tops, plain: Tops) -> Chart:
    """Return the curves, plain methods behind; where one share is done, which is no curve, bars, the best first."""
    shares = sorted({share for curve in [*networks.values(), *plain.values()] for share in curve})
    title, axis = "Accuracy by share of labels", "right on test, %"
    if len(shares) > 1:
        drawn = [_drawn(name, curve) for name, curve in networks.items()]
        drawn += [_drawn(name, curve) | {"quiet": True} for name, curve in plain.items()]
        return Chart(title, "lines", x_title="share of the train labels, %", y_title=axis, lines=drawn)
    points = [_drawn(name, curve) for name, curve in {**networks, **plain}.items()]
    points = sorted((point for point in points if point["y"]), key=lambda point: -point["y"][0])
    bars = {"x": [point["name"] for point in points], **{e: [p[e][0] for p in points] for e in ("y", "low", "high")}}
    return Chart(
        f"Accuracy with {shares[0]:g} % of the labels", "bars", y_title=axis, lines=[{"name": "top-1", **bars}]
    )


def _drawn(name: str, curve: Mapping[float, Estimate | None]) -> dict[str, Any]:
    points = [(share, top) for share, top in sorted(curve.items()) if top is not None]
    line: dict[str, Any] = {"name": name, "x": [share for share, _ in points]}
    return line | {
        axis: [round(100 * getattr(top, part), 2) for _, top in points]
        for axis, part in (("y", "mean"), ("low", "low"), ("high", "high"))
    }
