"""How good a classifier is on faces it never saw, with the uncertainty that so few photos leave."""

from typing import Any

import numpy as np

from facessl.errors import DatasetError
from facessl.metrics import macro_f1, top_k, wilson_interval


def classification(labels: np.ndarray, logits: np.ndarray, people: list[str]) -> dict[str, Any]:
    """Return everything that is said about a classifier on one set of faces; it can be written as JSON.

    Args:
        labels: Shape (N,), the right person of each face, 0 <= label < P.
        logits: Shape (N, P), a higher number for a likelier person.
        people: The P names, in the order of the labels.

    Returns:
        top1, top3, top5: Shares 0-1 of faces whose person is among so many best; None where P <= k: it says nothing.
        top1_interval, ...: [low, high], 95 % Wilson interval; None where the share is.
        macro_f1: Mean F1 over the people who have a face here, so that many photos of one person do not decide it.
        photos: N.
        report: scikit-learn's classification report; a key a person, "accuracy", "macro avg" and "weighted avg".
        confusion: P lists of P counts, [right person][answer].

    Raises:
        DatasetError: There is no face to judge on.
    """
    from sklearn.metrics import classification_report, confusion_matrix

    if not len(labels):
        raise DatasetError("There is no face to judge the classifier on; prepare the set with more photos a person.")
    answers = logits.argmax(axis=1)
    every = range(len(people))
    report = classification_report(
        labels, answers, labels=every, target_names=people, output_dict=True, zero_division=0.0
    )
    figures: dict[str, Any] = {}
    for k, share in top_k(logits, labels, (1, 3, 5)).items():
        says = k < len(people)
        interval = wilson_interval(round(share * len(labels)), len(labels))
        figures |= {f"top{k}": share if says else None, f"top{k}_interval": list(interval) if says else None}
    return {
        **figures,
        "macro_f1": macro_f1(labels, answers),
        "photos": len(labels),
        "report": report,
        "confusion": confusion_matrix(labels, answers, labels=every).tolist(),
    }
