"""Pre-train: a network learns from faces without their names, and one can see whether it does."""

import streamlit as st

from facessl.run import Run
from pages._shared.backend import studio
from pages._shared.pretrain.start import CARRIED, start_run
from pages._shared.pretrain.table import look_out, past_runs, seen
from pages._shared.pretrain.watch import watch_run
from pages._shared.widgets import empty_state, page_tabs, page_title, pick_run

START, WATCH = "Start a run", "Runs"
TABS = "pretrain-tabs"


def pretrain() -> None:
    page_title(
        "Pre-train",
        "A network learns from faces alone, without a single name: by a task that the faces themselves set.",
    )
    runs = studio().runs("pretrain")
    # Runs are started, stopped and deleted in other browsers and by command as well.
    st.fragment(look_out, run_every=3.0)(seen(runs))
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
            st.fragment(start_run)((TABS, WATCH))


def watch_runs(runs: list[Run]) -> None:
    run = pick_run(runs, key="pretrain-run")
    if run is None:
        st.info("Nothing has been pre-trained yet. Start a run under **Start a run**.", icon=":material/info:")
        return
    watch_run(run, runs)
    past_runs(runs, run.id)


pretrain()
