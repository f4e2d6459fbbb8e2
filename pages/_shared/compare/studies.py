"""Studies, several runs for one answer: start one, watch it, stop it, go on with it, and read what came out."""

import textwrap
from typing import Any

import streamlit as st

from facessl import borrowed, conducting, registry
from facessl.config import StudyRecipe
from facessl.dataset import FaceDataset
from facessl.run import Run
from facessl.states import ACTIVE
from pages._shared.backend import studio
from pages._shared.compare.report import show_report
from pages._shared.forms import checked, plugin_select, recipe_form
from pages._shared.run_panel import run_panel
from pages._shared.widgets import choose, chosen, run_name, shown_errors
from pages._shared.words import count, plain

_KEY = "compare-study"
_TITLE = 22  # letters of a study's title in the select: all else fits a phone beside it
_DEFAULT = StudyRecipe.model_fields["preset"].default  # as by command; it can be asked of real photos too
_FIRST = 6  # settings of a study that do not fold away: it names first what matters
_KINDS = {  # of steps: one, several
    "pretrain": ("pre-training", "pre-trainings"),
    "finetune": ("fine-tuning", "fine-tunings"),
    "embed": ("map", "maps"),
    "evaluate": ("evaluation on pairs", "evaluations on pairs"),
    "inside": ("step of its own", "steps of its own"),
}


def studies(dataset: FaceDataset) -> None:
    """Show the studies of a set, and the form that starts another."""
    done = [run for run in studio().runs("study") if run.config["recipe"]["dataset"] == dataset.name]
    run = pick_study(done) if done else None
    with st.expander("New study" if done else "The first study", icon=":material/add:", expanded=not done):
        new_study(dataset)
    if run is None:
        st.caption(f"No study of {plain(dataset.name)} was started yet.")
        return
    if run.status().state == "finished":
        run_panel(run, key=_KEY)
        what_came_out(run)
    else:
        run_panel(run, what_came_out, key=_KEY)


def pick_study(done: list[Run]) -> Run:
    """Let a study be chosen; the choice is in the link, as ``study=…``."""
    by_id = {run.id: run for run in done}
    asked = st.query_params.get("study")
    if asked and asked not in by_id:
        st.warning(
            f"The link asks for {plain(asked)}, which is not here; shown is another.", icon=":material/link_off:"
        )
    value = st.session_state.get(_KEY)
    if value not in by_id:
        wanted = chosen("study")
        value = wanted if wanted in by_id else done[0].id
    st.session_state[_KEY] = value  # at each drawing, see widgets
    run_id: str = st.selectbox(
        "Study", list(by_id), key=_KEY, format_func=lambda run_id: name_of(by_id[run_id]), width=560
    )
    choose("study", run_id)
    return by_id[run_id]


def name_of(run: Run) -> str:
    """Return what a select calls a study: its title cut short, for what tells two of a title apart stands behind it."""
    return run_name(run).replace(run.title, textwrap.shorten(run.title, _TITLE, placeholder=" …"), 1)


def what_came_out(run: Run) -> None:
    """Show a study's report, as far as it has come."""
    report = run.report()
    if report is None and run.status().state == "finished":
        st.warning(
            "Its report cannot be read any more. Start the study again: its runs are used again, so that it soon has "
            "another.",
            icon=":material/warning:",
        )
        return
    if report is None:
        if run.status().state in ACTIVE:
            st.caption("Its report begins with the first step that is done.")
        return
    if run.status().state != "finished":
        st.caption("So far; the report grows with every step that is done.")
    show_report(report, key=f"{_KEY}-{run.id}", name=f"{run.config['recipe']['dataset']} {preset_of(run)}")


def preset_of(run: Run) -> str:
    return str(run.config["recipe"]["preset"]).replace("_", "-")


# -- starting ----------------------------------------------------------------------------------------------------


def new_study(dataset: FaceDataset) -> None:
    """Let a study be chosen, say what it would take, and start it."""
    if not registry.names("studies"):
        st.caption("There are no studies in this version.")
        return
    preset = plugin_select("studies", "Study", key="compare-preset", default=_DEFAULT)
    plugin = registry.load("studies", preset)
    st.caption(f"{plain((plugin.__doc__ or '').partition(chr(10))[0])} *{plain(plugin.REFERENCE)}*")
    first = list(plugin.Options.model_fields)[:_FIRST]
    options = recipe_form(plugin.Options, key=f"compare-study-{preset}", main=first)
    settings: dict[str, Any] = {"preset": preset, "dataset": dataset.name, "options": options}
    recipe = checked(StudyRecipe, settings)
    able = False
    if recipe:
        with shown_errors():
            what_it_takes(dataset, plugin, recipe.plugin_options("studies"))
            able = True
    pressed = st.button(
        "Start the study", type="primary", icon=":material/play_arrow:", key="compare-study-start",
        disabled=not able,
    )  # fmt: skip
    if pressed:
        with shown_errors():
            choose("study", studio().start("study", settings).id, key=_KEY)
            st.rerun()


def what_it_takes(dataset: FaceDataset, plugin: Any, options: Any) -> None:
    """Say how many runs a study would make, and what it would have to leave out."""
    steps = plugin.steps(dataset, options, studio().workspace)
    left_out = conducting.left_out(steps)
    able = [step.kind for step in steps if step.key not in left_out]
    parts = [count(able.count(kind), *words) for kind, words in _KINDS.items() if kind in able]
    listed = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
    st.markdown(
        f":material/list: It takes {listed or 'nothing that can be done here'}. "
        "Runs that exist already, with the same settings, are used again."
    )
    for title in borrowed.not_here(steps, studio().workspace):
        st.caption(
            f":material/download: It first fetches the ImageNet weights of {title}, which are not here; where that "
            "fails, it says so and leaves out what begins with them."
        )
    for sentence in dict.fromkeys(left_out.values()):
        st.caption(f":material/info: {plain(sentence)}")
