"""Copies are found whatever was done to them, other pictures are not, and groups are whole."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy.fft import dctn

from facessl.duplicates import duplicate_groups, fingerprint
from facessl.sources import synthetic


@pytest.fixture(scope="module")
def photos() -> list[np.ndarray]:
    return [synthetic.render(person, photo, size=160) for person in range(6) for photo in range(3)]


def groups_of(pictures: list[np.ndarray]) -> list[int]:
    made = [fingerprint(picture) for picture in pictures]
    hashes = np.array([bits for bits, _ in made], np.uint64)
    return duplicate_groups(hashes, np.stack([thumbnail for _, thumbnail in made])).tolist()


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


CHANGES = {
    "the same": lambda p: p.copy(),
    "recompressed": lambda p: jpeg(p, 25),
    "half the size": lambda p: cv2.resize(p, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "twice the size": lambda p: cv2.resize(p, None, fx=2, fy=2),
    "darker": lambda p: (p * 0.7).astype(np.uint8),
    "grey": lambda p: np.repeat(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY)[..., None], 3, 2),
    "a border cut off": lambda p: p[2:-2, 2:-2],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_copy_is_found_and_other_photos_of_the_person_are_not(photos, change) -> None:
    assert groups_of([*photos, change(photos[4])]) == [4 if i in (4, 18) else -1 for i in range(19)]


def test_a_mirrored_picture_is_another_one(photos) -> None:
    assert groups_of([photos[0], photos[0][:, ::-1]]) == [-1, -1]


def test_a_copy_of_a_copy_belongs_to_the_group(photos) -> None:
    a, b = photos[0], photos[5]
    assert groups_of([b, a, jpeg(a, 60), jpeg(b, 60), jpeg(jpeg(a, 60), 30), photos[9]]) == [0, 1, 1, 0, 1, -1]


def test_flat_pictures_are_not_copies_of_each_other() -> None:
    assert groups_of([np.full((50, 50, 3), grey, np.uint8) for grey in (0, 90, 90, 255)]) == [-1] * 4


def test_no_picture_at_all() -> None:
    assert duplicate_groups(np.zeros(0, np.uint64), np.zeros((0, 16, 16), np.uint8)).tolist() == []


def test_the_hash_is_the_papers(photos) -> None:
    """Against a slow reading with another library's transform."""
    small = cv2.resize(cv2.cvtColor(photos[7], cv2.COLOR_RGB2GRAY), (32, 32), interpolation=cv2.INTER_AREA)
    frequencies = dctn(small.astype(float), norm="ortho")[1:9, 1:9].ravel().tolist()
    middle = sum(sorted(frequencies)[31:33]) / 2
    bits = "".join("1" if value > middle else "0" for value in frequencies)
    assert fingerprint(photos[7])[0] == int(bits, 2)


def test_blocks_do_not_hide_pairs() -> None:
    """Copies that lie far apart in a long list are found as well."""
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**63, 2500, dtype=np.uint64)
    thumbnails = rng.integers(0, 256, (2500, 16, 16), dtype=np.uint8)
    for i, j in ((0, 2499), (1023, 1024), (7, 8)):
        hashes[j], thumbnails[j] = hashes[i] ^ np.uint64(0b1011), thumbnails[i]
    groups = duplicate_groups(hashes, thumbnails)
    assert {i: int(groups[i]) for i in np.flatnonzero(groups >= 0)} == {
        0: 0,
        2499: 0,
        1023: 1023,
        1024: 1023,
        7: 7,
        8: 7,
    }
