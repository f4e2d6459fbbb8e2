"""Identify known people in photos that are not aligned, with a model of a set whose photos are.

    python -m tests.proofs.elsewhere RUN --workspace F --photos 60

Photos of the set's ``test`` part are asked about as they are, and pasted elsewhere into a larger blurred picture, 0.7
to 1.3 times as large and turned by up to 8°; each time with the faces that are looked for, and with the picture's
middle.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from facessl import recognition
from facessl.detection import FaceDetector
from facessl.library import Library
from facessl.preparation import recipe_detector


def elsewhere(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a picture 2.2 times as large with the photo somewhere in it."""
    height, width = photo.shape[:2]
    around = cv2.resize(photo[:, ::-1], (int(2.2 * width), int(2.2 * height)))
    around = cv2.GaussianBlur(around, (0, 0), height / 10)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-8, 8), rng.uniform(0.7, 1.3))
    matrix[:, 2] += (rng.uniform(0.1, 1.1) * width, rng.uniform(0.1, 1.1) * height)
    size = around.shape[1::-1]
    drawn = cv2.warpAffine(photo, matrix, size)
    there = cv2.warpAffine(np.full((height, width), 255, np.uint8), matrix, size)[..., None] > 128
    return np.where(there, drawn, around)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--photos", type=int, default=60)
    given = parser.parse_args()
    library = Library(given.workspace)
    run = library.run(given.run)
    dataset, encoder, known = (
        library.dataset(run.config["recipe"]["dataset"]), library.encoder(run.id), library.gallery(run.id)
    )  # fmt: skip
    recipe = recognition._preparation_of(dataset)
    seeing: dict[str, FaceDetector] = {
        "the middle": recipe_detector(recipe), "looked for": recognition._seeing(dataset, recipe)
    }  # fmt: skip
    rng = np.random.default_rng(0)
    rows = rng.permutation(dataset.rows("test"))[: given.photos]
    found = {(where, how): dict.fromkeys(("nearest", "named", "wrong", "no face"), 0)
             for where in ("as it is", "elsewhere") for how in seeing}  # fmt: skip
    for row in rows:
        person = dataset.people[int(dataset.labels(np.array([row]))[0])]
        photo = library.photo(dataset.name, int(dataset.crops.iloc[row]["photo"]))
        for where, image in (("as it is", photo), ("elsewhere", elsewhere(photo, rng))):
            for how, detector in seeing.items():
                recognition._seeing = lambda *_, detector=detector: detector
                answers = recognition.name_faces(recognition.find_faces(encoder, dataset, image), known, 0.01)
                counts = found[where, how]
                if not answers:
                    counts["no face"] += 1
                    continue
                answer = answers[0].answer
                counts["nearest"] += answer.candidates[0][0] == person
                counts["named"] += answer.person == person
                counts["wrong"] += answer.person not in (None, person)
    for (where, how), counts in found.items():
        print(f"{where:10} {how:10} of {len(rows)}:", ", ".join(f"{name} {count}" for name, count in counts.items()))


if __name__ == "__main__":
    main()
