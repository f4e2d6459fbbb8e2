"""Of several runs: those whose results can still be read, and a word about the others."""

from collections.abc import Sequence

import streamlit as st

from facessl.run import Run
from pages._shared.widgets import run_name
from pages._shared.words import plain


def with_results(runs: Sequence[Run]) -> list[Run]:
    """Return the runs that have a result, and name those whose result cannot be read any more."""
    found = [run for run in runs if run.result() is not None]
    name_lost("What it found", "What they found", [run for run in runs if run not in found and run.has_lost_result()])
    return found


def name_lost(one: str, several: str, lost: Sequence[Run]) -> None:
    """Say of which runs something cannot be read any more, and what to do; nothing where there are none."""
    if not lost:
        return
    what, them = (one, "it") if len(lost) == 1 else (several, "them")
    names = ", ".join(plain(run_name(run)) for run in lost)
    st.warning(
        f"{names}: {what[:1].lower()}{what[1:]} cannot be read any more. Start {them} again, and delete the damaged "
        f"{'run' if len(lost) == 1 else 'runs'}.",
        icon=":material/warning:",
    )
