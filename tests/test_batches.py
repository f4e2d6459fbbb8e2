"""Batches are a function of seed, epoch and step: whoever asks, in whatever order, and of however many processes."""

import itertools

import numpy as np
import pytest
import torch

from facessl import devices, recipes, views
from facessl.batches import FaceBatches, FacePool
from facessl.config import PretrainRecipe
from facessl.dataset import FaceDataset
from facessl.distributed import ALONE, World
from tests.tiny import make_set

WHOLE = slice(None)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> FaceDataset:
    return FaceDataset(make_set(tmp_path_factory.mktemp("batches")))


def batches(dataset: FaceDataset, world: World = ALONE, **settings: object) -> FaceBatches:
    recipe = recipes.build(PretrainRecipe, {"dataset": "tiny", "batch_size": 8, "image_size": 32, **settings})
    rows = dataset.rows("train", "unlabelled")
    compute = devices.compute("cpu", "fp32", 1)
    return FaceBatches(FacePool([(dataset, rows)]), dataset.labels(rows), 2, recipe, compute, world)


def test_a_batch_is_the_same_in_whatever_order_it_is_asked_for(dataset: FaceDataset) -> None:
    in_order, jumping = batches(dataset), batches(dataset)
    forwards = {place: in_order(*place) for place in itertools.product(range(2), range(in_order.steps))}
    for place in reversed(forwards):
        again = jumping(*place)
        assert torch.equal(again.labels, forwards[place].labels)
        for one, other in zip(again.views(WHOLE), forwards[place].views(WHOLE), strict=True):
            assert torch.equal(one, other)


def test_an_epoch_shows_every_face_once_and_the_next_in_another_order(dataset: FaceDataset) -> None:
    made = batches(dataset, batch_size=7)
    assert made.steps == 4 and made.batch_size == 7  # 28 faces to learn from
    epochs = [np.concatenate([made(epoch, step).labels.numpy() for step in range(4)]) for epoch in (0, 1)]
    assert np.array_equal(np.sort(epochs[0]), np.sort(made.labels))
    assert not np.array_equal(epochs[0], epochs[1])


def test_the_views_are_those_of_the_drawn_parameters(dataset: FaceDataset) -> None:
    made = batches(dataset, seed=5)
    order = np.random.default_rng([5, 1]).permutation(28)[8:16]
    rng = np.random.default_rng([5, 1, 1])
    faces = made.pool.take(order)
    for inputs in made(1, 1).views(WHOLE):
        drawn = views.draw(8, made.recipe.views, rng)
        assert torch.equal(inputs, views.to_input(views.render(faces, drawn, 32)))


def test_processes_share_the_batch_that_one_alone_would_have(dataset: FaceDataset) -> None:
    alone, shared = batches(dataset), [batches(dataset, World(rank, 2)) for rank in range(2)]
    assert [some.batch_size for some in shared] == [8, 8] and shared[0].steps == alone.steps
    for place in ((0, 0), (0, 1), (3, 2)):
        whole, parts = alone(*place), [some(*place) for some in shared]
        assert [len(part) for part in parts] == [4, 4]
        assert torch.equal(torch.cat([part.labels for part in parts]), whole.labels)
        for view, pieces in zip(
            whole.views(WHOLE), zip(*(part.views(WHOLE) for part in parts), strict=True), strict=True
        ):
            assert torch.equal(torch.cat(pieces), view)


def test_a_batch_that_processes_cannot_share_evenly_is_made_smaller(dataset: FaceDataset) -> None:
    made = batches(dataset, World(1, 3))
    assert made.batch_size == 6 and len(made(0, 0)) == 2


def test_parts_of_a_batch_are_parts_of_its_views(dataset: FaceDataset) -> None:
    batch = batches(dataset)(0, 0)
    first, rest = batch.views(slice(0, 3)), batch.views(slice(3, 8))
    for view, pieces in zip(batch.views(WHOLE), zip(first, rest, strict=True), strict=True):
        assert torch.equal(torch.cat(pieces), view)
