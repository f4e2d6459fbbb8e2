"""Photos that somebody aligned already: nobody looks for a face, for it is in the middle."""

import numpy as np

from facessl.detection._face import Face


class MiddleDetector:
    """Takes the square in the middle of every photo for its one face.

    A set that was aligned as a whole, such as LFW's deep-funneled photos, loses by being cropped anew around a box
    that wavers: see docs/LOG.md.

    Args:
        share: Side of the square as a share of the photo's shorter side, 0-1.
    """

    def __init__(self, share: float = 1.0) -> None:
        self.share = share

    def find(self, image: np.ndarray) -> list[Face]:
        """Return the one face of a photo (H, W, 3) uint8."""
        height, width = image.shape[:2]
        side = self.share * min(height, width)
        return [Face(((width - side) / 2, (height - side) / 2, side, side))]
