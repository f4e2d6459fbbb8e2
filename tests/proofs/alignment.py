"""Does alignment help, and does it ever hurt? Verification on LFW's pairs, with and without it.

    python -m tests.proofs.alignment --data ../shared/data --weights face_detection_yunet_2026may.onnx

LFW's ten folds share no person. A threshold is chosen on the pairs of the other folds, and PCA is fitted on their
photos, so nothing is tuned on the pairs that are asked. LFW (deep-funneled) lies level already; ``--turn 15`` turns
each photo by up to so many degrees first, which gives alignment something to do.

Exit code 1 when an aligned row is worse than the same detector's unaligned one by more than two standard errors of
the difference over the folds.

Reference: Huang et al. 2007, Labeled Faces in the Wild, view 2, image-restricted, https://vis-www.cs.umass.edu/lfw/
"""

import argparse
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from sklearn.decomposition import PCA

from facessl.baselines import pixel_embeddings
from facessl.detection import Face, FaceDetector, choose, crop, open_detector
from facessl.sources import Photo, Source, folder

SIZE, MARGIN = 64, 0.15  # of the crops; the recipe's margin
SIDE = 32  # pixels at which faces are compared
COMPONENTS = 100

Fold = list[tuple[str, str, bool]]  # two photos, and whether they show one person


def read_pairs(path: Path) -> list[Fold]:
    """Return LFW's folds: photos as ``Name/Name_0001.jpg``."""
    header, *lines = path.read_text().splitlines()
    folds, pairs = (int(number) for number in header.split())

    def photo(name: str, number: str) -> str:
        return f"{name}/{name}_{int(number):04d}.jpg"

    rows: Fold = []
    for line in lines:
        part = line.split("\t")
        if len(part) == 3:
            rows.append((photo(part[0], part[1]), photo(part[0], part[2]), True))
        else:
            rows.append((photo(part[0], part[1]), photo(part[2], part[3]), False))
    each = 2 * pairs
    assert len(rows) == folds * each, f"{path} holds {len(rows)} pairs, not {folds * each}"
    return [rows[first : first + each] for first in range(0, len(rows), each)]


@dataclass
class Crops:
    """The faces of all photos as one detector sees them, by the name of how they were cropped."""

    photos: list[str]
    faces: dict[str, np.ndarray]  # (N, SIZE, SIZE, 3) uint8
    counts: dict[str, int] = field(default_factory=dict)


def cut_all(source: Source, names: list[str], detectors: Mapping[str, FaceDetector], turn: float, seed: int) -> Crops:
    """Crop every photo once aligned and once not, by each detector."""
    by_name = {"/".join(photo.path.split("/")[-2:]): photo for photo in source.photos}
    angles = np.random.default_rng(seed).uniform(-turn, turn, len(names))

    def one(photo: Photo, angle: float) -> dict[str, tuple[np.ndarray, np.ndarray, bool, bool]]:
        image = turned(source.read(photo), float(angle))
        return {name: cut_both(image, detector) for name, detector in detectors.items()}

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(one, [by_name[name] for name in names], angles))
    crops = Crops(names, {})
    for name in detectors:
        crops.faces[f"{name}, not aligned"] = np.stack([cuts[name][0] for cuts in done])
        crops.faces[f"{name}, aligned"] = np.stack([cuts[name][1] for cuts in done])
        crops.counts[f"{name}: found"] = sum(cuts[name][2] for cuts in done)
        crops.counts[f"{name}: aligned"] = sum(cuts[name][3] for cuts in done)
    return crops


def turned(image: np.ndarray, angle: float) -> np.ndarray:
    if not angle:
        return image
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1)
    return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)


def cut_both(image: np.ndarray, detector: FaceDetector) -> tuple[np.ndarray, np.ndarray, bool, bool]:
    """Return the unaligned and the aligned crop, whether a face was found and whether it was aligned."""
    found = choose(detector.find(image), image.shape)
    height, width = image.shape[:2]
    # LFW asks about every pair; where no face is found, its photos have it in the middle.
    face = found or Face((0.27 * width, 0.27 * height, 0.46 * width, 0.46 * height))
    plain, _ = crop(image, face, size=SIZE, margin=MARGIN, align=False)
    level, aligned = crop(image, face, size=SIZE, margin=MARGIN, align=True)
    return plain, level, found is not None, aligned


def accuracies(faces: np.ndarray, photos: list[str], folds: list[Fold]) -> dict[str, np.ndarray]:
    """Return the verification accuracy of each fold (F,), by normalised pixels and by PCA.

    A face is compared with its mirror image, as embeddings are: which way a head is turned shall not count.
    """
    grey = faces.mean(axis=3, keepdims=True).round().astype(np.uint8).repeat(3, axis=3)
    both = (pixel_embeddings(np.ascontiguousarray(side), SIDE) for side in (grey, grey[:, :, ::-1]))
    rows = sum(both)[:, ::3] / 2  # the three channels are alike
    place = {name: row for row, name in enumerate(photos)}
    pairs = [np.array([(place[one], place[other]) for one, other, _ in fold]) for fold in folds]
    same = np.array([[label for *_, label in fold] for fold in folds])
    plain = np.stack([cosines(rows, pair) for pair in pairs])
    answers: dict[str, list[float]] = {"pixels": [], "PCA": []}
    for fold in range(len(folds)):
        others = [number for number in range(len(folds)) if number != fold]
        answers["pixels"].append(accuracy(plain, same, fold, others))
        learnt = np.unique(np.concatenate([pairs[number].ravel() for number in others]))
        pca = PCA(COMPONENTS, whiten=True, svd_solver="covariance_eigh").fit(rows[learnt])
        projected = pca.transform(rows)
        answers["PCA"].append(accuracy(np.stack([cosines(projected, pair) for pair in pairs]), same, fold, others))
    return {name: np.array(values) for name, values in answers.items()}


def cosines(rows: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    one, other = rows[pairs[:, 0]], rows[pairs[:, 1]]
    return (one * other).sum(1) / (np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1) + 1e-12)


def accuracy(scores: np.ndarray, same: np.ndarray, fold: int, others: list[int]) -> float:
    """Return the accuracy on one fold at the threshold that is best on the others; scores and same are (F, P)."""
    known, truth = scores[others].ravel(), same[others].ravel()
    order = np.argsort(known)
    # At a threshold just above the k-th lowest score, k + 1 pairs are called different.
    right = np.cumsum(~truth[order]) + truth.sum() - np.cumsum(truth[order])
    threshold = known[order][right.argmax()]
    return float(((scores[fold] > threshold) == same[fold]).mean())


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """Return mean and standard error, in percent."""
    return 100 * float(values.mean()), 100 * float(values.std(ddof=1) / np.sqrt(len(values)))


def lines(crops: Crops, folds: list[Fold], detectors: Mapping[str, FaceDetector]) -> Iterator[tuple[str, bool]]:
    """Yield a line of the report, and whether it says that alignment did harm."""
    for name in detectors:
        plain, level = (
            accuracies(crops.faces[f"{name}, {how}"], crops.photos, folds) for how in ("not aligned", "aligned")
        )
        for measure in plain:
            before, after = mean_and_error(plain[measure]), mean_and_error(level[measure])
            gain = mean_and_error(level[measure] - plain[measure])
            text = (
                f"{name:6} {measure:7} not aligned {before[0]:5.2f} ± {before[1]:4.2f}   "
                f"aligned {after[0]:5.2f} ± {after[1]:4.2f}   difference {gain[0]:+5.2f} ± {gain[1]:4.2f}"
            )
            yield text, gain[0] < -2 * gain[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with lfw-deepfunneled.zip and pairs.txt")
    parser.add_argument("--weights", default="", help="YuNet's file; without it only Haar is asked")
    parser.add_argument("--folds", type=int, default=10, help="how many of the ten folds, chosen by the seed (>= 3)")
    parser.add_argument("--turn", type=float, default=0.0, help="turn each photo by up to so many degrees first")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    start = time.monotonic()
    cv2.setNumThreads(1)
    folds = read_pairs(given.data / "pairs.txt")
    chosen = np.sort(np.random.default_rng(given.seed).permutation(len(folds))[: given.folds])
    folds = [folds[number] for number in chosen]
    photos = sorted({photo for fold in folds for one, other, _ in fold for photo in (one, other)})
    detectors = {"haar": open_detector("haar")}
    if given.weights:
        detectors["yunet"] = open_detector("yunet", weights=given.weights)
    source = folder.open_source(folder.Options(), given.data / "lfw-deepfunneled.zip")
    crops = cut_all(source, photos, detectors, given.turn, given.seed)
    source.close()
    print(
        f"{len(folds)} folds, {sum(map(len, folds)):,} pairs, {len(photos):,} photos, turned by up to {given.turn:g}°"
    )
    print(", ".join(f"{what} {number:,}" for what, number in crops.counts.items()))
    harm = False
    for text, worse in lines(crops, folds, detectors):
        print(text + ("   WORSE" if worse else ""), flush=True)
        harm |= worse
    print(f"{time.monotonic() - start:.0f} s")
    return int(harm)


if __name__ == "__main__":
    sys.exit(main())
