"""Compare: every finished run of a set beside the plain methods, with its interval; curves and settings."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import streamlit as st

from facessl.runs import Run
from pages._shared import results
from pages._shared.backend import studio
from pages._shared.curves import CHART
from pages._shared.results import Score
from pages._shared.widgets import empty_state, page_title, pick_dataset, run_name
from pages._shared.words import count, label, percent

_LINE = 24  # characters of a name that fit a line of its column, which leaves room for the figures on a phone


def main() -> None:
    page_title("Compare", "Every run on the same photos, next to what needs no network at all.")
    dataset = pick_dataset(key="compare-dataset")
    if dataset is None:
        empty_state("There are no faces yet. Prepare a set first.", page="pages/data.py", link="Open Data")
        return
    runs = [
        run for run in studio().runs()
        if run.kind in ("pretrain", "finetune") and run.config["recipe"]["dataset"] == dataset.name and run.result()
    ]  # fmt: skip
    if not runs:
        empty_state(
            f"No run on **{dataset.name}** is finished yet. Pre-train or fine-tune a network first.",
            page="pages/pretrain.py", link="Open Pre-train",
        )  # fmt: skip
        return
    named = names_of(runs)
    tuned = [run for run in runs if run.kind == "finetune"]
    trained = [run for run in runs if run.kind == "pretrain"]
    rows: list[Score] = []
    if tuned:
        rows += classified(tuned, named)
    if trained:
        rows += recognised(trained, named)
    st.download_button(
        "Download as CSV", as_csv(rows, runs), file_name=f"{dataset.name}-runs.csv", mime="text/csv",
        icon=":material/download:", key="compare-csv",
    )  # fmt: skip
    lay_over(runs, named)


def names_of(runs: Sequence[Run]) -> dict[str, str]:
    """Return a name for each run; where titles repeat, the time it was made tells them apart."""
    titles = [run.title for run in runs]
    return {run.id: run.title if titles.count(run.title) == 1 else run_name(run) for run in runs}


# -- the tables --------------------------------------------------------------------------------------------------


def classified(runs: Sequence[Run], named: dict[str, str]) -> list[Score]:
    """Show classifiers and plain methods on ``test``, the best first, and say in a sentence who leads."""
    st.subheader("Naming faces, on the test split", anchor=False)
    networks = [score for run in runs if (score := results.test_score(run, named[run.id]))]
    best = max(networks, key=lambda score: score.share)
    # Judged against the plain methods of its own run: the same labels, the same photos.
    leads, sentence = results.verdict(best, results.baseline_scores(studio().run(best.run)))
    said = f"The best network here is *{best.name}* ({percent(best.share)}, {best.how}). {sentence}"
    (st.success if leads else st.warning)(said, icon=":material/balance:")
    scores = [*networks, *plain_of(runs)]
    table(scores, "top-1")
    return scores


def plain_of(runs: Sequence[Run]) -> list[Score]:
    """Return the plain methods once for each share of labels that a run used, from the newest such run."""
    newest = {run.config["recipe"]["label_fraction"]: run for run in reversed(runs)}
    return [score for _, run in sorted(newest.items(), reverse=True) for score in results.baseline_scores(run)]


def recognised(runs: Sequence[Run], named: dict[str, str]) -> list[Score]:
    """Show what pre-training alone reaches on ``val``."""
    scores: list[Score] = []
    for run in runs:
        found = results.val_scores(run)
        scores += [replace(found[0], name=named[run.id]), *found[1:]] if found else []
    if not scores:
        return []
    st.subheader("Recognising faces after pre-training, on the val split", anchor=False)
    st.caption("k-NN on frozen features: the vote of the nearest train photos. Not comparable with the table above.")
    unique = {(score.name, round(score.share, 6), score.photos): score for score in scores}
    table(list(unique.values()), "k-NN")
    return list(unique.values())


def table(scores: Sequence[Score], measure: str) -> None:
    """Draw scores as rows, the best first."""
    rows = sorted(scores, key=lambda score: -score.share)
    columns: dict[str, list[Any]] = {
        "What": [score.name for score in rows],
        measure: [score.share * 100 for score in rows],
        "95 % interval": [f"{percent(score.low)} – {percent(score.high)}" for score in rows],
        "How": [score.how for score in rows],
        "Labels used": [percent(score.labels, 0) for score in rows],
        "Split": [score.split for score in rows],
        "Photos": [score.photos for score in rows],
    }
    if measure == "k-NN":
        del columns["Labels used"]  # none were
    st.dataframe(
        columns, hide_index=True, row_height=_row_height(rows), height="content" if len(rows) <= 12 else "auto",
        alt=f"Runs and plain methods by {measure}",
        column_config={
            "What": st.column_config.TextColumn(width="medium"),
            measure: st.column_config.ProgressColumn(format="%.1f %%", min_value=0, max_value=100),
        },
    )  # fmt: skip


def _row_height(scores: Sequence[Score]) -> int:
    """Return pixels in which the longest name is read whole, on four lines at most; rows are all of one height."""
    lines = min(4, max(-(-len(score.name) // _LINE) for score in scores))
    return max(42, 16 + 20 * lines)


def as_csv(scores: Sequence[Score], runs: Sequence[Run]) -> str:
    """Return all rows as CSV, with the settings of the run they come from."""
    recipes = {run.id: flat(run.config["recipe"]) for run in runs}
    settings = sorted({name for recipe in recipes.values() for name in recipe})
    text = io.StringIO()
    writer = csv.DictWriter(text, [*Score.__dataclass_fields__, *settings])
    writer.writeheader()
    for score in scores:
        # A plain method has no settings of its own; the run says which photos it saw.
        own = recipes[score.run] if score.how != "plain method" else {}
        writer.writerow({**own, **asdict(score)})
    return text.getvalue()


# -- runs over each other ----------------------------------------------------------------------------------------


def lay_over(runs: Sequence[Run], named: dict[str, str]) -> None:
    """Draw the curves of chosen runs over each other and list where their settings differ."""
    st.subheader("Runs side by side", anchor=False)
    by_id = {run.id: run for run in runs}
    chosen: list[str] = st.multiselect(
        "Runs", list(by_id), default=list(by_id)[:3], format_func=named.__getitem__, key="compare-runs",
        placeholder="Choose two or more", label_visibility="collapsed",
    )  # fmt: skip
    picked = [by_id[run_id] for run_id in chosen]
    curves(picked, named, "finetune", "val_top1", "Right on validation photos, %")
    curves(picked, named, "pretrain", "knn_accuracy", "k-NN on validation photos, %")
    for kind, title in (("finetune", "fine-tunings"), ("pretrain", "pre-trainings")):
        same_kind = [run for run in picked if run.kind == kind]
        if len(same_kind) > 1:
            st.markdown(f"**Where the settings of these {title} differ**")
            differences(same_kind, named)


def curves(runs: Sequence[Run], named: dict[str, str], kind: str, field: str, axis: str) -> None:
    """Draw one line a run; nothing when no run has such a figure."""
    lines = {named[run.id]: run.metrics() for run in runs if run.kind == kind}
    lines = {name: rows for name, rows in lines.items() if any(row.get(field) is not None for row in rows)}
    if lines:
        from facessl import figures

        st.plotly_chart(figures.compared_curves(lines, field, axis), key=f"compare-{field}", config=CHART)


def flat(recipe: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe with its nested settings named ``views.hue``."""
    plain: dict[str, Any] = {}
    for name, value in recipe.items():
        plain |= {f"{name}.{k}": v for k, v in value.items()} if isinstance(value, dict) else {name: value}
    return plain


def differences(runs: Sequence[Run], named: dict[str, str]) -> None:
    """List the settings in which these runs differ, a column a run."""
    recipes = [flat(run.config["recipe"]) for run in runs]
    names = list(dict.fromkeys(name for recipe in recipes for name in recipe))
    differ = [name for name in names if len({str(recipe.get(name, "–")) for recipe in recipes}) > 1]
    if not differ:
        st.caption("They have the same settings.")
        return
    columns = {"Setting": [label(name.split(".")[-1]) for name in differ]}
    for run, recipe in zip(runs, recipes, strict=True):
        columns[named[run.id]] = [shown(recipe.get(name, "–"), named) for name in differ]
    st.dataframe(columns, hide_index=True, alt="Settings in which the runs differ")
    st.caption(f"{count(len(names) - len(differ), 'setting is', 'settings are')} the same.")


def shown(value: Any, named: dict[str, str]) -> str:
    """Return a setting's value as people read it; ids of runs become their names."""
    if isinstance(value, str):
        return named.get(value, value)
    return f"{value:g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
