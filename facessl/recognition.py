"""From a picture to names: find the faces, crop them as the set's were, embed, compare with who is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from facessl import gallery as galleries
from facessl import registry
from facessl.config import PrepareRecipe
from facessl.dataset import FaceDataset
from facessl.detection import AlikeDetector, MiddleDetector, choose, crop
from facessl.preparation import recipe_detector
from facessl.recipes import build

if TYPE_CHECKING:
    from facessl.detection import Face, FaceDetector
    from facessl.encoder import Encoder
    from facessl.gallery import Answer, Gallery


@dataclass(frozen=True)
class FoundFace:
    """One face of a picture, before it is compared with anybody."""

    face: "Face"  # where it was found
    crop: np.ndarray  # (S, S, 3) uint8, what the encoder saw
    embedding: np.ndarray  # (E,) float32, unit length
    opinion: list[tuple[str, float]]  # the classifier's top 3 with softmax shares; empty without a classifier


@dataclass(frozen=True)
class FaceAnswer:
    """Who a found face is."""

    found: FoundFace
    answer: "Answer"  # by similarity to the known faces; person None means nobody known

    def as_dict(self) -> dict[str, Any]:
        """Return what the command prints."""
        answer = self.answer
        return {
            "box": [round(float(side), 1) for side in self.found.face.box],
            "person": answer.person,
            "similarity": round(answer.similarity, 4),
            "threshold": round(answer.threshold, 4),
            "candidates": [{"person": person, "similarity": round(s, 4)} for person, s in answer.candidates],
            "nearest": [{"face": f, "person": person, "similarity": round(s, 4)} for f, person, s in answer.nearest],
            "classifier": [{"person": person, "share": round(s, 4)} for person, s in self.found.opinion],
        }


_LEAST_SHARE = 0.08  # of the photo's shorter side: whoever stands beside the largest face is asked about, too
_SOME = 40  # faces of a set, to see how they lie
_STRANGERS, _PHOTOS_OF_A_STRANGER = 4, 10


def stranger_faces(dataset: FaceDataset) -> np.ndarray:
    """Return faces (N, S, S, 3) of people who are in no part of the set, where its source can draw such people.

    They went through the same detector and crop as the set's. No other source knows that a person is left out.
    """
    recipe = _preparation_of(dataset)
    plugin = registry.load("sources", recipe.source)
    crops = []
    if hasattr(plugin, "left_out"):
        source = plugin.left_out(recipe.plugin_options("sources"), _STRANGERS, _PHOTOS_OF_A_STRANGER)
        detector = recipe_detector(recipe)
        for photo in source.photos:
            image = source.read(photo)
            face = choose(detector.find(image), image.shape)
            if face is not None:
                crops.append(_crop(image, face, recipe))
        source.close()
    return np.stack(crops) if crops else np.zeros((0, recipe.size, recipe.size, 3), np.uint8)


def find_faces(encoder: "Encoder", dataset: FaceDataset, image: np.ndarray) -> list[FoundFace]:
    """Return every face in ``image`` (H, W, 3) uint8 RGB with what the encoder makes of it, the largest first."""
    recipe = _preparation_of(dataset)
    detector = _seeing(dataset, recipe)
    faces = sorted(detector.find(image), key=lambda face: -face.box[2] * face.box[3])
    if not faces:
        return []
    crops = np.stack([_crop(image, face, recipe) for face in faces])
    parts = zip(faces, crops, encoder.embed(crops), encoder.opinions(crops, top=3), strict=True)
    return [FoundFace(*part) for part in parts]


def _seeing(dataset: FaceDataset, recipe: PrepareRecipe) -> "FaceDetector":
    """Return what looks for faces in a photo that somebody brings, also to a set whose photos were aligned already."""
    detector = recipe_detector(recipe, _LEAST_SHARE)
    if not isinstance(detector, MiddleDetector):
        return detector
    rows = np.linspace(0, len(dataset.faces) - 1, min(_SOME, len(dataset.faces))).astype(int)
    return AlikeDetector([np.asarray(dataset.faces[row]) for row in rows], detector, _LEAST_SHARE)


def name_faces(found: Sequence[FoundFace], gallery: "Gallery", false_accept_rate: float) -> list[FaceAnswer]:
    """Answer who each face is, or that it is nobody known, at the threshold that follows from the rate (0-1)."""
    threshold = gallery.threshold(false_accept_rate)
    return [FaceAnswer(one, galleries.identify(one.embedding, gallery, threshold)) for one in found]


def _preparation_of(dataset: FaceDataset) -> PrepareRecipe:
    recipe = build(PrepareRecipe, dataset.info["recipe"])
    assert isinstance(recipe, PrepareRecipe)
    return recipe


def _crop(image: np.ndarray, face: "Face", recipe: PrepareRecipe) -> np.ndarray:
    # Exactly as the known faces were cropped, or the comparison would be between two kinds of picture.
    return crop(image, face, size=recipe.size, margin=recipe.border, align=recipe.align)[0]
