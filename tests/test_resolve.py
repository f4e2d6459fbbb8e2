"""What a run is called before anybody renames it."""

from pathlib import Path

import pytest

from facessl import recipes, resolve, runs
from facessl.config import RECIPES, EmbedRecipe, EvaluateRecipe, FinetuneRecipe, PrepareRecipe, PretrainRecipe
from facessl.errors import FaceSSLError
from facessl.recipes import Recipe
from tests.tiny import leave_model, make_set

TITLES = {"one": "SimCLR · ResNet18 on lfw", "two": "SimCLR · ResNet18 on lfw · seed 3"}


def test_a_network_that_nobody_knows_is_refused_before_there_is_a_run(tmp_path: Path) -> None:
    make_set(tmp_path)
    recipe = EvaluateRecipe(dataset="tiny", model="untrained").model_copy(update={"backbone": "foo"})
    with pytest.raises(FaceSSLError, match="no backbone called 'foo'"):
        resolve.check(recipe, tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("model.json", None, "has no trained model; choose a finished"),
        ("model.json", b"{}", "The model of .* is damaged; train it again"),
        ("model.json", b"{", "The model of .* is damaged; train it again"),
        ("model.safetensors", b"", "The model of .* is damaged; train it again"),
        ("model.safetensors", b"nonsense", "The model of .* is damaged; train it again"),
        ("model.safetensors", None, "The model of .* is damaged; train it again"),
    ],
)
def test_a_run_without_a_whole_model_is_refused_before_there_is_a_run(
    tmp_path: Path, file: str, content: bytes | None, said: str
) -> None:
    make_set(tmp_path, photos=20)
    run = runs.create(tmp_path, "pretrain", PretrainRecipe(dataset="tiny"), title="a test's")
    leave_model(run.path)
    asked = [
        FinetuneRecipe(dataset="tiny", init=run.id),
        EmbedRecipe(dataset="tiny", model=run.id),
        EvaluateRecipe(dataset="tiny", model=run.id),
        recipes.build(RECIPES["study"], {"preset": "label_efficiency", "dataset": "tiny", "starts": run.id}),
    ]
    for recipe in asked:
        resolve.check(recipe, tmp_path)
    (run.path / file).unlink()
    if content is not None:
        (run.path / file).write_bytes(content)
    for recipe in asked:
        with pytest.raises(FaceSSLError, match=said):
            resolve.check(recipe, tmp_path)


@pytest.mark.parametrize(
    ("recipe", "title"),
    [
        (PretrainRecipe(dataset="lfw"), "SimCLR · ResNet18 on lfw"),
        (PretrainRecipe(dataset="lfw", backbone="tinyvgg", seed=3), "SimCLR · TinyVGG on lfw · seed 3"),
        (FinetuneRecipe(dataset="lfw", init="one"), "Fine-tuned ResNet18 from SimCLR · ResNet18 on lfw"),
        (FinetuneRecipe(dataset="six", init="one"), "Fine-tuned ResNet18 on six from SimCLR · ResNet18 on lfw"),
        (FinetuneRecipe(dataset="lf", init="one"), "Fine-tuned ResNet18 on lf from SimCLR · ResNet18 on lfw"),
        (
            FinetuneRecipe(dataset="lfw", init="two", label_fraction=0.1, seed=3),
            "Fine-tuned ResNet18 (10 % of labels, seed 3) from SimCLR · ResNet18 on lfw · seed 3",
        ),
        (
            FinetuneRecipe(dataset="lfw", mode="frozen", backbone="tinyvgg", label_fraction=0.025),
            "Frozen TinyVGG on lfw (2.5 % of labels) from nothing",
        ),
        (FinetuneRecipe(dataset="lfw"), "Fine-tuned ResNet18 on lfw from nothing"),
        (
            FinetuneRecipe(dataset="lfw", head="embedding", seed=2),
            "Fine-tuned ResNet18 on lfw (on its embedding, seed 2) from nothing",
        ),
        (FinetuneRecipe(dataset="lfw", init="imagenet", seed=1), "Fine-tuned ResNet18 on lfw (seed 1) from ImageNet"),
        (EvaluateRecipe(dataset="six", model="untrained"), "Pairs of six by untrained ResNet18"),
        (EvaluateRecipe(dataset="six", model="pixels-whitened"), "Pairs of six by PCA-whitened pixels"),
        (EmbedRecipe(dataset="six", model="one"), "Map of six by SimCLR · ResNet18 on lfw"),
        (PrepareRecipe(name="more", parent="six", source="synthetic"), "Add photos to six, as more"),
    ],
)
def test_a_title_says_what_is_done_and_on_which_set(recipe: Recipe, title: str) -> None:
    assert resolve.title_of(recipe, TITLES) == title
