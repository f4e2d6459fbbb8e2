"""Embeddings: every face as a point on a map, the clusters they form, and from any point to the faces around it."""

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from facessl.config import EmbedRecipe
from facessl.dataset import SPLITS, FaceDataset
from facessl.run import Run
from pages._shared.backend import studio
from pages._shared.face_browser import UNNAMED, grid, names_of, show_nearest, who_is_there
from pages._shared.forms import plugin_select, recipe_form
from pages._shared.run_panel import run_panel
from pages._shared.widgets import choose, empty_state, page_title, pick_dataset, pick_run, shown_errors
from pages._shared.words import count

if TYPE_CHECKING:
    from facessl.embeddings import Clusters

_PLAIN_MODELS = {"pixels": "Normalised pixels", "untrained": "An untrained network", "imagenet": "ImageNet weights"}
_BINS = 5  # a factor of generated faces is coloured in so many steps
_TOOLS = {"displaylogo": False, "displayModeBar": True, "modeBarButtonsToRemove": ["toImage", "autoScale2d"]}


def main() -> None:
    page_title("Embeddings", "Every face is a point. Faces that the network finds alike lie close together.")
    left, right = st.columns([1, 3], gap="medium")
    with left:
        dataset = pick_dataset(key="embeddings-dataset")
    if dataset is None:
        empty_state("There are no faces yet. Prepare a set first.", page="pages/data.py", link="Open Data")
        return
    maps = [run for run in studio().runs("embed") if run.config["recipe"]["dataset"] == dataset.name]
    with right:
        run = pick_run(maps, "Map", key="embeddings-run")
    with st.expander("New map" if maps else "The first map", icon=":material/add:", expanded=not maps):
        new_map(dataset)
    if run is None:
        return
    if run.status().state != "finished":
        run_panel(run, key="embeddings")
        return
    with shown_errors():
        explore(run, dataset)


def new_map(dataset: FaceDataset) -> None:
    """Let a person choose what looks at the faces, and start the map."""
    kinds = {"pretrain": "pre-trained", "finetune": "fine-tuned"}
    trained = {run.id: f"{run.title} ({kinds[run.kind]})" for run in studio().models()}
    model: str = st.selectbox(
        "Who looks at the faces", [*trained, *_PLAIN_MODELS], key="embeddings-model", persist_state="session",
        format_func=lambda name: trained.get(name) or _PLAIN_MODELS[name],
    )  # fmt: skip
    settings: dict[str, Any] = {"dataset": dataset.name, "model": model}
    if model in ("untrained", "imagenet"):
        settings["backbone"] = plugin_select("backbones", "Network", key="embeddings-backbone", default="resnet18")
    hide = ["dataset", "model", "backbone", *(["image_size"] if model in trained else [])]
    with st.form("embeddings-form", border=False):
        settings |= recipe_form(EmbedRecipe, key="embeddings", hide=hide, main=("neighbours", "min_dist", "seed"))
        started = st.form_submit_button("Draw the map", type="primary", icon=":material/play_arrow:")
    if started:
        with shown_errors(EmbedRecipe):
            choose("run", studio().start("embed", settings).id, key="embeddings-run")
            st.rerun()


# -- the map -----------------------------------------------------------------------------------------------------


def explore(run: Run, dataset: FaceDataset) -> None:
    """Show the map with its clusters, and beside it the faces that are selected."""
    stored = studio().embedding(run.id)
    if len(stored.embeddings) != len(dataset.crops):
        st.error(f"This map was drawn of another {dataset.name}; draw a new map.")
        return
    if missing := len(dataset.rows()) - len(stored.shown(dataset.used)):
        st.caption(f"{count(missing, 'face is', 'faces are')} not on this map: kept after it was drawn.")
    colours, slider = st.columns([3, 2], gap="medium", vertical_alignment="bottom")
    with colours:
        colour_by = colour_choice(dataset)
    with slider:
        k = cluster_slider(run, dataset)
    by_cluster = grouped(run, k).labels if colour_by == "cluster" else None
    left, right = st.columns([5, 4], gap="medium")
    with left:
        selected = draw_map(run, dataset, colour_by, by_cluster)
        st.caption(
            "Draw a lasso or a box around points to see their faces; click one to see its nearest, point at one to "
            "read who it is."
        )
    with right:
        show_faces(run, dataset, selected)
    # Last, for K-means takes a while on a large set, and nothing above has to wait for it.
    show_clusters(run, dataset, k)


def grouped(run: Run, k: int) -> "Clusters":
    """Return the K-means clusters of a map; quick from the second time on."""
    with st.spinner("Grouping the faces."):
        return studio().clusters(run.id, k)


def colour_choice(dataset: FaceDataset) -> str:
    """Return what the colours of the map stand for."""
    factors = [name for name in dataset.crops.columns if name.startswith("factor_")]
    chosen: str = st.segmented_control(
        "Colour by", ["person", "cluster", "split", *(["factor"] if factors else [])], default="person", required=True,
        format_func=str.capitalize, key="embeddings-colour", persist_state="session",
    )  # fmt: skip
    if chosen != "factor":
        return chosen
    factor: str = st.selectbox(
        "Factor", factors, key="embeddings-factor", persist_state="session",
        format_func=lambda name: name.removeprefix("factor_").replace("_", " "),
        help="What a generated photo was made of. A good map lies by person, and mixes such colours.",
    )  # fmt: skip
    return factor


def cluster_slider(run: Run, dataset: FaceDataset) -> int:
    """Return k; it starts at the number of people, which is what the clusters are measured against."""
    total = len(studio().embedding(run.id).shown(dataset.used))
    most = min(100 if total < 5000 else 200, total)
    if most < 3:
        return 1
    start = min(max(2, len(dataset.people)), most)
    return st.slider("Clusters (k)", 2, most, start, key=f"embeddings-k-{dataset.name}", persist_state="session",
                     help="K-means on the embeddings, not on the map.")  # fmt: skip


def groups_of(dataset: FaceDataset, colour_by: str, clusters: np.ndarray | None) -> tuple[np.ndarray, list[str]]:
    """Return each face's group (N,), -1 where there is none, and what the groups are called."""
    kept = dataset.crops
    if clusters is not None:
        return clusters, [f"Cluster {i + 1}" for i in range(clusters.max() + 1)]
    if colour_by == "split":
        return kept["split"].map(SPLITS.index).to_numpy(), list(SPLITS)
    if colour_by.startswith("factor_"):
        return _binned(kept[colour_by].to_numpy(dtype=float))
    return kept["label"].to_numpy(), dataset.people


def _binned(values: np.ndarray) -> tuple[np.ndarray, list[str]]:
    known = np.unique(values[np.isfinite(values)])
    if len(known) <= _BINS:  # yes or no, or a few kinds
        groups = np.searchsorted(known, values)
        return np.where(np.isfinite(values), groups, -1), [f"{value:g}" for value in known]
    edges = np.unique(np.nanquantile(values, np.linspace(0, 1, _BINS + 1)))
    groups = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    names = [f"{low:.3g} to {high:.3g}" for low, high in pairwise(edges)]
    return np.where(np.isfinite(values), groups, -1), names


def draw_map(run: Run, dataset: FaceDataset, colour_by: str, clusters: np.ndarray | None) -> list[int]:
    """Draw the map and return the face rows selected on it, ascending."""
    from facessl import figures

    stored = studio().embedding(run.id)
    rows = stored.shown(dataset.used)
    groups, names = groups_of(dataset, colour_by, clusters)
    figure = figures.embedding_map(*stored.map[rows].T, groups[rows], names, rows)
    # Its tools stand above the points instead of on them.
    look = {"bgcolor": "rgba(0, 0, 0, 0)", "color": figures.GREY, "activecolor": figures.ACCENT}
    figure.update_layout(margin_t=44, modebar=look)
    # The figure stays the same whatever is selected: a changed one would drop the selection.
    event = st.plotly_chart(
        figure, key=f"embeddings-map-{run.id}", on_select="rerun", config=_TOOLS,
        alt="Map of all faces; each point is one",
    )  # fmt: skip
    return sorted({int(point["customdata"][0]) for point in event["selection"]["points"] if point.get("customdata")})


# -- faces beside the map ----------------------------------------------------------------------------------------


def show_faces(run: Run, dataset: FaceDataset, selected: list[int]) -> None:
    """Show the nearest faces of the one clicked, and all faces of the selection."""
    remembered = f"embeddings-face-{run.id}"
    if selected != st.session_state.get(f"{remembered}-selected", []):
        st.session_state[f"{remembered}-selected"] = selected
        st.session_state[remembered] = selected[0] if len(selected) == 1 else None
    face = st.session_state.get(remembered)
    if face is not None:
        show_nearest(run, dataset, face, remembered)
    if len(selected) > 1:
        st.subheader(count(len(selected), "selected face"), anchor=False)
        st.caption(who_is_there(names_of(dataset, selected)))
        grid(dataset, selected, key=f"embeddings-selected-{run.id}", remembered=remembered)
    elif face is None:
        st.markdown("**A few faces to begin with**")
        st.caption("Click one to see which others are most like it, or select some on the map.")
        grid(dataset, first_of_each(dataset), key=f"embeddings-some-{run.id}", remembered=remembered)


def first_of_each(dataset: FaceDataset, most: int = 12) -> list[int]:
    """Return a face of each of the first people, or simply the first faces where nobody is named."""
    kept = dataset.crops[dataset.used]
    named = kept[kept["label"] >= 0].drop_duplicates("label").sort_values("label")
    return [int(face) for face in (named if len(named) else kept)["face"].head(most)]


# -- clusters ----------------------------------------------------------------------------------------------------


def show_clusters(run: Run, dataset: FaceDataset, k: int) -> None:
    """Say how good the clusters are, list them, and show the faces of the chosen one."""
    st.subheader("Clusters", anchor=False)
    clusters = grouped(run, k)
    scores(clusters)
    rows = cluster_rows(dataset, clusters.labels)
    left, right = st.columns([2, 3], gap="medium")
    with left:
        event = st.dataframe(
            {title: [row[title] for row in rows] for title in ("Cluster", "Faces", "Mostly", "Share")},
            hide_index=True, height=440, on_select="rerun", selection_mode="single-row",
            key=f"embeddings-clusters-{run.id}-{len(rows)}", alt="Clusters with their size and most frequent person",
            column_config={"Share": st.column_config.ProgressColumn(format="%.0f %%", min_value=0, max_value=100)},
        )  # fmt: skip
    with right:
        chosen = rows[event["selection"]["rows"][0]] if event["selection"]["rows"] else rows[0]
        members = np.flatnonzero(clusters.labels == chosen["Cluster"] - 1).tolist()
        names = dict(zip(members, names_of(dataset, members), strict=True))
        st.markdown(f"**Cluster {chosen['Cluster']}** · {count(len(members), 'face')}")
        st.caption(who_is_there(list(names.values())))
        # Those who are few here come first: they are what a person looks for in a cluster.
        often = Counter(names.values())
        members.sort(key=lambda face: (often[names[face]], names[face]))
        grid(dataset, members, key=f"embeddings-cluster-{run.id}", remembered=f"embeddings-face-{run.id}")


def scores(clusters: "Clusters") -> None:
    """Show the three scores with what they mean; a dash where they say nothing."""

    words = (
        (
            "Agree with the names (NMI)",
            clusters.nmi,
            "How much a cluster tells about the person, 0 to 1; grows with k.",
        ),
        ("Pairs put right (ARI)", clusters.ari, "Pairs of faces rightly together or apart: 0 is chance, 1 is perfect."),
        ("Stand apart (silhouette)", clusters.silhouette, "How much nearer a face is to its own cluster, -1 to 1."),
    )
    for column, (title, value, explained) in zip(st.columns(3), words, strict=True):
        column.metric(title, "–" if value is None else f"{value:.2f}", border=True, help=explained)
    if clusters.nmi is None:
        st.caption("Nobody in this set is named, so the clusters cannot be compared with people.")
    else:
        st.caption(f"Compared with the names of {count(clusters.named, 'face')}, which K-means did not see.")


def cluster_rows(dataset: FaceDataset, labels: np.ndarray) -> list[dict[str, Any]]:
    """Return a row a cluster, the most mixed first: number, size, most frequent person, their share in percent."""
    names = np.array(names_of(dataset, np.arange(len(labels))))
    rows = []
    for cluster in np.unique(labels[labels >= 0]):
        members = names[labels == cluster]
        named = Counter(members[members != UNNAMED].tolist()).most_common(1)
        person, share = (named[0][0], 100 * named[0][1] / len(members)) if named else (UNNAMED, None)
        rows.append({"Cluster": int(cluster) + 1, "Faces": len(members), "Mostly": person, "Share": share})
    return sorted(rows, key=lambda row: (row["Share"] is None, row["Share"] or 0, -row["Faces"]))


if __name__ == "__main__":
    main()
