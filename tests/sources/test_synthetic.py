"""Generated faces: the same for ever, findable, and not told apart by hair and skin alone."""

import subprocess
import sys
import time
from dataclasses import fields

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from facessl.errors import ImageError
from facessl.sources import Photo
from facessl.sources._atlas import GRID
from facessl.sources._factors import Nuisance
from facessl.sources._person import BLOCK, GEOMETRY, GROUP, STYLES, draw_person
from facessl.sources._trace import CAMERA, View, trace, turn_of
from facessl.sources.synthetic import Options, left_out, open_source, person_name, photo_factors, render, unseen


def small(**options: int) -> Options:
    return Options(**{"people": 3, "photos": 4, "photo_size": 96} | options)


def test_the_same_photo_is_the_same_bytes_in_any_order() -> None:
    first, second = open_source(small()), open_source(small())
    forwards = [first.read(photo) for photo in first.photos]
    backwards = [second.read(photo) for photo in reversed(second.photos)]
    assert all(np.array_equal(a, b) for a, b in zip(forwards, reversed(backwards), strict=True))


def test_a_photo_does_not_depend_on_how_many_others_are_asked_for() -> None:
    few, many = open_source(small(people=2, photos=2)), open_source(small(people=40, photos=9, unnamed=5))
    photo = few.photos[3]
    twin = next(p for p in many.photos if p.person == photo.person and p.path == photo.path)
    assert twin.factors == photo.factors
    assert np.array_equal(few.read(photo), many.read(twin))
    assert np.array_equal(few.read(photo), render(1, 1, size=96))


def test_another_process_draws_the_same_bytes() -> None:
    code = "from facessl.sources.synthetic import render; print(render(4, 2, size=96).tobytes().hex())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == render(4, 2, size=96).tobytes().hex()


def test_another_seed_draws_other_people() -> None:
    ours, theirs = draw_person(0, 0), draw_person(1, 0)
    assert all(ours.shape[name] != theirs.shape[name] for name in GEOMETRY)
    assert not np.array_equal(render(0, 0, seed=0, size=64), render(0, 0, seed=1, size=64))


def test_photos_are_rgb_of_the_size_asked_for() -> None:
    source = open_source(small(photo_size=80))
    picture = source.read(source.photos[0])
    assert picture.shape == (80, 80, 3)
    assert picture.dtype == np.uint8


def test_listing_names_each_person_and_numbers_each_photo() -> None:
    source = open_source(small(unnamed=6))
    named = [p for p in source.photos if p.person is not None]
    assert [p.person for p in named] == [person_name(i) for i in range(3) for _ in range(4)]
    assert len(source.photos) - len(named) == 6
    assert len({p.path for p in source.photos}) == 18
    slug = person_name(0).replace(" ", "_")
    assert named[0].path == f"{slug}/{slug}_0001.png"


def test_unnamed_photos_show_people_of_no_name() -> None:
    source = open_source(small(unnamed=5))
    nameless = [p for p in source.photos if p.person is None]
    assert not any(person_name(i).replace(" ", "_") in p.path for p in nameless for i in range(6))
    assert np.array_equal(source.read(nameless[0]), render(3, 0, size=96))


def test_first_person_draws_strangers() -> None:
    known = {p.person for p in open_source(small()).photos}
    strangers = {p.person for p in open_source(small(first_person=3)).photos}
    assert not known & strangers


def test_left_out_are_people_whom_the_source_does_not_draw() -> None:
    options = small(unnamed=5)
    strangers = left_out(options, people=2, photos=2)
    assert {p.person for p in strangers.photos} == {person_name(i) for i in (5, 6)}  # 3 named and 2 nameless come first


def test_unseen_are_further_photos_of_the_same_people() -> None:
    source, further = open_source(small()), unseen(small(), photos=2)
    assert {p.person for p in further.photos} == {p.person for p in source.photos}
    assert not {p.path for p in further.photos} & {p.path for p in source.photos}
    assert np.array_equal(further.read(further.photos[0]), render(0, 4, size=96))


def test_each_factor_is_recorded_and_varies() -> None:
    photos = open_source(small(people=6, photos=20)).photos
    for spread in fields(Nuisance):
        values = [p.factors[spread.name] for p in photos]
        limits = getattr(Nuisance(), spread.name)
        assert len(set(values)) == len(values), spread.name
        assert min(limits.low, limits.high) <= min(values) < max(values) <= max(limits.low, limits.high)
    assert {"skin_tone", "hair_red", "glasses", "beard"} <= set(photos[0].factors)
    assert photo_factors(2, 7) == photos[2 * 20 + 7].factors


@pytest.mark.parametrize(("yaw", "pitch", "roll"), [(25, 0, 0), (-25, 0, 0), (0, 14, 0), (0, -14, 0), (20, -10, 12)])
def test_the_middle_of_the_face_is_seen_where_pose_puts_it(yaw: float, pitch: float, roll: float) -> None:
    """Turn the point between the eyes by hand, project it, and look which pixel sees it."""
    radius = np.full((GRID, GRID), 0.8, np.float32)  # a ball: nothing hides the point
    axis = np.linspace(-1, 1, 101).astype(np.float32)
    hit = trace(radius, View(turn_of(yaw, pitch, roll), 50.0, axis, -axis))
    row, column = np.unravel_index(np.argmin(np.hypot(hit.u, hit.v)), hit.u.shape)
    a, b, c = np.deg2rad([yaw, pitch, roll])
    x, y, z = 0.8 * np.sin(a), 0.8 * np.cos(a) * np.sin(b), 0.8 * np.cos(a) * np.cos(b)  # right, up, towards us
    x, y = x * np.cos(c) + y * np.sin(c), y * np.cos(c) - x * np.sin(c)  # then clockwise
    nearer = CAMERA / (CAMERA - z)  # what is nearer looks larger
    assert (axis[column], -axis[row]) == pytest.approx((x * nearer, y * nearer), abs=0.03)


def test_outside_the_outline_nothing_is_covered() -> None:
    """A ball's outline is a circle; seen from a distance it is a little wider than the ball."""
    axis = np.linspace(-1, 1, 101).astype(np.float32)
    hit = trace(np.full((GRID, GRID), 0.8, np.float32), View(turn_of(0, 0, 0), 50.0, axis, -axis))
    distance = np.hypot(axis[None, :], axis[:, None])
    edge = 0.8 / np.sqrt(1 - (0.8 / CAMERA) ** 2)
    assert (hit.cover[distance < edge - 0.04] == 1).all()
    assert (hit.cover[distance > edge + 0.04] == 0).all()


def test_look_alikes_share_hair_and_skin_but_not_the_face() -> None:
    for block in range(4):
        people = [draw_person(0, block * BLOCK + i) for i in range(BLOCK)]
        assert len({p.group for p in people}) == BLOCK - GROUP + 1
        people = people[:GROUP]
        assert len({(p.style, p.hair, p.skin) for p in people}) == 1
        for name in GEOMETRY:
            assert len({p.shape[name] for p in people}) == GROUP
    assert {draw_person(0, i).style for i in range(2 * BLOCK)} == set(STYLES)


def test_names_are_distinct() -> None:
    assert len({person_name(i) for i in range(5000)}) == 5000


def test_opencv_finds_the_faces() -> None:
    """The plain call: grey, Haar's frontal cascade, scaleFactor 1.1, minNeighbors 5, minSize 40."""
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    found = 0
    for i in range(72):
        grey = cv2.cvtColor(render(i % 24, i, size=256), cv2.COLOR_RGB2GRAY)
        found += len(cascade.detectMultiScale(grey, 1.1, 5, minSize=(40, 40))) > 0
    assert found >= 0.93 * 72  # at least 0.95 of all 960; a sample wavers by one or two


def test_listing_draws_nothing() -> None:
    start = time.process_time()
    source = open_source(Options(people=100, photos=40))
    assert len(source.photos) == 4000
    assert time.process_time() - start < 10  # about 0.13 s on an idle core; drawing them would take two minutes


def test_a_strange_photo_is_refused() -> None:
    with pytest.raises(ImageError, match="not among"):
        open_source(small()).read(Photo("Nobody", "Nobody/Nobody_0001.png"))


@pytest.mark.parametrize("wrong", [{"people": 1}, {"photo_size": 63}, {"seed": -1}, {"unnamed": -1}, {"colour": "red"}])
def test_options_refuse_nonsense(wrong: dict) -> None:
    with pytest.raises(ValidationError):
        Options(**wrong)


def test_importing_the_plug_in_does_not_load_opencv() -> None:
    code = "import sys, facessl.sources.synthetic; print('cv2' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "False"
