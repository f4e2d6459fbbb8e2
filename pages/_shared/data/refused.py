"""What is not in use, and why: the picture, the reason, and a way to keep it after all."""

from pathlib import Path

import streamlit as st

from facessl.dataset import FaceDataset
from pages._shared.data.browse import described
from pages._shared.data.corrections import bring_back, last_correction, one_line
from pages._shared.data.photo import back_label, open_photo, opened_photo, strip
from pages._shared.widgets import paged
from pages._shared.words import count

PLACE = "refused"  # where corrections are made
EVERY = "all"
_CARDS = 12  # on a page: each reads its photo from the source again
# What each status means, for a person.
MEANS = {
    "no face": "The detector saw none. Kept, it is cut out as it is: the middle of the photo.",
    "too small": "Enlarged so much it would show nothing.",
    "poor": "Below a limit of the recipe, which says that such faces are left out.",
    "duplicate": "A nameless copy of a val or test photo: pre-training would learn by heart what it is asked later.",
    "unreadable": "The file could not be read, so there is nothing to keep.",
    "excluded": "Left out by hand.",
}


def refused(dataset: FaceDataset) -> None:
    table = dataset.table[dataset.table["status"] != "kept"]
    last_correction(dataset, place=PLACE)
    if table.empty:
        st.success("Every photo of this set is in use.", icon=":material/check_circle:")
        return
    numbers = {str(status): int(number) for status, number in table["status"].value_counts().items()}
    st.markdown(
        f"**{count(len(table), 'photo')}** of {len(dataset.table):,} {'is' if len(table) == 1 else 'are'} not in use."
    )
    words = {EVERY: f"all · {len(table):,}", **{status: f"{status} · {n:,}" for status, n in numbers.items()}}
    chosen = st.pills(
        "Why", list(words), default=EVERY, required=True, format_func=lambda status: words.get(status, status),
        key=f"data-why-{dataset.name}-{'-'.join(numbers)}",
    )  # fmt: skip
    if chosen != EVERY:
        table = table[table["status"] == chosen]
        st.caption(MEANS.get(str(chosen), ""))
    page = paged(len(table), key="data-refused-page", size=_CARDS)
    grid = st.grid(3, min_column_width=300, gap="small")
    for row in table.iloc[page.start : page.stop].to_dict("records"):
        with grid.cell(), st.container(border=True, height="stretch", gap="small"):
            st.caption(f":material/image: {one_line('/'.join(Path(row['path']).parts[-2:]), 80)}")
            if row["status"] == "unreadable":
                st.markdown(one_line(row["reason"], 200))
            else:
                # Where no face was found, the crop is the photo once more.
                strip(dataset, row, with_crop=row["status"] != "no face")
                st.caption(described(row))
            with st.container(horizontal=True, gap="small"):
                photo = int(row["photo"])
                if row["face"] >= 0 and st.button(back_label(row), key=f"data-back-{photo}", icon=":material/undo:"):
                    bring_back(dataset, row, place=PLACE)
                if st.button("Look closer", key=f"data-closer-{photo}", icon=":material/zoom_in:"):
                    open_photo(dataset, photo)
    opened_photo(dataset, table["photo"].to_numpy())
