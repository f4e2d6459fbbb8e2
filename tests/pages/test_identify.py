import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from facessl import gallery
from facessl.dataset import open_dataset
from facessl.files import write_json
from facessl.recognition import FaceAnswer, FoundFace
from facessl.run import Run
from facessl.studio import Studio
from tests.pages.made import finetuned, open_page, tiny_set, words

PHOTO = np.full((80, 120, 3), 90, np.uint8)


def encoded(picture: np.ndarray, form: str = "PNG") -> bytes:
    data = io.BytesIO()
    Image.fromarray(picture).save(data, form, lossless=True)
    return data.getvalue()


@pytest.fixture
def model(empty_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A model that knows three people in three directions; a face on a photo looks like Person 1, or like nobody."""
    tiny_set(empty_workspace)
    run = finetuned(empty_workspace, "Knows three", right=6)
    dataset = open_dataset(empty_workspace, "tiny")
    rows = np.arange(60)
    noise = np.random.default_rng(0).normal(0, 0.2, (60, 8))
    vectors = np.eye(8)[dataset.labels(rows)] + noise
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    known = gallery.build(vectors, dataset.labels(rows), dataset.crops["split"].to_numpy()[rows], dataset.people)
    known.save(run.path)

    def identify(self: Studio, run_id: str, image: np.ndarray, false_accept_rate: float = 0.01) -> list[FaceAnswer]:
        """Answer for as many faces as the photo's first pixel says: the first is Person 1, the others are nobody."""
        answers = []
        for number in range(int(image[0, 0, 0])):
            probe = vectors[20] if number == 0 else np.full(8, -(8**-0.5), np.float32)
            answer = gallery.identify(probe, self.gallery(run_id), self.gallery(run_id).threshold(false_accept_rate))
            face = SimpleNamespace(box=(10 + 30 * number, 20, 25, 25))
            crop = np.zeros((32, 32, 3), np.uint8)
            found = FoundFace(face, crop, probe, [("Person 2", 0.97), ("Person 0", 0.02)])  # type: ignore[arg-type]
            answers.append(FaceAnswer(found, answer))
        return answers

    monkeypatch.setattr(Studio, "identify", identify)
    return run


def photo_with(faces: int) -> np.ndarray:
    photo = PHOTO.copy()
    photo[0, 0] = faces
    return photo


def upload(data: bytes, name: str = "photo.png") -> AppTest:
    app = open_page("identify")
    app.segmented_control(key="identify-way").set_value("upload").run()
    app.file_uploader(key="identify-upload").upload(name, data)
    return app.run()


def test_without_a_model_it_leads_to_finetune(empty_workspace: Path) -> None:
    app = open_page("identify")
    assert not app.exception
    assert "No model knows anybody yet" in words(app)


def test_a_known_face_is_named_with_its_evidence(model: Run) -> None:
    app = upload(encoded(photo_with(1)))
    assert not app.exception
    said = words(app)
    assert "### 1 · Person 1" in said
    assert "above the threshold" in said
    nearest = app.html[0].value
    assert nearest.count("<img") == 3
    assert nearest.count("Person 1 ") >= 3
    # The classifier errs here, and stays what it is: an opinion.
    assert "would answer: Person 2 97 %" in said


def test_each_of_several_faces_gets_an_answer_and_nobody_is_unknown(model: Run) -> None:
    app = upload(encoded(photo_with(3)))
    assert not app.exception
    said = words(app)
    assert "### 1 · Person 1" in said
    assert "### 2 · Unknown" in said
    assert "### 3 · Unknown" in said
    assert "below the threshold" in said


def test_no_face_is_an_answer(model: Run) -> None:
    app = upload(encoded(photo_with(0)))
    assert not app.exception
    assert app.info[0].value == "No face was found on this photo."
    assert "Turn a photo that lies on its side" in words(app)


@pytest.mark.parametrize(
    ("name", "data"), [("photo.jpg", b"not a picture"), ("cut.jpg", encoded(PHOTO, "JPEG")[:300]), ("empty.png", b"")]
)
def test_a_bad_file_is_refused_in_a_sentence(model: Run, name: str, data: bytes) -> None:
    app = upload(data, name)
    assert not app.exception
    assert len(app.error) == 1
    assert app.error[0].value.endswith(".")


def test_the_format_is_told_by_content(model: Run) -> None:
    app = upload(encoded(photo_with(1), "WEBP"), "photo.jpg")
    assert not app.exception
    assert not app.error
    assert "Person 1" in words(app)


def test_a_stricter_rate_asks_for_more_and_says_what_it_rests_on(model: Run) -> None:
    app = open_page("identify")
    known = gallery.Gallery.load(model.path)
    assert f"**{known.threshold(0.01):.3f}**" in words(app)
    assert "6 impostors of the `val` split. They are too few to measure 1 %" in words(app)
    app.select_slider(key="identify-rate").set_value(0.1).run()
    assert "It lets 1 of them through (16.7 %)" in words(app)


def test_what_was_measured_stands_beside_the_threshold(model: Run) -> None:
    known = {"photos": 6, "right": 5 / 6, "wrong": 0.0, "unknown": 1 / 6}
    result = {
        **(model.result() or {}),
        "identification": {"known": known, "strangers": {"photos": 40, "unknown": 0.95}},
    }
    write_json(model.path / "result.json", result)
    said = words(open_page("identify"))
    assert "6 test photos of known people: 83.3 % named rightly, 0.0 % taken for somebody else, 16.7 %" in said
    assert "40 photos of strangers: 95.0 % called unknown" in said


def test_a_sample_says_who_it_really_is(model: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[bool, int]] = []

    def sample(self: Studio, run_id: str, *, stranger: bool, seed: int) -> tuple[np.ndarray, str]:
        asked.append((stranger, seed))
        return photo_with(1), "Person 1"

    monkeypatch.setattr(Studio, "sample", sample)
    app = open_page("identify")
    app.button(key="identify-known").click().run()
    assert not app.exception
    assert ":green-badge[Right] Really: **Person 1**." in words(app)
    app.button(key="identify-stranger").click().run()
    assert ":red-badge[Wrong] Really: **Person 1**, whom this model never met" in words(app)
    assert asked == [(False, 0), (True, 1)]


def test_a_name_cannot_bring_markup(model: Run) -> None:
    from pages._shared.words import plain

    assert plain("**Ann** [x](y) <b> :red[z]") == r"\*\*Ann\*\* \[x\]\(y\) \<b\> \:red\[z\]"


def test_trained_runs_of_the_studio_are_shown(trained_workspace: Path) -> None:
    app = open_page("identify")
    app.button(key="identify-known").click().run()
    assert not app.exception
    assert not app.error
    assert "Really: **" in words(app)
