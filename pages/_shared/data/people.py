"""The people of a set: how many photos, under which name, in or out; and the history of what was corrected."""

import streamlit as st

from facessl import overview
from facessl.dataset import FaceDataset
from facessl.edits import Edit, why_not_undo
from facessl.sources import tidy_name
from pages._shared.data.corrections import correct, last_correction, one_line, told
from pages._shared.widgets import paged
from pages._shared.words import count

PLACE = "people"  # where corrections are made
_LINES = 20  # of the history on a page
_OLD_RUNS = "Runs that are there already keep what they saw; whatever is started from now on sees the correction."


def people(dataset: FaceDataset) -> None:
    last_correction(dataset, place=PLACE)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.subheader("People", anchor=False)
        _table(dataset)
    with right:
        _correct_person(dataset)
        _left_out(dataset)
    _history(dataset)


def _table(dataset: FaceDataset) -> None:
    if not dataset.people:
        st.info("Nobody in this set has a name.", icon=":material/info:")
        return
    table = overview.people_table(dataset)
    titles = {name: name.capitalize().replace("_", " ") for name in table}
    st.dataframe(
        table.rename(columns=titles), hide_index=True, height="auto" if len(table) <= 10 else 520,
        key=f"data-people-{dataset.name}-{len(dataset.edits)}", alt="People with their photos",
        on_select=lambda: _choose(dataset), selection_mode="single-row",
    )  # fmt: skip
    st.caption("Click the box before a row to choose that person; a column's title sorts.")


def _choose(dataset: FaceDataset) -> None:
    """The row that was clicked is the person to correct."""
    rows = st.session_state[f"data-people-{dataset.name}-{len(dataset.edits)}"]["selection"]["rows"]
    if rows:
        st.session_state[_key(dataset)] = dataset.people[rows[0]]


def _key(dataset: FaceDataset) -> str:
    return f"data-who-{dataset.name}"


# -- one person --------------------------------------------------------------------------------------------------


def _correct_person(dataset: FaceDataset) -> None:
    if not dataset.people:
        return
    st.subheader("Correct a person", anchor=False)
    if st.session_state.get(_key(dataset)) not in dataset.people:
        st.session_state[_key(dataset)] = dataset.people[0]  # said, or the browser goes on to show who is gone
    person = st.selectbox("Person", dataset.people, key=_key(dataset))
    faces = dict(zip(dataset.people, overview.people_table(dataset)["faces"], strict=True))
    name = st.text_input("Right name", person, max_chars=300, key=f"{_key(dataset)}-name-{person}")
    name = tidy_name(name)  # as the set takes it
    merges = name in faces and name != person
    if merges:
        st.warning(
            f"“{one_line(name)}” is there already. The two become one person: {count(faces[person], 'face')} and "
            f"{count(faces[name], 'face')} make {faces[person] + faces[name]:,}.", icon=":material/merge:",
        )  # fmt: skip
    with st.container(horizontal=True, gap="small"):
        label, icon = ("Merge the two", ":material/merge:") if merges else ("Rename", ":material/edit:")
        unchanged = not name or name == person
        if st.button(label, icon=icon, key="data-rename-person", type="primary", disabled=unchanged):
            correct(dataset, "rename", place=PLACE, person=person, to=name)
        if st.button("Leave this person out", icon=":material/person_remove:", key="data-exclude-person"):
            correct(dataset, "exclude", place=PLACE, person=person)
    st.caption(f"{_OLD_RUNS} All of it can be undone below.")


def _left_out(dataset: FaceDataset) -> None:
    """Those who were left out, each with the way back."""
    edits = [e for e in dataset.edits if e.action == "exclude" and e.person and not e.undone]
    if not edits:
        return
    st.markdown("**Left out**")
    for edit in reversed(edits[-_LINES:]):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(one_line(edit.person), width="stretch")
            if st.button("Bring back", icon=":material/undo:", key=f"data-return-{edit.id}"):
                correct(dataset, "undo", place=PLACE, edit=edit.id)


# -- history -----------------------------------------------------------------------------------------------------


def _history(dataset: FaceDataset) -> None:
    st.subheader("History", anchor=False)
    made = [edit for edit in reversed(dataset.edits) if edit.action != "undo"]
    if not made:
        st.caption("Nothing was corrected yet. Every correction is kept here, and each can be taken back.")
        return
    when = {edit.edit: edit.when for edit in dataset.edits if edit.action == "undo"}
    page = paged(len(made), key="data-history-page", size=_LINES)
    for edit in made[page.start : page.stop]:
        _line(dataset, edit, when.get(edit.id, ""))


def _line(dataset: FaceDataset, edit: Edit, undone: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(edit.when[:16].replace("T", " "), width=140)
        if edit.undone:
            st.markdown(f":gray[~~{told(edit)}~~ · undone {undone[:16].replace('T', ' ')}]", width="stretch")
            return
        st.markdown(told(edit), width="stretch")
        why_not = why_not_undo(edit, dataset.edits)
        if st.button(
            "Undo", icon=":material/undo:", key=f"data-undo-{edit.id}", disabled=bool(why_not), help=why_not or None
        ):
            correct(dataset, "undo", place=PLACE, edit=edit.id)
