"""A run, live: state, progress, what it says, pause, stop and resume, and its log."""

from collections.abc import Callable
from typing import Literal

import streamlit as st

from facessl.run import Run
from facessl.states import ACTIVE, PAUSABLE, RESUMABLE, Status
from pages._shared.backend import studio
from pages._shared.widgets import run_name, shown_errors, state_badge
from pages._shared.words import count, duration, plain

_GOES = {"study": "Its report is gone then; the runs that it made stay."}
_GOES_ELSE = "Its figures and what it learnt are gone then."


def run_panel(run: Run, draw: Callable[[Run], None] | None = None, *, key: str, every: float = 2.0) -> Status:
    """Show a run and, while it is worked on, keep showing it; ``draw(run)`` adds the page's curves or pictures.

    When the run ends, the whole page is drawn once more. Returns the state at the time of the call.
    """
    status = run.status()
    live = is_live(run, status)
    # The timer lives in the browser and is there only while somebody works on the run.
    panel = st.fragment(_panel, run_every=every if live else None)
    panel(run, draw, key, live)
    return status


def _panel(run: Run, draw: Callable[[Run], None] | None, key: str, was_live: bool) -> None:
    status = run.status()
    if was_live and not is_live(run, status):
        st.rerun()
    run_header(run, status, key=key)
    if draw is not None:
        draw(run)
    run_log(run)


def is_live(run: Run, status: Status) -> bool:
    """Return whether the run goes on changing by itself: it is worked on, or died and somebody is about to say so."""
    return status.state in ACTIVE or run.has_died()


def run_header(run: Run, status: Status, *, key: str) -> None:
    """Show a run's name, state, progress and figures, with the buttons that fit its state."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{plain(run.title)}**", width="content")
        st.space("stretch")
        # Together as wide as they are: on a phone they go to the next line as one, and the bin never alone.
        with st.container(horizontal=True, vertical_alignment="center", gap="small", width="content"):
            with st.container(width="content"):
                state_badge(status.state)
            run_buttons(run, status, key=key)
            if status.state not in ACTIVE:
                delete_button(run, status, key=key)
    if status.state in ACTIVE:
        st.progress(progress_share(status), text=plain(status.message) or "Starting.")
        st.caption(" · ".join(part for part in (plain(status.notice), progress_text(status)) if part))
    elif status.state == "failed":
        st.error(plain(status.error) or "It failed without saying why; its log below may.", icon=":material/error:")
    elif status.state in RESUMABLE:
        st.info(f"{plain(status.message)} Its work is kept: **Resume** goes on from there.", icon=":material/info:")
    elif run.has_lost_result():
        st.error("What it found cannot be read any more. Start it again, and delete this one.", icon=":material/error:")
    elif figures := progress_text(status):
        st.caption(figures)


def run_buttons(run: Run, status: Status, *, key: str) -> None:
    """Draw Pause, Resume and Stop, as far as the state and the kind allow."""
    if status.state == "running" and run.kind in PAUSABLE:
        # It waits after the step in hand, which on a CPU can take a while.
        pausing = run.pause_requested()
        label = "Pausing" if pausing else "Pause"
        _button(label, ":material/pause:", studio().pause, run, key=f"{key}-pause", disabled=pausing)
    if status.state in ("paused", *RESUMABLE):
        _button("Resume", ":material/play_arrow:", studio().resume, run, key=f"{key}-resume", primary=True)
    if status.state in ACTIVE:
        stopping = status.state == "stopping"
        label = "Stopping" if stopping else "Stop"
        _button(label, ":material/stop:", studio().stop, run, key=f"{key}-stop", disabled=stopping)


def _button(
    label: str, icon: str, act: Callable[[str], object], run: Run, *, key: str, disabled: bool = False,
    primary: bool = False,
) -> None:  # fmt: skip
    kind: Literal["primary", "secondary"] = "primary" if primary else "secondary"
    if st.button(label, icon=icon, key=f"{key}-{run.id}", disabled=disabled, type=kind):
        with shown_errors():
            act(run.id)
            st.rerun()


def delete_button(run: Run, status: Status, *, key: str) -> None:
    """Offer to delete a run, what it learnt and what builds on it; one click is not enough."""
    made = run.kind == "prepare" and status.state == "finished"
    with st.popover("", icon=":material/delete:", type="tertiary", help="Delete this run"):
        st.markdown("The set that it made stays." if made else _GOES.get(run.kind, _GOES_ELSE))
        users = studio().dependants(run.id)
        if users:
            listed = "\n".join(f"- {plain(run_name(user))}" for user in users)  # two may have one title
            st.markdown(f"What builds on it goes as well:\n{listed}")
        label = f"Delete {count(len(users) + 1, 'run')}" if users else "Delete it"
        if st.button(label, type="primary", key=f"{key}-delete-{run.id}"):
            with shown_errors():
                studio().delete(run.id, with_dependants=True)
                _forget({run.id, *(user.id for user in users)})
                st.rerun()


def _forget(gone: set[str]) -> None:
    """Take deleted runs out of the link, and out of what the next page would choose."""
    for name in ("run", "study"):
        if st.query_params.get(name) in gone:
            del st.query_params[name]
        if st.session_state.get(f"chosen_{name}") in gone:
            del st.session_state[f"chosen_{name}"]


def progress_share(status: Status) -> float:
    """Return how much is done, 0 to 1."""
    return min(1.0, max(0.0, status.step / status.steps)) if status.steps else 0.0


def progress_text(status: Status) -> str:
    """Return the figures of a run in one quiet line."""
    active = status.state in ACTIVE
    parts = [
        f"epoch {status.epoch} of {status.epochs}" if status.epochs else "",
        f"{status.images_per_second:,.0f} images/s" if status.images_per_second else "",
        f"{duration(status.seconds_left)} left" if active and (status.seconds_left or 0) >= 1 else "",
        f"{duration(status.seconds)} so far" if active and status.seconds else "",
        f"took {duration(status.seconds)}" if not active and status.seconds else "",
        status.device,
    ]
    return " · ".join(part for part in parts if part)


def run_log(run: Run) -> None:
    """Offer the end of the worker's log, folded away."""
    text = run.log_text()
    if text:
        with st.expander("Log", icon=":material/notes:"):
            st.code(text, language=None, wrap_lines=True, height=300)
