"""What is read is what a person sees, in every format; what cannot be read is refused in one sentence."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from facessl.errors import ImageError
from facessl.images import MAX_SCANS, encode_jpeg, fit, read_image
from tests.fuzz import images as fuzz

FORMATS = ["JPEG", "PNG", "WEBP", "AVIF", "BMP", "TIFF", "GIF"]


def scene(width: int = 48, height: int = 32) -> Image.Image:
    """A smooth picture that looks different from every side: red grows to the right, green downwards."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([x, y, np.full_like(x, 60)], 2).astype(np.uint8))


def saved(picture: Image.Image, kind: str, **how: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **how)
    return file.getvalue()


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_read_whatever_it_is_called(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(saved(scene(), kind))
    image = read_image(path)
    assert image.shape == (32, 48, 3)
    assert image.dtype == np.uint8
    assert np.abs(image.astype(int) - np.asarray(scene())).mean() < 12  # GIF has 256 colours


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_exif_turn_is_applied(orientation: int, kind: str) -> None:
    stored_as = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,  # the camera says "turn right by 90": it stored it turned left
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    stored = scene() if stored_as is None else scene().transpose(stored_as)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = read_image(saved(stored, kind, exif=exif))
    assert image.shape == (32, 48, 3)
    assert np.abs(image.astype(int) - np.asarray(scene())).mean() < 6


def test_the_fast_way_decodes_as_pillow_does() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (61, 83, 3), np.uint8)
    for quality in (30, 95):
        data = saved(Image.fromarray(noise), "JPEG", quality=quality)
        assert np.array_equal(read_image(data), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


def test_grey_palette_cmyk_and_16_bit_become_rgb() -> None:
    grey = scene().convert("L")
    assert np.array_equal(read_image(saved(grey, "PNG")), np.repeat(np.asarray(grey)[..., None], 3, 2))
    assert np.abs(read_image(saved(scene().convert("P"), "PNG")).astype(int) - np.asarray(scene())).mean() < 30
    assert np.abs(read_image(saved(scene().convert("CMYK"), "JPEG")).astype(int) - np.asarray(scene())).mean() < 12
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    assert np.array_equal(read_image(saved(deep, "PNG"))[..., 0], np.asarray(grey))


def test_the_inverted_cmyk_of_adobe_is_seen_as_opencv_sees_it() -> None:
    import cv2

    data = saved(scene().convert("CMYK"), "JPEG")
    assert b"Adobe" in data
    seen = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    assert np.abs(read_image(data).astype(int) - seen).mean() < 3
    plain = saved(scene().convert("CMYK"), "TIFF")  # not inverted
    assert np.abs(read_image(plain).astype(int) - np.asarray(scene())).mean() < 3


def test_a_scanners_lab_is_seen_as_opencv_sees_it() -> None:
    import cv2

    lab = cv2.cvtColor(np.asarray(scene()).astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    # Pillow keeps L in 0-255, and a and b as signed bytes.
    planes = np.stack([lab[..., 0] * 2.55, lab[..., 1] % 256, lab[..., 2] % 256], axis=-1).round().astype(np.uint8)
    data = saved(Image.frombytes("LAB", (planes.shape[1], planes.shape[0]), planes.tobytes()), "TIFF")
    # Not nearer: Pillow means the white of D50 and OpenCV that of D65.
    assert np.abs(read_image(data).astype(int) - np.asarray(scene())).mean() < 12


def test_a_large_picture_is_converted_as_a_small_one() -> None:
    """It is done strip by strip."""
    tall = np.asarray(scene(64, 64).resize((512, 9000), Image.Resampling.NEAREST))
    assert np.array_equal(read_image(saved(Image.fromarray(tall), "PNG", compress_level=1)), tall)
    deep = Image.fromarray(tall[..., 0].astype(np.uint16) * 257)
    assert np.array_equal(read_image(saved(deep, "PNG", compress_level=1))[..., 1], tall[..., 0])


@pytest.mark.parametrize(("largest", "kind"), [(4095, np.uint16), (65535, np.uint16), (255, np.int32), (1, np.float32)])
def test_the_depth_of_grey_is_told_by_the_largest_value(largest: int, kind: type) -> None:
    ramp = np.linspace(0, 1, 40 * 32).reshape(32, 40)
    values = ramp * largest if kind is np.float32 else np.rint(ramp * largest)
    image = read_image(saved(Image.fromarray(values.astype(kind)), "TIFF"))
    assert np.abs(image[..., 0].astype(int) - ramp * 255).max() <= 1
    assert (image[..., 0] == image[..., 2]).all()


def test_numbers_that_are_none_do_not_darken_a_floating_picture() -> None:
    values = np.full((20, 20), 0.5, np.float32)
    values[0, :4] = [np.nan, np.inf, -np.inf, 1]
    image = read_image(saved(Image.fromarray(values), "TIFF"))
    assert image[0, :4, 0].tolist() == [0, 0, 0, 255]
    assert image[9, 9, 0] in (127, 128)


def test_one_bit_grey_with_alpha_and_a_clear_palette_become_rgb() -> None:
    bits = scene().convert("1")
    assert np.array_equal(read_image(saved(bits, "PNG"))[..., 0], np.asarray(bits) * 255)
    assert np.array_equal(read_image(saved(bits, "TIFF", compression="group4"))[..., 0], np.asarray(bits) * 255)
    faint = Image.new("LA", (20, 20), (0, 51))
    assert abs(int(read_image(saved(faint, "PNG"))[3, 3, 0]) - 204) <= 1
    palette = Image.new("P", (20, 20), 1)
    palette.putpalette([0, 0, 0, 200, 0, 0])
    assert tuple(read_image(saved(palette, "PNG"))[3, 3]) == (200, 0, 0)
    assert tuple(read_image(saved(palette, "PNG", transparency=1))[3, 3]) == (255, 255, 255)


def test_transparency_lies_on_white() -> None:
    clear = Image.new("RGBA", (20, 20), (200, 0, 0, 0))
    assert (read_image(saved(clear, "PNG")) == 255).all()
    half = Image.new("RGBA", (20, 20), (0, 0, 0, 128))
    assert abs(int(read_image(saved(half, "WEBP", lossless=True))[0, 0, 0]) - 127) <= 1


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF", "TIFF"])
def test_an_animation_gives_its_first_frame(kind: str) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:])
    assert np.abs(read_image(data)[5, 5].astype(int) - (255, 0, 0)).max() < 12


HEIF_HEADER = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40)


def test_heic_without_the_package_for_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImageError, match="install it with pip, or save it as JPEG"):
        read_image(HEIF_HEADER)
    avif = bytearray(saved(scene(), "AVIF"))
    assert avif[8:12] == b"avif" and b"mif1" in avif[16:32]
    avif[8:12] = b"mif1"  # as some writers do: it says that it is AVIF further on
    assert read_image(bytes(avif)).shape == (32, 48, 3)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_heic_is_read_upright_where_the_package_is_installed(orientation: int) -> None:
    pillow_heif = pytest.importorskip("pillow_heif", reason="the optional package pillow-heif is not installed")
    pillow_heif.register_heif_opener()
    stored_as = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    stored = scene() if orientation == 1 else scene().transpose(stored_as[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(stored, "HEIF", quality=90, exif=exif.tobytes())
    image = read_image(data)
    assert image.shape == (32, 48, 3)
    assert np.abs(image.astype(int) - np.asarray(scene())).mean() < 6
    for share in (0.3, 0.6, 0.9):
        with pytest.raises(ImageError, match="damaged"):
            read_image(data[: int(share * len(data))])


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "BMP"])
def test_a_cut_off_picture_is_refused(kind: str) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    data = saved(noise, kind)
    for share in (0.3, 0.6, 0.9):
        with pytest.raises(ImageError, match="damaged"):
            read_image(data[: int(share * len(data))])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"hello, I am a text", "no picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "no picture"),  # would run a program
        (saved(Image.new("RGB", (1, 1)), "PNG"), "1 × 1"),
        (saved(Image.new("RGB", (500, 3)), "PNG"), "500 × 3"),
    ],
)
def test_what_is_no_photo_is_refused_in_one_sentence(data: bytes, says: str) -> None:
    with pytest.raises(ImageError, match=says) as refused:
        read_image(data)
    assert str(refused.value).count(".") == 1
    assert "\n" not in str(refused.value)


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = saved(Image.new("1", (20_000, 20_000)), "PNG")
    assert len(bomb) < 100_000
    with pytest.raises(ImageError, match="pixels"):
        read_image(bomb)
    assert read_image(saved(scene(), "PNG"), max_pixels=48 * 32).shape == (32, 48, 3)
    with pytest.raises(ImageError, match="48 × 32"):
        read_image(saved(scene(), "PNG"), max_pixels=48 * 32 - 1)


@pytest.mark.parametrize(("kind", "mode"), [("JPEG", "RGB"), ("JPEG", "L"), ("PNG", "P"), ("PNG", "RGBA")])
def test_fifty_megapixels_are_read_in_half_a_gigabyte(kind: str, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The result alone has 151 MB, and Pillow needs 201 more for RGBA."""
    data = saved(Image.new(mode, (8192, 6144)), kind, **({"compress_level": 1} if kind == "PNG" else {}))
    read_image(saved(scene(), kind))  # the decoder is loaded before memory is counted
    monkeypatch.setattr(fuzz, "MEMORY", 500_000_000)
    monkeypatch.setattr(fuzz, "CPU_SECONDS", 30)
    assert fuzz.outcome(data, lambda given: _has_shape(read_image(given), (6144, 8192, 3))) == fuzz.READ


def _has_shape(image: np.ndarray, shape: tuple[int, ...]) -> None:
    assert image.shape == shape


def test_a_jpeg_of_a_thousand_passes_is_refused_before_it_takes_minutes() -> None:
    data = saved(scene(), "JPEG", progressive=True)
    last = data.rfind(b"\xff\xda")
    scan = data[last:-2]
    assert read_image(data[:-2] + scan * 20 + data[-2:]).shape == (32, 48, 3)
    with pytest.raises(ImageError, match="passes"):
        read_image(data[:-2] + scan * MAX_SCANS + data[-2:])


def test_too_little_memory_is_said_and_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(picture: Image.Image) -> None:
        raise MemoryError

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", load)
    with pytest.raises(ImageError, match="memory"):
        read_image(saved(scene(), "PNG"))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="cannot be read"):
        read_image(tmp_path / "nothing.jpg")


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(FORMATS), st.data())
def test_damage_anywhere_is_a_picture_or_an_image_error(kind: str, data: st.DataObject) -> None:
    picture = bytearray(saved(scene(), kind))
    for _ in range(data.draw(st.integers(1, 8))):
        picture[data.draw(st.integers(0, len(picture) - 1))] = data.draw(st.integers(0, 255))
    try:
        image = read_image(bytes(picture))
    except ImageError:
        return
    assert image.dtype == np.uint8
    assert image.shape[2] == 3


def test_jpeg_there_and_back() -> None:
    image = np.asarray(scene())
    assert np.abs(read_image(encode_jpeg(image)).astype(int) - image).mean() < 3
    assert encode_jpeg(image) == encode_jpeg(image)


def test_fit_bounds_the_longer_side() -> None:
    image = np.zeros((300, 1000, 3), np.uint8)
    assert fit(image, 100).shape == (30, 100, 3)
    assert fit(image, 2000) is image
