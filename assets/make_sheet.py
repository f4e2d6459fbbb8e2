"""Draw assets/generated-faces.jpg: the first 24 generated people, two photos of each side by side.

python assets/make_sheet.py
"""

import sys
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # run from anywhere, installed or not

from facessl.sources.synthetic import photo_factors, render  # noqa: E402

PEOPLE, PAIRS_A_ROW, TILE, GAP = 24, 4, 168, 5


def unlike_pair(person: int) -> tuple[int, int]:
    """Return two sharp, well exposed photos of a person that differ most in pose and light."""
    factors = [photo_factors(person, k) for k in range(40)]
    clear = [k for k, f in enumerate(factors) if f["blur"] < 0.5 and abs(f["exposure"]) < 0.45 and f["noise"] < 0.012]

    def apart(pair: tuple[int, int]) -> float:
        one, two = (factors[k] for k in pair)
        return abs(one["yaw"] - two["yaw"]) / 30 + abs(one["light_azimuth"] - two["light_azimuth"]) / 85

    return max(combinations(clear or range(40), 2), key=apart)


def photo(person: int, index: int) -> np.ndarray:
    return cv2.resize(render(person, index, size=TILE * 2), (TILE, TILE), interpolation=cv2.INTER_AREA)


def framed(picture: np.ndarray, gap: int) -> np.ndarray:
    return cv2.copyMakeBorder(picture, gap, gap, gap, gap, cv2.BORDER_CONSTANT, value=(255, 255, 255))


def sheet() -> np.ndarray:
    """Return the sheet, RGB."""
    pairs = [framed(np.hstack([photo(p, k) for k in unlike_pair(p)]), GAP) for p in range(PEOPLE)]
    rows = [np.hstack(pairs[i : i + PAIRS_A_ROW]) for i in range(0, PEOPLE, PAIRS_A_ROW)]
    return framed(np.vstack(rows), GAP)


if __name__ == "__main__":
    target = ROOT / "assets" / "generated-faces.jpg"
    cv2.imwrite(str(target), sheet()[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 86, cv2.IMWRITE_JPEG_OPTIMIZE, 1])
    print(f"{target.relative_to(ROOT)}: {target.stat().st_size // 1024} kB")
