"""What of each face is measured, what it is called, and where the recipe draws the line."""

from dataclasses import dataclass

from facessl.config import QualityRecipe


@dataclass(frozen=True)
class Quantity:
    """A column of the set's table."""

    column: str
    title: str
    unit: str  # of the axis


QUANTITIES = (
    Quantity("box_w", "Face size", "pixels of the photo"),
    Quantity("sharpness", "Sharpness", "variance of the Laplacian"),
    Quantity("brightness", "Brightness", "mean grey, 0 to 255"),
    Quantity("contrast", "Contrast", "standard deviation of the grey"),
    Quantity("turn", "Turn of the head", "0 is straight ahead, ±1 is profile"),
    Quantity("angle", "Tilt of the eyes", "degrees off level in the photo"),
)


def limits(quality: QualityRecipe) -> dict[str, tuple[float | None, float | None]]:
    """Return for each column the least and the greatest value that is not flagged; None: there is no such limit."""
    return {
        "box_w": (quality.min_face, None),
        "sharpness": (quality.min_sharpness, None),
        "brightness": (quality.min_brightness, quality.max_brightness),
        "contrast": (quality.min_contrast, None),
        "turn": (-quality.max_turn, quality.max_turn),
        "angle": (None, None),  # the crop is turned level
    }
