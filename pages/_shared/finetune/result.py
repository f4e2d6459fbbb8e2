"""What a fine-tuning reached on ``test``: top-1, 3 and 5 with their intervals, beside methods without a network."""

from typing import Any

import streamlit as st

from facessl.run import Run
from pages._shared import results
from pages._shared.widgets import verdict_box
from pages._shared.words import count, percent, plain

_HOW = {
    "frozen": "frozen, with one linear layer trained on top",
    "fine-tuned": "fine-tuned as a whole",
    "fine-tuned, its linear probe kept": "fine-tuned as a whole, to no gain: its linear probe, frozen, is judged",
}


def show_figures(run: Run) -> None:
    """Show the figures on ``test`` and the plain methods' beside them."""
    result, recipe = run.result(), run.config["recipe"]
    network = results.test_score(run, name="This network")
    if result is None or network is None:
        return
    found = result["metrics"]
    st.subheader("On test photos", anchor=False)
    st.markdown(in_words(result, recipe))
    if stopped := result.get("early_stop"):
        if stopped["early"]:
            st.info(plain(stopped["why"]), icon=":material/front_hand:")
        else:
            st.caption(plain(stopped["why"]))
    if refit := result.get("refit"):
        now, before = percent(refit["val_top1"]), percent(refit["val_top1_before"])
        st.caption(
            f"At the end the classifier was fitted anew on what the network has become: {now} right "
            f"{'as before' if now == before else f'instead of {before}'}, on "
            f"{count(refit['val_photos'], 'validation photo')}."
        )
    grid = st.grid(4, min_column_width=175)
    for k in (1, 3, 5):
        interval = found[f"top{k}_interval"]
        grid.cell().metric(
            f"top-{k}", percent(found[f"top{k}"]), border=True, delta_color="off", delta_arrow="off",
            delta="95 %: " + " – ".join(percent(end) for end in interval) if interval else "not more people",
            help="The right name is first." if k == 1 else f"The right name is among the first {k}. "
            "A dash where there are no more people than that.",
        )  # fmt: skip
    grid.cell().metric(
        "macro-F1", percent(found.get("macro_f1")), border=True, delta_color="off", delta_arrow="off",
        delta="every person alike", help="The mean F1 of the people who have a test photo, however many they have.",
    )  # fmt: skip
    st.subheader("Against plain methods", anchor=False)
    plain_methods(network, run)


def in_words(result: dict[str, Any], recipe: dict[str, Any]) -> str:
    """Return what was measured, on what, how the network was trained, and what it had seen before, in sentences."""
    found = result["metrics"]
    right, photos = round(found["top1"] * found["photos"]), found["photos"]
    share = recipe["label_fraction"]
    labels = "all train labels" if share >= 1 else f"{percent(share, 0)} of the train labels"
    learnt = f" ({count(found['train_photos'], 'photo')})" if "train_photos" in found else ""
    said = (
        f"**{right:,} of {photos:,}** faces of the `test` split got the right name first. "
        f"The network was **{_HOW[results.trained_how(recipe, result)]}**, on {labels}{learnt}."
    )
    return " ".join([said, *(plain(note) for note in result.get("notes", []))])


def plain_methods(network: results.Score, run: Run) -> None:
    """Put the network into one table with what needs no network at all, and say who wins."""
    baselines, found = results.baseline_scores(run), results.against_plain(network, run)
    verdict_box(found, found.said)
    rows = sorted([network, *baselines], key=lambda score: -score.share)
    number = st.column_config.NumberColumn(format="%.1f %%")
    table: dict[str, list[Any]] = {
        "What": [score.name for score in rows],
        "top-1": [score.share * 100 for score in rows],
        "95 % interval": [f"{percent(score.low)} – {percent(score.high)}" for score in rows],
        "macro-F1": [None if score.macro_f1 is None else score.macro_f1 * 100 for score in rows],
        "How": [score.how for score in rows],
        "Split": [score.split for score in rows],
        "Photos": [score.photos for score in rows],
    }
    if all(score.macro_f1 is None for score in baselines):
        del table["macro-F1"]  # runs of before it was measured for the plain methods: nothing to compare with
    st.dataframe(
        table, hide_index=True, row_height=44, height="content",
        column_config={
            "What": st.column_config.TextColumn(width=results.NAME_WIDTH),
            "top-1": st.column_config.ProgressColumn(
                format="%.1f %%", min_value=0, max_value=100, width=results.BAR_WIDTH
            ),
            "macro-F1": number,
        },
        alt="Top-1 on the test photos: the network and the plain methods",
    )  # fmt: skip
