"""The demo on Home: the step that works now, what the others have shown, and what came out."""

import streamlit as st

from facessl.run import Run
from facessl.states import ACTIVE, RESUMABLE
from pages._shared import results
from pages._shared.backend import studio
from pages._shared.curves import CHART, contact_sheet, finetune_curves, pretrain_curves
from pages._shared.path import PAGE_OF, PAGE_TITLE, link_to
from pages._shared.run_panel import progress_share, progress_text, run_log
from pages._shared.widgets import shown_errors, state_badge
from pages._shared.words import PLAIN_KNN, count, duration, percent, plain

WHAT = {
    "prepare": "Photos become faces",
    "pretrain": "It learns from faces without names",
    "embed": "The map of all faces",
    "finetune": "It learns the names",
}
_HOW = {
    "knn_whitened_pixels": "Their principal components, with the mirror image's: no learning, and hard to beat.",
    "knn_pixels": "Mean and contrast of each photo removed.",
    "knn_raw_pixels": "As they are.",
}


def working_step(demo: list[Run]) -> Run | None:
    """Return the step of the demo that is being worked on."""
    return next((run for run in demo if run.status().state in ("running", "stopping")), None)


def stage_live(demo: list[Run]) -> None:
    """Show how the demo stands and the step that works now: what changes by itself."""
    done = all(run.status().state == "finished" for run in demo)
    stage_head(demo, done)
    if done:
        demo_result(demo)
    if (current := working_step(demo)) is not None:
        show_step(current)


def stage_still(demo: list[Run]) -> None:
    """Show the other steps that have begun: while the demo works newest first, afterwards the story as it went."""
    current = working_step(demo)
    begun = [run for run in demo if run is not current and run.status().state != "queued"]
    shown = [run for run in begun if run.metrics() or _has_pictures(run)]
    for run in shown if all(run.status().state == "finished" for run in demo) else reversed(shown):
        show_step(run)


def _has_pictures(run: Run) -> bool:
    return (run.path / "preview.jpg").exists() or run.status().state == "finished"


def stage_head(demo: list[Run], done: bool) -> None:
    active = [run for run in demo if run.status().state in ACTIVE]
    lost = [run for run in demo if run.status().state in RESUMABLE]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("The demo", anchor=False, width="content")
        if done:
            st.caption(f"took {duration(sum(run.status().seconds for run in demo))}", width="content")
        st.space("stretch")
        if active and st.button("Stop the demo", icon=":material/stop:"):
            for run in active:
                studio().stop(run.id)
            st.rerun()
        if not active and lost and st.button("Resume the demo", icon=":material/play_arrow:", type="primary"):
            with shown_errors():
                studio().resume(lost[0].id)
                st.rerun()
    for run in lost:
        if error := run.status().error:
            st.error(f"{plain(run.title)}: {plain(error)}", icon=":material/error:")


def show_step(run: Run) -> None:
    """One step of the demo: what it does, how far it is, what there is to see."""
    status = run.status()
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{WHAT[run.kind]}**", width="content")
            with st.container(width="content"):
                state_badge(status.state)
            st.caption(progress_text(status), width="content")
            st.space("stretch")
            if status.state == "finished":
                st.page_link(
                    PAGE_OF[run.kind], label=f"Open {PAGE_TITLE[run.kind]}", icon=":material/arrow_forward:",
                    icon_position="right", query_params=link_to(run),
                )  # fmt: skip
        if status.state in ACTIVE:
            st.progress(progress_share(status), text=status.message or "Starting.")
        show_pictures(run)
        run_log(run)


def show_pictures(run: Run) -> None:
    """What there is to see of a run, while it works and afterwards."""
    if run.kind == "prepare":
        contact_sheet(run)
    elif run.kind == "pretrain":
        pretrain_curves(run, key=run.id)
    elif run.kind == "embed":
        demo_map(run)
    else:
        finetune_curves(run, key=run.id)


def demo_map(run: Run) -> None:
    if run.status().state != "finished":
        st.caption("Each face becomes a point; faces that the network finds alike lie close together.")
        return
    with shown_errors():
        draw_demo_map(run)


def draw_demo_map(run: Run) -> None:
    from facessl import figures

    dataset = studio().dataset(run.config["recipe"]["dataset"])
    stored = studio().embedding(run.id)
    rows = stored.shown(dataset.used)
    figure = figures.embedding_map(*stored.map[rows].T, dataset.labels(rows), dataset.people, rows)
    st.plotly_chart(figure, key=f"{run.id}-map", config=CHART)


def demo_result(demo: list[Run]) -> None:
    """Say in plain figures what came out, and lead on to Identify."""
    by_kind = {run.kind: run for run in demo}
    learnt = (by_kind["pretrain"].result() or {}).get("metrics", {})
    classifier = by_kind["finetune"]
    named = (classifier.result() or {}).get("metrics", {})
    with st.container(border=True):
        columns = st.grid(6, min_column_width=150)
        if learnt.get("knn_accuracy") is not None:
            plain_methods = [learnt[field] for field in PLAIN_KNN if learnt.get(field) is not None]
            gain = f"{100 * (learnt['knn_accuracy'] - max(plain_methods)):+.1f} points" if plain_methods else None
            columns.metric(
                "k-NN, no names", percent(learnt["knn_accuracy"]), gain,
                help="Each val face is named by a vote of its nearest train faces. "
                "Accuracy only, no macro-F1. The gain is over the best of those beside it.",
            )  # fmt: skip
            for field, name in PLAIN_KNN.items():
                if learnt.get(field) is not None:
                    columns.metric(name, percent(learnt[field]), help=_HOW.get(field))
        if named.get("top1") is not None:
            columns.metric(
                "Top-1 on test", percent(named["top1"]),
                help="Share of test photos named rightly by the fine-tuned network.",
            )  # fmt: skip
        st.markdown(named_sentence(classifier))
        if st.button("Now identify a face", type="primary", icon=":material/person_search:"):
            st.switch_page("pages/identify.py", query_params=link_to(classifier))


def named_sentence(classifier: Run) -> str:
    """Return how the fine-tuned network does beside the best plain method on the same test photos."""
    score = results.test_score(classifier)
    if score is None:
        return ""
    verdict = results.against_plain(score, classifier).said
    interval = f"95 % interval {percent(score.low, 0)} to {percent(score.high, 0)}"
    photos = count(score.photos, f"{score.split} photo")
    named = f"After learning the names, {score.how}, it names {percent(score.share)} of {photos} rightly"
    return f"{named} ({interval}). {verdict}"
