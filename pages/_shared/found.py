"""How a face was found, as one picture: the photo with box and eyes, the found box, the aligned crop."""

import io
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

BOX = (255, 196, 0)
EYES = (0, 214, 201)
GAP = 6


def found_strip(photo: np.ndarray, row: dict[str, Any], crop: np.ndarray | None, height: int = 150) -> bytes:
    """Return a JPEG: photo with what was found drawn on it, then the found box, then the crop.

    Args:
        photo: As it came, (H, W, 3) uint8.
        row: The photo's row of ``faces.parquet``.
        crop: The aligned face, (S, S, 3) uint8, or None where none was kept: the photo stands alone then.
        height: Of the strip in pixels.
    """
    parts = [_marked(photo, row, height)]
    if np.isfinite(row["box_x"]):
        parts.append(_box(photo, row, height))
    if crop is not None:
        parts.append(Image.fromarray(np.asarray(crop)).resize((height, height), Image.Resampling.LANCZOS))
    width = sum(part.width for part in parts) + GAP * (len(parts) - 1)
    # Between the parts: a grey that is quiet on a light and on a dark page.
    strip = Image.new("RGB", (width, height), (128, 128, 128))
    left = 0
    for part in parts:
        strip.paste(part, (left, 0))
        left += part.width + GAP
    encoded = io.BytesIO()
    strip.save(encoded, "JPEG", quality=85)
    return encoded.getvalue()


def _marked(photo: np.ndarray, row: dict[str, Any], height: int) -> Image.Image:
    scale = height / photo.shape[0]
    # A panorama must not make the others tiny.
    width = min(round(photo.shape[1] * scale), 2 * height)
    picture = Image.fromarray(photo).resize((max(1, width), height), Image.Resampling.BILINEAR)
    pen = ImageDraw.Draw(picture)
    across = picture.width / photo.shape[1]
    if np.isfinite(row["box_x"]):
        x, y, w, h = (row[f"box_{side}"] for side in "xywh")
        pen.rectangle((x * across, y * scale, (x + w) * across, (y + h) * scale), outline=BOX, width=2)
    for eye in ("left_eye", "right_eye"):
        if np.isfinite(row[f"{eye}_x"]):
            x, y = row[f"{eye}_x"] * across, row[f"{eye}_y"] * scale
            pen.ellipse((x - 3, y - 3, x + 3, y + 3), outline=EYES, width=2)
    return picture


def _box(photo: np.ndarray, row: dict[str, Any], height: int) -> Image.Image:
    x, y, w, h = (round(float(row[f"box_{side}"])) for side in "xywh")
    inside = photo[max(0, y) : max(1, y + h), max(0, x) : max(1, x + w)]
    return Image.fromarray(np.ascontiguousarray(inside)).resize((height, height), Image.Resampling.BILINEAR)
