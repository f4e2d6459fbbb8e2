"""What is in a prepared set, in numbers: counts, people, quality, mean faces, train beside test, a report of it all.

Every figure is of the set as it stands, with the corrections of people; what only the preparation knew is in
``FaceDataset.info``.
"""

from facessl.overview._alike import Alike, compare, train_and_test
from facessl.overview._counts import (
    Counts,
    by_faces,
    count,
    folders,
    how_many_have,
    left_out,
    people_table,
    person_counts,
)
from facessl.overview._means import Mean, mean_face, mean_of_people, mean_of_splits
from facessl.overview._quality import QUANTITIES, Quantity, limits
from facessl.overview._report import report

__all__ = [
    "QUANTITIES",
    "Alike",
    "Counts",
    "Mean",
    "Quantity",
    "by_faces",
    "compare",
    "count",
    "folders",
    "how_many_have",
    "left_out",
    "limits",
    "mean_face",
    "mean_of_people",
    "mean_of_splits",
    "people_table",
    "person_counts",
    "report",
    "train_and_test",
]
