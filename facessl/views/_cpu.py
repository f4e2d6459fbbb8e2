"""Views by OpenCV, a face at a time, in 8-bit numbers."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from facessl.views._parameters import (
    CONTRAST,
    LUMA,
    ViewParameters,
    blur_weights,
    check,
    colour_changes,
    colour_matrices,
    sampling,
    turns,
    unchanged,
)


def render(faces: np.ndarray, parameters: ViewParameters, size: int, *, threads: int = 1) -> np.ndarray:
    """Render views of each face on the CPU.

    Args:
        faces: Shape (N, S, S, 3) uint8 RGB.
        parameters: R rows, R a multiple of N; row i says what becomes of ``faces[i % N]``. Several views of a face
            (``ViewParameters.joined``) cost less in one call: the face is shrunk once for all of them.
        size: Side of a view in pixels.
        threads: Faces are shared out over so many threads; OpenCV lets them run side by side.

    Returns:
        Shape (R, size, size, 3) uint8; the same for any number of threads.

    Raises:
        ValueError: The faces are not square, or R is no multiple of N.
    """
    check(faces.shape, parameters)
    views = np.empty((len(parameters), size, size, 3), dtype=np.uint8)
    plan = _Plan(parameters, faces.shape[1], size)

    def fill(numbers: Sequence[int]) -> None:
        for number in numbers:
            shrunk: dict[int, np.ndarray] = {}
            for row in range(number, len(views), len(faces)):
                level = plan.levels[row]
                if level not in shrunk:
                    shrunk[level] = _shrink(faces[number], level)
                views[row] = plan.view(row, shrunk[level])

    if threads <= 1 or len(faces) < 2 * threads:
        fill(range(len(faces)))
        return views
    with ThreadPoolExecutor(threads) as pool:
        # list() re-raises what went wrong in a thread.
        list(pool.map(fill, [range(first, len(faces), threads) for first in range(threads)]))
    return views


def plain(faces: np.ndarray, size: int, *, threads: int = 1) -> np.ndarray:
    """Return the faces at another size and otherwise as they are, (N, size, size, 3) uint8: what evaluation sees.

    Resampled exactly as views are, so that a network meets the sharpness it was trained on.
    """
    return render(faces, unchanged(len(faces)), size, threads=threads)


class _Plan:
    """What each view needs, worked out for all of them at once: numpy costs as much for one row as for a hundred."""

    def __init__(self, parameters: ViewParameters, side: int, size: int) -> None:
        windows, self.levels = sampling(parameters, side, size)
        self._size = size
        self._warps = _warps(windows, self.levels, side, size)
        self._lit = np.logical_or.reduce(np.concatenate([parameters.light, parameters.cast], axis=1) != 0, axis=1)
        self._across, self._down = _light_planes(parameters, size)
        self._matrices, self._mean_shares = colour_matrices(parameters)
        self._scales = turns(parameters) <= CONTRAST
        self._slots = [np.flatnonzero(changes).tolist() for changes in colour_changes(parameters)]
        self._blurred = parameters.sigma > 0
        self._reach = np.ceil(3 * parameters.sigma).astype(np.int64)
        self._weights = blur_weights(parameters.sigma)

    def view(self, row: int, face: np.ndarray) -> np.ndarray:
        """Return the view of a row, from the face shrunk to the row's level."""
        import cv2

        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = (self._size, self._size)
        view = cv2.warpAffine(face, self._warps[row], size, flags=flags, borderMode=cv2.BORDER_REFLECT)
        if self._lit[row]:
            view = self._light(row, view)
        for slot in self._slots[row]:
            view = self._recolour(row, slot, view)
        if self._blurred[row]:
            view = self._blur(row, view)
        return view

    def _light(self, row: int, view: np.ndarray) -> np.ndarray:
        """Light a view from one side and in a colour: a plane of stops, the first-order light of a convex face."""
        import cv2

        gain = self._down[row][:, None] * self._across[row]  # (size, size * 3)
        lit = cv2.multiply(view.reshape(gain.shape), gain, dtype=cv2.CV_8U)  # rounds, and clamps at white
        return lit.reshape(view.shape)

    def _recolour(self, row: int, slot: int, view: np.ndarray) -> np.ndarray:
        import cv2

        matrix, mean_share = self._matrices[row, slot], self._mean_shares[row, slot]
        if not self._scales[row, slot]:
            return cv2.transform(view, matrix)
        added = mean_share * (LUMA @ cv2.sumElems(view)[:3]) / view[..., 0].size if mean_share else 0.0
        # As transform would do, which takes four times as long where a matrix is diagonal.
        return cv2.addWeighted(view, float(matrix[0, 0]), view, 0.0, float(added))

    def _blur(self, row: int, view: np.ndarray) -> np.ndarray:
        import cv2

        middle, reach = self._weights.shape[1] // 2, self._reach[row]
        weights = self._weights[row, middle - reach : middle + reach + 1]
        # GaussianBlur rounds between its two passes and takes twice as long.
        return cv2.sepFilter2D(view, -1, weights, weights)


def _shrink(face: np.ndarray, level: int) -> np.ndarray:
    """Return a face of (S, S, 3) halved ``level`` times, each pixel the mean of those it stands for."""
    import cv2

    if not level:
        return face
    shrunk = len(face) >> level
    whole = shrunk << level  # a rest of an odd side is left off, as avg_pool2d does
    return cv2.resize(face[:whole, :whole], (shrunk, shrunk), interpolation=cv2.INTER_AREA)


def _warps(windows: np.ndarray, levels: np.ndarray, side: int, size: int) -> np.ndarray:
    """Return (N, 2, 3) float64, from a view's pixel indices to those of the shrunk face."""
    shrink = (2.0**levels)[:, None]
    warps = np.empty((len(windows), 2, 3))
    warps[:, :, :2] = windows[:, :, :2] * (side / size / shrink[:, None])
    # From -1..1 between edges to pixel indices, whose centres are half a pixel inside.
    middle = (windows[:, :, 2] + 1) * (side / 2 / shrink) - 0.5
    warps[:, :, 2] = middle - warps[:, :, :2].sum(axis=2) * (size - 1) / 2
    return warps


def _light_planes(parameters: ViewParameters, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the light of a row's pixels and channels (N, size * 3), and down the rows (N, size); float32.

    It is 1 in the middle and doubles with each stop.
    """
    places = (2 * np.arange(size, dtype=np.float32) + 1) / size - 1  # pixel centres, -1 to 1
    across = np.exp2(parameters.light[:, :1] * places)[:, :, None] * np.exp2(parameters.cast)[:, None]
    return across.reshape(len(across), 3 * size), np.exp2(parameters.light[:, 1:] * places)
