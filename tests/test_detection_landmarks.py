"""Five points align a face as a known transform did before, and only where they can be a face's."""

import cv2
import numpy as np
import pytest

from facessl.detection import Face, crop
from facessl.detection._eyes import TEMPLATE, degrees, plausible_landmarks, similarity

POINTS = np.array(TEMPLATE)


def placed(side: float, angle: float, corner: tuple[float, float]) -> np.ndarray:
    """Return the template as the landmarks of a face, turned about the middle of its square."""
    turn = np.radians(angle)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return ((POINTS - 0.5) @ rotation.T + 0.5) * side + corner


def as_tuples(points: np.ndarray) -> tuple[tuple[float, float], ...]:
    return tuple((float(x), float(y)) for x, y in points)


def test_a_known_transform_is_found_again() -> None:
    turn, shift = similarity(TEMPLATE, as_tuples(placed(80, 17, (30, 40))))
    assert abs(turn) == pytest.approx(80)
    assert degrees(turn) == pytest.approx(17)
    centre = turn * complex(0.5, 0.5) + shift
    assert (centre.real, centre.imag) == pytest.approx((70, 80))


def test_the_transform_is_the_least_squares_one() -> None:
    target = placed(80, -9, (5, 7)) + np.random.default_rng(0).normal(0, 3, (5, 2))
    # x' = p x - q y + s, y' = q x + p y + t, solved as any linear system.
    rows = [([x, -y, 1, 0], [y, x, 0, 1]) for x, y in TEMPLATE]
    (p, q, s, t), *_ = np.linalg.lstsq(np.array(rows).reshape(10, 4), target.ravel(), rcond=None)
    turn, shift = similarity(TEMPLATE, as_tuples(target))
    assert (turn.real, turn.imag, shift.real, shift.imag) == pytest.approx((p, q, s, t))


def test_the_mirror_image_is_not_matched_by_mirroring() -> None:
    mirrored = POINTS * [-1, 1] + [1, 0]
    turn, shift = similarity(TEMPLATE, as_tuples(mirrored))
    fitted = (POINTS @ [1, 1j]) * turn + shift
    assert np.abs(fitted - mirrored @ [1, 1j]).max() > 0.2


def dot(point: np.ndarray, side: int) -> np.ndarray:
    """Return a picture with a soft dot around a point."""
    down, across = np.mgrid[:side, :side] + 0.5  # centres of pixels
    shape = np.exp(-0.5 * (np.hypot(across - point[0], down - point[1]) / (side / 100)) ** 2)
    return (255 * shape)[..., None].repeat(3, axis=2).astype(np.uint8)


def where(face: Face, landmark: np.ndarray, margin: float = 0.0) -> np.ndarray:
    """Return where a landmark of the photo comes to lie in the aligned crop, in shares of its side."""
    cut, aligned = crop(dot(landmark, round(2 * face.side)), face, size=128, margin=margin, align=True)
    assert aligned
    grey = cut[..., 0].astype(float)
    return np.array([np.average(np.arange(128) + 0.5, weights=grey.sum(axis)) for axis in (0, 1)]) / 128


@pytest.mark.parametrize("margin", [0.0, 0.25])
@pytest.mark.parametrize(("side", "angle"), [(90.0, 0.0), (90.0, 25.0), (110.0, -12.0), (700.0, 14.0)])
def test_landmarks_come_to_lie_where_the_template_says(side: float, angle: float, margin: float) -> None:
    landmarks = placed(side, angle, (0.4 * side, 0.5 * side))
    face = Face((0.4 * side, 0.5 * side, side, side), landmarks=as_tuples(landmarks))
    for landmark, goal in zip(landmarks, (POINTS + margin) / (1 + 2 * margin), strict=True):
        assert where(face, landmark, margin) == pytest.approx(goal, abs=0.003)


@pytest.mark.parametrize("angle", [0.0, -20.0])
def test_height_is_the_landmarks_and_place_across_most_of_the_way_to_theirs(angle: float) -> None:
    landmarks = placed(100, angle, (50, 50))
    turn = np.exp(1j * np.radians(angle))
    for across, down, expected in ((0, 15, 0.5), (10, 0, 0.47), (10, -15, 0.47)):
        moved = complex(across, down) * turn  # in the face's own directions
        face = Face((50 + moved.real, 50 + moved.imag, 100.0, 100.0), landmarks=as_tuples(landmarks))
        assert where(face, landmarks[2]) == pytest.approx([expected, POINTS[2][1]], abs=0.003)


def test_without_alignment_landmarks_do_not_matter() -> None:
    image = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    box = (60.0, 60.0, 64.0, 64.0)
    face = Face(box, landmarks=as_tuples(placed(64, 20, (60, 60))), angle=20)
    cut, aligned = crop(image, face, size=64, margin=0, align=False)
    assert not aligned
    assert np.array_equal(cut, crop(image, Face(box), size=64, margin=0, align=True)[0])


def test_opencv_finds_the_same_crop() -> None:
    image = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8), (0, 0), 3)
    landmarks = placed(100, 18, (90, 80))
    face = Face((90.0, 80.0, 100.0, 100.0), landmarks=as_tuples(landmarks), angle=18)
    cut, _ = crop(image, face, size=96, margin=0.1, align=True)
    goal = (POINTS + 0.1) / 1.2 * 96
    matrix, _ = cv2.estimateAffinePartial2D(landmarks - 0.5, goal - 0.5)
    theirs = cv2.warpAffine(image, matrix, (96, 96), flags=cv2.INTER_LINEAR)
    assert np.abs(cut.astype(int) - theirs).max() <= 3


SQUARE = (100.0, 50.0, 200.0, 200.0)


@pytest.mark.parametrize("angle", [-30.0, 0.0, 12.0, 33.0])
def test_a_face_however_turned_has_plausible_landmarks(angle: float) -> None:
    wobble = np.random.default_rng(0).normal(0, 3, (5, 2))
    assert plausible_landmarks(SQUARE, as_tuples(placed(200, angle, (100, 50)) + wobble))


@pytest.mark.parametrize(
    ("why", "points"),
    [
        ("turned too far", placed(200, 50, (100, 50))),
        ("upside down", placed(200, 180, (100, 50))),
        ("in a profile the eyes are close together", (POINTS - 0.5) * [0.55, 1] * 200 + [200, 150]),
        ("eyes where the mouth should be", POINTS[[3, 4, 2, 0, 1]] * 200 + [100, 50]),
        ("left and right exchanged", POINTS[[1, 0, 2, 4, 3]] * 200 + [100, 50]),
        ("too low in the box", POINTS * 200 + [100, 90]),
        ("far too large for the box", placed(320, 0, (40, -10))),
        ("nose far off", POINTS * 200 + [100, 50] + np.array([[0, 0], [0, 0], [60, 0], [0, 0], [0, 0]])),
    ],
)
def test_what_cannot_be_a_face_has_none(why: str, points: np.ndarray) -> None:
    assert not plausible_landmarks(SQUARE, as_tuples(points)), why
