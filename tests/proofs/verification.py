"""Is our reading of LFW's protocol everybody's? A published baseline, made again and judged by ``facessl``.

    python -m tests.proofs.verification --data ../shared/data

LFW's results page lists H-XS-40, without supervision: histograms of local binary patterns in 40 regions of the middle
81 × 150 pixels, compared by chi-square, 69.45 ± 0.48 % on photos that were aligned in another way. Ours are the
deep-funneled ones. Exit code 1 where the two differ by more than two standard errors of the difference.

Reference: https://vis-www.cs.umass.edu/lfw/results.html; Ahonen, Hadid and Pietikäinen 2006, Face description with
local binary patterns, https://doi.org/10.1109/TPAMI.2006.244
"""

import argparse
import math
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np

from facessl import pairs, verification

PUBLISHED, PUBLISHED_ERROR = 0.6945, 0.0048
ROWS, COLUMNS = 8, 5  # 40 regions
RADIUS, POINTS = 2, 8


def uniform_bins() -> np.ndarray:
    """Return the bin of each of the 256 patterns: those with at most two changes around the circle have their own."""
    bins = np.full(2**POINTS, 58)
    bits = (np.arange(2**POINTS)[:, None] >> np.arange(POINTS)) & 1
    uniform = (bits != np.roll(bits, 1, axis=1)).sum(axis=1) <= 2
    bins[uniform] = np.arange(uniform.sum())
    return bins


def histograms(grey: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """Return the histograms of a picture (H, W) uint8, region after region, shape (40 * 59,)."""
    height, width = grey.shape
    picture, inner = grey.astype(np.float32), (slice(RADIUS, height - RADIUS), slice(RADIUS, width - RADIUS))
    codes = np.zeros(picture[inner].shape, dtype=int)
    for point in range(POINTS):
        angle = 2 * math.pi * point / POINTS
        to = np.array([[1, 0, RADIUS * math.cos(angle)], [0, 1, -RADIUS * math.sin(angle)]], dtype=np.float32)
        around = cv2.warpAffine(picture, to, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)[inner]
        codes |= (around >= picture[inner] - 1e-3).astype(int) << point
    regions = [part for row in np.array_split(bins[codes], ROWS) for part in np.array_split(row, COLUMNS, axis=1)]
    return np.concatenate([np.bincount(region.ravel(), minlength=59) / region.size for region in regions])


def chi_square(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.sum((one - other) ** 2 / (one + other + 1e-9)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with lfw-deepfunneled.zip and pairs.txt")
    data: Path = parser.parse_args().data
    listed, bins = pairs.read(data / "pairs.txt"), uniform_bins()
    described = {}
    with zipfile.ZipFile(data / "lfw-deepfunneled.zip") as archive:
        for name, number in sorted({photo for pair in listed for photo in (pair.one, pair.other)}):
            content = archive.read(f"lfw-deepfunneled/{name}/{name}_{number:04d}.jpg")
            photo = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
            described[name, number] = histograms(photo[50:200, 85:166], bins)
    similarity = np.array([-chi_square(described[pair.one], described[pair.other]) for pair in listed])
    same, fold = np.array([pair.same for pair in listed]), np.array([pair.fold for pair in listed])
    folds = verification.judge(similarity, same, fold)
    accuracy, error = verification.mean_accuracy(folds)
    assert accuracy is not None and error is not None
    curve = verification.roc(similarity, same)
    print(f"{len(listed):,} pairs of {len(described):,} photos: {100 * accuracy:.2f} ± {100 * error:.2f} %", end=", ")
    print(f"AUC {verification.auc(curve):.4f}, EER {100 * verification.eer(curve):.2f} %;", end=" ")
    print(f"published {100 * PUBLISHED:.2f} ± {100 * PUBLISHED_ERROR:.2f} %")
    return int(abs(accuracy - PUBLISHED) > 2 * math.hypot(error, PUBLISHED_ERROR))


if __name__ == "__main__":
    sys.exit(main())
