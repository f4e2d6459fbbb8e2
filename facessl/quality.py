"""Two numbers that tell a poor crop from a good one."""

import numpy as np


def sharpness(image: np.ndarray) -> float:
    """Return the variance of the Laplacian of an (H, W, 3) uint8 RGB picture: 0 when flat, under ~50 blurred.

    Depends on the picture's size, so compare crops of one set only.

    Reference: Pech-Pacheco et al. 2000, https://doi.org/10.1109/ICPR.2000.903548
    """
    import cv2

    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_64F).var())


def brightness(image: np.ndarray) -> float:
    """Return the mean grey, 0 to 255, of an (H, W, 3) uint8 RGB picture."""
    import cv2

    return float(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).mean())
