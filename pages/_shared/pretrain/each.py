"""What each setting does to time and memory: estimates beside one another, that differ in one setting each."""

from typing import Any

import streamlit as st

from facessl import alternatives, presets
from facessl.run import Run
from facessl.states import ACTIVE
from pages._shared.backend import studio
from pages._shared.widgets import shown_errors
from pages._shared.words import duration, label, memory, preset_name

_FAILED = "Would not work"


def show_each(base: Run) -> None:
    """Draw what was measured beside ``base``, if that was asked for; it follows those that are still at work."""
    others = beside(base)
    if not others or base.status().state == "failed":
        return
    working = [run for run in (base, *others) if run.status().state in ACTIVE]
    st.fragment(_each, run_every=2.0 if working else None)(base, bool(working))


def beside(base: Run) -> list[Run]:
    """Return the probes that were started beside this one, in that order."""
    group = alternatives.group_of(base)
    return [run for run in reversed(studio().runs("probe")) if run.config["group"] == group]


def _each(base: Run, was_working: bool) -> None:
    others = beside(base)
    working = [run for run in (base, *others) if run.status().state in ACTIVE]
    if was_working and not working:
        st.rerun()
    rows = alternatives.table(base, others)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**With one setting otherwise**", width="stretch")
        if working:
            st.caption(f"{len(rows) - sum(run in working for run in others)} of {len(rows)} measured")
            if st.button("Stop", icon=":material/stop:", key=f"stop-each-{base.id}"):
                with shown_errors():
                    for run in working:
                        studio().stop(run.id)
                    st.rerun()
    shown = [_shown(row) for row in rows]
    if not any(row[_FAILED] for row in shown):
        shown = [{name: cell for name, cell in row.items() if name != _FAILED} for row in shown]
    st.dataframe(shown, hide_index=True, height="content", key=f"each-{base.id}")
    st.caption("An epoch's time is compared with the one above. Epochs multiply it and need no memory; temperature and "
               "rates change neither. A few steps each, on a machine that may be busy with other things: small "
               "differences mean nothing.")  # fmt: skip


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    more, value = row["more_memory_mib"], row["value"]
    return {
        "Setting": label(row["setting"]),
        "Instead": preset_name(value, presets.BUILT_IN) if row["setting"] == "views" else value,
        "An epoch": duration(row["seconds_an_epoch"]),
        "Times as long": "–" if row["times"] is None else f"{row['times']:.2f} ×",
        "Memory": "–" if row["memory_mib"] is None else memory(row["memory_mib"]),
        "Difference": "–" if more is None else f"{'+' if more >= 0 else '−'}{memory(abs(more))}",
        _FAILED: row["error"],
    }
