"""Near-duplicates: the same picture again, rescaled, recompressed, recoloured or cut a little closer.

One copy in train and one in test is the leak that makes an accuracy a lie.
"""

import numpy as np

THUMBNAIL = 16  # pixels a side
# On 15,000 real photos, pairs up to 10 bits apart whose thumbnails correlate by 0.96 or more were one picture (two
# shots of one burst at most); below 0.96 portraits before the same dark background begin (docs/LOG.md).
MAX_BITS = 10
MIN_CORRELATION = 0.96
_FLAT = 2.0  # grey levels (std) under which a thumbnail shows nothing that could be compared
_BLOCK = 1024


def fingerprint(image: np.ndarray) -> tuple[int, np.ndarray]:
    """Return what copies of a picture share.

    Args:
        image: Shape (H, W, 3) uint8, RGB.

    Returns:
        The 64 bits of the perceptual hash: whether each of the 8 x 8 lowest frequencies, the constant rows left out,
        lies above their median; and a grey thumbnail, shape (16, 16) uint8.

    Reference: Zauner 2010, Implementation and benchmarking of perceptual image hash functions, section 3.2.1
    """
    import cv2

    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA)
    lowest = cv2.dct(small.astype(np.float32))[1:9, 1:9]
    bits = np.packbits(lowest > np.median(lowest)).tobytes()
    return int.from_bytes(bits, "big"), cv2.resize(grey, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)


def duplicate_groups(hashes: np.ndarray, thumbnails: np.ndarray) -> np.ndarray:
    """Return which pictures are copies of each other.

    Args:
        hashes: Shape (N,) uint64.
        thumbnails: Shape (N, 16, 16) uint8.

    Returns:
        Shape (N,) int64: the least index of the picture's group, -1 where a picture has no copy. A copy of a copy
        belongs to the group as well. Every pair is looked at, N²/2 bit counts: some ten seconds for 100,000.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(hashes)
    groups = np.full(count, -1)
    left, right = _pairs(np.asarray(hashes, np.uint64), _standardised(thumbnails))
    if not len(left):
        return groups
    graph = coo_array((np.ones(len(left), bool), (left, right)), shape=(count, count))
    _, component = connected_components(graph, directed=False)
    members = np.unique(np.concatenate([left, right]))
    first = np.full(component.max() + 1, count)
    np.minimum.at(first, component[members], members)
    groups[members] = first[component[members]]
    return groups


def _standardised(thumbnails: np.ndarray) -> np.ndarray:
    """Return rows (N, 256) float32 whose product is the correlation; zeros where there is nothing to see."""
    rows = np.asarray(thumbnails, np.float32).reshape(len(thumbnails), THUMBNAIL * THUMBNAIL)
    rows = rows - rows.mean(axis=1, keepdims=True)
    spread = rows.std(axis=1, keepdims=True)
    rows /= np.maximum(spread, _FLAT) * THUMBNAIL
    rows[spread[:, 0] < _FLAT] = 0
    return rows


def _pairs(hashes: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of the two pictures of each pair of copies."""
    found: list[tuple[np.ndarray, np.ndarray]] = []
    for start in range(0, len(hashes), _BLOCK):
        block = hashes[start : start + _BLOCK]
        apart = np.bitwise_count(block[:, None] ^ hashes[None, start:])
        i, j = np.nonzero(apart <= MAX_BITS)
        i, j = i + start, j + start
        i, j = i[i < j], j[i < j]
        alike = np.einsum("nd,nd->n", rows[i], rows[j]) >= MIN_CORRELATION
        found.append((i[alike], j[alike]))
    if not found:
        return np.zeros(0, int), np.zeros(0, int)
    return np.concatenate([i for i, _ in found]), np.concatenate([j for _, j in found])
