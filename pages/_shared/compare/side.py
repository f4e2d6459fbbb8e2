"""Chosen runs side by side: where their settings differ, how they learnt, what they cost, and two of them by person."""

from collections.abc import Collection, Sequence
from typing import Any

import streamlit as st

from facessl.run import Run
from pages._shared import results
from pages._shared.compare import judged
from pages._shared.compare.charts import chart, picture_format
from pages._shared.compare.cost import cost_of
from pages._shared.compare.link import one_of, switch
from pages._shared.compare.names import NO_WEIGHT, differing, flat, row_height, shown
from pages._shared.compare.people import two_models
from pages._shared.words import count, label, plain

_AT_FIRST = 4  # runs that are chosen before anybody chooses
_MUCH_LONGER = 5  # times as many epochs: the shorter runs are a knot at the chart's left then
_OTHERWISE = "background-color: rgba(44, 143, 153, 0.28)"  # reads in light and in dark
_KINDS = {"finetune": "fine-tunings", "pretrain": "pre-trainings"}
_CURVES = {"finetune": ("val_top1", "right on val photos, %"), "pretrain": ("knn_accuracy", "k-NN on val, %")}
_COSTS = {"time": "Training time", "images": "Images seen"}
_PICKED = "compare-picked"  # of each set; kept while another set or page is looked at


def side_by_side(runs: Sequence[Run], named: dict[str, str]) -> None:
    """Let runs be chosen, and show all that tells them apart."""
    st.subheader("Runs side by side", anchor=False)
    picked = pick_runs(runs, named)
    if not picked:
        st.caption("Choose two runs or more.")
        return
    settings(picked, named)
    picture_format(key="compare-format-runs")
    curves(picked, named)
    cost(picked, named)
    two_models([run for run in picked if run.kind == "finetune"], named)


def pick_runs(runs: Sequence[Run], named: dict[str, str]) -> list[Run]:
    """Let runs of one set be chosen; the choice is in the link, as ``run=…&run=…``, and stays when others come."""
    by_id, about = {run.id: run for run in runs}, runs[0].config["recipe"]["dataset"]
    key, picked = f"compare-runs-{about}", st.session_state.setdefault(_PICKED, {})
    asked = st.query_params.get_all("run")
    gone = [run_id for run_id in asked if run_id not in by_id]
    if gone and not picked:  # later the link is the page's own, of another set, or with runs that were left out
        no_run, left_out = ("which is no finished run", "it is") if len(gone) == 1 else ("no finished runs", "they are")
        said = f"The link asks for {plain(', '.join(gone))}, {no_run} of this set; {left_out} left out here."
        st.info(said, icon=":material/info:")
    # Said at each drawing: a browser that missed it once would show, and send, an empty choice.
    value = _here(by_id, st.session_state.get(key), asked or None, picked.get(about))
    st.session_state[key] = best_first(runs)[:_AT_FIRST] if value is None else value
    chosen: list[str] = st.multiselect(
        "Runs", list(by_id), format_func=named.__getitem__, key=key, placeholder="Choose two or more",
        label_visibility="collapsed",
    )  # fmt: skip
    picked[about] = st.query_params["run"] = chosen
    return [by_id[run_id] for run_id in chosen]


def _here(by_id: Collection[str], *choices: list[str] | None) -> list[str] | None:
    """Return what is here of the first choice of which anything is; to choose nothing is a choice, None is none."""
    for ids in choices:
        here = [run_id for run_id in ids or [] if run_id in by_id]
        if here or ids == []:
            return here
    return None


def best_first(runs: Sequence[Run]) -> list[str]:
    """Return the ids of the runs: fine-tunings by what they reach on test, then pre-trainings, the newest first.

    Last come those that were judged on other test photos than the newest.
    """
    tuned = [run for run in runs if run.kind == "finetune"]
    scores = {run.id: score.share for run in tuned if (score := results.test_score(run))}
    unlike = judged.on_other_photos(tuned)
    return [run.id for run in sorted(runs, key=lambda run: (run.id in unlike, -scores.get(run.id, -1.0)))]


# -- settings ----------------------------------------------------------------------------------------------------


def settings(picked: Sequence[Run], named: dict[str, str]) -> None:
    """List the settings in which runs of one kind differ, a row a run, what is unlike most others marked."""
    for kind, title in _KINDS.items():
        same_kind = [run for run in picked if run.kind == kind]
        if len(same_kind) > 1:
            st.markdown(f"**Where the settings of these {title} differ**")
            differences(same_kind, named, kind)


def differences(runs: Sequence[Run], named: dict[str, str], kind: str) -> None:
    """Draw the table of settings of runs of one kind."""
    recipes = [flat(run.config["recipe"]) for run in runs]
    names = [name for name in dict.fromkeys(name for recipe in recipes for name in recipe) if name not in NO_WEIGHT]
    differ = [name for name in differing(recipes) if name not in NO_WEIGHT]
    if not differ:
        st.caption("They have the same settings.")
        return
    everything = switch(f"Show all {len(names)} settings", name=f"all-{kind}", key=f"compare-all-{kind}")
    listed = [*differ, *(name for name in names if name not in differ)] if everything else differ
    # A run a row: its name wraps there, and as the head of a column it would be cut before what is its own.
    called = [named[run.id] for run in runs]
    columns = {setting_name(name): [shown(recipe.get(name, "–"), named) for recipe in recipes] for name in listed}
    st.dataframe(
        marked({"Run": called, **columns}), hide_index=True, alt="Settings in which the runs differ",
        height="content" if len(runs) <= 6 else 560, row_height=row_height(called),
        column_config={"Run": st.column_config.TextColumn(width=results.NAME_WIDTH)},
    )  # fmt: skip
    same = count(len(names) - len(differ), "setting is", "settings are")
    st.caption(f"Coloured: unlike most of these runs, or all where no value leads. {same} the same in all.")


def setting_name(name: str) -> str:
    """Return a flat setting's name, with what it belongs to: ``Hue (views)``."""
    group, _, own = name.rpartition(".")
    return f"{label(own)} ({label(group).lower()})" if group not in ("", "options") else label(own)


def marked(columns: dict[str, list[str]]) -> Any:
    """Return the table, its first column names, with a colour behind each value that is unlike those of most runs."""
    import pandas as pd

    def colours(column: "pd.Series[str]") -> list[str]:
        usual = unusual(column.tolist())
        return [_OTHERWISE if value in usual else "" for value in column]

    table = pd.DataFrame(columns)
    return table.style.apply(colours, axis=0, subset=list(table.columns[1:]))


def unusual(values: Sequence[str]) -> set[str]:
    """Return the values that are not the one that most have; all where no value leads, none where one is all."""
    ranked = sorted(set(values), key=lambda value: -values.count(value))
    if len(ranked) < 2:
        return set()
    return set(ranked) if values.count(ranked[0]) == values.count(ranked[1]) else set(ranked[1:])


# -- curves and cost ---------------------------------------------------------------------------------------------


def curves(picked: Sequence[Run], named: dict[str, str]) -> None:
    """Draw the curves of the runs over each other, a chart a kind."""
    measured = {kind: _rows(picked, named, kind) for kind in _CURVES}
    if not any(measured.values()):
        return
    from facessl import figures

    st.markdown("**How they learnt**")
    by = one_of("Along", {"epochs": "Epochs", "time": "Time"}, name="by", key="compare-by")
    for kind, rows in measured.items():
        if by == "time" and (untimed := [name for name, own in rows.items() if not any(r.get("seconds") for r in own)]):
            st.caption(f"Without times, so not drawn: {plain(', '.join(untimed))}.")
            rows = {name: own for name, own in rows.items() if name not in untimed}  # noqa: PLW2901
        if rows:
            field, title = _CURVES[kind]
            figure = figures.overlaid_curves(rows, field, title, by="time" if by == "time" else "epoch")
            name = f"{_KINDS[kind]} by {by}"
            chart(figure, title=name.capitalize(), key=f"compare-{field}", name=name)
            lasted = [own[-1]["epoch"] for own in rows.values()]
            if max(lasted) > _MUCH_LONGER * max(min(lasted), 1):
                st.caption("Drag across a part of the chart to see it larger; a double click shows all of it again.")


def _rows(picked: Sequence[Run], named: dict[str, str], kind: str) -> dict[str, list[dict[str, Any]]]:
    field = _CURVES[kind][0]
    lines = {named[run.id]: run.metrics() for run in picked if run.kind == kind}
    return {name: rows for name, rows in lines.items() if any(row.get(field) is not None for row in rows)}


def cost(picked: Sequence[Run], named: dict[str, str]) -> None:
    """Draw what the fine-tunings cost against what they reach on ``test``."""
    tuned = [(run, score) for run in picked if (score := _score(run, named))]
    if not tuned:
        return
    from facessl import figures

    st.markdown("**What they cost, and what they reach on test**")
    unit = one_of("Cost in", _COSTS, name="cost", key="compare-cost")
    paid = {run.id: cost_of(run) for run, _ in tuned}
    spent = {i: c.seconds if unit == "time" else c.images for i, c in paid.items()}
    points = [figures.Point(s.name, s.how, amount, s.share, s.low, s.high)
              for run, s in tuned if (amount := spent[run.id])]  # fmt: skip
    if points:
        plain_scores = [score for run, _ in tuned for score in results.baseline_scores(run)]
        best = max(plain_scores, key=lambda score: score.share, default=None)
        title = "training time, s" if unit == "time" else "images seen"
        figure = figures.cost_against_accuracy(points, title, (best.name, best.share) if best else None)
        paid_in = _COSTS[unit].lower()
        chart(figure, title=f"Right on test by {paid_in}", key="compare-scatter", name=f"accuracy by {paid_in}")
    notes = _notes(points, len(tuned), any(c.imagenet for c in paid.values()))
    if judged.on_other_photos([run for run, _ in tuned]):
        notes.append("Not all were judged on the same test photos, for the set has changed: these do not compare.")
    st.caption(" ".join(notes))


def _score(run: Run, named: dict[str, str]) -> results.Score | None:
    return results.test_score(run, named[run.id]) if run.kind == "finetune" else None


def _notes(points: Sequence[Any], runs: int, imagenet: bool) -> list[str]:
    notes = ["Counted with the runs that each began from, a photo once an epoch; upright lines are 95 % intervals, "
             "open marks are frozen networks."]  # fmt: skip
    if imagenet:
        notes.append("What the makers of ImageNet weights spent on them is not counted.")
    if missing := runs - len(points):
        notes.append(f"{count(missing, 'run')} did not write down what it cost, and is not drawn.")
    return notes
