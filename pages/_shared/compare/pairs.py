"""Are two photos one person's? Models judged on pairs, as face people measure it."""

import csv
import io
from collections.abc import Sequence
from typing import Any

import streamlit as st

from facessl import registry
from facessl.dataset import FaceDataset
from facessl.run import Run
from pages._shared.backend import studio
from pages._shared.compare import names as compared
from pages._shared.compare.charts import chart, picture_format
from pages._shared.compare.lists import PairList, lists_of, missing_rows
from pages._shared.compare.names import row_height
from pages._shared.results import NAME_WIDTH, network_of
from pages._shared.run_panel import run_panel
from pages._shared.whole import with_results
from pages._shared.widgets import run_name, shown_errors
from pages._shared.words import OF_ONE, count, percent, plain

_KEY = "compare-pairs"
_PLAIN = {
    "pixels-whitened": "PCA-whitened pixels, no network",
    "pixels": "Pixels, no network",
    "untrained": "An untrained network",
}
_SHARES = {"auc": "AUC", "eer": "EER", "tar_at_far_1e-2": "TAR at FAR 1 %", "tar_at_far_1e-3": "TAR at FAR 0.1 %"}


def pairs(dataset: FaceDataset) -> None:
    """Show how well models tell pairs of a set apart, and the form that judges another."""
    done = [run for run in studio().runs("evaluate") if run.config["recipe"]["dataset"] == dataset.name]
    with st.expander("Judge a model on pairs", icon=":material/add:", expanded=not done):
        judge_another(dataset)
    if not done:
        st.caption(f"No model was judged on pairs of {plain(dataset.name)} yet.")
        return
    for run in not_finished(done):
        run_panel(run, key=_KEY)
    finished = with_results(done)
    if not finished:
        return
    lists = lists_of(finished)
    if len(lists) > 1:
        st.caption("Figures of different pairs are not comparable, so each list stands by itself.")
    picture_format(key=f"{_KEY}-format")
    for found in lists:
        one_list(found, dataset)


def not_finished(done: Sequence[Run]) -> list[Run]:
    """Return the evaluations, the newest first, that wait, run or ended without a result, but for those asked anew."""
    left, asked = [], list[Any]()
    for run in done:
        recipe = run.config["recipe"]
        if run.status().state != "finished" and recipe not in asked:
            left.append(run)
        asked.append(recipe)
    return left


def one_list(found: PairList, dataset: FaceDataset) -> None:
    """Show the models that were judged on one list of pairs."""
    scored = (found.runs[0].result() or {})["pairs"]["scored"]
    st.markdown(f"**{count(scored, 'pair')}, {from_where(found)}**")
    if found.runs[0].config["edits"].get(dataset.name, 0) != len(dataset.edits):
        st.caption("Judged before the set was changed: its pairs are others now.")
    names = names_of(found.runs)
    table(found, names)
    plain_rows(found, dataset)
    curves(found, names)
    notes(found.runs, names)


def from_where(found: PairList) -> str:
    """Return in words where a list's pairs come from, as Markdown."""
    return plain(f"from {found.name}" if found.brought else found.name)


# -- starting ----------------------------------------------------------------------------------------------------


def judge_another(dataset: FaceDataset) -> None:
    """Let a model and the pairs be chosen, and start."""
    st.caption(
        "Each pair is one person or two; the model says how alike the photos are. No pair's label is learnt from: "
        "the threshold of a tenth of the pairs comes from the others (Huang et al. 2007, *Labeled Faces in the Wild*)."
    )
    models = {run.id: run for run in studio().models()}
    model: str = st.selectbox(
        "Model", [*models, *_PLAIN], key=f"{_KEY}-model", width=560,
        format_func=lambda name: _PLAIN.get(name) or run_name(models[name]),
    )  # fmt: skip
    settings: dict[str, Any] = {"dataset": dataset.name, "model": model}
    if model == "untrained":
        settings["backbone"] = st.selectbox(
            "Network", registry.names("backbones"), key=f"{_KEY}-backbone", width=560,
            format_func=lambda name: registry.load("backbones", name).TITLE,
        )  # fmt: skip
    listed = st.file_uploader(
        "Pairs (LFW's pairs.txt; without one, pairs are drawn from the test part)", type=["txt"], key=f"{_KEY}-file"
    )
    if st.button("Judge it", type="primary", icon=":material/play_arrow:", key=f"{_KEY}-start"):
        with shown_errors():
            if listed is not None:
                settings["pairs"] = str(studio().keep_upload(listed.name, listed.getvalue()))
            studio().start("evaluate", settings)
            st.rerun()


# -- what came out -----------------------------------------------------------------------------------------------


def model_of(run: Run, titles: dict[str, str]) -> str:
    """Return what the judged model is called."""
    model = str(run.config["recipe"]["model"])
    if model == "untrained":
        return f"Untrained {network_of(run)}"
    return _PLAIN.get(model) or titles.get(model, model)


def names_of(finished: Sequence[Run]) -> dict[str, str]:
    """Return a name for each evaluation, no two alike."""
    titles = compared.names_of([run for run in studio().runs() if run.kind in ("pretrain", "finetune")])
    names = {run.id: model_of(run, titles) for run in finished}
    told = list(names.values())
    return {run_id: name if told.count(name) == 1 else f"{name} · {run_id[-4:]}" for run_id, name in names.items()}


def table(pairs: PairList, names: dict[str, str]) -> None:
    """List the models, the best first, each with its interval and what it had seen of the pairs."""
    found = sorted(((run, run.result() or {}) for run in pairs.runs), key=_rank)
    metrics = [result["metrics"] for _, result in found]
    columns: dict[str, list[Any]] = {
        "Model": [names[run.id] for run, _ in found],
        "Right": [_hundred(one["accuracy"]) for one in metrics],
        "± s.e.": [_hundred(one.get("accuracy_se")) for one in metrics],
        "95 % interval": [_interval(one.get("accuracy_interval")) for one in metrics],
    }
    for field, title in _SHARES.items():
        columns[title] = [one[field] if field == "auc" else _hundred(one[field]) for one in metrics]
    columns["Pairs"] = [result["pairs"]["scored"] for _, result in found]
    columns["Photos learnt from"] = [_seen(result) for _, result in found]
    columns["Names used"] = ["yes" if result["transductive"]["names_used"] else "no" for _, result in found]
    columns["From"] = [pairs.name for _ in found]
    number = st.column_config.NumberColumn
    st.dataframe(
        columns, hide_index=True, alt="Models by how many pairs they tell right", key=f"{_KEY}-table-{pairs.digest}",
        placeholder="–", row_height=row_height(columns["Model"]),
        column_config={
            "Model": st.column_config.TextColumn(width=NAME_WIDTH),
            "AUC": number(format="%.3f", help="Area under the curve below: 0.5 is chance, 1 is perfect."),
            "EER": number(format="%.1f %%", help="Where as many of one person's fail as of two people's pass."),
            **{name: number(format="%.1f %%") for name in ("Right", "± s.e.", *list(_SHARES.values())[2:])},
        },
    )  # fmt: skip
    st.download_button(
        "Download as CSV", as_csv(found, [names[run.id] for run, _ in found]), file_name=f"pairs {pairs.name}.csv",
        mime="text/csv", icon=":material/download:", key=f"{_KEY}-csv-{pairs.digest}", type="tertiary",
    )  # fmt: skip


def as_csv(judged: Sequence[tuple[Run, dict[str, Any]]], names: Sequence[str]) -> str:
    """Return the table of one list as CSV, all shares 0-1."""
    rows = []
    for (run, result), name in zip(judged, names, strict=True):
        found, seen = result["metrics"], result["transductive"]
        low, high = found.get("accuracy_interval") or (None, None)
        shares = {"Right": found["accuracy"], "Standard error": found.get("accuracy_se"), "low": low, "high": high}
        shares |= {title: found[field] for field, title in _SHARES.items()}
        rows.append({
            "Model": name, "Run": run.id, **{f"{title}{OF_ONE}": share for title, share in shares.items()},
            "Pairs": result["pairs"]["scored"], "Photos learnt from": seen["photos"], "Photos of the pairs": seen["of"],
            "Names used": "yes" if seen["names_used"] else "no",
        })  # fmt: skip
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def plain_rows(found: PairList, dataset: FaceDataset) -> None:
    """Offer to judge on the same pairs what needs no learning, where that was not done yet."""
    missing = missing_rows(found, dataset)
    if not missing:
        return
    listed = "; ".join(_plain_name(settings) for settings in missing)
    st.caption(f":material/info: Not judged on these pairs yet, though they need no learning: {plain(listed)}.")
    label = f"Add {count(len(missing), 'plain row')}"
    if st.button(label, icon=":material/add:", key=f"{_KEY}-plain-{found.digest}"):
        started = 0
        for settings in missing:
            with shown_errors():
                studio().start("evaluate", settings)
                started += 1
        if started == len(missing):  # else the page says what could not be
            st.rerun()


def _plain_name(settings: dict[str, Any]) -> str:
    if settings["model"] != "untrained":
        return _PLAIN[settings["model"]]
    return f"Untrained {registry.load('backbones', settings['backbone']).TITLE}"


def curves(found: PairList, names: dict[str, str]) -> None:
    """Draw the models over each other."""
    from facessl import figures

    rocs = {names[run.id]: (run.result() or {})["roc"] for run in found.runs}
    lines = {name: (roc["far"], roc["tar"]) for name, roc in rocs.items()}
    key = f"{_KEY}-roc-{found.digest}"
    title = f"ROC, pairs of {found.name}" if found.brought else f"ROC, pairs {found.name}"
    chart(figures.roc_curves(lines), title=title, key=key, name=f"roc {found.name}")


def notes(judged: Sequence[Run], names: dict[str, str]) -> None:
    """Say what has to be known to read the figures, once each."""
    said = dict[str, list[str]]()
    for run in judged:
        for note in (run.result() or {})["notes"]:
            said.setdefault(note, []).append(names[run.id])
    for note, models in said.items():
        whose = "" if len(models) == len(judged) > 1 else f"{plain(', '.join(models))}: "
        st.caption(f":material/info: {whose}{plain(note)}")


def _rank(one: tuple[Run, dict[str, Any]]) -> tuple[float, float]:
    """Return the place of a judged model in the list: few pairs have no accuracy, but each model has an AUC."""
    metrics = one[1]["metrics"]
    return -(metrics["accuracy"] or 0), -metrics["auc"]


def _hundred(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _interval(bounds: list[float] | None) -> str | None:
    return f"{percent(bounds[0])} – {percent(bounds[1])}" if bounds else None


def _seen(result: dict[str, Any]) -> str:
    exposure = result["transductive"]
    return f"{exposure['photos']:,} of {exposure['of']:,}"
