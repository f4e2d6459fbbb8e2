"""Views by OpenCV, a face at a time, in 8-bit numbers."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from facessl.views._parameters import (
    LUMA,
    ViewParameters,
    check,
    colour_changes,
    colour_matrices,
    gains,
    sampling,
    unchanged,
)

_COLOURS = (
    "Brightness × {:.2f}",
    "Contrast × {:.2f}",
    "Saturation × {:.2f}",
    "Hue turned by {:+.3f}",
    "Colour dropped",
)


def render(faces: np.ndarray, parameters: ViewParameters, size: int, *, threads: int = 1) -> np.ndarray:
    """Render one view of each face on the CPU.

    Args:
        faces: Shape (N, S, S, 3) uint8 RGB.
        parameters: N rows; row i says what becomes of ``faces[i]``.
        size: Side of a view in pixels.
        threads: Views are shared out over so many threads; OpenCV lets them run side by side.

    Returns:
        Shape (N, size, size, 3) uint8; the same for any number of threads.

    Raises:
        ValueError: The faces are not square, or there are not as many as rows.
    """
    check(faces.shape, parameters)
    views = np.empty((len(faces), size, size, 3), dtype=np.uint8)
    windows, levels = sampling(parameters, faces.shape[1], size)
    matrices, mean_shares = colour_matrices(parameters)
    changes = colour_changes(parameters)

    def fill(rows: Sequence[int]) -> None:
        for row in rows:
            view = _sample(faces[row], windows[row], levels[row], size)
            view = _light(view, parameters.light[row], parameters.cast[row])
            for slot in np.flatnonzero(changes[row]):
                view = _recolour(view, matrices[row, slot], mean_shares[row, slot])
            views[row] = _blur(view, parameters.sigma[row])

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


def steps(face: np.ndarray, parameters: ViewParameters, size: int) -> list[tuple[str, np.ndarray]]:
    """Return (what was done, the picture after it) for each step of one view.

    Args:
        face: Shape (S, S, 3) uint8.
        parameters: One row.
        size: Side of the view.

    Returns:
        The face at the view's size first; the last picture is what ``render`` gives. Steps that
        do nothing are left out.
    """
    taken = [("The face", plain(face[None], size)[0])]
    one = parameters.take(slice(0, 1))
    not_flipped = ViewParameters(**{**vars(one), "flip": np.zeros(1, dtype=bool)})
    turned = f", turned by {one.angle[0]:+.0f}°" if one.angle[0] else ""
    if turned or not np.array_equal(one.crop[0], [0, 0, 1, 1]):
        share = one.crop[0, 2] * one.crop[0, 3]
        taken.append((f"Crop of {share:.0%}{turned}", _crops(face, not_flipped, size)))
    view = _crops(face, one, size)
    if one.flip[0]:
        taken.append(("Mirrored", view))
    if one.light[0].any() or one.cast[0].any():
        view = _light(view, one.light[0], one.cast[0])
        red, green, blue = one.cast[0]
        taken.append((f"Other light: {np.hypot(*one.light[0]):.1f} stops from one side, "
                      f"red {red:+.1f}, green {green:+.1f}, blue {blue:+.1f}", view))  # fmt: skip
    matrices, mean_shares = colour_matrices(one)
    for slot in np.flatnonzero(colour_changes(one)[0]):
        operation = one.order[0, slot] if slot < 4 else 4
        view = _recolour(view, matrices[0, slot], mean_shares[0, slot])
        taken.append((_COLOURS[operation].format(*one.factors[0, operation : operation + 1]), view))
    if one.sigma[0]:
        taken.append((f"Blur of {one.sigma[0]:.1f} px", _blur(view, one.sigma[0])))
    return taken


def _sample(face: np.ndarray, window: np.ndarray, level: int, size: int) -> np.ndarray:
    import cv2

    side, shrink = len(face), 2**level
    if level:
        whole = side // shrink * shrink  # a rest of an odd side is left off, as avg_pool2d does
        face = cv2.resize(face[:whole, :whole], (side // shrink,) * 2, interpolation=cv2.INTER_AREA)
    # From -1..1 between edges to pixel indices, whose centres are half a pixel inside.
    matrix = np.empty((2, 3))
    matrix[:, :2] = window[:, :2] * (side / size / shrink)
    matrix[:, 2] = (window[:, 2] + 1) * (side / 2 / shrink) - 0.5 - matrix[:, :2].sum(axis=1) * (size - 1) / 2
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(face, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REFLECT)


def _crops(face: np.ndarray, parameters: ViewParameters, size: int) -> np.ndarray:
    windows, levels = sampling(parameters, len(face), size)
    return _sample(face, windows[0], levels[0], size)


def _light(view: np.ndarray, stops: np.ndarray, cast: np.ndarray) -> np.ndarray:
    """Light a view from one side and in a colour: a plane of stops, the first-order light of a convex face."""
    import cv2

    if not stops.any() and not cast.any():
        return view
    across, down = gains(stops, len(view))
    gain = down[:, None] * across
    return cv2.multiply(
        view, cv2.merge([gain * channel for channel in np.exp2(cast)]), dtype=cv2.CV_8U
    )  # rounds, and clamps at white


def _recolour(view: np.ndarray, matrix: np.ndarray, mean_share: float) -> np.ndarray:
    import cv2

    added = mean_share * (LUMA @ cv2.mean(view)[:3]) if mean_share else 0.0
    return cv2.transform(view, np.column_stack([matrix, np.full(3, added, dtype=np.float32)]))


def _blur(view: np.ndarray, sigma: float) -> np.ndarray:
    import cv2

    width = 2 * int(np.ceil(3 * sigma)) + 1
    return cv2.GaussianBlur(view, (width, width), float(sigma)) if sigma else view
