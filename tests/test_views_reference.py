"""Both renderers against torchvision, step by step, and the whole against lightly's SimCLR."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from lightly.transforms import SimCLRTransform
from PIL import Image
from torchvision.transforms.v2 import functional as tv

from facessl import images, views
from facessl.sources import synthetic
from facessl.viewing import ViewRecipe
from tests.test_views import coloured, one, smooth_pictures

PAPER = views.PRESETS["SimCLR paper"]
Renderer = Callable[[np.ndarray, views.ViewParameters, int], np.ndarray]


def by_tensor(faces: np.ndarray, parameters: views.ViewParameters, size: int) -> np.ndarray:
    return views.render_tensor(torch.from_numpy(faces), parameters, size).permute(0, 2, 3, 1).numpy()


@pytest.fixture(params=[views.render, by_tensor], ids=["cpu", "tensor"])
def renderer(request: pytest.FixtureRequest) -> Renderer:
    return request.param


def as_picture(faces: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(faces).permute(0, 3, 1, 2)


def differences(found: np.ndarray, wanted: torch.Tensor) -> np.ndarray:
    """Return the absolute differences in grey levels; ``wanted`` is torchvision's, (N, 3, H, W)."""
    return np.abs(found.astype(float) - wanted.permute(0, 2, 3, 1).numpy())


# -- one by one, against torchvision --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [64, 80, 48])  # a window of 64 as it is, enlarged, shrunk
def test_a_crop_is_torchvisions(renderer, size):
    face = smooth_pictures(1, 128)
    window = one(crop=np.array([[24, 40, 64, 64]], dtype=np.float32) / 128)
    wanted = tv.resized_crop(as_picture(face), 40, 24, 64, 64, [size, size], antialias=True)
    found = differences(renderer(face, window, size), wanted)
    assert found.mean() < (0.01 if size == 64 else 1.0)
    assert np.median(found) <= 1


def test_a_stretched_crop_is_torchvisions(renderer):
    face = smooth_pictures(1, 128)
    window = one(crop=np.array([[16, 32, 96, 64]], dtype=np.float32) / 128)
    wanted = tv.resized_crop(as_picture(face), 32, 16, 64, 96, [64, 64], antialias=True)
    assert differences(renderer(face, window, 64), wanted).mean() < 1.5


@pytest.mark.parametrize("size", [64, 40])
def test_a_flip_is_torchvisions(renderer, size):
    face = smooth_pictures(1, 64)
    upright = renderer(face, one(), size)
    wanted = tv.horizontal_flip(torch.from_numpy(upright).permute(0, 3, 1, 2))
    assert differences(renderer(face, one(flip=np.array([True])), size), wanted).max() <= 1  # the CPU's 1/32 pixel
    if size == 64:
        assert (
            differences(renderer(face, one(flip=np.array([True])), 64), tv.horizontal_flip(as_picture(face))).max()
            < 0.01
        )


@pytest.mark.parametrize("factor", [0.2, 0.8, 1.0, 1.5, 1.8])
@pytest.mark.parametrize(
    ("name", "wanted_of"),
    [
        ("brightness", tv.adjust_brightness),
        ("contrast", tv.adjust_contrast),
        ("saturation", tv.adjust_saturation),
    ],
)
def test_brightness_contrast_and_saturation_are_torchvisions(renderer, name, wanted_of, factor):
    face = smooth_pictures(1, 64)
    found = renderer(face, coloured(**{name: factor}), 64)
    assert differences(found, wanted_of(as_picture(face), factor)).max() <= 2  # torchvision rounds down


def test_grey_is_torchvisions(renderer):
    face = smooth_pictures(1, 64)
    found = renderer(face, one(grey=np.array([True])), 64)
    assert np.ptp(found, axis=3).max() < 1e-3  # no colour at all
    assert differences(found, tv.rgb_to_grayscale(as_picture(face), num_output_channels=3)).max() <= 1.5


@pytest.mark.parametrize("sigma", [0.1, 0.3, 0.7, 1.3, 2.0, 4.0])
def test_blur_is_torchvisions(renderer, sigma):
    face = smooth_pictures(1, 64)
    width = 2 * int(np.ceil(3 * sigma)) + 1
    wanted = tv.gaussian_blur(as_picture(face).float(), [width, width], [sigma, sigma])
    assert differences(renderer(face, one(sigma=np.array([sigma], dtype=np.float32)), 64), wanted).max() <= 0.51


# What the docstring of the package says about hue as a rotation against HSV's.
@pytest.mark.parametrize(("turn", "mean_difference"), [(0.05, 10), (-0.05, 10), (0.2, 19), (-0.2, 19)])
def test_hue_turns_the_way_of_torchvision_and_differs_as_stated(renderer, turn, mean_difference):
    colours = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    wanted = tv.adjust_hue(as_picture(colours), turn)
    difference = differences(renderer(colours, coloured(hue=turn), 64), wanted).mean()
    assert difference == pytest.approx(mean_difference, abs=1)
    other_way = differences(renderer(colours, coloured(hue=-turn), 64), wanted).mean()
    assert difference < other_way / 1.5


def test_hue_leaves_grey_alone_as_torchvision_does(renderer):
    grey = np.repeat(smooth_pictures(1, 64)[..., :1], 3, axis=3)
    assert differences(renderer(grey, coloured(hue=0.3), 64), tv.adjust_hue(as_picture(grey), 0.3)).max() <= 1


# -- the preset of the paper, against lightly -----------------------------------------------------------------------


def test_the_paper_preset_is_lightlys_setting_for_setting():
    """Read out of the pipeline that lightly builds, so that no figure is copied by hand."""
    pipeline = SimCLRTransform().transforms[0].transform
    by_name = {type(part).__name__: part for part in pipeline.transforms}
    crop, blur, jitter = (by_name[name] for name in ("RandomResizedCrop", "GaussianBlur", "RandomApply"))
    colours = jitter.transforms[0]
    assert tuple(crop.ratio) == pytest.approx((3 / 4, 4 / 3))
    assert blur.sigmas == (0.1, 2)
    wanted = {
        "crop_min": crop.scale[0],
        "crop_max": crop.scale[1],
        "aspect": crop.ratio[1],
        "rotation": 0.0,
        "flip": by_name["RandomHorizontalFlip"].p,
        "light": 0.0,  # the paper knows neither
        "light_max": 0.0,
        "cast": 0.0,
        "jitter": jitter.p,
        "brightness": colours.brightness[1] - 1,
        "contrast": colours.contrast[1] - 1,
        "saturation": colours.saturation[1] - 1,
        "hue": colours.hue[1],
        "grey": by_name["RandomGrayscale"].p,
        "blur": blur.prob,
        "blur_max": blur.sigmas[1],
    }
    assert wanted.keys() == ViewRecipe.model_fields.keys()
    assert PAPER.model_dump() == pytest.approx(wanted)


def test_the_papers_figures_are_those_of_its_appendix():
    """Chen et al. 2020, appendix A, with strength 1: what its text says, in the order in which it says it."""
    assert (PAPER.crop_min, PAPER.crop_max, PAPER.aspect, PAPER.flip) == (0.08, 1, 4 / 3, 0.5)
    assert (PAPER.jitter, PAPER.brightness, PAPER.contrast, PAPER.saturation, PAPER.hue) == (0.8, 0.8, 0.8, 0.8, 0.2)
    assert (PAPER.grey, PAPER.blur, PAPER.blur_max) == (0.2, 0.5, 2.0)


@pytest.mark.parametrize("name", views.PRESETS)
def test_no_preset_inherits_a_setting(name):
    assert views.PRESETS[name].model_fields_set == ViewRecipe.model_fields.keys()


# -- distributions, against lightly ---------------------------------------------------------------------------------

SIDE, SIZE, VIEWS_A_FACE = 112, 64, 400
ALIKE = 0.065  # Kolmogorov and Smirnov's distance; two halves of lightly's own views lie up to 0.06 apart


def figures(pictures: np.ndarray) -> dict[str, np.ndarray]:
    """Return one number a view, each about another of the steps; pictures (N, H, W, 3) in 0..255."""
    shares = pictures.astype(np.float32) / 255
    luma = shares @ np.float32([0.299, 0.587, 0.114])
    slope = np.abs(np.diff(luma, axis=1)).mean((1, 2))
    bend = np.abs(np.diff(luma, 2, axis=1)).mean((1, 2))
    edges = slope + np.abs(np.diff(luma, axis=2)).mean((1, 2))
    return {
        **{name: shares[..., channel].mean((1, 2)) for channel, name in enumerate(("red", "green", "blue"))},
        "contrast": luma.std((1, 2)),
        "colour": np.ptp(shares, axis=3).mean((1, 2)),
        "edges": edges / (luma.std((1, 2)) + 1e-3),
        "fineness": bend / (slope + 1e-4),
        "clipped": ((shares <= 0) | (shares >= 1)).mean((1, 2, 3)),
    }


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return the largest gap between two samples' cumulative distributions (Kolmogorov and Smirnov)."""
    places = np.concatenate([a, b])
    return float(
        np.abs(
            (np.sort(a).searchsorted(places, "right") / len(a)) - np.sort(b).searchsorted(places, "right") / len(b)
        ).max()
    )


def distances(faces: np.ndarray, recipe: ViewRecipe, theirs: dict[str, np.ndarray]) -> dict[str, float]:
    drawn = views.draw(VIEWS_A_FACE * len(faces), recipe, np.random.default_rng(0))
    ours = figures(views.render(faces, drawn, SIZE))
    return {name: distance(ours[name], theirs[name]) for name in theirs}


def lightlys(faces: np.ndarray) -> dict[str, np.ndarray]:
    torch.manual_seed(0)
    np.random.seed(0)
    transform = SimCLRTransform(input_size=SIZE, normalize=None).transforms[0]
    made = [transform(face) for face in map(Image.fromarray, faces) for _ in range(VIEWS_A_FACE)]
    return figures(torch.stack(made).permute(0, 2, 3, 1).numpy() * 255)


@pytest.fixture(scope="module")
def generated() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    source = synthetic.open_source(synthetic.Options(people=4, photos=2))
    faces = np.stack([views.plain(source.read(photo)[None], SIDE)[0] for photo in source.photos[:6]])
    return faces, lightlys(faces)


def test_views_are_distributed_as_lightlys(generated):
    faces, theirs = generated
    found = distances(faces, PAPER, theirs)
    assert max(found.values()) < ALIKE, found
    ours = figures(views.render(faces, views.draw(len(theirs["red"]), PAPER, np.random.default_rng(1)), SIZE))
    for name in ("red", "green", "blue", "contrast", "colour", "clipped"):
        assert ours[name].mean() == pytest.approx(theirs[name].mean(), abs=0.015), name
        assert ours[name].std() == pytest.approx(theirs[name].std(), abs=0.015), name
    grey = [(some["colour"] < 1e-6).mean() for some in (ours, theirs)]
    assert grey[0] == pytest.approx(grey[1], abs=0.03)


@pytest.mark.parametrize(
    ("setting", "wrong"),
    [
        ("grey", 0.4),
        ("blur", 0.3),
        ("blur_max", 1.0),
        ("crop_min", 0.2),
        ("brightness", 0.5),
        ("contrast", 0.3),
    ],
)
def test_the_comparison_with_lightly_would_notice(generated, setting, wrong):
    faces, theirs = generated
    assert max(distances(faces, PAPER.model_copy(update={setting: wrong}), theirs).values()) > ALIKE


# -- on real faces --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real_faces(real_data: Path) -> np.ndarray:
    """The middle of 24 LFW photos, 170 px wide, as prepared sets have them."""
    with zipfile.ZipFile(real_data / "lfw-deepfunneled.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))[::550][:24]
        return np.stack([images.read_image(archive.read(name))[40:210, 40:210] for name in names])


@pytest.mark.realdata
@pytest.mark.parametrize("name", views.PRESETS)
@pytest.mark.parametrize(("side", "size"), [(112, 64), (112, 112), (170, 112), (170, 64)])
def test_both_renderers_agree_on_real_faces(real_faces, name, side, size):
    """The mean absolute difference is asked to be at most 2/255; what is met is 0.6/255, mostly of rounding."""
    faces = views.plain(real_faces, side)
    drawn = [views.draw(len(faces), views.PRESETS[name], np.random.default_rng(seed)) for seed in range(2)]
    parameters = views.ViewParameters.joined(drawn)
    difference = np.abs(views.render(faces, parameters, size) - by_tensor(faces, parameters, size))
    assert difference.mean() <= 0.8
    assert difference.mean(axis=(1, 2, 3)).max() <= 2


@pytest.mark.realdata
def test_views_of_real_faces_are_distributed_as_lightlys(real_faces):
    faces = views.plain(real_faces[::4], SIDE)
    found = distances(faces, PAPER, lightlys(faces))
    # A shrink by less than 2 reads between four pixels: real skin and hair stay finer than under PIL's wider filter.
    assert found.pop("fineness") < 0.1
    assert max(found.values()) < ALIKE, found


@pytest.mark.realdata
@pytest.mark.parametrize("turn", [0.05, 0.2])
def test_hue_differs_on_real_faces_as_stated(real_faces, renderer, turn):
    faces = views.plain(real_faces, 64)
    parameters = views.ViewParameters.joined([coloured(hue=turn)] * len(faces))
    wanted = tv.adjust_hue(as_picture(faces), turn)
    assert differences(renderer(faces, parameters, 64), wanted).mean() == pytest.approx(
        5 if turn == 0.05 else 6, abs=1.5
    )


@pytest.mark.realdata
@pytest.mark.parametrize(("side", "size"), [(170, 112), (170, 64), (112, 64)])
def test_crops_of_real_faces_are_torchvisions(real_faces, renderer, side, size):
    faces = views.plain(real_faces, side)
    left, top, width = 10, 6, side - 20
    window = one(crop=np.array([[left, top, width, width]], dtype=np.float32) / side)
    wanted = tv.resized_crop(as_picture(faces), top, left, width, width, [size, size], antialias=True)
    found = renderer(faces, views.ViewParameters.joined([window] * len(faces)), size)
    assert differences(found, wanted).mean() < 2
