"""The classification report: precision, recall and F1 of each person, to sort, and from any row the photos."""

from typing import Any

import numpy as np
import streamlit as st

from facessl.dataset import FaceDataset
from facessl.run import Run
from pages._shared.finetune.answers import Answers
from pages._shared.finetune.photos import photos_grid
from pages._shared.words import count, percent

_MEASURES = {
    "precision": ("Precision", "Given this name: how often rightly."),
    "recall": ("Recall", "Of the person's photos: how many found."),
    "f1-score": ("F1", "Harmonic mean of the two."),
}


def person_table(run: Run, dataset: FaceDataset, answers: Answers) -> np.ndarray:
    """Show each person who has a test photo, the worst first; return the places of the photos that are shown."""
    people, rows = tested(answers)
    if not people:
        return np.zeros(0, int)
    event: Any = st.dataframe(
        {
            "Person": [answers.people[label] for label in people],
            **{title: [100 * row[name] for row in rows] for name, (title, _) in _MEASURES.items()},
            "Test photos": [int(row["support"]) for row in rows],
        },
        hide_index=True, height="content" if len(people) <= 12 else 460, alt="Precision, recall and F1 of each person",
        key=f"finetune-people-{run.id}", on_select="rerun", selection_mode="single-row",
        column_config={
            title: st.column_config.NumberColumn(format="%.1f %%", help=said) for title, said in _MEASURES.values()
        },
    )  # fmt: skip
    st.caption(in_words(rows, len(answers.people) - len(people)))
    chosen = event["selection"]["rows"]
    if not chosen or chosen[0] >= len(people):
        return np.zeros(0, int)
    label = people[chosen[0]]
    places = answers.cell(label)
    photos_grid(run, dataset, answers, places, key=f"finetune-person-photos-{run.id}-{label}")
    return places


def tested(answers: Answers) -> tuple[list[int], list[dict[str, float]]]:
    """Return the labels of the people with a test photo, the lowest F1 first, and their rows of the report."""
    report = answers.report
    there = [label for label, name in enumerate(answers.people) if report.get(name, {}).get("support")]
    there.sort(key=lambda label: (report[answers.people[label]]["f1-score"], answers.people[label]))
    return there, [report[answers.people[label]] for label in there]


def in_words(rows: list[dict[str, float]], untested: int) -> str:
    """Return the means over the people who have a test photo, and how many have none."""
    means = ", ".join(
        f"{title.lower() if title != 'F1' else title} {percent(float(np.mean([row[name] for row in rows])))}"
        for name, (title, _) in _MEASURES.items()
    )
    missing = f"{count(untested, 'person has', 'people have')} no test photo. " if untested else ""
    return (
        f"Every person counted alike: {means}. {missing}A click on a column's name sorts by it; a chosen row shows "
        "that person's test photos."
    )
