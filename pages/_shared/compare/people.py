"""Two models on the same test photos: is the difference real, and who gains or loses by it, person by person."""

import csv
import io
import zlib
from collections.abc import Sequence

import numpy as np
import streamlit as st

from facessl.run import Run
from facessl.significance import EXACT_BELOW, McNemar
from pages._shared.compare import judged
from pages._shared.compare.charts import chart
from pages._shared.compare.judged import Judged
from pages._shared.whole import name_lost
from pages._shared.words import count, plain

_PAIR = "pair"  # in the link


def two_models(runs: Sequence[Run], named: dict[str, str]) -> None:
    """Let two of the fine-tunings be chosen, and compare them photo by photo and person by person."""
    able = [run for run in runs if judged.judged(run) is not None]
    name_lost("What it answered", "What they answered", [run for run in runs if run not in able])
    if len(able) < 2:
        return
    st.subheader("Two models, person by person", anchor=False)
    first, second = pick_two(able, named)
    if first.id == second.id:
        st.caption("Choose two different runs.")
        return
    one, other = judged.judged(first), judged.judged(second)
    assert one is not None and other is not None
    test = judged.tested(first, second)
    if test is None:
        st.info("These two were judged on different test photos, so their answers cannot be compared one by one.",
                icon=":material/info:")  # fmt: skip
        return
    names = (named[first.id], named[second.id])
    say(test, names)
    by_person(one, other, names)


def pick_two(runs: Sequence[Run], named: dict[str, str]) -> tuple[Run, Run]:
    """Let two runs be chosen; the choice is in the link, as ``pair=…&pair=…``."""
    by_id = {run.id: run for run in runs}
    ids = list(by_id)
    asked = [run_id for run_id in st.query_params.get_all(_PAIR) if run_id in by_id]
    wanted = asked if len(asked) == 2 else ids[:2]
    chosen = []
    for column, number in zip(st.columns(2), (0, 1), strict=True):
        # A select knows its options by their names: another list is another select.
        key = f"compare-pair-{number}-{zlib.crc32(' '.join(named[i] for i in ids).encode()):x}"
        # At every drawing: a browser that missed the first would show, and at the next click choose, the first run.
        before = st.session_state.get(key)
        st.session_state[key] = before if before in by_id else wanted[number]
        label = ("First model", "Second model")[number]
        chosen.append(column.selectbox(label, ids, key=key, format_func=named.__getitem__))
    st.query_params[_PAIR] = chosen
    return by_id[chosen[0]], by_id[chosen[1]]


def say(test: McNemar, names: tuple[str, str]) -> None:
    """Say in a sentence whether the difference is more than chance, and show the four counts behind it."""
    said = judged.said(test, *(f"*{plain(name)}*" for name in names))
    (st.success if test.real else st.info)(f"{said[:1].upper()}{said[1:]}", icon=":material/balance:")
    how = "exact binomial" if test.exact else "chi-squared with continuity correction"
    st.caption(
        f"McNemar's test on {count(test.photos, 'test photo')}, {how} (exact below {EXACT_BELOW} photos on which they "
        f"differ). Both got {test.both:,} right and {test.neither:,} wrong. Of twenty pairs of equally good models "
        "one will look different by chance."
    )


def by_person(one: Judged, other: Judged, names: tuple[str, str]) -> None:
    """Show each person's recall by both models, as a table that sorts and a chart."""
    from facessl import figures

    recall, photos = one.recall()
    there = np.flatnonzero(photos)
    people = [one.people[i] for i in there]
    places = [other.people.index(name) for name in people]  # their labels may be others
    first, second, photos = recall[there], other.recall()[0][places], photos[there]
    better, worse = int((first > second).sum()), int((first < second).sum())
    st.markdown(
        f"Of {count(len(people), 'person', 'people')} with test photos, the first model finds {better} more often, the "
        f"second {worse}; for {len(people) - better - worse} they do the same."
    )
    drawn, title = np.arange(len(people)), "Recall of each person on test"
    if len(people) > figures.NAMED_UP_TO and 0 < better + worse <= figures.NAMED_UP_TO:
        drawn, title = np.flatnonzero(first != second), "Recall on test, of those whom the two find differently"
    elif len(people) > figures.NAMED_UP_TO:
        title = "Recall on test: the difference, person by person"
    figure = figures.recall_of_two([people[i] for i in drawn], first[drawn], second[drawn], photos[drawn], names)
    chart(figure, title=title, key="compare-recall", name="recall by person")
    table(people, first, second, photos, names)


def table(
    people: Sequence[str], first: np.ndarray, second: np.ndarray, photos: np.ndarray, names: tuple[str, str]
) -> None:
    """Show the recalls of two models, shape (P,) in 0-1, as numbers that sort; the greatest differences come first."""
    order = np.argsort(-np.abs(first - second), kind="stable")
    rows = {
        "Person": [people[i] for i in order],
        "Test photos": photos[order],
        "First": 100 * first[order],
        "Second": 100 * second[order],
        "Difference": 100 * (first - second)[order],
    }
    percent = st.column_config.NumberColumn(format="%.1f %%")
    st.dataframe(
        rows, hide_index=True, height="content" if len(people) <= 12 else 420, alt="Recall of each person by both",
        column_config={
            "First": percent, "Second": percent,
            "Difference": st.column_config.NumberColumn(format="%+.1f", help="Points; above 0 the first finds more."),
        },
    )  # fmt: skip
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["Person", "Test photos", *(f"Recall of {name}, %" for name in names)])
    writer.writerows(zip(rows["Person"], rows["Test photos"], rows["First"], rows["Second"], strict=True))
    st.download_button("Download as CSV", text.getvalue(), file_name="recall-by-person.csv", mime="text/csv",
                       icon=":material/download:", key="compare-people-csv")  # fmt: skip
