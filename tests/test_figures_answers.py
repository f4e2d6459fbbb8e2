"""The confusion matrix of many people, of whom some are drawn."""

import numpy as np
import pytest

from facessl import figures


def test_some_people_are_drawn_with_the_shares_of_all_their_photos() -> None:
    matrix = np.array([[6, 2, 2], [0, 5, 0], [1, 0, 3]])
    figure = figures.confusion(matrix, ["Ada", "Bo", "Cy"], [2, 0])
    cells = figure.data[1]
    # Labels stay those of the people, and 6 of 10 stays 6 of 10 where the column of Bo is not drawn.
    assert [list(cell) for cell in cells.customdata] == [[2, 2, 3], [2, 0, 1], [0, 2, 2], [0, 0, 6]]
    assert cells.hovertext[3] == "Ada named rightly: 6 of 10"
    shares = np.asarray(figure.data[0].z).reshape(2, 2)
    assert shares == pytest.approx(np.array([[0.75, 0.25], [0.2, 0.6]]))
    assert list(figure.layout.xaxis.ticktext) == ["Cy", "Ada"]
