"""Pre-train: a network learns from faces without their names, and one can see whether it does."""

from typing import Any

import streamlit as st

from facessl.config import PretrainRecipe, ViewRecipe, device_defaults
from facessl.runs import ACTIVE, Run
from pages._shared.backend import studio
from pages._shared.curves import pretrain_curves
from pages._shared.forms import plugin_options, plugin_select, recipe_form
from pages._shared.run_panel import run_panel
from pages._shared.widgets import (
    choose,
    empty_state,
    open_tab,
    page_tabs,
    page_title,
    pick_dataset,
    pick_run,
    shown_errors,
)
from pages._shared.words import STATES, duration

START, WATCH = "Start a run", "Runs"
TABS = "pretrain-tabs"
MAIN = ("image_size", "epochs", "batch_size", "learning_rate", "seed")
CARRIED = "carried_views"  # view settings from the Views page
FROM_VIEWS = "from the Views page"
BY_HAND = ("dataset", "method", "backbone", "options", "backbone_options", "views")


def pretrain() -> None:
    page_title(
        "Pre-train",
        "A network learns from faces alone, without a single name: two views of one face shall lie close together, "
        "all others apart.",
    )
    runs = studio().runs("pretrain")
    if not studio().datasets() and not runs:
        empty_state("There is nothing to learn from yet.", page="pages/data.py", link="Prepare a set")
        return
    # Views carried over want to be used; a link to a run wants to be seen.
    wants_start = not runs or (CARRIED in st.session_state and "run" not in st.query_params)
    watch, start = page_tabs([WATCH, START], key=TABS, first=START if wants_start else WATCH)
    if watch.open:
        with watch:
            watch_runs(runs)
    if start.open:
        with start:
            start_run()


# -- starting ----------------------------------------------------------------------------------------------------


def start_run() -> None:
    """The form; what changes which settings there are stands above it."""
    grid = st.grid(4, min_column_width=220, vertical_alignment="bottom")
    with grid.cell():
        dataset = pick_dataset("Set to learn from", key="pretrain-dataset")
    if dataset is None:
        empty_state("There is no prepared set any more.", page="pages/data.py", link="Prepare a set")
        return
    with grid.cell():
        method = plugin_select("methods", "Method", key="pretrain-method", default="simclr", hide=("supervised",))
    with grid.cell():
        backbone = plugin_select("backbones", "Backbone", key="pretrain-backbone", default="resnet18")
    with grid.cell():
        preset, views = pick_views()
    device = studio().device()
    defaults = device_defaults("pretrain", device.kind if device else "cpu") | {"views": views}
    with st.form("pretrain"):
        # A GPU brings other defaults, another preset other views: other keys, so that they are taken.
        key = f"pretrain-{'cuda' if 'batch_size' in defaults else 'cpu'}"
        others = [d.name for d in studio().datasets() if d.name != dataset.name]
        st.markdown("**What is to be learnt**")
        options = plugin_options("methods", method, key=key)
        st.markdown("**How it is learnt**")
        settings = recipe_form(
            PretrainRecipe, key=key, defaults=defaults, hide=BY_HAND, main=MAIN,
            choices={"also": others, "init": starting_points()},
        )  # fmt: skip
        with st.expander("Views"):
            settings["views"] = recipe_form(ViewRecipe, key=f"pretrain-views-{preset}", defaults=views)
        with st.expander("Backbone"):
            settings["backbone_options"] = plugin_options("backbones", backbone, key="pretrain-backbone-options")
        pressed = st.form_submit_button("Start pre-training", type="primary", icon=":material/play_arrow:")
    if pressed:
        with shown_errors():
            made = {**settings, "options": options, "dataset": dataset.name, "method": method, "backbone": backbone}
            run = studio().start("pretrain", made)
            choose("run", run.id, key="pretrain-run")
            open_tab(TABS, WATCH)
            st.rerun()


def pick_views() -> tuple[str, dict[str, Any]]:
    """Choose the views by preset, or those carried over; return a name for the choice and its settings."""
    from facessl.views import PRESETS

    presets = {name: recipe.model_dump() for name, recipe in PRESETS.items()}
    carried = st.session_state.get(CARRIED)
    if carried is not None:
        presets = {FROM_VIEWS: carried, **presets}
    name = st.selectbox("Views", list(presets), key=f"pretrain-preset-{carried is not None}", persist_state="session")
    unique = f"{name}-{hash(tuple(carried.values()))}" if name == FROM_VIEWS else name
    return unique, presets[name]


def starting_points() -> list[str]:
    """Return what a network may start from: nothing, ImageNet's weights, or a trained run."""
    return ["scratch", "imagenet", *(run.id for run in studio().models())]


# -- watching ----------------------------------------------------------------------------------------------------


def watch_runs(runs: list[Run]) -> None:
    run = pick_run(runs, key="pretrain-run")
    if run is None:
        st.info("Nothing has been pre-trained yet. Start a run under **Start a run**.", icon=":material/info:")
        return
    with st.container(border=True):
        status = run_panel(run, lambda shown: pretrain_curves(shown, key=f"pretrain-{shown.id}"), key="pretrain")
    if status.state == "finished":
        lead_on(run)
    settings_of(run)
    # Lives as long as anything does: a waiting run turns into a running one while somebody looks.
    st.fragment(all_runs, run_every=3.0 if any(r.status().state in ACTIVE for r in runs) else None)(runs)


def lead_on(run: Run) -> None:
    query = {"run": run.id, "dataset": run.config["recipe"]["dataset"]}
    with st.container(horizontal=True):
        st.page_link(
            "pages/embeddings.py", label="See its embeddings", icon=":material/scatter_plot:", query_params=query
        )
        st.page_link("pages/finetune.py", label="Fine-tune it", icon=":material/tune:", query_params=query)
        st.page_link("pages/identify.py", label="Identify with it", icon=":material/person_search:", query_params=query)


def settings_of(run: Run) -> None:
    with st.expander("Settings of this run", icon=":material/list:"):
        st.json(run.config["recipe"], expanded=1)
        st.caption(run.id)


def all_runs(runs: list[Run]) -> None:
    st.subheader("All runs", anchor=False)
    st.session_state["pretrain-listed"] = [run.id for run in runs]
    st.dataframe(
        [row_of(run) for run in runs],
        hide_index=True,
        key="pretrain-table",
        on_select=follow_table,
        selection_mode="single-row",
        column_config={
            "k-NN val": st.column_config.NumberColumn(format="%.1f %%"),
            "pixels": st.column_config.NumberColumn(format="%.1f %%"),
            "untrained": st.column_config.NumberColumn(format="%.1f %%"),
        },
    )
    st.caption("Choose a row to see that run above.")


def follow_table() -> None:
    """A chosen row becomes the run that the page shows."""
    rows = st.session_state["pretrain-table"]["selection"]["rows"]
    if rows:
        choose("run", st.session_state["pretrain-listed"][rows[0]], key="pretrain-run")


def row_of(run: Run) -> dict[str, Any]:
    """Return one line of the table, read from the run's files as they are now."""
    config, status, rows = run.config, run.status(), run.metrics()
    recipe = config["recipe"]
    start, now = (rows[0], rows[-1]) if rows else ({}, {})
    return {
        "Run": config["title"],
        "Started": config["created"][:16].replace("T", " "),
        "State": STATES[status.state][0],
        "Set": recipe["dataset"],
        "Epochs": f"{status.epoch} / {recipe['epochs']}",
        "k-NN val": as_percent(now.get("knn_accuracy")),
        "pixels": as_percent(start.get("knn_pixels")),
        "untrained": as_percent(start.get("knn_accuracy")),
        "Loss": now.get("loss"),
        "Images/s": round(status.images_per_second) or None,
        "Time": duration(status.seconds),
        "Id": run.id[-4:],
    }


def as_percent(share: float | None) -> float | None:
    return None if share is None else share * 100


pretrain()
