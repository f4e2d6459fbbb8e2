"""Fine-tune: the few names there are become a classifier, judged once on ``test`` beside plain methods."""

import numpy as np
import streamlit as st

from facessl.dataset import FaceDataset
from facessl.run import Run
from pages._shared.backend import studio
from pages._shared.finetune.answers import answers_of
from pages._shared.finetune.confusion import show_confusion
from pages._shared.finetune.curves import draw_curves, twin_from_nothing
from pages._shared.finetune.people import person_table
from pages._shared.finetune.photos import opened_answer
from pages._shared.finetune.result import show_figures
from pages._shared.finetune.start import INIT, start_run
from pages._shared.finetune.worst import worst_mistakes
from pages._shared.pretrain.watch import about
from pages._shared.run_panel import run_panel
from pages._shared.studied import without_those_of_studies
from pages._shared.widgets import (
    chosen,
    empty_state,
    open_tab,
    page_tabs,
    page_title,
    pick_dataset,
    pick_run,
    shown_errors,
)
from pages._shared.words import plain

START, WATCH = "Start a run", "Runs"
TABS = "finetune-tabs"
_RUN = "finetune-run"  # the select of what is shown
_ASKED = "finetune-asked"  # the run that the link named when the page was last drawn
CONFUSED, WORST, PEOPLE = "Who is taken for whom", "The worst mistakes", "Person by person"


def main() -> None:
    page_title("Fine-tune", "Teach the network the names it is to know, from as few labels as you like.")
    dataset = pick_dataset(key="finetune-dataset")
    if dataset is None:
        empty_state("There are no faces yet. Prepare a set first.", page="pages/data.py", link="Open Data")
        return
    if len(dataset.people) < 2:
        empty_state(
            f"**{plain(dataset.name)}** names fewer than two people, so there is nothing to tell apart. "
            "Choose another set, or prepare one with named people.",
            page="pages/data.py", link="Open Data",
        )  # fmt: skip
        return
    runs = [run for run in studio().runs("finetune") if run.config["recipe"]["dataset"] == dataset.name]
    led = led_here()
    watch, start = page_tabs([WATCH, START], key=TABS, first=WATCH if runs and not led else START)
    if watch.open:
        with watch:
            watch_runs(runs, dataset)
    if start.open:
        with start:
            st.fragment(start_run)(dataset, (TABS, WATCH))


def led_here() -> bool:
    """Return whether a link has just come from a pre-training, which shall be fine-tuned: then the form begins with it.

    A link to a fine-tuning wants it to be seen.
    """
    asked = st.query_params.get("run")
    before, st.session_state[_ASKED] = st.session_state.get(_ASKED), asked
    if asked == before or not any(run.id == asked and run.kind == "pretrain" for run in studio().models()):
        return False
    st.session_state[INIT] = asked
    open_tab(TABS, START)
    return True


def watch_runs(runs: list[Run], dataset: FaceDataset) -> None:
    asked = {chosen("run")} | ({st.session_state[_RUN]} if _RUN in st.session_state else set())
    runs = without_those_of_studies(runs, asked, key="finetune-of-studies")
    run = pick_run(runs, "Fine-tuned model", key=_RUN)
    if run is None:
        st.info("No classifier was fine-tuned on this set yet. Start one under **Start a run**.",
                icon=":material/info:")  # fmt: skip
        return
    others = {other.id: other for other in runs if other.id != run.id}
    twin = twin_from_nothing(run, list(others.values()))
    val_photos = len(dataset.rows("val"))
    with st.container(border=True):
        status = run_panel(
            run, lambda shown: draw_curves(shown, others, twin.id if twin else None, val_photos), key="finetune"
        )
        if run.note:
            st.caption(f":material/sticky_note_2: {plain(run.note)}")
    if status.state == "finished" and run.result() is not None:
        with shown_errors():  # its files may be damaged
            show_result(run, dataset)
    about(run, status)


def show_result(run: Run, dataset: FaceDataset) -> None:
    """Show the figures on ``test``, the plain methods beside them, the report and where it goes wrong.

    Raises:
        DamagedError: Of its answers, and the figures are shown.
    """
    show_figures(run)
    answers = answers_of(run)
    confused, worst, people = page_tabs([CONFUSED, WORST, PEOPLE], key="finetune-result", first=CONFUSED)
    listed = np.zeros(0, int)
    if confused.open:
        with confused:
            listed = show_confusion(run, dataset, answers)
    if worst.open:
        with worst:
            listed = worst_mistakes(run, dataset, answers)
    if people.open:
        with people:
            listed = person_table(run, dataset, answers)
    opened_answer(run, dataset, answers, listed)
    st.page_link(
        "pages/identify.py", label="Identify a photo with this model", icon=":material/person_search:",
        query_params={"dataset": dataset.name, "run": run.id},
    )  # fmt: skip


if __name__ == "__main__":
    main()
