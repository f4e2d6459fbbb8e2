"""Data: photos become a set of aligned faces, and every step of it can be looked at."""

import streamlit as st

from facessl.states import ACTIVE, RESUMABLE
from pages._shared.backend import studio
from pages._shared.curves import contact_sheet
from pages._shared.dataset_view import VIEWS
from pages._shared.prepare_form import prepare_form
from pages._shared.run_panel import run_panel
from pages._shared.widgets import choose, open_tab, page_tabs, page_title, pick_dataset
from pages._shared.words import count

MOST_SHOWN = 3  # runs of a kind, the newest
PREPARE = "Prepare a new set"
TABS = "data-tabs"
STARTED = "data-started"  # the preparation started here, so that its set opens when it is done


def data() -> None:
    page_title(
        "Data",
        "Photos are split into train, val and test, faces are found, turned level, cropped and packed. "
        "What was taken, and what was refused and why, is all here.",
    )
    open_finished()
    dataset = pick_dataset(key="data-dataset")
    tabs = page_tabs([*VIEWS, PREPARE], key=TABS, first=next(iter(VIEWS)) if dataset else PREPARE)
    for tab, view in zip(tabs, VIEWS.values(), strict=False):
        if tab.open:
            with tab:
                if dataset is None:
                    st.info(
                        "There is no prepared set yet. Make one under **Prepare a new set**.", icon=":material/info:"
                    )
                else:
                    view(dataset)
    if tabs[-1].open:
        with tabs[-1]:
            prepare_a_set()


def open_finished() -> None:
    """Once the preparation started here is done, its set is what the page shows."""
    run_id = st.session_state.get(STARTED)
    if run_id and studio().run(run_id).status().state == "finished":
        del st.session_state[STARTED]
        choose("dataset", studio().run(run_id).config["recipe"]["name"], key="data-dataset")
        open_tab(TABS, next(iter(VIEWS)))


def prepare_a_set() -> None:
    states = {run: run.status().state for run in studio().runs("prepare")}
    active = [run for run, state in states.items() if state in ACTIVE]
    ended = [run for run, state in states.items() if state in RESUMABLE]
    for run in active[:MOST_SHOWN]:
        with st.container(border=True):
            run_panel(run, contact_sheet, key="data")
    if not studio().datasets() and not active:
        st.info(
            "There is no set yet. Generated faces need nothing: press **Prepare the set** below. To bring your own "
            "photos, choose *Folder or zip*.", icon=":material/info:",
        )  # fmt: skip
    if run_id := prepare_form():
        st.session_state[STARTED] = run_id
        st.rerun()
    if ended:
        with st.expander(
            f"{count(len(ended), 'preparation')} that came to no set", icon=":material/history:",
            expanded=ended[0].id == st.session_state.get(STARTED),
        ):  # fmt: skip
            for run in ended[:MOST_SHOWN]:  # older ones are of no interest here
                run_panel(run, contact_sheet, key="data")


data()
