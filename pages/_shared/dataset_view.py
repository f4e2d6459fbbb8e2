"""A prepared set to look at: at a glance, photo by photo, what was refused, who is who, and what detectors see."""

from collections.abc import Callable

from facessl.dataset import FaceDataset
from pages._shared.data.browse import browse
from pages._shared.data.detectors import detectors
from pages._shared.data.overview import overview
from pages._shared.data.people import people
from pages._shared.data.refused import refused

# Tab -> what fills it.
VIEWS: dict[str, Callable[[FaceDataset], None]] = {
    "Overview": overview,
    "Browse": browse,
    "Refused": refused,
    "People and history": people,
    "Detectors": detectors,
}
