"""What a fine-tuning answered, in the order in which its mistakes are shown."""

from pathlib import Path

import numpy as np

from facessl.dataset import open_dataset
from pages._shared.finetune.answers import answers_of
from tests.pages.made import answered, tiny_set


def test_the_surest_mistake_comes_first(empty_workspace: Path) -> None:
    tiny_set(empty_workspace)
    dataset = open_dataset(empty_workspace, "tiny")
    test = dataset.rows("test")
    given = dataset.labels(test).copy()
    given[[0, 2, 5]] = (given[[0, 2, 5]] + 1) % 3
    shares = np.array([0.4, 0.99, 0.8, 0.7, 0.6, 0.5])  # the surest answer of all is a right one
    answers = answers_of(answered(empty_workspace, "with mistakes", given, shares))
    assert answers.faces[answers.wrong].tolist() == test[[2, 5, 0]].tolist()
    assert answers.shares[answers.wrong].tolist() == [0.8, 0.5, 0.4]
