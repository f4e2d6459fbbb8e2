import numpy as np
import pytest
import torch
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as tv

from facessl import views
from facessl.viewing import ViewRecipe

TURNED = ViewRecipe(rotation=30.0, blur=0.5, blur_max=3.0, hue=0.2)


QUIET = views.PRESETS["seed project"].model_dump()


def smooth_pictures(n: int, side: int, seed: int = 0) -> np.ndarray:
    """Pictures with as much detail as faces have: noise at a twelfth of the resolution, enlarged."""
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.uniform(0, 255, (n, 3, 12, 12)))
    fine = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bicubic")
    return np.ascontiguousarray(fine.clamp(0, 255).permute(0, 2, 3, 1).round().to(torch.uint8).numpy())


def one(**changes: object) -> views.ViewParameters:
    return views.ViewParameters(**{**vars(views.unchanged(1)), **changes})


def coloured(brightness: float = 1, contrast: float = 1, saturation: float = 1, hue: float = 0) -> views.ViewParameters:
    return one(factors=np.array([[brightness, contrast, saturation, hue]], dtype=np.float32))


@pytest.mark.parametrize("recipe", [*views.PRESETS.values(), TURNED], ids=[*views.PRESETS, "turned"])
@pytest.mark.parametrize(("side", "size"), [(112, 64), (64, 64), (225, 64), (50, 96)])
def test_cpu_and_tensor_render_the_same(recipe, side, size):
    faces = smooth_pictures(12, side)
    parameters = views.draw(len(faces), recipe, np.random.default_rng(1))
    on_cpu = views.render(faces, parameters, size)
    as_tensor = views.render_tensor(torch.from_numpy(faces), parameters, size)
    assert as_tensor.shape == (12, 3, size, size)
    difference = np.abs(on_cpu - as_tensor.permute(0, 2, 3, 1).numpy())
    assert difference.mean() < 1
    assert difference.max() < 12


def test_unchanged_at_the_same_size_is_the_very_picture():
    faces = smooth_pictures(3, 64)
    assert np.array_equal(views.plain(faces, 64), faces)
    as_tensor = views.plain_tensor(torch.from_numpy(faces), 64).permute(0, 2, 3, 1).numpy()
    assert np.allclose(as_tensor, faces, atol=0.01)


@pytest.mark.parametrize(("side", "size"), [(112, 64), (256, 64), (224, 112), (48, 64)])
def test_plain_agrees_with_antialiased_resizing(side, size):
    faces = smooth_pictures(4, side)
    wanted = tv.resize(torch.from_numpy(faces).permute(0, 3, 1, 2), [size, size], antialias=True)
    assert np.abs(views.plain(faces, size) - wanted.permute(0, 2, 3, 1).numpy().astype(float)).mean() < 2


def test_crop_is_a_window_of_the_face():
    face = smooth_pictures(1, 128)
    window = one(crop=np.array([[0.25, 0.5, 0.5, 0.5]], dtype=np.float32))
    assert np.array_equal(views.render(face, window, 64)[0], face[0, 64:128, 32:96])


def test_flip_mirrors_left_and_right():
    face = smooth_pictures(1, 64)
    assert np.array_equal(views.render(face, one(flip=np.array([True])), 64)[0], face[0, :, ::-1])


def test_a_quarter_turn_is_a_quarter_turn():
    face = smooth_pictures(1, 64)
    turned = views.render(face, one(angle=np.array([90], dtype=np.float32)), 64)[0]
    assert np.abs(turned - np.rot90(face[0]).astype(float)).mean() < 0.5


def test_strong_shrinking_averages_instead_of_jumping_over_pixels():
    noise = np.random.default_rng(0).integers(0, 256, (1, 256, 256, 3), dtype=np.uint8)
    spread_of_one = noise.std()
    assert views.plain(noise, 32).std() == pytest.approx(spread_of_one / 8, rel=0.05)  # 8 × 8 pixels become one
    assert views.plain(noise, 40).std() < spread_of_one / 4


def test_colours_are_clamped_after_each_operation():
    face = np.full((1, 8, 8, 3), 200, dtype=np.uint8)
    brighter_then_saturated = coloured(brightness=2, saturation=0.5)
    assert (views.render(face, brighter_then_saturated, 8) == 255).all()
    tensor = views.render_tensor(torch.from_numpy(face), brighter_then_saturated, 8)
    assert torch.allclose(tensor, torch.tensor(255.0))


def test_the_order_of_colour_operations_matters_and_is_followed():
    face = smooth_pictures(1, 32)
    factors = np.array([[1.8, 0.5, 1, 0]], dtype=np.float32)
    picture = torch.from_numpy(face).permute(0, 3, 1, 2)
    brightness_first = tv.adjust_contrast(tv.adjust_brightness(picture, 1.8), 0.5)
    contrast_first = tv.adjust_brightness(tv.adjust_contrast(picture, 0.5), 1.8)
    for order, wanted in (([0, 1, 2, 3], brightness_first), ([3, 1, 2, 0], contrast_first)):
        found = views.render(face, one(factors=factors, order=np.array([order])), 32)
        assert np.abs(found - wanted.permute(0, 2, 3, 1).numpy().astype(float)).max() <= 4  # torchvision rounds down


def test_crops_are_distributed_as_torchvision_draws_them():
    recipe = views.PRESETS["SimCLR paper"]
    drawn = views.draw(4000, recipe, np.random.default_rng(0)).crop
    torch.manual_seed(0)
    cropper, blank = v2.RandomResizedCrop(64, scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3)), torch.zeros(1, 1000, 1000)
    found = [cropper.make_params([blank]) for _ in range(4000)]
    windows = [[one[name] for name in ("top", "left", "height", "width")] for one in found]
    top, left, height, width = np.array(windows).T / 1000
    for column, wanted in enumerate((left, top, width, height)):
        assert drawn[:, column].mean() == pytest.approx(wanted.mean(), abs=0.02)
        assert drawn[:, column].std() == pytest.approx(wanted.std(), abs=0.02)


def test_views_are_distributed_as_torchvision_makes_them():
    """Mean and standard deviation within 0.02, clipped share within 0.03 (of 0..1), as SimCLR's own pipeline."""
    faces = smooth_pictures(2000, 32)
    recipe = views.PRESETS["SimCLR paper"]
    ours = views.render(faces, views.draw(len(faces), recipe, np.random.default_rng(0)), 32) / 255
    theirs_of = v2.Compose(
        [
            v2.RandomResizedCrop(32, scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3), antialias=True),
            v2.RandomHorizontalFlip(),
            v2.RandomApply([v2.ColorJitter(0.8, 0.8, 0.8, 0.2)], p=0.8),
            v2.RandomGrayscale(0.2),
            v2.RandomApply([v2.GaussianBlur(13, (0.1, 2.0))], p=0.5),
        ]
    )
    torch.manual_seed(0)
    theirs = torch.stack([theirs_of(p) for p in torch.from_numpy(faces).permute(0, 3, 1, 2)]).numpy() / 255
    assert ours.mean() == pytest.approx(theirs.mean(), abs=0.02)
    assert ours.std() == pytest.approx(theirs.std(), abs=0.02)
    clipped = [((picture <= 0) | (picture >= 1)).mean() for picture in (ours, theirs)]
    assert clipped[0] == pytest.approx(clipped[1], abs=0.03)


def test_the_same_seed_draws_the_same_and_another_does_not():
    first, again, other = (views.draw(8, ViewRecipe(), np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert all(np.array_equal(vars(first)[name], vars(again)[name]) for name in vars(first))
    assert not np.array_equal(first.crop, other.crop)


def test_windows_stay_inside_the_face_and_keep_their_area():
    recipe = ViewRecipe(crop_min=0.3, crop_max=0.6)
    crop = views.draw(2000, recipe, np.random.default_rng(0)).crop
    assert (crop[:, :2] >= 0).all()
    assert (crop[:, :2] + crop[:, 2:] <= 1 + 1e-6).all()
    area = crop[:, 2] * crop[:, 3]
    assert area.min() >= 0.3 - 1e-5 and area.max() <= 0.6 + 1e-5


def test_a_crop_that_can_never_fit_is_the_whole_face():
    crop = views.draw(500, ViewRecipe(crop_min=1.0, aspect=2.0), np.random.default_rng(0)).crop
    assert np.array_equal(crop, np.tile(np.float32([0, 0, 1, 1]), (500, 1)))


def test_the_seed_projects_views_are_copies():
    parameters = views.draw(50, views.PRESETS["seed project"], np.random.default_rng(0))
    faces = smooth_pictures(50, 48)
    assert np.array_equal(views.render(faces, parameters, 48), faces)


def test_any_number_of_threads_renders_the_same():
    faces = smooth_pictures(31, 48)
    parameters = views.draw(31, TURNED, np.random.default_rng(0))
    assert np.array_equal(views.render(faces, parameters, 32), views.render(faces, parameters, 32, threads=3))


@pytest.mark.parametrize("side", [48, 96, 135])
def test_several_views_of_a_face_in_one_call_are_those_of_several_calls(side):
    faces = smooth_pictures(5, side)
    drawn = [views.draw(5, TURNED, np.random.default_rng(seed)) for seed in range(3)]
    joined = views.ViewParameters.joined(drawn)
    apart = np.concatenate([views.render(faces, parameters, 32) for parameters in drawn])
    assert np.array_equal(views.render(faces, joined, 32), apart)
    as_tensor = views.render_tensor(torch.from_numpy(faces), joined, 32)
    parts = [views.render_tensor(torch.from_numpy(faces), parameters, 32) for parameters in drawn]
    assert torch.allclose(as_tensor, torch.cat(parts), atol=1e-3)


def test_rows_can_be_taken():
    parameters = views.draw(10, TURNED, np.random.default_rng(0))
    faces = smooth_pictures(10, 48)
    rows = np.array([7, 2])
    assert np.array_equal(
        views.render(faces, parameters, 32)[rows], views.render(faces[rows], parameters.take(rows), 32)
    )


@pytest.mark.parametrize("seed", range(8))
def test_the_last_step_is_the_view(seed):
    face = smooth_pictures(1, 80)
    parameters = views.draw(1, TURNED, np.random.default_rng(seed))
    shown = views.steps(face[0], parameters, 64)
    assert shown[0][0] == "The face"
    assert np.array_equal(shown[-1][1], views.render(face, parameters, 64)[0])


def test_an_unchanged_face_has_no_steps_but_itself():
    shown = views.steps(smooth_pictures(1, 64)[0], views.unchanged(1), 64)
    assert [title for title, _ in shown] == ["The face"]


def test_each_step_alone_is_as_strong_as_the_recipe_allows():
    face = smooth_pictures(1, 64)[0]
    recipe = ViewRecipe(**{**QUIET, "jitter": 0.5, "brightness": 0.5, "grey": 0.1, "flip": 0.5})
    shown = dict(views.strongest(face, recipe, 64))
    assert list(shown) == ["The face", "Mirrored", "Brightness × 0.50", "Brightness × 1.50", "Colour dropped"]
    assert np.array_equal(shown["Mirrored"], face[:, ::-1])
    assert np.abs(shown["Brightness × 0.50"] - face / 2).max() <= 0.5
    assert (np.ptp(shown["Colour dropped"], axis=2) == 0).all()


def test_a_step_that_can_never_happen_is_not_shown_alone():
    face = smooth_pictures(1, 64)[0]
    assert [title for title, _ in views.strongest(face, views.PRESETS["seed project"], 64)] == ["The face"]
    everything = ViewRecipe(rotation=10, light=1, cast=1)
    titles = " ".join(title for title, _ in views.strongest(face, everything, 64))
    for word in (
        "Crop",
        "Widened",
        "Lengthened",
        "Turned",
        "Mirrored",
        "Light",
        "Warm",
        "Cold",
        "Contrast",
        "Hue",
        "Blur",
    ):
        assert word in titles


def test_the_input_of_a_backbone_is_normalised_and_channels_last():
    faces = smooth_pictures(4, 32)
    batch = views.to_input(faces)
    wanted = tv.normalize(torch.from_numpy(faces).permute(0, 3, 1, 2) / 255, list(views.MEAN), list(views.STD))
    assert torch.allclose(batch, wanted, atol=1e-6)
    assert batch.is_contiguous(memory_format=torch.channels_last)
    rendered = views.render_tensor(torch.from_numpy(faces), views.unchanged(4), 32)
    assert torch.allclose(views.to_input(rendered), wanted, atol=1e-6)


def test_no_face_gives_no_view():
    nothing = np.empty((0, 32, 32, 3), dtype=np.uint8)
    assert views.render(nothing, views.unchanged(0), 16).shape == (0, 16, 16, 3)
    assert views.render_tensor(torch.from_numpy(nothing), views.unchanged(0), 16).shape == (0, 3, 16, 16)


@pytest.mark.parametrize("shape", [(2, 32, 24, 3), (2, 32, 32), (2, 3, 32, 32), (3, 32, 32, 3)])
def test_wrong_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="faces"):
        views.render(np.zeros(shape, dtype=np.uint8), views.unchanged(2), 16)


def test_light_from_one_side_doubles_with_each_stop():
    grey = np.full((1, 40, 40, 3), 60, np.uint8)
    lit = views.render(grey, one(light=np.array([[1.0, 0.0]], np.float32)), 40)[0]
    places = (2 * np.arange(40) + 1) / 40 - 1
    assert np.abs(lit[7, :, 1] - 60 * 2**places).max() <= 0.5
    assert (lit == lit[:1]).all()  # nothing changes downwards


def test_light_is_drawn_from_every_side_and_as_often_as_asked():
    recipe = ViewRecipe(light=0.4, light_max=1.5)
    light = views.draw(20_000, recipe, np.random.default_rng(0)).light
    stops = np.hypot(*light.T)
    assert (stops > 0).mean() == pytest.approx(0.4, abs=0.02) and stops.max() <= 1.5
    assert np.abs(light.mean(axis=0)).max() < 0.02


def test_a_colour_cast_scales_each_channel_by_its_stops():
    grey = np.full((1, 32, 32, 3), 100, np.uint8)
    cast = views.render(grey, one(cast=np.array([[1.0, 0.0, -1.0]], np.float32)), 32)
    assert (cast == [200, 100, 50]).all()


def test_cast_and_colour_shift_multiply_so_that_now_and_then_a_face_is_neon():
    skin = np.full((4000, 8, 8, 3), (190, 140, 115), dtype=np.uint8)

    def neon(**changes: float) -> float:
        """Return the share of coloured views whose channels moved further apart than the two ends of the cast."""
        recipe = ViewRecipe(grey=0.0, **changes)
        seen = views.render(skin, views.draw(len(skin), recipe, np.random.default_rng(0)), 8).mean((1, 2))
        return float((np.ptp(np.log2((seen + 1) / (skin[0, 0, 0] + 1.0)), axis=1) > 2 * ViewRecipe().cast).mean())

    assert 0.02 < neon() < 0.1
    assert neon(jitter=0.0) == neon(cast=0.0) == 0
    assert "now and then a face is neon" in (ViewRecipe.model_fields["cast"].description or "")
