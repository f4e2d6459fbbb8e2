"""What plain methods reach on the same faces: the figures a network has to beat before it means anything."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from facessl import views, whitening
from facessl.metrics import macro_f1, wilson_interval
from facessl.neighbours import nearest

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

_COMPONENTS = 150  # of 100, 150 and 200 the best compromise of SVM and LDA on 6 and on 62 real people; see docs/LOG.md
_BLOCK_FACES = 1024
_WHITENED_SIDE = 48  # pixels, at most: 24, 32 and 48 were alike on LFW's and on generated faces, and more cost more
_PROBE_DECAY = 1e-3  # that of a linear layer on frozen features, see config.FinetuneRecipe

# Train rows (N, D), their labels (N,), test rows (M, D) -> answers (M,)
Method = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class BaselineScore:
    """How often one plain method was right."""

    name: str
    top1: float  # share of the test faces, 0-1
    macro_f1: float  # 0-1, every person counted alike
    photos: int  # test faces
    low: float  # 95 % Wilson interval of top1
    high: float
    seconds: float  # fitting and asking
    answers: np.ndarray = field(repr=False, compare=False)  # (photos,) whom it named on each

    def figures(self) -> dict[str, Any]:
        """Return all but the answers, for a file of JSON."""
        return {name: value for name, value in vars(self).items() if name != "answers"}


def score(
    train_faces: np.ndarray,
    train_labels: np.ndarray,
    test_faces: np.ndarray,
    test_labels: np.ndarray,
    *,
    seed: int,
    side: int = 64,
    nameless: np.ndarray | None = None,
) -> list[BaselineScore]:
    """Fit every plain method on the train faces and judge it on the test faces.

    Args:
        train_faces: Shape (N, S, S, 3) uint8, any S; at least one.
        train_labels: Shape (N,), integers >= 0.
        test_faces: Shape (M, S, S, 3) uint8; at least one.
        test_labels: Shape (M,), integers >= 0.
        seed: Of the randomised PCA.
        side: Faces are compared at this many pixels a side.
        nameless: Faces (K, S, S, 3) uint8 that a whitening is fitted on, whoever they are; the train faces if None.

    Returns:
        One score a method, the simplest idea first. With one person in train only majority and neighbours, no LDA
        where nobody has two photos that differ, and no whitening fitted on one face.

    Raises:
        ValueError: There is no train or no test face.
    """
    if not len(train_faces) or not len(test_faces):
        raise ValueError(f"baselines need train and test faces, got {len(train_faces)} and {len(test_faces)}")
    train, test = _pixels(train_faces, side), _pixels(test_faces, side)
    methods: dict[str, Method] = {
        "majority": _majority,
        "1-NN on pixels": _nearest_neighbour,
        "1-NN on normalised pixels": _most_similar,
    }
    scores = [_judged(name, method, train, train_labels, test, test_labels) for name, method in methods.items()]
    fitted_on = train_faces if nameless is None else nameless
    if len(fitted_on) > 1:
        start = time.perf_counter()
        describe = whitened_pixels(fitted_on, side, seed)
        described = describe(train_faces), train_labels, describe(test_faces), test_labels
        shared = time.perf_counter() - start
        scores += _later(_on_whitened_pixels(*described), by=shared)
    if len(np.unique(train_labels)) > 1:
        scores += _on_components(train, train_labels, test, test_labels, seed)
    return scores


def _on_components(
    train: np.ndarray, train_labels: np.ndarray, test: np.ndarray, test_labels: np.ndarray, seed: int
) -> list[BaselineScore]:
    """Judge what learns from principal components of pixels (N, D), of two people or more, and is asked (M, D)."""
    start = time.perf_counter()
    train, test = _components(train, test, seed)
    shared = time.perf_counter() - start
    classified = [
        _judged(name, partial(_fit_and_ask, model), train, train_labels, test, test_labels)
        for name, model in _classifiers(varied=_varied(train, train_labels)).items()
    ]
    return _later(classified, by=shared)


def linear(
    name: str, train: np.ndarray, train_labels: np.ndarray, test: np.ndarray, test_labels: np.ndarray
) -> BaselineScore:
    """Judge a linear layer with softmax on features (N, D) and (M, D), each feature about 1 large.

    It has what a linear layer on a frozen network is trained towards, the least cross-entropy with that decay.

    Raises:
        ValueError: There is only one person in train.
    """
    return _judged(
        name, lambda rows, labels, asked: linear_probe(rows, labels).predict(asked),
        train, train_labels, test, test_labels,
    )  # fmt: skip


def linear_probe(features: np.ndarray, labels: np.ndarray, *, balanced: bool = False) -> "LogisticRegression":
    """Return a linear layer with softmax on features (N, D), each about 1 large, as ``linear`` judges it.

    ``balanced``: everybody's faces together count alike.
    """
    from sklearn.linear_model import LogisticRegression

    weights = "balanced" if balanced else None
    whole = LogisticRegression(C=1 / (_PROBE_DECAY * len(features)), max_iter=1000, class_weight=weights)
    return whole.fit(features, labels)


def whitened_pixels(
    known: np.ndarray, size: int, seed: int, *, mirror: bool = True
) -> Callable[[np.ndarray], np.ndarray]:
    """Return what describes faces by the principal directions of other, nameless ones, each nearly as loud as the next.

    It is what ``Encoder.embed`` does with a network that has learnt nothing and sees pixels: the mean of what is said
    of the face and of its mirror image, the same whitening, fitted on as many faces, and length 1. A plain method that
    had less of this would make a network look good that only has the rest in common with it.

    Args:
        known: The nameless faces, shape (K, S, S, 3) uint8, two or more; of many some drawn by chance.
        size: Side of a face as the network sees it, in pixels; of more than 48, 48.
        seed: Of the draw.
        mirror: The mirror image counts too: to which side a head looks says nothing about who it is.

    Returns:
        A function from faces (N, S, S, 3) uint8 to unit rows (N, D) float32, D at most 512.

    Raises:
        ValueError: There are fewer than two nameless faces.

    Reference: Turk and Pentland 1991, Eigenfaces for recognition, https://doi.org/10.1162/jocn.1991.3.1.71
    """

    def described(faces: np.ndarray) -> np.ndarray:
        found = pixel_embeddings(faces, min(size, _WHITENED_SIDE))
        return (found + pixel_embeddings(faces[:, :, ::-1], min(size, _WHITENED_SIDE))) / 2 if mirror else found

    drawn = np.sort(np.random.default_rng(seed).permutation(len(known))[: whitening.FACES])
    whiten = whitening.of_embeddings(described(known[drawn]), whitening.DIRECTIONS)
    if whiten is None:
        raise ValueError(f"a whitening of pixels needs two nameless faces or more, got {len(known)}")

    def describe(faces: np.ndarray) -> np.ndarray:
        rows = np.empty((len(faces), len(whiten.matrix)), np.float32)
        for start in range(0, len(faces), _BLOCK_FACES):
            part = np.asarray(faces[start : start + _BLOCK_FACES])
            rows[start : start + len(part)] = whitening.unit_rows(whiten(described(part)))
        return rows

    return describe


def pixel_embeddings(faces: np.ndarray, size: int) -> np.ndarray:
    """Return the pictures themselves as unit rows: what comparing faces costs no learning.

    Each picture loses its own mean and is scaled to length 1, so the cosine of two rows is the correlation of their
    pixels: it does not care how bright or how contrasty a photo is. As they are, all values are positive, every two
    pictures have a cosine near 1, and exposure decides. The mean is the picture's and not the set's, so that a row
    does not depend on which other photos there are.

    Args:
        faces: Shape (N, S, S, 3) uint8.
        size: Side to which they are scaled first, in pixels.

    Returns:
        Shape (N, size * size * 3) float32, unit rows; a picture of one flat colour is a row of zeros.
    """
    return _normalised(_pixels(faces, size))


def _normalised(rows: np.ndarray) -> np.ndarray:
    rows = rows - rows.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    rows *= np.where(lengths > 1e-3, 1 / np.maximum(lengths, 1e-3), 0)  # one grey level in one pixel is 4e-3
    return rows


def _pixels(faces: np.ndarray, side: int) -> np.ndarray:
    """Return faces (N, S, S, 3) uint8 as rows (N, side * side * 3) float32 in 0-1."""
    rows = np.empty((len(faces), side * side * 3), dtype=np.float32)
    for start in range(0, len(faces), _BLOCK_FACES):
        small = views.plain(np.ascontiguousarray(faces[start : start + _BLOCK_FACES]), side)
        rows[start : start + len(small)] = small.reshape(len(small), -1)
    rows /= 255
    return rows


def _judged(
    name: str,
    method: Method,
    train: np.ndarray,
    train_labels: np.ndarray,
    test: np.ndarray,
    test_labels: np.ndarray,
) -> BaselineScore:
    start = time.perf_counter()
    answers = method(train, train_labels, test)
    seconds = round(time.perf_counter() - start, 3)
    right = int(np.sum(answers == test_labels))
    low, high = wilson_interval(right, len(test))
    macro = macro_f1(test_labels, answers)
    return BaselineScore(name, right / len(test), macro, len(test), low, high, seconds, answers)


def _later(scores: list[BaselineScore], *, by: float) -> list[BaselineScore]:
    """Return scores with the seconds of what they share: none of them could do without."""
    return [replace(score, seconds=round(score.seconds + by, 3)) for score in scores]


def _majority(rows: np.ndarray, labels: np.ndarray, test: np.ndarray) -> np.ndarray:
    return np.full(len(test), np.bincount(labels).argmax())


def _nearest_neighbour(rows: np.ndarray, labels: np.ndarray, test: np.ndarray) -> np.ndarray:
    from sklearn.neighbors import KNeighborsClassifier

    answers: np.ndarray = KNeighborsClassifier(n_neighbors=1, algorithm="brute").fit(rows, labels).predict(test)
    return answers


def _most_similar(rows: np.ndarray, labels: np.ndarray, test: np.ndarray) -> np.ndarray:
    return _nearest_by_cosine(_normalised(rows), labels, _normalised(test))


def _nearest_by_cosine(rows: np.ndarray, labels: np.ndarray, test: np.ndarray) -> np.ndarray:
    return labels[nearest(test, rows, 1)[0][:, 0]]


def _on_whitened_pixels(
    train: np.ndarray, train_labels: np.ndarray, test: np.ndarray, test_labels: np.ndarray
) -> list[BaselineScore]:
    """Judge neighbours and a linear layer, as a frozen network has it, on what ``whitened_pixels`` describes."""
    neighbours = _judged("1-NN on PCA-whitened pixels", _nearest_by_cosine, train, train_labels, test, test_labels)
    if len(np.unique(train_labels)) < 2:
        return [neighbours]
    read = whitening.stretched(train), train_labels, whitening.stretched(test), test_labels
    return [neighbours, linear("linear layer on PCA-whitened pixels", *read)]


def _components(train: np.ndarray, test: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.decomposition import PCA

    # With as many whitened components as faces all faces are equally far apart, and nothing can be told from them.
    count = max(1, min(_COMPONENTS, len(train) // 2, train.shape[1]))
    pca = PCA(count, whiten=True, svd_solver="randomized", random_state=seed).fit(train)
    return pca.transform(train), pca.transform(test)


def _varied(rows: np.ndarray, labels: np.ndarray) -> bool:
    """Return whether any two rows of one person differ."""
    return any(np.ptp(rows[labels == label], axis=0).any() for label in np.unique(labels))


def _classifiers(*, varied: bool) -> dict[str, Any]:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.svm import SVC

    # Neither SVM wins everywhere: on real faces rbf leads with 6 people, linear with 62.
    found: dict[str, Any] = {
        "PCA + SVM (rbf)": SVC(kernel="rbf", C=10, gamma="scale"),
        "PCA + SVM (linear)": SVC(kernel="linear", C=1),
    }
    if varied:  # LDA weighs directions by how photos of one person vary
        found["PCA + LDA"] = LinearDiscriminantAnalysis()
    return found


def _fit_and_ask(model: Any, rows: np.ndarray, labels: np.ndarray, test: np.ndarray) -> np.ndarray:
    answers: np.ndarray = model.fit(rows, labels).predict(test)
    return answers
