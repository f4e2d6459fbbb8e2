"""Compare: who wins on a set's faces, runs side by side, two models person by person; and studies of several runs."""

import streamlit as st

from facessl.dataset import FaceDataset
from facessl.errors import RunError
from facessl.states import ACTIVE
from pages._shared.backend import studio
from pages._shared.compare.board import board
from pages._shared.compare.link import keep
from pages._shared.compare.names import names_of
from pages._shared.compare.pairs import pairs
from pages._shared.compare.side import side_by_side
from pages._shared.compare.studies import studies
from pages._shared.studied import without_those_of_studies
from pages._shared.whole import with_results
from pages._shared.widgets import choose, empty_state, page_tabs, page_title, pick_dataset
from pages._shared.words import count, plain

RUNS, PAIRS, STUDIES = "Runs", "Pairs", "Studies"
TABS = "compare-tabs"
_KINDS = ("pretrain", "finetune")


def main() -> None:
    page_title("Compare", "Every run on the same photos, next to what needs no network at all.")
    follow_link()
    dataset = pick_dataset(key="compare-dataset")
    if dataset is None:
        empty_state("There are no faces yet. Prepare a set first.", page="pages/data.py", link="Open Data")
        return
    seen = standing(dataset)
    st.fragment(look_out, run_every=3.0)(dataset, seen)
    of_runs, of_pairs, of_studies = page_tabs([RUNS, PAIRS, STUDIES], key=TABS, first=linked_tab())
    # What is open is what the link shows.
    keep("tab", "pairs" if of_pairs.open else "studies" if of_studies.open else None)
    if not of_studies.open:
        keep("study", None)
    if of_runs.open:
        with of_runs:
            compare_runs(dataset)
    if of_pairs.open:
        with of_pairs:
            pairs(dataset)
    if of_studies.open:
        with of_studies:
            studies(dataset)


def linked_tab() -> str:
    """Return the tab that the link asks for; one of a study need not name it."""
    at_first = STUDIES if "study" in st.query_params else RUNS
    return {"pairs": PAIRS, "studies": STUDIES}.get(st.query_params.get("tab", ""), at_first)


def follow_link() -> None:
    """Choose the set that a linked study is about, where the link names none."""
    asked = st.query_params.get("study")
    if asked and "dataset" not in st.query_params:
        try:
            choose("dataset", studio().run(asked).config["recipe"]["dataset"], key="compare-dataset")
        except RunError:
            return  # the tab says that there is none


def standing(dataset: FaceDataset) -> list[tuple[str, str, str]]:
    """Return what the page shows of a set's runs and a run started, renamed or ended elsewhere would change."""
    kinds = (*_KINDS, "study", "evaluate")
    return [(run.id, run.status().state, run.title) for run in studio().runs()
            if run.kind in kinds and run.config["recipe"]["dataset"] == dataset.name]  # fmt: skip


def look_out(dataset: FaceDataset, seen: list[tuple[str, str, str]]) -> None:
    """Draw the page anew when runs have come, gone or ended, whoever did it; a fragment with a timer."""
    if standing(dataset) != seen:
        st.rerun()


def compare_runs(dataset: FaceDataset) -> None:
    """Compare the finished runs of a set, those of studies only where somebody wants to see them."""
    there = [run for run in studio().runs() if run.kind in _KINDS and run.config["recipe"]["dataset"] == dataset.name]
    finished = with_results(there)
    working = sum(run.status().state in ACTIVE for run in there if run not in finished)
    if working:
        st.caption(f":material/hourglass_top: {count(working, 'run')} on this set still at work; each joins in "
                   "when it is finished.")  # fmt: skip
    if not finished:
        empty_state(
            f"No run on **{plain(dataset.name)}** is finished yet. Pre-train or fine-tune a network first.",
            page="pages/pretrain.py", link="Open Pre-train",
        )  # fmt: skip
        return
    shown = without_those_of_studies(finished, st.query_params.get_all("run"), key="compare-of-studies")
    named = names_of(shown)
    board(shown, named, dataset)
    side_by_side(shown, named)


if __name__ == "__main__":
    main()
