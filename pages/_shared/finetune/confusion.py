"""Who was taken for whom: a matrix, a list of the largest confusions, and from any of them its photos."""

from typing import Any

import numpy as np
import streamlit as st

from facessl.dataset import FaceDataset
from facessl.mistakes import Confusion, confusions, most_confused
from facessl.run import Run
from pages._shared.curves import CHART
from pages._shared.finetune.answers import Answers
from pages._shared.finetune.photos import photos_grid
from pages._shared.widgets import sideways
from pages._shared.words import count, plain

SHOWN = 16  # people in the matrix: on a phone the names of more cannot be read
EVERYBODY = -1
_LISTED = 200  # confusions in the list
_NAMES, _CELL = 200, 20  # pixels that the names and a cell need across

Cell = tuple[int, int]


def show_confusion(run: Run, dataset: FaceDataset, answers: Answers) -> np.ndarray:
    """Show who is taken for whom; return the places of the photos that are shown."""
    wrong = confusions(answers.matrix)
    say(wrong, answers)
    around = pick_person(run, answers)
    if around is not None:
        wrong = [one for one in wrong if around in (one.right, one.answer)]
    shown = most_confused(answers.matrix, SHOWN, around=around)
    key = f"finetune-confusion-{run.id}" if around is None else f"finetune-confusion-{run.id}-{around}"
    left, right = st.columns([3, 2], gap="medium")
    with left:
        clicked = matrix(answers, shown, key) if shown else None
    with right:
        listed = listing(wrong[:_LISTED], answers, key) if wrong else None
        cell = chosen_cell(clicked, listed, wrong, answers, around, run)
        places = np.zeros(0, int) if cell is None else answers.cell(*cell)
        if cell is not None:
            photos_grid(run, dataset, answers, places, key=f"finetune-cell-{run.id}-{cell[0]}-{cell[1]}")
    return places


def say(wrong: list[Confusion], answers: Answers) -> None:
    """Say in a sentence how many photos were given a wrong name, and the most frequent mistake."""
    if not wrong:
        st.success("Every test face got its right name.", icon=":material/check_circle:")
        return
    photos, people = sum(one.photos for one in wrong), len({one.right for one in wrong})
    first = wrong[0]
    st.markdown(
        f"**{photos:,} of {count(len(answers.faces), 'test photo')}** got a wrong name, those of "
        f"{count(people, 'person', 'people')}. {_most_often(first, answers)}"
    )


def _most_often(first: Confusion, answers: Answers) -> str:
    right, answer = plain(answers.people[first.right]), plain(answers.people[first.answer])
    if first.photos == 1:
        return "Nobody was taken for the same person twice."
    return f"Most often {right} was taken for {answer}: {first.photos:,} of {count(first.of, 'photo')}."


def pick_person(run: Run, answers: Answers) -> int | None:
    """Let one person be chosen, around whom all else is drawn; None for everybody."""
    tested = np.flatnonzero(answers.matrix.sum(axis=1) + answers.matrix.sum(axis=0)).tolist()
    by_name = sorted(tested, key=lambda label: answers.people[label].casefold())
    label: int = st.selectbox(
        "Person", [EVERYBODY, *by_name], key=f"finetune-person-{run.id}", width=360,
        format_func=lambda one: "Everybody" if one == EVERYBODY else _name(answers, one),
        help="Only this person, and those they are taken for or who are taken for them.",
    )  # fmt: skip
    return None if label == EVERYBODY else label


def matrix(answers: Answers, shown: list[int], key: str) -> Cell | None:
    """Draw the matrix; return the cell that was clicked last."""
    from facessl import figures

    with sideways(f"{key}-wide", _NAMES + _CELL * len(shown)):
        event = st.plotly_chart(
            figures.confusion(answers.matrix, answers.people, shown), key=key, on_select="rerun",
            selection_mode="points", config=CHART,
        )  # fmt: skip
    if len(shown) < len(answers.people):
        st.caption(
            f"Shown are {len(shown)} of {count(len(answers.people), 'person', 'people')}: those of the largest "
            "confusions, side by side. **Person** shows anybody else."
        )
    else:
        st.caption("A click on a cell shows its photos; the colour is the share of the right person's photos.")
    cells = (point["customdata"][:2] for point in event["selection"]["points"] if point.get("customdata"))
    found = next(cells, None)
    return None if found is None else (int(found[0]), int(found[1]))


def listing(wrong: list[Confusion], answers: Answers, key: str) -> Cell | None:
    """List who was taken for whom, most often first; return the row that was chosen last."""
    event: Any = st.dataframe(
        {
            "Right person": [answers.people[one.right] for one in wrong],
            "Taken for": [answers.people[one.answer] for one in wrong],
            "Photos": [one.photos for one in wrong],
            "Of": [one.of for one in wrong],
        },
        hide_index=True, key=f"{key}-list", on_select="rerun", selection_mode="single-row",
        height="content" if len(wrong) <= 6 else 256, alt="Who was taken for whom, most often first",
    )  # fmt: skip
    st.caption("A row shows its photos, as a click on a cell does.")
    rows = event["selection"]["rows"]
    return (wrong[rows[0]].right, wrong[rows[0]].answer) if rows and rows[0] < len(wrong) else None


def chosen_cell(
    clicked: Cell | None, listed: Cell | None, wrong: list[Confusion], answers: Answers, around: int | None, run: Run
) -> Cell | None:
    """Return (right, answered) labels: the cell chosen last, in the matrix, in the list or by name."""
    named = [(int(i), int(i)) for i in np.flatnonzero(answers.matrix.diagonal()) if around in (None, i)]
    cells = [(one.right, one.answer) for one in wrong] + named
    if not cells:
        return None
    key = f"finetune-mistake-{run.id}" if around is None else f"finetune-mistake-{run.id}-{around}"
    for source, cell in (("clicked", clicked), ("listed", listed)):
        if cell != st.session_state.get(f"{key}-{source}"):
            st.session_state[f"{key}-{source}"] = cell
            if cell in cells:
                st.session_state[key] = cell
    if st.session_state.get(key) not in cells:
        st.session_state[key] = cells[0]

    def words(cell: Cell) -> str:
        taken = "rightly named" if cell[0] == cell[1] else f"taken for {_name(answers, cell[1])}"
        return f"{_name(answers, cell[0])} {taken} · {count(int(answers.matrix[cell]), 'photo')}"

    chosen: Cell = st.selectbox("Who was taken for whom", cells, key=key, format_func=words)
    return chosen


def _name(answers: Answers, label: int) -> str:
    return answers.people[label]
