"""What shall become of each photo: whose it is, in which split, under which name. Decided before any is read."""

import contextlib
import hashlib
import io
import json
import random
import shutil
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from facessl import files
from facessl.config import PrepareRecipe
from facessl.sources import Photo

_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
NAMELESS = "unlabelled"  # split and folder of the photos without a name


@dataclass(frozen=True)
class Place:
    """Where one photo's face will go."""

    photo: int  # its index in the source
    split: str
    label: int  # index into the plan's people, -1 in the unlabelled part
    file: str  # below ``scaled/``


@dataclass(frozen=True)
class Plan:
    people: list[str]  # with a label, by name
    places: list[Place]  # one a photo, in the source's order
    notes: list[str]


def make_plan(photos: Sequence[Photo], recipe: PrepareRecipe, building: Path, settled: Sequence[str] = ()) -> Plan:
    """Return the plan; the same photos and recipe give the same one.

    ``settled`` are the splits of the first photos, which stay; "" has still to be decided.

    ``building`` is emptied when what an earlier attempt left there belongs to other photos.
    """
    per_person = Counter(photo.person for photo in photos)
    per_person.pop(None, 0)
    people = sorted(person for person, number in per_person.items() if person and number >= recipe.min_photos)
    _keep_only_own_parts(photos, building)
    label_of = {person: label for label, person in enumerate(people)}
    settled = [*settled, *[""] * (len(photos) - len(settled))]
    open_ = Counter(label_of.get(p.person or "", -1) for p, split in zip(photos, settled, strict=True) if not split)
    lots = [iter(lot) for lot in split_by_folders([open_[label] for label in range(len(people))], recipe, building)]
    slugs = safe_slugs(people)
    number: Counter[int] = Counter()
    places = []
    for index, photo in enumerate(photos):
        label = label_of.get(photo.person or "", -1)
        split = (settled[index] or next(lots[label])) if label >= 0 else NAMELESS
        slug = slugs[label] if label >= 0 else NAMELESS
        number[label] += 1
        places.append(Place(index, split, label, f"{split}/{slug}/{slug}_{number[label]:04d}.jpg"))
    return Plan(people, places, _notes(people, per_person, recipe))


def split_by_folders(counts: Sequence[int], recipe: PrepareRecipe, scratch: Path) -> list[list[str]]:
    """Return for each person the split of each photo, as split-folders would part their folders.

    The package decides, over a tree of empty files that sort as the photos do: nothing is copied.
    """
    import splitfolders

    if not counts:
        return []
    shares = (recipe.train_share, recipe.val_share, round(1 - recipe.train_share - recipe.val_share, 6))
    splits = [[""] * count for count in counts]
    with tempfile.TemporaryDirectory(dir=scratch) as folder, _quiet():
        tree, parted = Path(folder, "people"), Path(folder, "parted")
        for label, count in enumerate(counts):
            person = tree / f"{label:06d}"
            person.mkdir(parents=True)
            for number in range(count):
                (person / f"{number:08d}").touch()
        splitfolders.ratio(tree, output=parted, seed=recipe.split_seed, ratio=shares, move=True)
        for file in parted.glob("*/*/*"):
            splits[int(file.parent.name)][int(file.name)] = file.parent.parent.name
    for lot in splits:
        if lot and "train" not in lot:
            lot[0] = "train"  # of so few photos split-folders gives none to train, and nobody could be known by them
    return splits


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """split-folders draws a progress bar and reseeds everybody's ``random``."""
    state = random.getstate()
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        random.setstate(state)


def safe_slugs(names: Iterable[str]) -> list[str]:
    """Return a folder name for each person: their letters in any script, no path, different on every disk."""
    taken = {NAMELESS}
    slugs = []
    for name in names:
        composed = unicodedata.normalize("NFC", name)
        letters = (c if unicodedata.category(c)[0] in "LMN" or c in "-_" else "_" for c in composed)
        slug = "".join(letters).strip("_")[:50] or "person"
        if slug.casefold() in _RESERVED:
            slug += "_"
        unique, number = slug, 2
        while unicodedata.normalize("NFKC", unique).casefold() in taken:
            unique, number = f"{slug}-{number}", number + 1
        taken.add(unicodedata.normalize("NFKC", unique).casefold())
        slugs.append(unique)
    return slugs


def _keep_only_own_parts(photos: Sequence[Photo], building: Path) -> None:
    """Forget parts of other photos: the folder may have changed since the run was stopped."""
    listed = json.dumps([(photo.path, photo.person) for photo in photos])
    digest = hashlib.sha256(listed.encode()).hexdigest()
    if building.exists() and not (
        (building / "photos.json").exists() and files.read_json(building / "photos.json")["digest"] == digest
    ):
        shutil.rmtree(building)
    building.mkdir(exist_ok=True)
    files.write_json(building / "photos.json", {"digest": digest})


def _notes(people: Sequence[str], per_person: Counter[str | None], recipe: PrepareRecipe) -> list[str]:
    notes = []
    few = len(per_person) - len(people)
    if few:
        moved = sum(per_person.values()) - sum(per_person[person] for person in people)
        who = "1 person" if few == 1 else f"{few:,} people"
        notes.append(
            f"{who} with fewer than {recipe.min_photos} photos: their {moved:,} photos went, nameless, "
            "to the unlabelled part."
        )
    if len(people) < 2:
        who = "Only one person has" if people else "Nobody has"
        what = f"{recipe.min_photos} photos or more" if few else "a name" if not people else "photos here"
        then = (
            "Lower the least number of photos of a person to have more people."
            if few
            else "To have more people, put the photos of each into a folder of their own."
        )
        notes.append(f"{who} {what}, so there is nobody to tell apart: the set is good for pre-training only. {then}")
    return notes
