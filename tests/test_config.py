"""Recipes: flat settings find their place, nonsense is refused in one sentence, a saved recipe loads again."""

import pytest

from facessl import config, recipes, registry, viewing
from facessl.config import FinetuneRecipe, PrepareRecipe, PretrainRecipe
from facessl.errors import RecipeError


def test_every_setting_explains_itself() -> None:
    for recipe in (*config.RECIPES.values(), viewing.ViewRecipe, config.DemoRecipe):
        for name, field in recipe.model_fields.items():
            assert field.description, f"{recipe.__name__}.{name} has no help line"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"epochs": "0"}, "epochs: must be 1 or more, got '0'."),
        ({"learning_rate": "0"}, "learning_rate: must be more than 0, got '0'."),
        ({"hue": 0.6}, "views.hue: must be 0.5 or less, got 0.6."),
        ({"learning_rate": "nan"}, "learning_rate: must be a finite number, got 'nan'."),
        ({"learning_rate": float("-inf")}, "learning_rate: must be a finite number, got -inf."),
        ({"seed": 2**32}, "seed: must be 4,294,967,295 or less, got 4294967296."),
        ({"temperature": "1e-9"}, "temperature: must be 0.001 or more, got '1e-9'."),
        ({"batch_size": "many"}, "batch_size: must be a whole number, got 'many'."),
        ({"epochs": 1.5}, "epochs: must be a whole number, got 1.5."),
        ({"schedule": "steps"}, "schedule: must be 'cosine' or 'constant', got 'steps'."),
    ],
)
def test_what_cannot_be_is_said_in_plain_words(settings: dict[str, object], said: str) -> None:
    with pytest.raises(RecipeError) as refused:
        recipes.build(PretrainRecipe, settings)
    assert str(refused.value) == said


def test_what_a_recipe_says_itself_keeps_the_value() -> None:
    with pytest.raises(RecipeError, match=r"shares are numbers above 0.*nan"):
        recipes.build(config.StudyRecipe, {"preset": "label_efficiency", "shares": "nan"})


def test_flat_settings_reach_nested_recipes_and_plugins() -> None:
    recipe = recipes.build(PretrainRecipe, {"epochs": "3", "crop_min": "0.5", "temperature": "0.3"})
    assert isinstance(recipe, PretrainRecipe)
    assert (recipe.epochs, recipe.views.crop_min, recipe.options["temperature"]) == (3, 0.5, 0.3)


def test_a_recipe_is_complete_and_loads_again() -> None:
    recipe = recipes.build(PrepareRecipe, {"people": 5})
    saved = recipe.model_dump(mode="json")
    assert saved["options"]["people"] == 5 and "photos" in saved["options"]
    assert recipes.build(PrepareRecipe, saved) == recipe


@pytest.mark.parametrize(
    ("settings", "stem", "stages"),
    [
        ({"image_size": 64}, "medium", 3),
        ({"image_size": 95}, "medium", 3),
        ({"image_size": 96}, "imagenet", 3),  # its last maps then have the 6 x 6 points that 48 have behind medium
        ({"image_size": 64, "init": "imagenet"}, "imagenet", 4),  # they were trained so
        ({"image_size": 64, "stem": "imagenet", "stages": 2}, "imagenet", 2),
        ({"image_size": 224, "stem": "small", "stages": 4}, "small", 4),
    ],
)
def test_what_a_network_leaves_open_is_decided_by_pictures_and_weights(
    settings: dict[str, object], stem: str, stages: int
) -> None:
    for kind in (PretrainRecipe, FinetuneRecipe):
        recipe = recipes.build(kind, settings)
        assert recipe.backbone_options == {"stem": stem, "stages": stages}
        assert recipes.build(kind, recipe.model_dump(mode="json")) == recipe  # a run has it in writing


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        ("pretrain", {"batch_size": 1}, "batch_size"),
        ("pretrain", {"epochs": "many"}, "epochs"),
        ("pretrain", {"temperature": -1}, "temperature"),
        ("pretrain", {"crop_min": 0.9, "crop_max": 0.5}, "crop_min"),
        ("pretrain", {"device": "gpu"}, "a device is auto"),
        ("pretrain", {"stages": 1}, "stages must be 2, 3 or 4, or 0"),
        ("pretrain", {"device": "cuda:"}, "a device is auto"),
        ("pretrain", {"device": "cpu:1"}, "a device is auto"),
        ("pretrain", {"colour": 1}, "no setting called colour"),
        ("pretrain", {"backbone": "tinyvgg", "stem": "small"}, "no setting called stem here with tinyvgg and simclr"),
        ("pretrain", {"method": "magic"}, "no method called 'magic'"),
        ("prepare", {"name": "../x"}, "letters, digits"),
        ("prepare", {"train_share": 0.9, "val_share": 0.1}, "test part"),
        ("prepare", {"people": 0}, "people"),
    ],
)
def test_nonsense_is_refused_in_one_line(kind: str, settings: dict[str, object], words: str) -> None:
    with pytest.raises(RecipeError, match=words) as caught:
        recipes.build(config.RECIPES[kind], settings)
    assert "\n" not in str(caught.value)


def test_a_linear_layer_has_its_own_defaults_which_a_person_can_change() -> None:
    assert FinetuneRecipe(mode="frozen").learning_rate == 1e-2
    assert FinetuneRecipe(mode="frozen", learning_rate=0.5).learning_rate == 0.5
    assert FinetuneRecipe().learning_rate == 3e-4


def test_no_two_settings_of_a_recipe_share_a_flat_name() -> None:
    for recipe in config.RECIPES.values():
        own = list(recipe.model_fields)
        for field in recipe.model_fields.values():
            if isinstance(field.default, recipes.Recipe):
                own += type(field.default).model_fields
        for kind, _, _ in recipe.PLUGINS:
            for plugin in registry.names(kind):
                names = own + list(registry.load(kind, plugin).Options.model_fields)
                if kind == "methods":  # a method and a backbone stand in one command
                    for backbone in registry.names("backbones"):
                        both = names + list(registry.load("backbones", backbone).Options.model_fields)
                        assert len(both) == len(set(both)), (recipe.__name__, plugin, backbone)
                assert len(names) == len(set(names)), (recipe.__name__, plugin)


def test_the_rate_for_lars_is_the_papers() -> None:
    """Appendix B.1: 4.8 at a batch of 4,096, by this rule as by the linear one, 0.3 × N / 256."""
    assert config.lars_rate(4096) == pytest.approx(4.8) == 0.3 * 4096 / 256
