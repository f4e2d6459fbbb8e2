"""Who leads: a sentence, then every run of a set and the plain methods in one table; the same as CSV."""

import csv
import io
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from typing import Any

import streamlit as st

from facessl.dataset import FaceDataset
from facessl.run import Run
from pages._shared import results
from pages._shared.backend import studio
from pages._shared.compare import judged
from pages._shared.compare.cost import cost_of
from pages._shared.compare.names import flat, row_height
from pages._shared.results import BAR_WIDTH, NAME_WIDTH, Score
from pages._shared.widgets import verdict_box
from pages._shared.words import OF_ONE, count, percent, plain

_PLAIN = "plain method"
_CHANGED = "The set was changed since: its test part is another now, so judge them on it by training them again."
_OF_OTHERS = "test, other photos"  # than those of the newest run
_FEW_ROWS = 12  # are shown whole
_FEW_SECONDS = 9.95
_SHARES = ("share", "low", "high", "labels", "macro_f1")  # of a score, 0-1


def board(runs: Sequence[Run], named: dict[str, str], dataset: FaceDataset) -> None:
    """Say who wins, and show the tables behind it."""
    tuned = [run for run in runs if run.kind == "finetune"]
    trained = [run for run in runs if run.kind == "pretrain"]
    unlike = judged.on_other_photos(tuned)
    scores = [score for run in tuned if (score := results.test_score(run, named[run.id]))]
    networks = [score for score in scores if score.run not in unlike]
    others = [replace(score, split=_OF_OTHERS) for score in scores if score.run in unlike]
    classified = [*networks, *others, *plain_of(tuned, unlike)]
    recognised = val_rows(trained, named)
    if networks:
        who_wins(networks, dataset.name, others=len(others), changed=judged.has_changed(dataset, tuned[0]))
        st.subheader("Naming faces, on the test split", anchor=False)
        table(classified, "top-1")
        if seen := seen_before([*networks, *others]):
            st.caption(f":material/info: {seen}")
    if recognised:
        if not networks:
            who_recognises(recognised)
        st.subheader("Recognising faces after pre-training, on the val split", anchor=False)
        st.caption(
            "Accuracy only, no macro-F1: k-NN on frozen features, the vote of the nearest train photos. Not comparable "
            "with the other table."
        )
        table(recognised, "k-NN")
    st.download_button(
        "Download as CSV", as_csv([*classified, *recognised], runs), file_name=f"{dataset.name}-runs.csv",
        mime="text/csv", icon=":material/download:", key="compare-csv",
    )  # fmt: skip


# -- in words ----------------------------------------------------------------------------------------------------


def who_wins(networks: Sequence[Score], dataset: str, *, others: int = 0, changed: bool = False) -> None:
    """Say which network is best on ``test``, whether plain methods beat it, and whether its lead may be chance.

    ``others`` is how many more were judged on other test photos; ``changed`` says that the set has others now.
    """
    ranked = sorted(networks, key=lambda score: -score.share)
    best = ranked[0]
    # Judged against the plain methods of its own run: the same labels, the same photos.
    found = results.against_plain(best, studio().run(best.run))
    right = round(best.share * best.photos)
    first = (
        f"**{plain(best.name)}** is the best network on **{plain(dataset)}**: {right:,} of {best.photos:,} test photos "
        f"named rightly ({percent(best.share)}, 95 % interval {percent(best.low, 0)} to {percent(best.high, 0)}, "
        f"{best.how}, {of_labels(best)})."
    )
    parts = [first, seen_before([best]), found.said, against_next(ranked), of_many(ranked), of_others(others)]
    verdict_box(found, " ".join([part for part in parts if part] + [_CHANGED] * changed))


def seen_before(scores: Sequence[Score]) -> str:
    """Return in a sentence which networks had learnt from photos that they were judged on; "" where none had."""
    seen = [f"*{plain(s.name)}* from {s.learnt_from:,} of {s.photos:,}" for s in scores if s.learnt_from]
    if not seen:
        return ""
    return f"Learnt from test photos before, so to be compared with others of their kind only: {', '.join(seen)}."


def against_next(ranked: Sequence[Score]) -> str:
    """Return in a sentence whether the first of two or more networks is better than the second by more than chance."""
    if len(ranked) < 2:
        return ""
    first, second = ranked[:2]
    name = f"*{plain(second.name)}*"
    runs = studio().run(first.run), studio().run(second.run)
    test = judged.tested(*runs)
    if test is None:
        return f"Next comes {name} ({percent(second.share)}); answers are gone, so photo by photo nobody can say more."
    return f"Next comes {name} ({percent(second.share)}): {judged.said(test, 'the first', 'the second')}"


def of_many(ranked: Sequence[Score]) -> str:
    """Return what a best of several has to have said of it: the photos that chose it flatter it."""
    if len(ranked) < 3:
        return ""
    return f"It was picked from {len(ranked)} by these very photos, so part of its lead may be luck."


def of_others(number: int) -> str:
    """Return in a sentence how many networks are not ranked, for they were judged on other photos; "" where none."""
    if not number:
        return ""
    were = "was" if number == 1 else "were"
    return (
        f"{count(number, 'network')} {were} judged on other test photos, for the set has changed, and "
        f"{'is' if number == 1 else 'are'} not ranked here."
    )


def of_labels(score: Score) -> str:
    """Return in words how many names a score was reached with."""
    return "all labels" if score.labels is None or score.labels >= 1 else f"{percent(score.labels, 0)} of the labels"


def who_recognises(scores: Sequence[Score]) -> None:
    """Say which pre-training is best on ``val``; for a set on which nothing was fine-tuned yet."""
    best = max((score for score in scores if score.how != _PLAIN), key=lambda score: score.share)
    found = results.verdict(best, [s for s in scores if s.how == _PLAIN and s.run == best.run])
    text = (
        f"**{plain(best.name)}** recognises faces best of the networks: {percent(best.share)} of "
        f"{count(best.photos, 'val photo')} lie next to the right person ({best.how}). {found.said}"
    )
    verdict_box(found, text)


# -- the tables --------------------------------------------------------------------------------------------------


def plain_of(runs: Sequence[Run], others: Collection[str] = ()) -> list[Score]:
    """Return each plain method once for each share of labels that a run used, from the newest such run.

    An untrained network is a method of its own for each backbone. ``others`` are the ids of the runs that were judged
    on other photos: a method that was judged beside them alone says so.
    """
    newest = {
        (score.labels or 0, score.name): score for run in reversed(runs) for score in results.baseline_scores(run)
    }
    told = [replace(score, split=_OF_OTHERS) if score.run in others else score for score in newest.values()]
    return sorted(told, key=lambda score: -(score.labels or 0))


def val_rows(runs: Sequence[Run], named: dict[str, str]) -> list[Score]:
    """Return what pre-training alone reaches on ``val``, and each plain method that was measured, once."""
    scores: list[Score] = []
    for run in runs:
        found = results.val_scores(run)
        scores += [replace(found[0], name=named[run.id]), *found[1:]] if found else []
    once = {(score.name, round(score.share, 6), score.photos): score for score in reversed(scores)}
    return told_apart(list(once.values())[::-1])


def told_apart(scores: Sequence[Score]) -> list[Score]:
    """Return scores of which no two have one name: those that chance made differ in the seed of the run beside."""
    times = Counter(score.name for score in scores)
    seeds = {score.run: studio().run(score.run).config["recipe"].get("seed", 0) for score in scores}
    return [
        replace(score, name=f"{score.name} · seed {seeds[score.run]}") if times[score.name] > 1 else score
        for score in scores
    ]


def table(scores: Sequence[Score], measure: str) -> None:
    """Draw scores as rows, the best first; what is a number sorts as one."""
    # Of equals the networks first; last what was judged on other photos.
    rows = sorted(scores, key=lambda score: (score.split == _OF_OTHERS, -score.share, score.how == _PLAIN))
    by_run = {score.run: studio().run(score.run) for score in rows}
    seconds = {run_id: cost_of(run).seconds for run_id, run in by_run.items()}
    columns: dict[str, list[Any]] = {
        "What": [score.name for score in rows],
        measure: [score.share * 100 for score in rows],
        "95 % interval": [f"{percent(score.low)} – {percent(score.high)}" for score in rows],
        "macro-F1": [_hundredfold(score.macro_f1) for score in rows],
        "How": [score.how for score in rows],
        "Labels used": [_hundredfold(score.labels) for score in rows],
        "Split": [score.split for score in rows],
        "Photos": [score.photos for score in rows],
        "Seconds trained": [_rounded(seconds[score.run]) if score.how != _PLAIN else None for score in rows],
    }
    if measure == "k-NN":
        del columns["Labels used"], columns["macro-F1"]  # none were; not measured
    number = st.column_config.NumberColumn
    few = len(rows) <= _FEW_ROWS
    st.dataframe(
        columns, hide_index=True, height="content" if few else 560,
        row_height=row_height(columns["What"]),
        alt=f"Runs and plain methods by {measure}", placeholder="–",
        column_config={
            "What": st.column_config.TextColumn(width=NAME_WIDTH),
            measure: st.column_config.ProgressColumn(format="%.1f %%", min_value=0, max_value=100, width=BAR_WIDTH),
            "macro-F1": number(format="%.1f %%", help="Mean F1 over the people, so that each counts alike."),
            "Labels used": number(format="%.0f %%", help="Share of each person's train labels."),
            "Seconds trained": number(format="localized", help="With those of the runs that it began from."),
        },
    )  # fmt: skip


def _hundredfold(share: float | None) -> float | None:
    return None if share is None else share * 100


def _rounded(seconds: float | None) -> float | None:
    """Return seconds as they are shown: tenths where they are few, for a run of half a second is not one of none."""
    return None if seconds is None else round(seconds, 1) if seconds < _FEW_SECONDS else float(round(seconds))


def as_csv(scores: Sequence[Score], runs: Sequence[Run]) -> str:
    """Return all rows as CSV, with the settings of the run they come from."""
    recipes = {run.id: flat(run.config["recipe"]) for run in runs}
    settings = sorted({name for recipe in recipes.values() for name in recipe})
    text = io.StringIO()
    columns = {name: f"{name}{OF_ONE}" if name in _SHARES else name for name in Score.__dataclass_fields__}
    writer = csv.DictWriter(text, [*columns.values(), *settings])
    writer.writeheader()
    for score in scores:
        # A plain method has no settings of its own; the run says which photos it saw.
        own = recipes[score.run] if score.how != _PLAIN else {}
        writer.writerow({**own, **{columns[name]: value for name, value in asdict(score).items()}})
    return text.getvalue()
