"""Watching a pre-training: its curves, what it looks at, its settings, and going on with others."""

from typing import Any

import streamlit as st

from facessl.config import RECIPES
from facessl.errors import FaceSSLError
from facessl.run import Run
from facessl.states import ACTIVE, CHANGEABLE, RESUMABLE, Status
from pages._shared.backend import studio
from pages._shared.curves import CHART, collapse_sentence, pretrain_curves
from pages._shared.forms import recipe_form
from pages._shared.run_panel import run_panel
from pages._shared.widgets import jpeg_uri, run_name, shown_errors
from pages._shared.words import label, plain

LEARNING = "Loss and k-NN"
# What else can be looked at: panel -> (title, field -> name of the line), one chart each.
PANELS: dict[str, tuple[tuple[str, dict[str, str]], ...]] = {
    "Rate and gradient": (
        ("**Learning rate** at the end of each epoch", {"learning_rate": "learning rate"}),
        ("**Gradient norm**, mean of an epoch", {"gradient_norm": "gradient norm"}),
    ),
    "Embeddings": (
        ("**Spread** of the embeddings: near 0, all faces have become one point", {"spread": "spread"}),
        ("**Alignment** of pairs, **uniformity** of all: low is good, though one may rise",
         {"alignment": "alignment", "uniformity": "uniformity"}),
    ),
    "Machine": (
        ("**Images a second**", {"images_per_second": "images/s"}),
        ("**Memory**, MiB", {"memory_mib": "MiB"}),
        ("**GPU use** as an epoch ends: share of the time", {"device_use": "GPU use"}),
    ),
}  # fmt: skip
WHERE_MEASURED = ("device_use",)  # a CPU has none of this, and nobody misses it there
NOTHING = "nothing"
_STRIP = 12  # faces


def watch_run(run: Run, others: list[Run]) -> None:
    """Show one run, live, with everything that can be done with it."""
    names = {other.id: run_name(other) for other in others if other.id != run.id}
    with st.container(border=True):
        status = run_panel(run, lambda shown: _pictures(shown, names), key="pretrain")
        if run.note:
            st.caption(f":material/sticky_note_2: {plain(run.note)}")
    if status.state == "finished":
        lead_on(run)
    about(run, status)


def lead_on(run: Run) -> None:
    query = {"run": run.id, "dataset": run.config["recipe"]["dataset"]}
    with st.container(horizontal=True):
        st.page_link(
            "pages/embeddings.py", label="See its embeddings", icon=":material/scatter_plot:", query_params=query
        )
        st.page_link("pages/finetune.py", label="Fine-tune it", icon=":material/tune:", query_params=query)
        st.page_link("pages/identify.py", label="Identify with it", icon=":material/person_search:", query_params=query)


# -- pictures ----------------------------------------------------------------------------------------------------


def _pictures(run: Run, others: dict[str, str]) -> None:
    rows = run.metrics()
    status = run.status()
    if sentence := collapse_sentence(rows, status.state, status.step):
        st.warning(sentence, icon=":material/warning:")
    if rows:
        _curves(run, rows, others)
    else:
        pretrain_curves(run, key=f"pretrain-{run.id}")  # says what comes
    strip(run, status)


def _curves(run: Run, rows: list[dict[str, Any]], others: dict[str, str]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        panel = st.segmented_control(
            "Curves", [LEARNING, *PANELS], default=LEARNING, key="pretrain-panel", required=True, width="content",
            wrap=True,  # on a phone the last would be out of sight
        )  # fmt: skip
        smoothing = st.slider("Smoothing", 0.0, 0.95, 0.0, 0.05, key="pretrain-smoothing", width=200)
        over = st.selectbox(
            "Lay over", [NOTHING, *others], key=f"pretrain-over-{run.id}", width=360,
            format_func=lambda chosen: others.get(chosen, chosen),
        ) if others else NOTHING  # fmt: skip
    laid = {others[over]: studio().run(over).metrics()} if over in others else {}
    if panel == LEARNING:
        pretrain_curves(run, key=f"pretrain-{run.id}", smoothing=smoothing, over=laid)
        return
    shown = [(title, fields) for title, fields in PANELS[panel] if not skipped(rows, fields)]
    for column, (title, fields) in zip(st.columns(len(shown), gap="medium"), shown, strict=True):
        with column:
            st.markdown(title)
            _chart(rows, fields, key=f"pretrain-{run.id}-{'-'.join(fields)}", smoothing=smoothing, over=laid)


def skipped(rows: list[dict[str, Any]], fields: dict[str, str]) -> bool:
    """Return whether a chart is left out: nothing of it was measured, and on this machine nothing will be."""
    return all(field in WHERE_MEASURED and all(row.get(field) is None for row in rows) for field in fields)


def _chart(
    rows: list[dict[str, Any]], fields: dict[str, str], *, key: str, smoothing: float, over: dict[str, Any]
) -> None:
    from facessl import figures

    if not any(row.get(field) is not None for row in rows for field in fields):
        st.caption("Nothing of this has been measured yet.")
        return
    figure = figures.run_curve(rows, fields, title=", ".join(fields.values()), smoothing=smoothing, over=over)
    st.plotly_chart(figure, key=key, config=CHART)


def strip(run: Run, status: Status) -> None:
    """Show views of the epoch at work, or of the last one: each face above its other view."""
    epochs = run.config["recipe"]["epochs"]
    epoch = min(status.epoch, epochs - 1)
    try:
        views = studio().first_views(run.id, epoch, _STRIP)
    except FaceSSLError as error:
        st.caption(f"Its views cannot be shown: {plain(str(error))}")
        return
    of = f"epoch {epoch + 1}" if status.state in ACTIVE else f"epoch {epoch + 1}, where it stands"
    pairs = (
        "with its other view below; the two shall come out alike" if len(views) == 2 else "as its task begins with it"
    )
    st.caption(f"The first faces of {of}, each {pairs}.")
    image = '<img src="{}" alt="{}" style="width:100%; aspect-ratio:1; border-radius:0.4rem; display:block">'
    cells = "".join(
        '<div style="flex:1 0 64px; max-width:110px; display:flex; flex-direction:column; gap:0.3rem">'
        + "".join(image.format(jpeg_uri(view[face]), f"face {face + 1}, view {n}") for n, view in enumerate(views))
        + "</div>"
        for face in range(len(views[0]))
    )
    st.html(f'<div style="display:flex; gap:0.4rem; overflow-x:auto">{cells}</div>')


# -- what it is, and going on ------------------------------------------------------------------------------------


def about(run: Run, status: Status) -> None:
    """Show a run's settings, its title and note, and what it may go on with: one below the other, each wide."""
    settings_of(run)
    title_and_note(run)
    go_on(run, status)


def settings_of(run: Run) -> None:
    """Show the recipe, what its "auto" came to, and what was changed on the way."""
    content = run.config
    with st.expander("Settings of this run", icon=":material/list:"):
        for change in content.get("changes", []):
            st.markdown(f":material/history: {change_sentence(change)}")
        if resolved := content.get("resolved"):
            st.markdown("**What “auto” came to**")
            st.dataframe(
                {"Setting": [label(name) for name in resolved], "Value": [str(value) for value in resolved.values()]},
                hide_index=True, alt="What auto came to",
            )  # fmt: skip
        st.markdown("**The recipe**")
        st.json(content["recipe"], expanded=1)
        st.caption(run.id)


def change_sentence(change: dict[str, Any]) -> str:
    """Return one change of settings in words: ``2026-11-22 23:10, after epoch 5: learning rate 0.001 → 0.0005``."""
    what = ", ".join(f"{label(name).lower()} {change['from'][name]} → {to}" for name, to in change["to"].items())
    return plain(f"{change['when'][:16].replace('T', ' ')}, after epoch {change['epoch']}: {what}")


def title_and_note(run: Run) -> None:
    with st.expander("Title and note", icon=":material/edit:"), st.form(f"describe-{run.id}", border=False):
        title = st.text_input("Title", run.title, max_chars=120, key=f"title-{run.id}")
        note = st.text_area("Note", run.note, max_chars=4000, key=f"note-{run.id}")
        if st.form_submit_button("Save", icon=":material/save:"):
            with shown_errors():
                studio().rename(run.id, title)
                studio().note(run.id, note)
                st.rerun()


def go_on(run: Run, status: Status) -> None:
    """Offer to take the run up again with more epochs, or whatever else may change."""
    if status.state not in RESUMABLE and not (status.state == "finished" and (run.path / "state.pt").exists()):
        return
    recipe = run.config["recipe"]
    key = f"go-on-{run.id}-{len(run.config.get('changes', []))}"
    with st.expander("Go on with other settings", icon=":material/forward:"), st.form(key, border=False):
        values = recipe_form(RECIPES[run.kind], key=key, defaults=recipe, show=CHANGEABLE)
        st.caption("It goes on from where it is; what it has learnt stays.")
        pressed = st.form_submit_button("Go on with these", icon=":material/play_arrow:")
    if not pressed:
        return
    changes = {name: value for name, value in values.items() if value != recipe[name]}
    if not changes:
        st.info("These are the settings that it has; change one.", icon=":material/info:")
        return
    with shown_errors(RECIPES[run.kind]):
        studio().resume(run.id, changes)
        st.rerun()
