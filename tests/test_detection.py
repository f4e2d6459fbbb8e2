"""Faces are found where they are, eyes only where they can be, and crops show what they should."""

import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from facessl.detection import Face, HaarDetector, choose, crop, plausible_pair
from facessl.sources import folder, synthetic


@pytest.fixture(scope="module")
def photos() -> list[np.ndarray]:
    return [synthetic.render(person, 0, size=256) for person in range(6)]


@pytest.fixture(scope="module")
def detector() -> HaarDetector:
    return HaarDetector()


def test_a_larger_photo_gives_the_same_boxes_in_its_own_pixels(
    photos: list[np.ndarray], detector: HaarDetector
) -> None:
    for photo in photos[:3]:
        large = cv2.resize(photo, None, fx=5, fy=5, interpolation=cv2.INTER_CUBIC)
        small_box = np.array(choose(detector.find(photo), photo.shape).box)
        large_box = np.array(choose(detector.find(large), large.shape).box)
        assert np.abs(large_box / 5 - small_box).max() < 0.12 * small_box[2]


def test_boxes_lie_inside_the_photo(photos: list[np.ndarray], detector: HaarDetector) -> None:
    for photo in photos:
        for face in detector.find(photo):
            x, y, w, h = face.box
            assert x >= 0 and y >= 0 and x + w <= photo.shape[1] and y + h <= photo.shape[0]
            assert face.score >= 5


@pytest.mark.parametrize("shape", [(200, 200), (16, 16), (17, 900)])
def test_no_face_is_an_empty_list(shape: tuple[int, int], detector: HaarDetector) -> None:
    assert detector.find(np.full((*shape, 3), 128, np.uint8)) == []
    assert choose([], shape) is None


def test_a_face_that_fills_the_frame_is_found_with_a_border(photos: list[np.ndarray], detector: HaarDetector) -> None:
    found = 0
    for photo in photos:
        face = choose(detector.find(photo), photo.shape)
        x, y, w, h = (round(value) for value in face.box)
        found += bool(detector.find(photo[y : y + h, x : x + w]))
    assert found >= 4


def test_two_people_side_by_side_are_two_faces(photos: list[np.ndarray], detector: HaarDetector) -> None:
    assert len(detector.find(np.hstack(photos[:2]))) == 2


def test_threads_share_a_detector(photos: list[np.ndarray]) -> None:
    shared = HaarDetector()
    alone = [shared.find(photo) for photo in photos]
    answers: dict[int, list[Face]] = {}
    threads = [
        threading.Thread(target=lambda i=i: answers.__setitem__(i, shared.find(photos[i]))) for i in range(len(photos))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answers[i] for i in range(len(photos))] == alone


BOX = (100.0, 50.0, 200.0, 200.0)


def test_usual_eyes_are_a_pair() -> None:
    left, right = (163.0, 129.0, 50.0), (237.0, 131.0, 50.0)
    assert plausible_pair(BOX, [right, left]) == ((163.0, 129.0), (237.0, 131.0))


@pytest.mark.parametrize(
    ("why", "left", "right"),
    [
        ("turned by 27 degrees", (165, 112, 50), (235, 148, 50)),
        ("too close", (180, 129, 50), (220, 129, 50)),
        ("too far apart", (140, 129, 50), (260, 129, 50)),
        ("nostrils", (163, 160, 50), (237, 160, 50)),
        ("eyebrows of a low box", (163, 90, 50), (237, 90, 50)),
        ("unlike in size", (163, 129, 30), (237, 131, 60)),
        ("both on one side", (120, 129, 50), (190, 129, 50)),
    ],
)
def test_what_cannot_be_eyes_is_no_pair(why: str, left: tuple, right: tuple) -> None:
    assert plausible_pair(BOX, [left, right]) is None, why


def test_the_more_eye_like_pair_wins() -> None:
    eyes = [(163.0, 129.0, 50.0), (237.0, 131.0, 50.0), (232.0, 150.0, 34.0)]
    assert plausible_pair(BOX, eyes) == ((163.0, 129.0), (237.0, 131.0))
    assert plausible_pair(BOX, eyes[:1]) is None


def test_choose_takes_the_largest_and_of_equals_the_best_centred() -> None:
    small, edge, middle = Face((45, 45, 30, 30)), Face((0, 0, 50, 50)), Face((30, 30, 45, 45))
    assert choose([small, edge], (100, 100)) is edge
    assert choose([small, edge, middle], (100, 100)) is middle


def test_an_upright_crop_is_a_slice() -> None:
    image = np.random.default_rng(0).integers(0, 256, (120, 150, 3), np.uint8)
    cut, turned = crop(image, Face((10, 20, 64, 64)), size=64, margin=0, align=True)
    assert not turned
    assert np.array_equal(cut, image[20:84, 10:74])


def test_a_margin_shows_more_of_the_photo() -> None:
    image = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    cut, _ = crop(image, Face((60, 60, 64, 64)), size=96, margin=0.25, align=False)
    assert np.array_equal(cut, image[44:140, 44:140])


def test_a_much_smaller_crop_is_an_average() -> None:
    image = np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8)
    cut, _ = crop(image, Face((40, 40, 256, 256)), size=32, margin=0, align=False)
    blocks = image[40:296, 40:296].reshape(32, 8, 32, 8, 3).mean((1, 3))
    # Skipping pixels would leave the noise's deviation of 74; averaging 64 of them leaves 9.
    assert cut.std() < 14
    assert np.corrcoef(cut.ravel(), blocks.ravel())[0, 1] > 0.75


def test_what_lies_outside_the_photo_is_mirrored() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    cut, _ = crop(image, Face((0, 0, 64, 64)), size=96, margin=0.25, align=False)
    assert np.array_equal(cut, np.pad(image, ((16, 16), (16, 16), (0, 0)), mode="reflect"))


@pytest.mark.parametrize("scale", [1, 7])
@pytest.mark.parametrize("angle", [-15.0, 8.0, 20.0])
def test_eyes_are_level_after_the_crop(angle: float, scale: int) -> None:
    image = np.zeros((200 * scale, 200 * scale, 3), np.uint8)
    middle, arm = np.array([100.0, 90.0]) * scale, np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    left, right = middle - 25 * scale * arm, middle + 25 * scale * arm
    down, across = np.mgrid[: 200 * scale, : 200 * scale] + 0.5  # centres of pixels
    for point, channel in ((left, 0), (right, 1)):
        distance = np.hypot(across - point[0], down - point[1])
        image[..., channel] = 255 * np.exp(-0.5 * (distance / (3 * scale)) ** 2)
    face = Face((40 * scale, 40 * scale, 120 * scale, 120 * scale), tuple(left), tuple(right), angle)
    cut, turned = crop(image, face, size=112, margin=0.1, align=True)
    assert turned
    rows = [np.average(np.arange(112), weights=cut[..., channel].sum(1)) for channel in (0, 1)]
    columns = [np.average(np.arange(112), weights=cut[..., channel].sum(0)) for channel in (0, 1)]
    assert rows[0] == pytest.approx(rows[1], abs=0.1)
    assert columns[1] - columns[0] == pytest.approx(50 * 112 / (120 * 1.2), abs=0.3)
    cut, turned = crop(image, face, size=112, margin=0.1, align=False)
    assert not turned


@pytest.mark.realdata
def test_faces_turned_on_purpose_are_measured_right(real_data: Path) -> None:
    source = folder.open_source(folder.Options(), real_data / "lfw-deepfunneled.zip")  # its faces are level
    detector, angles = HaarDetector(), []
    for photo in source.photos[::220]:
        image = source.read(photo)
        turn = cv2.getRotationMatrix2D((125, 125), -12, 1)
        face = choose(
            detector.find(cv2.warpAffine(image, turn, (250, 250), borderMode=cv2.BORDER_REFLECT)), image.shape
        )
        if face and face.left_eye:
            angles.append(face.angle)
    assert len(angles) >= 30
    assert np.median(angles) == pytest.approx(12, abs=3)
    assert np.std(angles) < 5
