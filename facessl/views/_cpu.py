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

_RED, _GREEN, _BLUE = LUMA.tolist()


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
                plan.render(row, shrunk[level], views[row])

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
        import cv2

        self._cv2 = cv2
        windows, levels = sampling(parameters, side, size)
        self._size = (size, size)
        # Plain lists: to pick one number out of an array costs more than some of the work that is done with it.
        self.levels = levels.tolist()
        self._warps = list(_warps(windows, levels, side, size))
        lit = np.logical_or.reduce(np.concatenate([parameters.light, parameters.cast], axis=1) != 0, axis=1)
        self._lit = lit.tolist()
        if lit.any():
            self._across, self._down = _light_planes(parameters, size)
        self._matrices, mean_shares = colour_matrices(parameters)
        self._factors, self._mean_shares = self._matrices[:, :, 0, 0].tolist(), mean_shares.tolist()
        self._scales = (turns(parameters) <= CONTRAST).tolist()
        self._slots = [
            [slot for slot, changed in enumerate(row) if changed] for row in colour_changes(parameters).tolist()
        ]
        self._blurred = (parameters.sigma > 0).tolist()
        self._reach = np.ceil(3 * parameters.sigma).astype(np.int64).tolist()
        self._weights = blur_weights(parameters.sigma)

    def render(self, row: int, face: np.ndarray, view: np.ndarray) -> None:
        """Write the view of a row, from the face shrunk to the row's level, into ``view``."""
        cv2 = self._cv2
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cv2.warpAffine(face, self._warps[row], self._size, view, flags, cv2.BORDER_REFLECT)
        if self._lit[row]:
            self._light(row, view)
        for slot in self._slots[row]:
            self._recolour(row, slot, view)
        if self._blurred[row]:
            self._blur(row, view)

    # Each writes over the view that it is given.

    def _light(self, row: int, view: np.ndarray) -> None:
        """Light a view from one side and in a colour: a plane of stops, the first-order light of a convex face."""
        gain = self._down[row][:, None] * self._across[row]  # (size, size * 3)
        flat = view.reshape(gain.shape)
        self._cv2.multiply(flat, gain, flat, dtype=self._cv2.CV_8U)  # rounds, and clamps at white

    def _recolour(self, row: int, slot: int, view: np.ndarray) -> None:
        if not self._scales[row][slot]:
            self._cv2.transform(view, self._matrices[row, slot], view)
            return
        added = 0.0
        if mean_share := self._mean_shares[row][slot]:
            red, green, blue, _ = self._cv2.sumElems(view)
            added = mean_share * (_RED * red + _GREEN * green + _BLUE * blue) / (self._size[0] * self._size[1])
        factor = self._factors[row][slot]
        # As transform would do, which takes four times as long where a matrix is diagonal.
        if added >= 0:
            self._cv2.convertScaleAbs(view, view, factor, added)
        else:  # which that one would turn positive
            self._cv2.addWeighted(view, factor, view, 0.0, added, view)

    def _blur(self, row: int, view: np.ndarray) -> None:
        middle, reach = self._weights.shape[1] // 2, self._reach[row]
        weights = self._weights[row, middle - reach : middle + reach + 1]
        # GaussianBlur rounds between its two passes and takes twice as long.
        self._cv2.sepFilter2D(view, -1, weights, weights, view)


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
