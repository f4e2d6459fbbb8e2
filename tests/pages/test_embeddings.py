from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from facessl.config import EmbedRecipe
from facessl.dataset import open_dataset
from facessl.recipes import build
from facessl.run import Run
from pages import embeddings
from pages._shared.face_browser import nearest_others
from pages._shared.words import plain
from tests.pages.made import make_run, mapped, open_page, tiny_set, words


@pytest.fixture
def map_of_tiny(empty_workspace: Path) -> Run:
    tiny_set(empty_workspace)
    return mapped(empty_workspace)


def select(app: AppTest, run: Run, *faces: int) -> AppTest:
    """Select points on the map, as a lasso would."""
    points = [{"customdata": [face]} for face in faces]
    app.session_state[f"embeddings-map-{run.id}"] = {"selection": {"points": points}}
    return app.run()


def test_without_faces_it_leads_to_data(empty_workspace: Path) -> None:
    app = open_page("embeddings")
    assert not app.exception
    assert "Prepare a set first" in words(app)


def test_without_a_map_one_can_be_drawn(empty_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from facessl.studio import Studio

    asked: list[dict[str, Any]] = []

    def start(self: Studio, kind: str, settings: dict[str, Any]) -> Run:
        build(EmbedRecipe, settings)
        asked.append(settings)
        return make_run(self.workspace, "embed", "Started", **{k: v for k, v in settings.items() if k != "dataset"})

    monkeypatch.setattr(Studio, "start", start)
    tiny_set(empty_workspace)
    app = open_page("embeddings")
    assert not app.exception
    assert app.selectbox(key="embeddings-model").value == "pixels"
    app.number_input(key="embeddings-neighbours").set_value(1)
    app.button(key="FormSubmitter:embeddings-form-Draw the map").click().run()
    assert not app.exception and asked == []
    assert [error.value for error in app.error] == [plain("UMAP: neighbours: must be 2 or more, got 1.")]
    app.number_input(key="embeddings-neighbours").set_value(15)
    app.button(key="FormSubmitter:embeddings-form-Draw the map").click().run()
    assert asked[0]["model"] == "pixels"
    assert asked[0]["dataset"] == "tiny"


def test_clusters_that_are_the_people_score_one(map_of_tiny: Run) -> None:
    app = open_page("embeddings")
    app.slider(key="embeddings-k-tiny").set_value(4).run()
    assert not app.exception
    assert [metric.value for metric in app.metric[:2]] == ["1.00", "1.00"]
    assert "the names of 60 faces" in words(app)
    table = app.dataframe[0].value
    assert sorted(table["Faces"]) == [4, 20, 20, 20]
    assert sorted(table["Mostly"]) == ["Person 0", "Person 1", "Person 2", "not named"]


def test_selected_points_show_their_faces(map_of_tiny: Run) -> None:
    app = select(open_page("embeddings"), map_of_tiny, 3, 21, 22, 63)
    assert not app.exception
    assert "4 selected faces" in words(app)
    assert "Person 1 (2), Person 0 (1), not named (1)" in words(app)


def test_one_point_shows_its_nearest(map_of_tiny: Run) -> None:
    app = select(open_page("embeddings"), map_of_tiny, 25)
    assert not app.exception
    assert "**Person 1**" in words(app)
    assert "12 of the 12 nearest faces are the same person" in words(app)
    app.button(key=f"embeddings-face-{map_of_tiny.id}-clear").click().run()
    assert "12 of the 12" not in words(app)


def test_the_nearest_are_those_of_a_full_search_without_the_face_itself() -> None:
    vectors = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    others = nearest_others(vectors, np.arange(30), 7)
    cosines = {i: float(vectors[i] @ vectors[7]) for i in range(30) if i != 7}
    assert [i for i, _ in others] == sorted(cosines, key=lambda i: -cosines[i])[:12]
    assert [s for _, s in others] == pytest.approx([cosines[i] for i, _ in others], abs=1e-6)


def test_every_colouring_draws_all_faces(map_of_tiny: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from facessl import figures

    drawn: list[tuple[int, set[str]]] = []

    def embedding_map(x: np.ndarray, y: np.ndarray, groups: np.ndarray, names: list[str], face_ids: np.ndarray) -> Any:
        drawn.append((len(groups), {names[group] for group in groups if group >= 0}))
        return original(x, y, groups, names, face_ids)

    original = figures.embedding_map
    monkeypatch.setattr(figures, "embedding_map", embedding_map)
    app = open_page("embeddings")
    for colour in ("person", "cluster", "split"):
        app.segmented_control(key="embeddings-colour").set_value(colour).run()
        assert not app.exception
    assert {count for count, _ in drawn} == {64}
    assert {"Person 0", "Person 1", "Person 2"} in [names for _, names in drawn]
    assert {"Cluster 1", "Cluster 2", "Cluster 3"} in [names for _, names in drawn]
    assert {"unlabelled", "train", "val", "test"} in [names for _, names in drawn]


def test_factors_are_cut_into_equal_parts_and_kinds_stay_kinds(map_of_tiny: Run) -> None:
    dataset = open_dataset(map_of_tiny.path.parents[1], "tiny")
    kept = dataset.crops
    kept["factor_yaw"] = np.r_[np.linspace(-40, 40, 60), [np.nan] * 4]
    kept["factor_beard"] = [0.0, 1.0] * 32
    groups, names = embeddings.groups_of(dataset, "factor_yaw", None)
    assert np.bincount(groups[:60]).tolist() == [12] * 5
    assert groups[60:].tolist() == [-1] * 4
    assert len(names) == 5
    groups, names = embeddings.groups_of(dataset, "factor_beard", None)
    assert names == ["0", "1"]
    assert groups.tolist() == [0, 1] * 32


def test_a_map_of_another_set_of_faces_is_refused(map_of_tiny: Run) -> None:
    np.save(map_of_tiny.path / "embeddings.npy", np.eye(5, 4, dtype=np.float32))
    app = open_page("embeddings")
    assert not app.exception
    assert "draw a new map" in app.error[0].value


def test_trained_runs_of_the_studio_are_shown(trained_workspace: Path) -> None:
    app = open_page("embeddings")
    assert not app.exception
    assert len(app.metric) == 3
