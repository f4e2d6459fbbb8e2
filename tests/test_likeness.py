from pathlib import Path

import numpy as np
import pytest

from facessl import likeness, views
from facessl.dataset import open_dataset
from facessl.encoder import Encoder
from facessl.errors import DatasetError, FaceSSLError
from facessl.studio import Studio
from facessl.viewing import ViewRecipe
from tests.tiny import make_set

COPIES = views.PRESETS["seed project"]


def unit(rows: list[list[float]]) -> np.ndarray:
    found = np.array(rows, np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_the_figures_are_those_counted_by_hand() -> None:
    view0 = unit([[1, 0], [0, 1], [1, 0]])
    view1 = unit([[1, 0], [1, 0], [0, 1]])
    found = likeness.compared(view0, view1, np.array([0, 0, 1]), 64)
    assert found.same == pytest.approx(1 / 3)  # 1, 0, 0
    # Faces 0 and 1 are one person's: left are 0-2, 1-2, 2-0 and 2-1, which are 0, 1, 1 and 1.
    assert found.other == pytest.approx(3 / 4)
    assert found.found == pytest.approx(1 / 3)  # face 0 alone finds itself
    assert (found.pairs, found.named, found.size) == (3, True, 64)


def test_faces_that_have_nothing_in_common_all_find_themselves() -> None:
    rows = np.eye(3, dtype=np.float32)
    found = likeness.compared(rows, rows, np.arange(3), 64)
    assert (found.same, found.other, found.found) == (1, 0, 1)


def test_the_nameless_count_as_strangers_but_not_for_certain() -> None:
    rows = unit([[1, 0], [0, 1]])
    found = likeness.compared(rows, rows, np.array([-1, -1]), 64)
    assert found.other == 0 and not found.named


def test_one_person_alone_has_no_strangers() -> None:
    rows = unit([[1, 0], [0, 1]])
    assert np.isnan(likeness.compared(rows, rows, np.array([3, 3]), 64).other)


def test_copies_are_wholly_alike_and_strong_views_are_less(tmp_path: Path) -> None:
    make_set(tmp_path, people=4, photos=20)
    dataset = open_dataset(tmp_path, "tiny")
    encoder = Encoder.untrained("tinyvgg", {}, 32, seed=0, device="cpu")
    copies = likeness.measure(encoder, dataset, COPIES)
    assert copies.same == pytest.approx(1, abs=1e-5)
    assert copies.pairs == likeness.PAIRS
    faces = likeness.measure(encoder, dataset, ViewRecipe())
    paper = likeness.measure(encoder, dataset, views.PRESETS["SimCLR paper"])
    assert copies.same > faces.same > paper.same
    assert likeness.measure(encoder, dataset, ViewRecipe()) == faces  # the same seed draws the same


def test_val_and_test_are_never_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_set(tmp_path, people=2, photos=20, unnamed=4)
    dataset = open_dataset(tmp_path, "tiny")
    seen: list[np.ndarray] = []
    real = views.render
    monkeypatch.setattr(views, "render", lambda faces, *rest: (seen.append(faces), real(faces, *rest))[1])
    likeness.measure(Encoder.untrained("tinyvgg", {}, 32, seed=0, device="cpu"), dataset, COPIES)
    allowed = {bytes(dataset.faces[row]) for row in dataset.rows("unlabelled", "train")}
    assert {bytes(face) for face in seen[0]} == allowed  # 36 of 44


def test_a_single_face_has_nothing_to_be_compared_with(tmp_path: Path) -> None:
    make_set(tmp_path, people=0, photos=1, unnamed=1)
    with pytest.raises(DatasetError, match="fewer than two faces"):
        likeness.measure(Encoder.untrained("tinyvgg", {}, 32, seed=0), open_dataset(tmp_path, "tiny"), COPIES)


def test_the_studio_measures_once_and_anew_for_other_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_set(tmp_path)
    studio = Studio(tmp_path)
    measured: list[str] = []
    real = likeness.measure
    monkeypatch.setattr(likeness, "measure", lambda *of: (measured.append("once"), real(*of))[1])
    first = studio.likeness("tiny", "untrained", ViewRecipe(), 32)
    assert studio.likeness("tiny", "untrained", ViewRecipe(), 32) is first and len(measured) == 1
    studio.likeness("tiny", "untrained", ViewRecipe(grey=1.0), 32)
    studio.likeness("tiny", "untrained", ViewRecipe(), 48)
    assert len(measured) == 3


def test_a_network_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    make_set(tmp_path)
    with pytest.raises(FaceSSLError, match="no-such-run"):
        Studio(tmp_path).likeness("tiny", "no-such-run", ViewRecipe(), 32)
