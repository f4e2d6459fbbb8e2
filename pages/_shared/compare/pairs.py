"""Are two photos one person's? Models judged on pairs, as face people measure it."""

from typing import Any

import streamlit as st

from facessl import registry
from facessl.dataset import FaceDataset
from facessl.run import Run
from pages._shared.backend import studio
from pages._shared.compare.charts import chart, picture_format
from pages._shared.run_panel import run_panel
from pages._shared.widgets import run_name, shown_errors
from pages._shared.words import count, percent, plain

_KEY = "compare-pairs"
_PLAIN = {
    "pixels-whitened": "PCA-whitened pixels, no network",
    "pixels": "Pixels, no network",
    "untrained": "An untrained network",
}
_SHARES = {"auc": "AUC", "eer": "EER, %", "tar_at_far_1e-2": "TAR at FAR 1 %", "tar_at_far_1e-3": "TAR at FAR 0.1 %"}


def pairs(dataset: FaceDataset) -> None:
    """Show how well models tell pairs of a set apart, and the form that judges another."""
    done = [run for run in studio().runs("evaluate") if run.config["recipe"]["dataset"] == dataset.name]
    with st.expander("Judge a model on pairs", icon=":material/add:", expanded=not done):
        judge_another(dataset)
    if not done:
        st.caption(f"No model was judged on pairs of {plain(dataset.name)} yet.")
        return
    newest = done[0]
    if newest.status().state != "finished":
        run_panel(newest, key=_KEY)
    finished = [run for run in done if run.result()]
    if not finished:
        return
    table(finished)
    picture_format(key=f"{_KEY}-format")
    curves(finished)
    notes(finished)


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
    return _PLAIN.get(model) or titles.get(model, model)


def names_of(finished: list[Run]) -> dict[str, str]:
    """Return a name for each evaluation, no two alike."""
    titles = {run.id: run.title for run in studio().runs()}
    names = {run.id: model_of(run, titles) for run in finished}
    told = list(names.values())
    return {run_id: name if told.count(name) == 1 else f"{name} · {run_id[-4:]}" for run_id, name in names.items()}


def table(finished: list[Run]) -> None:
    """List the models, the best first, each with its interval and what it had seen of the pairs."""
    names = names_of(finished)
    found = sorted(
        ((run, run.result() or {}) for run in finished), key=lambda one: -(one[1]["metrics"]["accuracy"] or 0)
    )
    metrics = [result["metrics"] for _, result in found]
    columns: dict[str, list[Any]] = {
        "Model": [names[run.id] for run, _ in found],
        "Right, %": [_hundred(one["accuracy"]) for one in metrics],
        "± s.e.": [_hundred(one.get("accuracy_se")) for one in metrics],
        "95 % interval": [_interval(one.get("accuracy_interval")) for one in metrics],
    }
    for field, title in _SHARES.items():
        columns[title] = [one[field] if field == "auc" else _hundred(one[field]) for one in metrics]
    columns["Pairs"] = [result["pairs"]["scored"] for _, result in found]
    columns["From"] = [_source(run) for run, _ in found]
    columns["Photos learnt from"] = [_seen(result) for _, result in found]
    columns["Names used"] = ["yes" if result["transductive"]["names_used"] else "no" for _, result in found]
    number = st.column_config.NumberColumn
    st.dataframe(
        columns, hide_index=True, alt="Models by how many pairs they tell right", key=f"{_KEY}-table",
        column_config={
            "Model": st.column_config.TextColumn(width="medium"),
            "AUC": number(format="%.3f", help="Area under the curve below: 0.5 is chance, 1 is perfect."),
            "EER, %": number(format="%.1f", help="Where as many of one person's fail as of two people's pass."),
            **{name: number(format="%.1f") for name in ("Right, %", "± s.e.", *list(_SHARES.values())[2:])},
        },
    )  # fmt: skip


def curves(finished: list[Run]) -> None:
    """Draw the models judged on the same pairs over each other."""
    from facessl import figures

    names = names_of(finished)
    by_pairs: dict[tuple[str, int], dict[str, tuple[list[float], list[float]]]] = {}
    for run in finished:
        result = run.result() or {}
        group = by_pairs.setdefault((_source(run), result["pairs"]["scored"]), {})
        group[names[run.id]] = (result["roc"]["far"], result["roc"]["tar"])
    for number, ((source, scored), lines) in enumerate(by_pairs.items()):
        st.markdown(f"**{count(scored, 'pair')}, {source}**")
        chart(figures.roc_curves(lines), key=f"{_KEY}-roc-{number}", name=f"roc {source}")


def notes(finished: list[Run]) -> None:
    """Say what has to be known to read the figures, once each."""
    names = names_of(finished)
    for run in finished:
        for note in (run.result() or {})["notes"]:
            st.caption(f":material/info: {plain(names[run.id])}: {plain(note)}")


def _hundred(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _interval(bounds: list[float] | None) -> str:
    return f"{percent(bounds[0])} – {percent(bounds[1])}" if bounds else ""


def _source(run: Run) -> str:
    return "from a list" if run.config["recipe"]["pairs"] else "drawn from test"


def _seen(result: dict[str, Any]) -> str:
    exposure = result["transductive"]
    return f"{exposure['photos']:,} of {exposure['of']:,}"
