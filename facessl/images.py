"""Any common picture becomes an RGB array, upright and whole, or one sentence says why it cannot."""

import io
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facessl.errors import ImageError

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 50_000_000
MAX_BYTES = 200_000_000  # a camera's largest files are under 100 MB
MIN_SIDE = 16  # nothing smaller can show a face

# Others that Pillow knows are left out on purpose: EPS and PDF run programs, the rest are no photos.
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "BMP", "TIFF", "GIF")

# What Pillow's decoders were seen to raise on damaged files.
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError, TypeError, OverflowError, RuntimeError)


def read_image(source: bytes | Path, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Return a picture as it is meant to be seen.

    The format is told by content, whatever the name says. The EXIF turn is applied, transparency lies on white,
    16-bit is scaled to 8, and of an animation the first frame is taken. Colour profiles are ignored.

    Args:
        source: The file's bytes, or where it lies.
        max_pixels: Larger pictures are refused before they are unpacked.

    Returns:
        Shape (H, W, 3) uint8, RGB; both sides at least ``MIN_SIDE``.

    Raises:
        ImageError: Not a picture of a known format, damaged, cut off, too large or too small.
    """
    data = read_file(source) if isinstance(source, Path) else source
    picture = _open(data)
    width, height = picture.size
    if width * height > max_pixels:
        raise ImageError(
            f"The picture has {width} × {height} pixels, more than {max_pixels / 1e6:.0f} million; scale it down first."
        )
    if min(width, height) < MIN_SIDE:
        raise ImageError(
            f"The picture has only {width} × {height} pixels; a face needs at least {MIN_SIDE} × {MIN_SIDE}."
        )
    if picture.format == "JPEG" and picture.mode in ("RGB", "L") and _ends_whole(data):
        decoded = _decode_jpeg(data)
        if decoded is not None:
            return decoded
    return _decode(picture)


def read_file(path: Path) -> bytes:
    """Return a picture file's bytes; raise ImageError when it is missing, closed to us or over ``MAX_BYTES``."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ImageError(f"The file has {size / 1e6:,.0f} MB, too much for one picture; save it smaller.")
        return path.read_bytes()
    except OSError as error:
        raise ImageError(
            f"The file cannot be read ({error.strerror}); check that it is there and may be read."
        ) from error


def encode_jpeg(image: np.ndarray, quality: int = 95) -> bytes:
    """Return an (H, W, 3) uint8 RGB picture as a JPEG file."""
    import cv2

    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return encoded.tobytes()


def fit(image: np.ndarray, size: int) -> np.ndarray:
    """Return the picture with its longer side at most ``size``; a smaller one comes back as it is."""
    import cv2

    height, width = image.shape[:2]
    scale = size / max(height, width)
    if scale >= 1:
        return image
    return cv2.resize(
        image, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA
    )


def _open(data: bytes) -> "Image.Image":
    """Read the header only."""
    from PIL import Image

    if not data:
        raise ImageError("The file is empty; copy or download it again.")
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"mif1", b"msf1"):
        raise ImageError("HEIC pictures cannot be read; save it as JPEG or PNG first.")
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.UnidentifiedImageError:
        raise ImageError(
            "This is no picture of a known format, or a damaged one; use JPEG, PNG, WEBP, AVIF, BMP, TIFF or GIF."
        ) from None
    except Image.DecompressionBombError:
        raise ImageError("The picture claims far too many pixels; scale it down first.") from None
    except _DAMAGE as error:
        raise ImageError("The picture is damaged; copy or download it again.") from error


def _ends_whole(data: bytes) -> bool:
    # Some versions of OpenCV fill the missing part of a cut file with grey; Pillow refuses it. Only a file with
    # its end mark goes the fast way.
    return data[-64:].rstrip(b"\0\r\n").endswith(b"\xff\xd9")


def _decode_jpeg(data: bytes) -> np.ndarray | None:
    """Return what OpenCV makes of a JPEG, twice as fast as Pillow and equal to it; None where it makes nothing."""
    import cv2

    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)  # turns by EXIF itself
    return None if decoded is None else cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)


def _decode(picture: "Image.Image") -> np.ndarray:
    from PIL import Image, ImageOps

    try:
        picture.load()
        upright = ImageOps.exif_transpose(picture)
        if upright.mode.startswith("I") or upright.mode == "F":
            return _deep_grey(np.asarray(upright, dtype=np.float64))
        if upright.has_transparency_data:
            seen = upright.convert("RGBA")
            paper = Image.new("RGBA", seen.size, (255, 255, 255, 255))
            upright = Image.alpha_composite(paper, seen)
        return np.array(upright.convert("RGB"))
    except _DAMAGE as error:
        raise ImageError("The picture is damaged or cut off; copy or download it again.") from error


def _deep_grey(values: np.ndarray) -> np.ndarray:
    """Return 16-bit, 32-bit or floating grey as 8-bit RGB; the full scale is guessed from the largest value."""
    values = np.nan_to_num(values, posinf=0, neginf=0)
    largest = values.max()
    full = next((scale for scale in (1.0, 255.0, 65535.0) if largest <= scale), largest)
    grey = np.clip(values * (255 / full), 0, 255).round().astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)
