"""A set at a glance: how many, of whom, on which side, how good, and whether train and test are alike."""

import re
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from facessl import overview as figures_of
from facessl.config import QualityRecipe
from facessl.dataset import FaceDataset
from facessl.overview import Alike, Counts, Mean
from pages._shared.backend import studio
from pages._shared.curves import CHART
from pages._shared.data.corrections import on_one_line, one_line
from pages._shared.widgets import face_grid, paged
from pages._shared.words import count, percent

if TYPE_CHECKING:
    import pandas as pd

NAMED = 24  # folders whose names stand along the axis
_MEANS = 24  # people on a page of mean faces
_SHARES = """
.shares { display: flex; height: 2.6rem; border-radius: 0.3rem; overflow: hidden; }
.shares-named { display: flex; flex-wrap: wrap; gap: 0.2rem 1.4rem; padding-top: 0.5rem; font-size: 0.9rem; }
.shares-named i { display: inline-block; width: 0.8rem; height: 0.8rem; border-radius: 0.2rem; margin-right: 0.4rem; }
"""


def overview(dataset: FaceDataset) -> None:
    counts = figures_of.count(dataset)
    _numbers(dataset, counts)
    # Before the charts: a browser that has never drawn one first loads what draws them.
    _means(dataset)
    left, right = st.columns(2, gap="medium")
    with left:
        _people(dataset)
    with right:
        _folders(dataset)
    _quality(dataset)
    _alike(dataset)
    _downloads(dataset)


# -- counts ------------------------------------------------------------------------------------------------------


def _numbers(dataset: FaceDataset, counts: Counts) -> None:
    grid = st.grid(4, min_column_width=150, gap="small")
    grid.metric("People with a name", f"{counts.people:,}", border=True)
    grid.metric("Photos", f"{counts.photos:,}", border=True)
    grid.metric(
        "Faces in use", f"{counts.faces:,}", border=True,
        help=f"{percent(counts.faces / max(1, counts.photos))} of the photos; **Refused** shows the others.",
    )  # fmt: skip
    grid.metric(
        "Turned level", percent(counts.level / max(1, counts.faces)), border=True,
        help=f"{counts.level:,} faces with a plausible pair of eyes; the others are cropped as they were found.",
    )  # fmt: skip
    recipe = dataset.info["recipe"]
    made = dataset.info["created"][:16].replace("T", " ")
    st.caption(
        f"{recipe['size']} × {recipe['size']} px · source: {recipe['source']} · made {made} · "
        f"{count(counts.flagged, 'face')} with a flaw · {count(counts.several, 'face')} from photos with several faces"
    )
    for note in dataset.info["notes"]:
        st.markdown(f":material/info: {one_line(note, 600)}")
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.subheader("Split", anchor=False)
        _split(counts)
    with right:
        st.subheader("Copies", anchor=False)
        _copies(dataset, counts)


def _split(counts: Counts) -> None:
    """Draw one bar that shows how the faces part into the splits, and their numbers; no library has to be loaded."""
    from facessl import figures

    total = max(1, sum(counts.splits.values()))
    parts = {split: number for split, number in counts.splits.items() if number}
    bar = "".join(f'<i style="flex:{n}; background:{figures.SPLIT_COLOURS[s]}"></i>' for s, n in parts.items())
    named = "".join(
        f'<span><i style="background:{figures.SPLIT_COLOURS[s]}"></i>{s} {percent(n / total)}</span>'
        for s, n in parts.items()
    )
    st.html(f'<style>{_SHARES}</style><div class="shares">{bar}</div><div class="shares-named">{named}</div>')
    st.caption(" · ".join(f"{split} {number:,}" for split, number in counts.splits.items()))


def _copies(dataset: FaceDataset, counts: Counts) -> None:
    """Say which pictures are there twice, and that none is on both sides of the split."""
    made = dataset.info["counts"]
    grid = st.grid(3, min_column_width=110, gap="small")
    grid.metric(
        "There twice", f"{counts.copied:,}", help=f"Pictures shown by more than one photo: {counts.copies:,} in all."
    )
    looked = "crossed_before" in made
    grid.metric(
        "Crossed before", f"{made['crossed_before']:,}" if looked else "–",
        help="Pictures that split-folders alone would have put on several sides.",
    )  # fmt: skip
    grid.metric("Cross now", f"{counts.crossing:,}", help="Pictures in use on several sides of the split.")
    if counts.crossing:
        st.warning(
            f"{count(counts.crossing, 'picture lies', 'pictures lie')} on several sides of the split, which flatters "
            "every accuracy. **Browse**, quality *copies*, shows them; leave one of each out.",
            icon=":material/call_split:",
        )  # fmt: skip
    elif looked and made["crossed_before"]:
        st.caption(
            f"None is on several sides now: {count(made['moved'], 'photo')} changed sides, "
            f"{count(made['left_out'], 'nameless photo')} {'was' if made['left_out'] == 1 else 'were'} left out."
        )
    elif counts.copied:
        st.caption("All copies of a picture are on one side of the split.")
    else:
        st.caption("No picture is there twice." if looked else "Nobody looked for copies.")


def _people(dataset: FaceDataset) -> None:
    st.subheader("Photos of each person", anchor=False)
    if not dataset.people:
        st.info("Nobody in this set has a name; pre-training and the map work all the same.", icon=":material/info:")
        return
    from facessl import figures

    numbers = figures_of.person_counts(dataset)
    if figures.too_many_for_bars(len(dataset.people)):
        totals = np.sum(list(numbers.values()), axis=0)
        chart = figures.sizes(figures_of.how_many_have(totals), "people")
    else:
        chart = figures.photos_per_person(dataset.people, numbers)
    st.plotly_chart(chart, key="data-people", config=CHART, alt="Photos of each person")
    if len(dataset.people) == 1:
        st.caption("With one person there is nobody to tell apart; the set is good for pre-training.")


def _folders(dataset: FaceDataset) -> None:
    from facessl import figures

    came = figures_of.folders(dataset)
    named = came[came.index != ""]
    st.subheader("Distribution of images in each folder", anchor=False)
    if named.empty:
        st.caption(f"The {count(len(dataset.table), 'photo')} came without folders of people.")
        return
    if figures.too_many_for_bars(len(named)):
        chart = figures.sizes(figures_of.how_many_have(named.tolist()), "folders")
    else:
        chart = figures.folder_sizes(named.index.tolist(), named.tolist())
    st.plotly_chart(chart, key="data-folders", config=CHART, alt="Photos in each folder")
    largest = ", ".join(f"{one_line(name, 30)} ({number:,})" for name, number in named.head(3).items())
    most = f"; the largest: {largest}" if len(named) > NAMED else ""
    nameless = f". {count(int(came['']), 'photo')} came without a person's folder" if len(came) > len(named) else ""
    st.caption(f"{count(len(named), 'folder')} as they came, before anything was refused{most}{nameless}.")


# -- quality -----------------------------------------------------------------------------------------------------


def _quality(dataset: FaceDataset) -> None:
    from facessl import figures

    st.subheader("Quality", anchor=False)
    st.caption("Every face that was found. Beyond a dashed line it is flagged; the limits are the recipe's.")
    crops, used = dataset.crops, dataset.used
    lines = figures_of.limits(QualityRecipe(**dataset.info["recipe"]["quality"]))
    grid = st.grid(2, min_column_width=320, gap="small")
    unknown = []
    for quantity in figures_of.QUANTITIES:
        values = crops[quantity.column].to_numpy(dtype=float)
        if not np.isfinite(values).any():
            unknown.append(quantity.title.lower())
            continue
        parts = {"in use": values[used]}
        if np.isfinite(values[~used]).any():
            parts["not in use"] = values[~used]
        low, high = lines[quantity.column]
        with grid.cell():
            st.markdown(f"**{quantity.title}**")
            chart = figures.histogram(parts, quantity.unit, low=low, high=high)
            st.plotly_chart(
                chart, key=f"data-quality-{quantity.column}", config=CHART, alt=f"{quantity.title} of the faces"
            )
    if unknown:
        st.caption(f"Known of none of these faces, as no eyes were looked for or found: {', '.join(unknown)}.")


# -- mean faces --------------------------------------------------------------------------------------------------


def _means(dataset: FaceDataset) -> None:
    st.subheader("Mean faces", anchor=False)
    means = _means_of(dataset)
    if not means:
        st.caption("No face is in use.")
        return
    st.caption(
        "What faces have in common. The sharper one is, the better its faces are aligned and the more alike they are."
    )
    face_grid([m.face for m in means], [_in_words(m) for m in means], width=150)
    people = figures_of.by_faces(dataset)
    if people:
        st.fragment(_means_of_people)(dataset, people)


def _means_of_people(dataset: FaceDataset, people: list[str]) -> None:
    """Show a page of the people's mean faces; turning it draws nothing else of the tab anew."""
    page = range(min(_MEANS, len(people)))
    st.markdown("**Of each person**, from up to 60 faces each; who has most faces comes first")
    if len(people) > _MEANS:
        page = paged(len(people), key=f"data-means-page-{dataset.name}", size=_MEANS)
        st.caption(f"{page.start + 1:,} to {page.stop:,} of {count(len(people), 'person', 'people')}")
    means = _means_of(dataset, tuple(people[page.start : page.stop]))
    face_grid([m.face for m in means], [_short(m) for m in means], width=84)


def _in_words(mean: Mean) -> str:
    some = f"{mean.of:,} of " if mean.of < mean.among else ""
    return f"{mean.name}: {some}{count(mean.among, 'face')}"


def _short(mean: Mean) -> str:
    """Return a person's name as it fits below a small picture: long words may be broken."""
    name = on_one_line(mean.name)
    name = name if len(name) <= 40 else f"{name[:39]}…"
    return re.sub(r"(_|\w{10})", "\\1\u200b", name)


def _means_of(dataset: FaceDataset, people: tuple[str, ...] = ()) -> list[Mean]:
    edits = tuple((e.id, e.undone) for e in dataset.edits)
    return _cached_means(str(studio().workspace), dataset.name, dataset.info["created"], edits, people)


@st.cache_data(max_entries=16, show_spinner="Averaging faces.")
def _cached_means(
    workspace: str, name: str, created: str, edits: tuple[tuple[int, bool], ...], people: tuple[str, ...]
) -> list[Mean]:
    dataset = studio().dataset(name)
    return figures_of.mean_of_people(dataset, people) if people else figures_of.mean_of_splits(dataset)


# -- train beside test -------------------------------------------------------------------------------------------


def _alike(dataset: FaceDataset) -> None:
    st.subheader("Are train and test alike?", anchor=False)
    found = figures_of.train_and_test(dataset)
    if not any(a.enough for a in found):
        st.caption("There are too few named faces in train or in test to tell.")
        return
    st.markdown(verdict(found))
    st.fragment(_both_parts)(found)
    st.caption(
        "Kolmogorov and Smirnov's test per quantity; different means p under 0.8 %, because six are asked at once. "
        "It takes photos for independent of each other, which those of one session are not."
    )


def _both_parts(found: list[Alike]) -> None:
    """Say of each quantity whether train and test are alike; drawn is what differs, or all where somebody asks."""
    from facessl import figures

    everything = st.toggle("Draw those that are alike, too", key="data-alike-all") or all(a.different for a in found)
    grid = st.grid(3, min_column_width=300, gap="small")
    for a in found:
        with grid.cell():
            st.markdown(f"**{a.quantity.title}**")
            if a.different or (a.enough and everything):
                chart = figures.two_histograms(a.first, a.second, ("train", "test"), a.quantity.unit)
                key = f"data-alike-{a.quantity.column}"
                st.plotly_chart(chart, key=key, config=CHART, alt=f"{a.quantity.title} in train and in test")
            st.caption(a.sentence(("train", "test")))


def verdict(found: list[Alike]) -> str:
    """Return in a sentence whether test is a fair question about what was learnt in train, as Markdown."""
    different = [a.quantity.title.lower() for a in found if a.different]
    if not different:
        return "**Yes**: in nothing that was measured do they differ more than parts of a random split do."
    return f"**Not in {' and '.join(different)}**: there they differ more than parts of a random split would."


# -- downloads ---------------------------------------------------------------------------------------------------


def _downloads(dataset: FaceDataset) -> None:
    st.subheader("Take it along", anchor=False)
    with st.container(horizontal=True, gap="small"):
        st.download_button(
            "Report", lambda: figures_of.report(dataset), f"{dataset.name}.html", "text/html", key="data-report",
            on_click="ignore", icon=":material/description:", help="One HTML file with every count, without a face.",
        )  # fmt: skip
        st.download_button(
            "faces.parquet", lambda: table_file(dataset), "faces.parquet", key="data-parquet", on_click="ignore",
            icon=":material/table:", help="A row a photo, with the corrections of people.",
        )  # fmt: skip


def table_file(dataset: FaceDataset) -> bytes:
    """Return the table as a parquet file; without corrections the very file of the set."""
    if not any(not e.undone and e.action != "undo" for e in dataset.edits):
        return (dataset.path / "faces.parquet").read_bytes()
    file = BytesIO()
    table: pd.DataFrame = dataset.table
    table.to_parquet(file, index=False)
    return file.getvalue()
