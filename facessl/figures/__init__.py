"""The studio's charts: plotly figures out of plain data, in one look.

The same data give the same figure, byte for byte: a chart that changes loses what was selected on it. Text takes its
colour from the page, so every figure reads in light and in dark.
"""

# plotly asks sys.modules for pandas without loading it, and fails where another thread has half loaded it just now.
import pandas  # noqa: F401

from facessl.figures._answers import confusion, impostor_histogram, similarity_bars
from facessl.figures._compare import Point, cost_against_accuracy, overlaid_curves, recall_of_two
from facessl.figures._curves import accuracy_curves, knn_curve, loss_curve, run_curve, smoothed
from facessl.figures._faces import SPLIT_COLOURS, embedding_map, photos_per_person
from facessl.figures._look import ACCENT, GREY, NAMED_UP_TO, PALETTE, SYMBOLS
from facessl.figures._report import report_chart
from facessl.figures._roc import roc_curves
from facessl.figures._sets import folder_sizes, histogram, sizes, too_many_for_bars, two_histograms

__all__ = [
    "ACCENT",
    "GREY",
    "NAMED_UP_TO",
    "PALETTE",
    "SPLIT_COLOURS",
    "SYMBOLS",
    "Point",
    "accuracy_curves",
    "confusion",
    "cost_against_accuracy",
    "embedding_map",
    "folder_sizes",
    "histogram",
    "impostor_histogram",
    "knn_curve",
    "loss_curve",
    "overlaid_curves",
    "photos_per_person",
    "recall_of_two",
    "report_chart",
    "roc_curves",
    "run_curve",
    "similarity_bars",
    "sizes",
    "smoothed",
    "too_many_for_bars",
    "two_histograms",
]
