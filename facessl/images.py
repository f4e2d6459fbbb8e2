"""Any common picture becomes an RGB array, upright and whole, or one sentence says why it cannot."""

import io
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facessl.errors import ImageError

if TYPE_CHECKING:
    from PIL import Image

# Telephones with 64 million are read. At 50 million a JPEG takes 0.3 GB meanwhile, the worst (a WEBP) 0.8 GB.
MAX_PIXELS = 80_000_000
MAX_BYTES = 200_000_000  # a camera's largest files are under 100 MB
MIN_SIDE = 16  # nothing smaller can show a face

MAX_SCANS = 100  # a camera's progressive JPEG has about ten; each costs as much time as a whole picture

# Others that Pillow knows are left out on purpose: EPS and PDF run programs, the rest are no photos.
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "BMP", "TIFF", "GIF")
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}

# What Pillow's decoders were seen to raise on damaged files.
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError, TypeError, OverflowError, RuntimeError)
_STRIP = 2**21  # pixels that are converted at a time


def read_image(source: bytes | Path, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Return a picture as it is meant to be seen.

    The format is told by content, whatever the name says. The EXIF turn is applied, transparency lies on white,
    16-bit is scaled to 8, and of an animation the first frame is taken. Colour profiles are ignored. HEIC is read
    where the optional package pillow-heif is installed.

    Args:
        source: The file's bytes, or where it lies.
        max_pixels: Larger pictures are refused before they are unpacked.

    Returns:
        Shape (H, W, 3) uint8, RGB; both sides at least ``MIN_SIDE``.

    Raises:
        ImageError: Not a picture of a known format, damaged, cut off, too large, too small, or too slow by design.
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
    # In a JPEG's own data, FF is followed by 00: these two bytes begin a scan, or are in a thumbnail.
    if picture.format == "JPEG" and data.count(b"\xff\xda") > MAX_SCANS:
        raise ImageError("The picture is stored in far more passes than any camera makes; save it anew.")
    if picture.format == "JPEG" and picture.mode in ("RGB", "L") and _ends_whole(data):
        decoded = _decode_jpeg(data)
        if decoded is not None:
            return decoded
    try:
        return _decode(picture)
    except MemoryError:
        raise ImageError("There is not enough memory for the picture; scale it down first.") from None


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
    formats: tuple[str, ...] = FORMATS
    if _is_heif(data):
        _learn_heif()
        formats = ("HEIF",)
    try:
        return Image.open(io.BytesIO(data), formats=formats)
    except Image.UnidentifiedImageError:
        raise ImageError(
            "This is no picture of a known format, or a damaged one; use JPEG, PNG, WEBP, AVIF, BMP, TIFF or GIF."
        ) from None
    except Image.DecompressionBombError:
        raise ImageError("The picture claims far too many pixels; scale it down first.") from None
    except _DAMAGE as error:
        raise ImageError("The picture is damaged; copy or download it again.") from error


def _is_heif(data: bytes) -> bool:
    """Return whether a file says that it is HEIF and not AVIF; an AVIF may name ``mif1`` first and itself later."""
    if data[4:8] != b"ftyp":
        return False
    box = data[8 : min(int.from_bytes(data[:4], "big"), 256)]
    brands = {box[:4], *(box[at : at + 4] for at in range(8, len(box), 4))}
    return bool(brands & _HEIF_BRANDS) and not brands & _AVIF_BRANDS


def _learn_heif() -> None:
    """Let Pillow read HEIF; ImageError where the package for it is not installed."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        raise ImageError(
            "HEIC pictures need the package pillow-heif; install it with pip, or save it as JPEG first."
        ) from None
    register_heif_opener(thumbnails=False)


def _ends_whole(data: bytes) -> bool:
    # Some versions of OpenCV fill the missing part of a cut file with grey; Pillow refuses it. Only a file with
    # its end mark goes the fast way.
    return data[-64:].rstrip(b"\0\r\n").endswith(b"\xff\xd9")


def _decode_jpeg(data: bytes) -> np.ndarray | None:
    """Return what OpenCV makes of a JPEG, twice as fast as Pillow and equal to it; None where it makes nothing."""
    import cv2

    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)  # turns by EXIF itself
    except cv2.error:
        return None
    return None if decoded is None else cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)


def _decode(picture: "Image.Image") -> np.ndarray:
    """Return what Pillow makes of a picture."""
    from PIL import ImageOps

    try:
        picture.load()
        ImageOps.exif_transpose(picture, in_place=True)
        if picture.mode.startswith("I") or picture.mode == "F":
            return _deep_grey(np.asarray(picture))
        # Strip by strip: Pillow takes four bytes a pixel, and a whole copy for each step.
        width, height = picture.size
        rgb = np.empty((height, width, 3), np.uint8)
        rows = max(1, _STRIP // width)
        for first in range(0, height, rows):
            strip = picture.crop((0, first, width, min(first + rows, height)))
            rgb[first : first + rows] = np.asarray(_as_rgb(strip))
        return rgb
    except _DAMAGE as error:
        raise ImageError("The picture is damaged or cut off; copy or download it again.") from error


def _as_rgb(picture: "Image.Image") -> "Image.Image":
    """Return a picture of any mode but deep grey as RGB, transparency on white."""
    from PIL import Image, ImageCms

    if picture.mode == "LAB":  # scanners' TIFFs; Pillow converts them by profile only
        profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(picture, *profiles, outputMode="RGB")
        assert converted is not None  # it is only where the picture is changed in place
        return converted
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    seen = picture.convert("RGBA")
    paper = Image.new("RGB", seen.size, "white")
    paper.paste(seen, mask=seen)
    return paper


def _deep_grey(values: np.ndarray) -> np.ndarray:
    """Return 12-bit, 16-bit, 32-bit or floating grey as 8-bit RGB, whatever the type it came in.

    How many bits were used is told by the largest value: a 12-bit camera leaves a 16-bit file nearly black.
    """
    largest = max(float(np.max(values, initial=0, where=np.isfinite(values))), 0.0)
    full = next((scale for scale in (1.0, 255.0, 4095.0, 65535.0) if largest <= scale), largest)
    rgb = np.empty((*values.shape, 3), np.uint8)
    rows = max(1, _STRIP // values.shape[1])
    for first in range(0, len(values), rows):
        strip = np.nan_to_num(values[first : first + rows].astype(np.float64), posinf=0, neginf=0)
        rgb[first : first + rows] = np.clip(strip * (255 / full), 0, 255).round().astype(np.uint8)[..., None]
    return rgb
