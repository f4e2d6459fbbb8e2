"""One chunk of photos becomes one part on disk; a crew of processes works off many."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from facessl import devices, duplicates, quality, registry
from facessl.config import PrepareRecipe
from facessl.detection import Face, FaceDetector, LandmarksOf, MiddleDetector, choose, crop, open_detector
from facessl.errors import DatasetError, ImageError
from facessl.images import encode_jpeg
from facessl.preparation._pack import write_part
from facessl.preparation._plan import Place
from facessl.sources import Photo, Source

CHUNK = 32  # photos; under a second of work, so progress is smooth and little is lost
_FEW = 60  # photos; for fewer, starting processes takes longer than the work
_MOST_ENLARGED = 4.0  # a face that must be enlarged more than this shows nothing


class Crew:
    """The processes that crop; none where there is little to do."""

    def __init__(self, recipe: PrepareRecipe, source: Source, building: Path, *, photos: int, first: int) -> None:
        """``photos`` are to be looked at; ``first`` is the number of the source's first photo in the set."""
        self._recipe = recipe
        self._first = first
        self._source = source
        self._building = building
        self._workers = recipe.workers or devices.cores()
        spawn = multiprocessing.get_context("spawn")  # a fork would copy threads' locks
        few = photos < _FEW
        if not few:
            watch_semaphores()
        self._pool = None if few else ProcessPoolExecutor(self._workers, mp_context=spawn, initializer=_join_crew)

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._pool:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def work(self, chunks: dict[int, Sequence[Place]], check_stop: Callable[[], None]) -> Iterator[int]:
        """Yield the index of each chunk when its part is written; ``check_stop`` may raise in between."""
        if self._pool is None:
            cropper = Cropper.of(self._recipe, self._source, self._first)
            for index, places in chunks.items():
                check_stop()
                cropper.crop_chunk(self._building, index, places)
                yield index
            return
        recipe = self._recipe.model_dump_json()
        waiting = iter(chunks.items())
        at_work: dict[Future[None], int] = {}
        while True:
            check_stop()
            # Two a process keep it busy; more would only make a stop wait.
            for index, places in waiting:
                at_work[self._pool.submit(_crop_in_crew, recipe, self._first, self._building, index, places)] = index
                if len(at_work) >= 2 * self._workers:
                    break
            if not at_work:
                return
            finished, _ = wait(at_work, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in finished:
                try:
                    future.result()
                except BrokenProcessPool as error:
                    raise DatasetError(
                        "A process that looks for faces ended without a word, mostly for want of memory; "
                        "resume this, or use fewer workers."
                    ) from error
                yield at_work.pop(future)


def watch_semaphores() -> None:
    """Start Python's process that tidies up semaphores, and have it do so in silence.

    After ``kill -9`` it would write into the run's log that they had leaked, which nobody has to know: it is what
    tidies them up.
    """
    before = os.environ.get("PYTHONWARNINGS")
    quiet = "ignore::UserWarning:multiprocessing.resource_tracker"
    os.environ["PYTHONWARNINGS"] = f"{before},{quiet}" if before else quiet
    try:
        resource_tracker.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONWARNINGS"]
        else:
            os.environ["PYTHONWARNINGS"] = before


def _join_crew() -> None:
    """Prepare a process of the crew."""
    import cv2

    cv2.setNumThreads(1)  # the crew is as many as there are cores
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()  # returns when it is gone, also after kill -9
        os._exit(1)


def recipe_detector(
    recipe: PrepareRecipe, min_size_share: float = 0.2, landmarks: LandmarksOf = "every"
) -> FaceDetector:
    """Return the detector that a recipe names; ModelError when its file is missing."""
    return open_detector(
        recipe.detector,
        weights=recipe.weights,
        scale_factor=recipe.scale_factor,
        min_neighbors=recipe.min_neighbors,
        min_size_share=min_size_share,
        landmarks=landmarks,
        middle=recipe.middle,
    )


def open_recipe_source(recipe: PrepareRecipe) -> Source:
    """Open the photos that a recipe names; SourceError when they cannot be taken in."""
    plugin = registry.load("sources", recipe.source)
    source: Source = plugin.open_source(recipe.plugin_options("sources"), recipe.path)
    return source


@dataclass(frozen=True)
class Cropper:
    """What turns a photo into a face: the recipe, its opened source, a detector."""

    recipe: PrepareRecipe
    source: Source
    first: int  # the number of the source's first photo in the set
    detector: FaceDetector

    @classmethod
    def of(cls, recipe: PrepareRecipe, source: Source, first: int) -> "Cropper":
        # One face of a photo is cropped, so nobody asks for the landmarks of the others.
        return cls(recipe, source, first, recipe_detector(recipe, landmarks="chosen" if recipe.align else "none"))

    def crop_chunk(self, building: Path, index: int, places: Sequence[Place]) -> None:
        """Read, detect, align and crop a chunk; write its part and its share of ``scaled/``."""
        rows, crops, thumbnails = [], [], []
        for place in places:
            row, seen = self.crop_photo(self.source.photos[place.photo - self.first])
            rows.append(row)
            if seen is None:
                continue
            crops.append(seen.crop)
            thumbnails.append(seen.thumbnail)
            if row["status"] == "kept":
                file = building / "set" / "scaled" / place.file
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(encode_jpeg(seen.crop))
        write_part(building, index, crops, thumbnails, rows, self.recipe.size)

    def crop_photo(self, photo: Photo) -> "tuple[dict[str, Any], Seen | None]":
        """Return what the table says of a photo, and what was seen of it; None if it cannot be read."""
        try:
            image = self.source.read(photo)
        except ImageError as error:
            return {"status": "unreadable", "reason": str(error)}, None
        faces = self.detector.find(image)
        bits, thumbnail = duplicates.fingerprint(image)
        row: dict[str, Any] = {"width": image.shape[1], "height": image.shape[0], "found": len(faces)}
        row |= {"hash": f"{bits:016x}"}
        face = choose(faces, image.shape)
        if face is None:
            # The whole picture, should a person say that it is a face after all: Haar misses very tight ones.
            (whole,) = MiddleDetector().find(image)
            cut, _ = crop(image, whole, size=self.recipe.size, margin=0, align=False)
            return row | {"status": "no face", "reason": "No face was found."}, Seen(cut, thumbnail)
        cut, aligned = crop(image, face, size=self.recipe.size, margin=self.recipe.border, align=self.recipe.align)
        row |= _where(face) | {"aligned": aligned} | quality.measure(cut)
        row["turn"] = quality.turn(row)
        flaws = quality.flaws(row, self.recipe.quality)
        row |= {"flaws": ", ".join(flaws)} | _judged(face, flaws, self.recipe)
        return row, Seen(cut, thumbnail)


class Seen(NamedTuple):
    """What is kept of a photo's pixels."""

    crop: np.ndarray  # (S, S, 3) uint8
    thumbnail: np.ndarray  # (16, 16) uint8, see ``duplicates``


def _judged(face: Face, flaws: Sequence[str], recipe: PrepareRecipe) -> dict[str, str]:
    """Return status and reason of a face that was found."""
    if face.side * _MOST_ENLARGED < recipe.size:
        reason = f"The face is {face.side:.0f} pixels wide, too few for a crop of {recipe.size}."
        return {"status": "too small", "reason": reason}
    if flaws and recipe.quality.reject:
        return {"status": "poor", "reason": f"The face is {', '.join(flaws)}."}
    return {"status": "kept", "reason": ""}


@cache
def _cropper(recipe: str, first: int) -> Cropper:
    """Return this process's cropper, opened once."""
    opened = PrepareRecipe.model_validate_json(recipe)
    return Cropper.of(opened, open_recipe_source(opened), first)


def _crop_in_crew(recipe: str, first: int, building: Path, index: int, places: Sequence[Place]) -> None:
    _cropper(recipe, first).crop_chunk(building, index, places)


def _where(face: Face) -> dict[str, float]:
    row = dict(zip(("box_x", "box_y", "box_w", "box_h"), face.box, strict=True))
    if face.left_eye and face.right_eye:
        row |= {"left_eye_x": face.left_eye[0], "left_eye_y": face.left_eye[1]}
        row |= {"right_eye_x": face.right_eye[0], "right_eye_y": face.right_eye[1], "angle": face.angle}
    return row
