"""What a pre-training would take, as a probe of a few steps measured it."""

from typing import Any

import streamlit as st

from facessl.config import PretrainRecipe
from facessl.run import Run
from facessl.states import ACTIVE
from pages._shared.backend import studio
from pages._shared.pretrain.each import show_each
from pages._shared.widgets import shown_errors
from pages._shared.words import count, duration, label, memory, plain

STALE = "pretrain-estimate-stale"  # the container of figures that are another form's
_FADED = f"<style>.st-key-{STALE} {{ opacity: 0.45; }}</style>"


def show_estimate(asked: PretrainRecipe) -> None:
    """Show what was measured for these settings, else what was measured last, marked as of others."""
    probes = [run for run in studio().runs("probe") if not run.config["group"]]  # those beside one have a table
    if not probes:
        st.caption("**Estimate** takes a few steps on this machine and says how long an epoch is and how much memory "
                   "it needs. Nothing is learnt by that.")  # fmt: skip
        return
    probe = next((run for run in probes if not changed_since(run, asked)), probes[0])
    working = probe.status().state in ACTIVE
    with st.container(border=True):
        st.fragment(_estimate, run_every=1.0 if working else None)(probe, asked, working)
        show_each(probe)


def changed_since(probe: Run, asked: PretrainRecipe) -> list[str]:
    """Return the settings in which ``asked`` differs from what a probe measured; epochs only multiply it."""
    measured, wanted = probe.config["recipe"], asked.model_dump(mode="json")
    return [name for name in wanted if name != "epochs" and wanted[name] != measured.get(name)]


def _estimate(probe: Run, asked: PretrainRecipe, was_working: bool) -> None:
    if not probe.path.is_dir():
        st.rerun()  # another browser's estimate took its place
    status = probe.status()
    if was_working and status.state not in ACTIVE:
        st.rerun()
    result, changed = probe.result(), changed_since(probe, asked)
    if changed:  # before the figures, or somebody reads them as this form's
        names = ", ".join(label(name).lower() for name in changed)
        st.markdown(f":orange-badge[:material/history: of other settings] Changed since: {names}. Estimate again.")
    if status.state in ACTIVE:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f":material/timer: Estimating. {plain(status.message)}", width="stretch")
            if st.button("Stop", icon=":material/stop:", key=f"stop-{probe.id}", disabled=status.state == "stopping"):
                with shown_errors():
                    studio().stop(probe.id)
                    st.rerun()
    elif status.state == "failed":
        st.error(f"It would not work: {plain(status.error)}", icon=":material/error:")
    elif result is None:
        st.caption(f"The last estimate was not finished. {plain(status.message)}")
    else:
        st.html(_FADED)
        with st.container(key=STALE if changed else None):
            _figures(result, asked.epochs)
    st.caption(what_it_was_measured_for(probe, result))


def _figures(result: dict[str, Any], epochs: int) -> None:
    grid = st.grid(4, min_column_width=150)
    total = epochs * result["seconds_an_epoch"] + result["seconds_of_a_look"]
    with grid.cell():
        st.metric("An epoch", duration(result["seconds_an_epoch"]))
    with grid.cell():
        st.metric(f"All {epochs:,} epochs" if epochs > 1 else "In all", duration(total))
    with grid.cell():
        st.metric("Memory at its peak", memory(result["memory_mib"]))
    with grid.cell():
        chance = f" {result['chance']:.3g} is chance." if result["chance"] is not None else ""
        st.metric("Loss", f"{result['loss']:.3g}", help=f"It is a number: these settings work so far.{chance}")


def what_it_was_measured_for(probe: Run, result: dict[str, Any] | None) -> str:
    """Return in a line what the probe measured, and where."""
    recipe = probe.config["recipe"]
    batch = (result or {}).get("batch_size", recipe["batch_size"])  # no larger than there are faces
    parts = [
        f"Measured for {plain(recipe['dataset'])}, {recipe['backbone']}, {recipe['image_size']} px, "
        f"batches of {batch:,}"
    ]
    if result:
        parts += [
            f"{count(result['faces'], 'face')} in {count(result['steps_an_epoch'], 'step')} an epoch",
            f"over {count(recipe['steps'], 'step')} on {plain(result['device'])}, {result['precision']}",
        ]
    return " · ".join(parts)
