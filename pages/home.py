"""Home: what this is, how far the workspace has come, and one button that shows it all."""

from pathlib import Path
from typing import Any, NamedTuple

import streamlit as st

from facessl.config import DemoRecipe
from facessl.dataset import SPLITS
from facessl.run import Run
from facessl.states import ACTIVE, DAMAGED
from pages._shared.backend import studio
from pages._shared.curves import CHART
from pages._shared.demo import stage_live, stage_still, working_step
from pages._shared.forms import checked, recipe_form
from pages._shared.path import Step, link_to, path_steps
from pages._shared.run_panel import progress_share
from pages._shared.widgets import page_title, shown_errors, state_badge
from pages._shared.words import count, plain

INTRODUCTION = (
    "Take face photos, most of them without a name. A network first learns from the faces alone, then from the few "
    "names there are, and then says who is on a new photo, or that it does not know."
)
FACES = Path(__file__).parents[1] / "assets" / "generated-faces.jpg"
MOST_SETS = 8  # whose faces are charted
DEMO_MAIN = ("people", "photos", "epochs")


def home() -> None:
    demo = studio().demo()
    now = what_lives(demo)
    # While the demo runs, the room on the screen is its own.
    page_title("Watch a model learn to tell people apart", "" if now.demo else INTRODUCTION)
    if not demo:
        demo_start("Run the demo", primary=True)
    # One timer for what changes by itself: cards, what runs now, the step that works. Drawing takes time from training
    # where both share two cores, so what is done is not drawn again and again.
    st.fragment(overview, run_every=3.0 if now.anything else None)(demo, now)
    stage_still(demo)
    if not now.demo:
        sets_here()
    if not demo:
        st.image(str(FACES), caption="Faces that the demo draws. None of these people exists.", width="stretch")
    damaged()
    if demo and not now.demo:
        st.divider()
        demo_start("Run the demo again", primary=False)


def damaged() -> None:
    """Say which sets and runs cannot be read any more, and let the runs be deleted: no other page shows them."""
    if sets := studio().damaged_datasets():
        st.warning(f"{count(len(sets), 'set')} cannot be read any more, because the file dataset.json is damaged: "
                   f"{plain(', '.join(sets))}. Put it back, or remove the folder and prepare the photos again.",
                   icon=":material/warning:")  # fmt: skip
    lost = studio().runs(DAMAGED)
    if not lost:
        return
    st.warning(f"{count(len(lost), 'run')} cannot be read any more, because the file config.json is damaged: "
               f"{plain(', '.join(run.id for run in lost))}.", icon=":material/warning:")  # fmt: skip
    if st.button("Delete what cannot be read", icon=":material/delete:", key="home-damaged"):
        with shown_errors():
            for run in lost:
                studio().delete(run.id)
            st.rerun()


class Living(NamedTuple):
    """What is still going to change by itself."""

    anything: bool  # a run is being worked on, or the device is being found out
    demo: bool  # the demo is being worked on
    step: str  # which of its steps is


def what_lives(demo: list[Run]) -> Living:
    in_demo = any(run.status().state in ACTIVE for run in demo)
    step = working_step(demo)
    anything = in_demo or bool(studio().active()) or studio().device() is None
    return Living(anything, in_demo, step.id if step else "")


def demo_start(label: str, *, primary: bool) -> None:
    """The button, and the sizes for who wants another demo than the usual one."""
    button = st.container(horizontal=True, vertical_alignment="center", gap="medium")
    with st.expander("A smaller or larger demo"):
        settings = recipe_form(DemoRecipe, key="demo", main=DEMO_MAIN)
    recipe = checked(DemoRecipe, settings)
    with button:
        pressed = st.button(
            label, type="primary" if primary else "secondary", icon=":material/play_circle:", disabled=recipe is None
        )
        st.caption(
            "Generated people, so nobody's privacy is touched. A few minutes on a laptop, with something to watch "
            "all the way.",
            width="content",
        )
    if pressed and recipe:
        with shown_errors():
            studio().start_demo(settings)
            st.rerun()


def overview(demo: list[Run], before: Living) -> None:
    """The live part of the page; when something has come to its end, the rest of the page is drawn anew."""
    if what_lives(demo) != before:
        st.rerun()
    machine()
    path_cards(path_steps(studio()), short=before.demo)
    if demo:
        stage_live(demo)


def sets_here() -> None:
    """Show how many faces the newest sets have, and in which splits; the first thing the Data page goes on from.

    The browser loads here what draws charts, some 5 MB, and has it when the Data page needs it.
    """
    opened = [dataset for dataset in studio().datasets() if "splits" in dataset.info["counts"]]
    if not opened:
        return
    from facessl import figures

    newest = sorted(opened, key=lambda dataset: dataset.info["created"])[-MOST_SETS:]
    faces = {split: [dataset.info["counts"]["splits"][split] for dataset in newest] for split in SPLITS}
    st.subheader("Your sets", anchor=False)
    chart = figures.photos_per_person([dataset.name for dataset in newest], faces, unit="faces")
    st.plotly_chart(chart, key="home-sets", config=CHART, alt="Faces of each set, by split")
    if len(opened) > len(newest):
        st.caption(f"The newest {len(newest)} of {len(opened):,} sets; the Data page has all of them.")


def machine() -> None:
    """Which device works here, and what it works on now."""
    device = studio().device()
    if device is None:
        where = "Finding out which device there is …"
    else:
        where = f"Computes on **{device.name}** in {device.precision}, {device.memory_gib:.0f} GiB of memory"
    running = [run.title for run in studio().active() if run.status().state != "queued"]
    waiting = sum(run.status().state == "queued" for run in studio().active())
    now = f"runs now: **{running[0]}**" if running else "nothing runs now"
    more = f", {waiting} waiting" if waiting else ""
    st.caption(f":material/memory: {where} · {now}{more}")


def path_cards(steps: list[Step], *, short: bool) -> None:
    # A link's own padding would set the title off from the lines below it.
    st.html("<style>.st-key-path [data-testid='stPageLink'] a { padding-left: 0; }</style>")
    grid = st.grid(6, min_column_width=150, gap="small", border=True, key="path")
    for number, step in enumerate(steps, start=1):
        with grid.cell():
            query: dict[str, Any] = link_to(step.run) if step.run else {}
            st.page_link(step.page, label=f"**{number} · {step.title}**", icon=step.icon, query_params=query)
            if not short:
                st.caption(step.what)
            card_state(step, short=short)


def card_state(step: Step, *, short: bool) -> None:
    if step.state == "later":
        st.badge("Not yet", color="gray")
    elif step.state == "ready":
        st.badge("Ready", color="green", icon=":material/check_circle:")
    else:
        state_badge(step.state)
    works = step.state in ("running", "stopping")
    if works and step.status:
        st.progress(progress_share(step.status))
    # What a run says while it works stands below, where the demo is shown.
    if step.figure and step.state != "queued" and not (short and works):
        st.caption(step.figure)


home()
