"""The plain methods against scikit-learn, hand counts and faces on which the answer is known."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from facessl import baselines, config, dataset, devices, pretraining, recipes, views, whitening
from facessl.baselines import linear, pixel_embeddings, score, whitened_pixels
from facessl.encoder import Encoder
from tests.tiny import make_set


def patterns(people: int, photos: int, *, noise: float, seed: int = 0, side: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Return faces of ``people`` fixed random patterns under noise, and their labels."""
    rng = np.random.default_rng(seed)
    pattern = rng.uniform(60, 200, (people, side, side, 3))
    labels = np.repeat(np.arange(people), photos)
    faces = pattern[labels] + rng.normal(0, noise, (len(labels), side, side, 3))
    return np.clip(faces, 0, 255).astype(np.uint8), labels


def by_name(*args: np.ndarray, **options: int) -> dict[str, baselines.BaselineScore]:
    return {row.name: row for row in score(*args, **options)}


def test_every_method_tells_clear_patterns_apart_and_majority_does_not():
    faces, labels = patterns(4, 20, noise=10)
    found = by_name(faces[::2], labels[::2], faces[1::2], labels[1::2], seed=0, side=16)
    assert len(found) == 8
    assert found.pop("majority").top1 == 0.25
    assert all(row.top1 == 1.0 for row in found.values())


def test_majority_counts_the_most_frequent_train_person():
    faces, labels = patterns(3, 4, noise=40)
    train = np.array([0, 4, 5, 6, 8])  # person 1 three times
    row = by_name(faces[train], labels[train], faces[3:8], labels[3:8], seed=0)["majority"]
    assert (row.top1, row.photos) == (4 / 5, 5)


def test_nearest_pixels_agree_with_a_slow_search():
    faces, labels = patterns(5, 8, noise=120, side=4)
    train, test = faces[::2].astype(int), faces[1::2].astype(int)
    right = 0
    for face, label in zip(test, labels[1::2], strict=True):
        distances = [((face - other) ** 2).sum() for other in train]
        right += labels[::2][int(np.argmin(distances))] == label
    found = by_name(faces[::2], labels[::2], faces[1::2], labels[1::2], seed=0, side=4)
    assert 0 < right < 20  # hard enough that agreement means something
    assert found["1-NN on pixels"].top1 == right / 20


def test_normalised_pixels_do_not_care_about_exposure_and_plain_ones_do():
    faces, labels = patterns(2, 2, noise=0)
    faces[2:] = (faces[2:] * 0.3).astype(np.uint8)  # person 1 is known in the dark only
    dark_stranger = (faces[:1] * 0.3).astype(np.uint8)  # and person 0 comes in the dark
    found = by_name(faces, labels, dark_stranger, labels[:1], seed=0, side=16)
    assert found["1-NN on pixels"].top1 == 0
    assert found["1-NN on normalised pixels"].top1 == 1


def test_the_same_seed_gives_the_same_scores():
    faces, labels = patterns(4, 20, noise=120)
    parts = faces[::2], labels[::2], faces[1::2], labels[1::2]
    first, second = (by_name(*parts, seed=3, side=16) for _ in range(2))
    assert {name: row.top1 for name, row in first.items()} == {name: row.top1 for name, row in second.items()}


def test_one_person_leaves_only_what_needs_no_two():
    faces, labels = patterns(1, 6, noise=10)
    assert list(by_name(faces, labels, faces, labels, seed=0)) == [
        "majority", "1-NN on pixels", "1-NN on normalised pixels", "1-NN on PCA-whitened pixels",
    ]  # fmt: skip


def test_a_photo_or_two_a_person_are_enough():
    faces, labels = patterns(3, 1, noise=0)
    found = by_name(faces, labels, faces, labels, seed=0, side=16)
    assert found["1-NN on pixels"].top1 == 1


def test_nothing_to_learn_from_or_to_judge_is_said():
    faces, labels = patterns(2, 2, noise=10)
    with pytest.raises(ValueError, match="got 0 and 4"):
        score(faces[:0], labels[:0], faces, labels, seed=0)
    with pytest.raises(ValueError, match="got 4 and 0"):
        score(faces, labels, faces[:0], labels[:0], seed=0)


def test_the_cosine_of_pixel_embeddings_is_the_correlation_of_the_pixels():
    faces, _ = patterns(6, 1, noise=30)
    rows = pixel_embeddings(faces, 16)
    assert rows.shape == (6, 768)
    assert rows.dtype == np.float32
    expected = np.corrcoef(faces.reshape(6, -1))
    assert np.allclose(rows @ rows.T, expected, atol=1e-5)


def test_a_flat_picture_is_a_row_of_zeros_and_not_of_nan():
    flat = np.full((1, 32, 32, 3), 77, np.uint8)
    assert not pixel_embeddings(flat, 16).any()


# Pixels, whitened without names


@pytest.mark.parametrize("mirror", [True, False])
def test_whitened_pixels_are_eigenfaces_by_hand(mirror: bool):
    faces, _ = patterns(13, 4, noise=5, side=8)
    known, asked = faces[np.arange(52) % 4 > 0], faces[::4]

    def seen(some: np.ndarray) -> np.ndarray:
        rows = pixel_embeddings(some, 8).astype(np.float64)
        turned = pixel_embeddings(np.flip(some, axis=2), 8).astype(np.float64)
        return rows / 2 + turned / 2 if mirror else rows

    mean = seen(known).mean(axis=0)
    _, lengths, directions = np.linalg.svd(seen(known) - mean, full_matrices=False)
    kept = 39 // 4  # a direction needs four faces
    expected = (seen(asked) - mean) @ directions[:kept].T / lengths[:kept] ** 0.75  # attenuated
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    found = whitened_pixels(known, 8, seed=0, mirror=mirror)(asked)
    assert found.shape == (13, 9) and found.dtype == np.float32
    assert np.allclose(found @ found.T, expected @ expected.T, atol=1e-3)  # the signs of directions are arbitrary


class Pixels(torch.nn.Module):
    """A network that has learnt nothing and gives what it sees, without its own mean and of length 1."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        mean, std = (torch.tensor(part).view(3, 1, 1) for part in (views.MEAN, views.STD))
        rows = (inputs * std + mean).flatten(1)
        return torch.nn.functional.normalize(rows - rows.mean(1, keepdim=True))


@pytest.mark.parametrize("seen_by_the_network", [32, 64])
def test_pixels_are_described_as_a_network_that_sees_them_would_be(seen_by_the_network: int):
    faces, labels = patterns(30, 3, noise=500, side=64)
    known, asked, people = faces[::3], faces[1::3], labels[::3] % 10
    network = Encoder(Pixels(), min(seen_by_the_network, 48), devices.pick("cpu"), "fp32", mirror=True)
    network.whitening = whitening.of_embeddings(network.descriptors(known), 512)
    expected, found = network.embed(asked), whitened_pixels(known, seen_by_the_network, seed=0)(asked)
    assert found.shape == expected.shape == (30, 7)
    assert np.allclose(found @ found.T, expected @ expected.T, atol=1e-3)
    # A linear layer reads both in the same units: each of the seven numbers about 1 large.
    network.linear_probe = True
    read = network.classified(asked)
    assert np.allclose(np.square(read).mean(axis=1), 1, atol=1e-5)
    rows = by_name(known, people, asked, people, seed=0, side=seen_by_the_network)
    layer = LogisticRegression(C=1 / (1e-3 * 30), max_iter=1000).fit(network.classified(known), people)
    right = layer.predict(read) == people
    assert 0 < right.sum() < 30 and rows["linear layer on PCA-whitened pixels"].top1 == pytest.approx(right.mean())


def test_a_network_that_gives_pixels_is_as_good_after_pretraining_as_the_pixels_beside_it(tmp_path: Path):
    folder = make_set(tmp_path, people=6, photos=40)
    faces, _ = patterns(6, 40, noise=250, side=32)
    strangers, _ = patterns(1, 4, noise=60, seed=1, side=32)
    np.save(folder / "faces.npy", np.concatenate([faces, strangers]))
    recipe = recipes.build(config.PretrainRecipe, {"dataset": "tiny", "image_size": 32, "device": "cpu"})
    network = Encoder(Pixels(), 32, devices.pick("cpu"), "fp32", mirror=True)
    found = pretraining.Watch(dataset.FaceDataset(folder), network, recipe)(0)
    assert 0 < found["knn_whitened_pixels"] < 1
    assert found["knn_whitened_pixels"] == found["knn_accuracy"]
    assert found["knn_accuracy"] not in (found["knn_pixels"], found["knn_unwhitened"])  # so agreement means something


def test_pixels_keep_as_many_directions_as_embeddings():
    faces = np.random.default_rng(0).integers(0, 256, (2060, 16, 16, 3), dtype=np.uint8)
    assert config.TrainRecipe.model_fields["whiten"].default == whitening.DIRECTIONS == 512
    assert whitened_pixels(faces, 16, seed=0)(faces[:2]).shape == (2, min(512, whitening.FACES // 4))


def test_whitened_pixels_of_nobody_and_fitted_on_nobody():
    faces, _ = patterns(4, 4, noise=10, side=8)
    assert whitened_pixels(faces, 8, seed=0)(faces[:0]).shape == (0, 4)
    with pytest.raises(ValueError, match="two nameless faces or more, got 1"):
        whitened_pixels(faces[:1], 8, seed=0)


def test_whitening_on_nameless_faces_hides_a_lamp_that_all_share():
    """Everybody is lit from one side or the other, which is most of what pixels see; nameless faces show it."""
    rng = np.random.default_rng(0)
    person = rng.uniform(-12, 12, (30, 16, 16, 3))
    lamp = np.linspace(-60, 60, 16)[None, :, None]

    def photos(people: np.ndarray, side: np.ndarray) -> np.ndarray:
        lit = 128 + person[people] + side[:, None, None, None] * lamp + rng.normal(0, 2, (len(people), 16, 16, 3))
        return np.clip(lit, 0, 255).astype(np.uint8)

    people = np.arange(6)
    train = photos(np.repeat(people, 2), rng.uniform(-1, 1, 12))
    test = photos(np.repeat(people, 4), rng.uniform(-1, 1, 24))
    strangers = photos(rng.integers(6, 30, 300), rng.uniform(-1, 1, 300))
    parts = train, np.repeat(people, 2), test, np.repeat(people, 4)
    found = {row.name: row for row in score(*parts, seed=0, side=16, nameless=strangers)}
    assert found["1-NN on PCA-whitened pixels"].top1 > found["1-NN on pixels"].top1 + 0.2


def test_every_row_has_macro_f1_its_interval_and_its_photos():
    faces, labels = patterns(3, 12, noise=120)
    rows = score(faces[::2], labels[::2], faces[1::2], labels[1::2], seed=0, side=16)
    for row in rows:
        assert row.low <= row.top1 <= row.high and row.photos == 18
    # Always one of three people: precision 1/3, recall 1; the others are never named.
    assert rows[0].macro_f1 == pytest.approx((0.5 + 0 + 0) / 3)


def test_a_linear_layer_has_the_least_loss_with_its_decay():
    """Against gradient descent on mean cross-entropy + 1e-3 / 2 of the squared weights."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    rows = rng.normal(size=(60, 6)) + 0.8 * np.eye(6)[labels]
    features, targets = torch.from_numpy(rows), torch.from_numpy(labels)
    layer = torch.nn.Linear(6, 3).double()
    optimizer = torch.optim.LBFGS(layer.parameters(), max_iter=500, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(layer(features), targets) + 5e-4 * layer.weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    asked = rng.normal(size=(200, 6))
    answers = layer(torch.from_numpy(asked)).argmax(1).numpy()
    found = linear("a layer", rows, labels, asked, answers)
    assert (found.name, found.photos) == ("a layer", 200)
    assert found.top1 >= 0.99


@pytest.mark.realdata
def test_real_faces_score_as_they_did_before(real_data: Path):
    """celebs6 at 64 px, a stratified 80/20 split: 17, 61-68, 87-92 and 83-92 % were seen on such splits."""
    import cv2
    from sklearn.model_selection import train_test_split

    with zipfile.ZipFile(real_data / "celebs6-aligned.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".png"))
        people = sorted({name.split("/")[1] for name in names})
        labels = np.array([people.index(name.split("/")[1]) for name in names])
        pictures = [cv2.imdecode(np.frombuffer(archive.read(name), np.uint8), cv2.IMREAD_COLOR_RGB) for name in names]
    faces = np.stack(pictures)
    parts = train_test_split(faces, labels, test_size=0.2, stratify=labels, random_state=0)
    train, test, train_labels, test_labels = parts
    found = by_name(train, train_labels, test, test_labels, seed=0, side=64)
    assert found["majority"].top1 == pytest.approx(0.17, abs=0.01)
    assert 0.58 <= found["1-NN on pixels"].top1 <= 0.71
    assert 0.86 <= found["PCA + SVM (rbf)"].top1 <= 0.95
    assert 0.82 <= found["PCA + LDA"].top1 <= 0.95
