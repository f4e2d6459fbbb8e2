"""Fine-tune: the few names there are become a classifier, judged once on ``test`` beside plain methods."""

from typing import Any

import numpy as np
import streamlit as st

from facessl.config import FinetuneRecipe, device_defaults
from facessl.dataset import FaceDataset
from facessl.runs import Run, read_json
from pages._shared import results
from pages._shared.backend import studio
from pages._shared.curves import finetune_curves
from pages._shared.forms import plugin_select, recipe_form
from pages._shared.run_panel import run_panel
from pages._shared.widgets import (
    choose,
    empty_state,
    face_grid,
    page_title,
    paged,
    pick_dataset,
    pick_run,
    shown_errors,
)
from pages._shared.words import count, percent

_SHARES = (0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
_MODES = {"finetune": "Fine-tune", "frozen": "Frozen"}
_MODE_WORDS = {
    "finetune": "The whole network is trained on the names.",
    "frozen": "The network stays as it is; only one linear layer on top learns the names.",
}


def main() -> None:
    page_title("Fine-tune", "Teach the network the names it is to know, from as few labels as you like.")
    left, right = st.columns([1, 3], gap="medium")
    with left:
        dataset = pick_dataset(key="finetune-dataset")
    if dataset is None:
        empty_state("There are no faces yet. Prepare a set first.", page="pages/data.py", link="Open Data")
        return
    if len(dataset.people) < 2:
        empty_state(
            f"**{dataset.name}** names fewer than two people, so there is nothing to tell apart. "
            "Choose another set, or prepare one with named people.",
            page="pages/data.py", link="Open Data",
        )  # fmt: skip
        return
    done = [run for run in studio().runs("finetune") if run.config["recipe"]["dataset"] == dataset.name]
    with right:
        run = pick_run(done, "Fine-tuned model", key="finetune-run")
    # Its text says whether there is a run: after the first start it is another expander, and folded.
    with st.expander("New fine-tuning" if done else "The first fine-tuning", icon=":material/add:", expanded=not done):
        new_run(dataset)
    if run is None:
        return
    finished = run.status().state == "finished"
    run_panel(run, None if finished else draw_curves, key="finetune")
    if finished:
        show_result(run, dataset)


# -- starting ----------------------------------------------------------------------------------------------------


def new_run(dataset: FaceDataset) -> None:
    """Let a person choose where to start from and how, and start it."""
    trained = {run.id: run.title for run in studio().models() if run.kind == "pretrain"}
    first, second = st.columns([3, 2], vertical_alignment="top", gap="medium")
    with first:
        init: str = st.selectbox(
            "Start from", [*trained, "scratch", "imagenet"], key="finetune-init", persist_state="session",
            format_func=lambda name: trained.get(name) or {"scratch": "Nothing", "imagenet": "ImageNet weights"}[name],
        )  # fmt: skip
        if not trained:
            st.caption("No network was pre-trained yet, so this one starts without what faces alone could teach it.")
            st.page_link("pages/pretrain.py", label="Open Pre-train", icon=":material/arrow_forward:")
    with second:
        mode: str = st.segmented_control(
            "What learns", list(_MODES), default="finetune", format_func=_MODES.__getitem__, required=True,
            key="finetune-mode", persist_state="session",
        )  # fmt: skip
        st.caption(_MODE_WORDS[mode])
        share: float = st.select_slider(
            "Share of the labels", _SHARES, value=1.0, key="finetune-share", persist_state="session",
            format_func=lambda part: f"{part * 100:g} %", help="Of each person's train labels; at least one is used.",
        )  # fmt: skip
    settings: dict[str, Any] = {"dataset": dataset.name, "init": init, "mode": mode, "label_fraction": share}
    hide = ["dataset", "init", "mode", "backbone", "label_fraction"]
    if init in trained:
        parent = studio().run(init).config["recipe"]
        settings |= {name: parent[name] for name in ("backbone", "backbone_options", "image_size")}
        hide.append("image_size")  # what the network was pre-trained at is what it knows how to read
    else:
        settings["backbone"] = plugin_select("backbones", "Network", key="finetune-backbone", default="resnet18")
    device = studio().device()
    # A linear layer learns with other steps than a whole network, and on faces as they are.
    defaults = FinetuneRecipe(mode=mode).model_dump(exclude={"views"})
    if mode == "frozen":
        hide.append("views")
    elif device:
        defaults |= device_defaults("finetune", device.kind)
    with st.form("finetune-form", border=False):
        main_fields = ("epochs", "learning_rate", "batch_size", "image_size")
        settings |= recipe_form(FinetuneRecipe, key=f"finetune-{mode}", defaults=defaults, hide=hide, main=main_fields)
        named = len(dataset.rows("train"))
        st.caption(
            f"{dataset.name} names {count(len(dataset.people), 'person', 'people')} on {count(named, 'train photo')}. "
            "Test photos are looked at once, at the end."
        )
        started = st.form_submit_button("Start", type="primary", icon=":material/play_arrow:")
    if started:
        with shown_errors():
            choose("run", studio().start("finetune", settings).id, key="finetune-run")
            st.rerun()


# -- while it learns ---------------------------------------------------------------------------------------------


def draw_curves(run: Run) -> None:
    """Show how train and validation move, epoch by epoch."""
    finetune_curves(run, key="finetune")
    rows = run.metrics()
    if not rows:
        return
    last = rows[-1]
    if "val_top1" in last:
        st.caption(
            f"After epoch {last['epoch']}: {percent(last.get('train_top1'))} right on train photos, "
            f"{percent(last['val_top1'])} on validation photos that it never learnt from."
        )


# -- what came out -----------------------------------------------------------------------------------------------


def show_result(run: Run, dataset: FaceDataset) -> None:
    """Show the figures on ``test``, the plain methods beside them, the report and where it goes wrong."""
    result, recipe = run.result(), run.config["recipe"]
    network = results.test_score(run, name="This network")
    if result is None or network is None:
        return
    st.subheader("On test photos", anchor=False)
    st.markdown(in_words(result, recipe))
    for column, k in zip(st.columns(3), (1, 3, 5), strict=True):
        found = result["metrics"]
        interval = found[f"top{k}_interval"]
        column.metric(
            f"top-{k}", percent(found[f"top{k}"]), border=True, delta_color="off", delta_arrow="off",
            delta="95 %: " + " – ".join(percent(end) for end in interval) if interval else None,
            help="The right name is first." if k == 1 else f"The right name is among the first {k}. "
            "A dash where there are no more people than that.",
        )  # fmt: skip
    st.subheader("Against plain methods", anchor=False)
    table, curve = st.columns([3, 2], gap="medium")
    with table:
        plain_methods(network, results.baseline_scores(run))
    with curve:
        draw_curves(run)
    report = read_json(run.path / "report.json")
    mistakes, people = st.tabs(["Where it goes wrong", "Person by person"])
    with mistakes:
        show_confusion(run, dataset, report)
    with people:
        person_table(run, dataset, report)
    st.page_link(
        "pages/identify.py", label="Identify a photo with this model", icon=":material/person_search:",
        query_params={"dataset": dataset.name, "run": run.id},
    )  # fmt: skip


def in_words(result: dict[str, Any], recipe: dict[str, Any]) -> str:
    """Return what was measured, on what, and how the network was trained, in two sentences."""
    found = result["metrics"]
    right, photos = round(found["top1"] * found["photos"]), found["photos"]
    how = {"frozen": "frozen, with one linear layer trained on top", "fine-tuned": "fine-tuned as a whole"}
    share = recipe["label_fraction"]
    labels = "all train labels" if share >= 1 else f"{percent(share, 0)} of the train labels"
    return (
        f"**{right:,} of {photos:,}** faces of the `test` split got the right name first. "
        f"The network was **{how[results.trained_how(recipe)]}**, on {labels}."
    )


def plain_methods(network: results.Score, baselines: list[results.Score]) -> None:
    """Put the network into one table with what needs no network at all, and say who wins."""
    leads, sentence = results.verdict(network, baselines)
    (st.success if leads else st.warning)(sentence, icon=":material/balance:")
    rows = sorted([network, *baselines], key=lambda score: -score.share)
    table = {
        "What": [score.name for score in rows],
        "How": [score.how for score in rows],
        "top-1": [score.share * 100 for score in rows],
        "95 % interval": [f"{percent(score.low)} – {percent(score.high)}" for score in rows],
        "Photos": [score.photos for score in rows],
    }
    st.dataframe(
        table, hide_index=True, row_height=44,
        column_config={"top-1": st.column_config.ProgressColumn(format="%.1f %%", min_value=0, max_value=100)},
        alt="Top-1 on the test photos: the network and the plain methods",
    )  # fmt: skip


def person_table(run: Run, dataset: FaceDataset, report: dict[str, Any]) -> None:
    """Show precision, recall and F1 of each person, the worst first; a chosen row shows the person's photos."""
    rows = sorted(((name, report["report"][name]) for name in report["people"] if name in report["report"]),
                  key=lambda row: row[1]["f1-score"])  # fmt: skip
    bar = st.column_config.ProgressColumn
    event = st.dataframe(
        {
            "Person": [name for name, _ in rows],
            "Precision": [row["precision"] * 100 for _, row in rows],
            "Recall": [row["recall"] * 100 for _, row in rows],
            "F1": [row["f1-score"] * 100 for _, row in rows],
            "Test photos": [int(row["support"]) for _, row in rows],
        },
        hide_index=True, height=420, alt="Precision, recall and F1 of each person",
        key=f"finetune-people-{run.id}", on_select="rerun", selection_mode="single-row",
        column_config={
            "Precision": bar(format="%.0f %%", min_value=0, max_value=100, help="Given this name: how often rightly."),
            "Recall": bar(format="%.0f %%", min_value=0, max_value=100, help="Of the person's photos: how many found."),
            "F1": bar(format="%.0f %%", min_value=0, max_value=100, help="Harmonic mean of the two."),
        },
    )  # fmt: skip
    mean = report["report"].get("macro avg", {})
    if mean:
        st.caption(
            f"Every person counted alike: precision {percent(mean['precision'])}, recall {percent(mean['recall'])}, "
            f"F1 {percent(mean['f1-score'])}. Choose a row to see the person's test photos."
        )
    if chosen := event["selection"]["rows"]:
        photos_of(run, dataset, report["people"], report["people"].index(rows[chosen[0]][0]), None)


def show_confusion(run: Run, dataset: FaceDataset, report: dict[str, Any]) -> None:
    """Show who is taken for whom, and from any cell its photos."""
    from facessl import figures

    people, matrix = report["people"], np.asarray(report["confusion"])
    left, right = st.columns([3, 2], gap="medium")
    with left:
        event = st.plotly_chart(
            figures.confusion(matrix, people), key=f"finetune-confusion-{run.id}", on_select="rerun",
            selection_mode="points", config={"displayModeBar": False},
        )  # fmt: skip
    with right:
        cell = chosen_cell(event, matrix, people, key=f"finetune-mistake-{run.id}")
        if cell is not None:
            photos_of(run, dataset, people, *cell)


def chosen_cell(event: Any, matrix: np.ndarray, people: list[str], *, key: str) -> tuple[int, int] | None:
    """Return (true, predicted) labels: the cell clicked last or chosen by name; None while every answer is right."""
    right = [(int(i), int(i)) for i in np.flatnonzero(matrix.diagonal())]
    wrong = [(int(i), int(j)) for i, j in np.argwhere(matrix) if i != j]
    cells = sorted(wrong, key=lambda cell: -matrix[cell]) + right
    clicked = next((tuple(p["customdata"][:2]) for p in event["selection"]["points"] if p.get("customdata")), None)
    if clicked != st.session_state.get(f"{key}-clicked"):
        st.session_state[f"{key}-clicked"] = clicked
        if clicked in cells:
            st.session_state[key] = clicked
    if not wrong:
        st.success("Every test face got its right name.", icon=":material/check_circle:")
    if not cells:
        return None

    def words(cell: tuple[int, int]) -> str:
        taken = "rightly named" if cell[0] == cell[1] else f"taken for {people[cell[1]]}"
        return f"{people[cell[0]]} {taken} · {matrix[cell]}"

    if st.session_state.get(key) not in cells:
        st.session_state[key] = cells[0]
    cell: tuple[int, int] = st.selectbox("Who was taken for whom", cells, key=key, format_func=words)
    return cell


def photos_of(run: Run, dataset: FaceDataset, people: list[str], true: int, predicted: int | None) -> None:
    """Show the test photos of a person, or those of them that were called ``predicted``, the surest first."""
    import pandas as pd

    table = pd.read_parquet(run.path / "predictions.parquet")
    table = table[(table["label"] == true) & (True if predicted is None else table["predicted"] == predicted)]
    table = table.sort_values("probability", ascending=False)
    page = paged(len(table), key=f"finetune-photos-{true}-{predicted}", size=24)
    shown = table.iloc[page.start : page.stop]
    names = [people[label] for label in shown["predicted"]]
    face_grid(
        [dataset.faces[face] for face in shown["face"]],
        [f"{name}, {percent(share, 0)}" for name, share in zip(names, shown["probability"], strict=True)],
    )
    st.caption("Below each face: what the network calls it, and the share its softmax gives that name.")


if __name__ == "__main__":
    main()
