"""How folders are understood: whose photo is which, and what to tell people about it."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

from facessl.sources import Photo, tidy_name

Layout = Literal["auto", "people", "splits", "innermost", "flat"]
Parts = Sequence[tuple[str, ...]]  # the paths of the photos, cut at "/", sorted

PICTURES = {
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".png",
    ".webp",
    ".avif",
    ".bmp",
    ".tif",
    ".tiff",
    ".gif",
    ".heic",
    ".heif",
}
ARCHIVES = {".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz2", ".xz", ".txz", ".zst", ".7z", ".rar"}
_SPLITS = {"train", "training", "val", "valid", "validation", "test", "testing"}
_NAMELESS = {"unlabelled", "unlabeled"}  # S2's pool, and the folder our own ``scaled/`` has for it
_MOST_TWINS = 5  # notes on names alike; a thousand would be read by nobody


def suffix(path: str) -> str:
    """Return the file's ending in lower case with its dot, or "" where it has none."""
    stem, dot, ending = path.rpartition("/")[2].rpartition(".")
    return f".{ending.lower()}" if dot and stem else ""


def is_left_behind(parts: Sequence[str]) -> bool:
    """Return whether a system put the file there and not a person: hidden ones, ``__MACOSX``, ``Thumbs.db``."""
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return hidden or parts[-1].lower() in ("thumbs.db", "desktop.ini")


def looks_like_picture(head: bytes) -> bool:
    """Return whether a file that begins with these bytes (24 or more) is a picture, whatever its name says."""
    return (
        head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*"))
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or (head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1"))
        or (head[:2] == b"BM" and head[14:18] in (b"\x28\0\0\0", b"\x6c\0\0\0", b"\x7c\0\0\0"))
    )


def shown(name: str) -> str:
    """Return a name as one line of at most 60 characters: a file may be called by a whole poem, or by a bell."""
    line = "".join(c if c.isprintable() else "�" for c in name)
    return line if len(line) <= 60 else line[:59] + "…"


def understand(paths: Iterable[str], layout: Layout) -> tuple[tuple[Photo, ...], list[str]]:
    """Return the photos in their lasting order, and how they were understood.

    Args:
        paths: Of the pictures, "/" between the parts; at least one.
        layout: ``people`` (a folder a person), ``splits`` (people below train, val, test), ``innermost`` (the last
            folder is the person), ``flat`` (nobody has a name) or ``auto`` (see which, and say so).
    """
    parts = sorted(tuple(path.split("/")) for path in paths)
    if layout == "flat":
        return _nameless(parts), [f"{_count(len(parts), 'photo')}, taken without names as asked."]
    outer = _outer_levels(parts)
    dated = layout == "auto" and _sorted_by_date(parts, outer)
    if layout == "innermost" or dated:
        return _innermost(parts, outer if dated else None)
    notes = [f"Looked into the folder {_quoted('/'.join(parts[0][:outer]))}."] if outer else []
    tops = {path[outer] for path in parts if len(path) > outer + 1}
    if not tops:
        return _nameless(parts), [*notes, f"{_count(len(parts), 'photo')} without folders, so without names."]
    folded = {top.casefold() for top in tops}
    if layout == "splits" or (layout == "auto" and folded & _SPLITS and folded <= _SPLITS | _NAMELESS):
        notes.append(
            f"{_some(tops)}: taken as parts of a split, not as people, and mixed"
            + ("." if layout == "splits" else "; choose the layout people if they are people.")
        )
        return _named(parts, outer + 1, notes, pools=(outer, outer + 1))
    if layout == "auto" and len(tops) == 1 and all(len(path) > outer + 1 for path in parts):
        name = next(iter(tops))
        notes.append(
            f"All {_count(len(parts), 'photo')} lie in one folder, {_quoted(name)}, so they are taken without names; "
            "choose the layout people if that is one person."
        )
        return _nameless(parts), notes
    return _named(parts, outer, notes, pools=(outer,) if layout == "auto" else ())


def _outer_levels(parts: Parts) -> int:
    """Return how many folders only wrap the others, as ``lfw-deepfunneled/`` does.

    One that also holds photos itself is a wrapper only where it holds several folders: else it may well be a
    person's, with a folder of more.
    """
    level = 0
    while min(len(path) for path in parts) > level + 1 and len({path[level] for path in parts}) == 1:
        folders = {path[level + 1] for path in parts if len(path) > level + 2}
        holds_photos = any(len(path) == level + 2 for path in parts)
        if len(folders) < (2 if holds_photos else 1):
            break
        level += 1
    return level


def _sorted_by_date(parts: Parts, level: int) -> bool:
    """Return whether people's folders lie below folders of years or days: ``2019/Anna/`` and not ``Anna/2019/``."""
    if min(len(path) for path in parts) < level + 3:
        return False  # a photo lies in no deeper folder, and would be left without a name
    dates = all(_is_number(path[level]) for path in parts)
    return dates and not any(_is_number(path[-2]) for path in parts)


def _is_number(name: str) -> bool:
    """Return whether a folder is called by digits, with or without something between them: 2019, 2019-07-14."""
    return any(c.isdigit() for c in name) and not any(c.isalpha() for c in name)


def _name_of(folder: str) -> str | None:
    """Return the person whose folder it is; None where its name is blanks."""
    return tidy_name(folder) or None


def _nameless(parts: Parts) -> tuple[Photo, ...]:
    return tuple(Photo(None, "/".join(path)) for path in parts)


def _innermost(parts: Parts, dates: int | None = None) -> tuple[tuple[Photo, ...], list[str]]:
    """Name each photo after the folder that it lies in, whatever that lies in; ``dates`` is the level of dates."""
    photos = tuple(Photo(_name_of(path[-2]) if len(path) > 1 else None, "/".join(path)) for path in parts)
    notes = []
    if dates is not None:
        notes.append(
            f"{_some({path[dates] for path in parts})}: taken as dates and not as people, so each photo is named "
            "after the folder it lies in; choose the layout people if they are people."
        )
    notes += _notes_on_people(photos) + _notes_on_blanks(path[-2] for path in parts if len(path) > 1)
    places = defaultdict(set)
    for path in parts:
        if len(path) > 1:
            places[path[-2]].add(path[:-1])
    several = sum(len(where) > 1 for where in places.values())
    if several:
        notes.append(f"{_count(several, 'name')} of several folders: each taken as one person.")
    return photos, notes


def _named(parts: Parts, level: int, notes: list[str], pools: Sequence[int]) -> tuple[tuple[Photo, ...], list[str]]:
    """Name each photo after its folder at ``level``, but not below a folder at one of ``pools`` called unlabelled."""
    photos, pooled, deeper = [], 0, 0
    named_after: set[str] = set()
    for path in parts:
        folders = path[:-1]
        in_pool = any(folder.casefold() in _NAMELESS for at, folder in enumerate(folders) if at in pools)
        named = len(folders) > level and not in_pool
        photos.append(Photo(_name_of(folders[level]) if named else None, "/".join(path)))
        named_after.update(folders[level : level + 1] if named else ())
        pooled += in_pool
        deeper += named and len(folders) > level + 1
    notes = notes + _notes_on_people(photos) + _notes_on_blanks(named_after)
    if pooled:
        notes.append(f"Of these, {pooled:,} in a folder called unlabelled.")
    if deeper:
        notes.append(
            f"{_count(deeper, 'photo')} in deeper folders: taken as the person's whose folder holds them; choose the "
            "layout innermost if the last folder is the person."
        )
    return tuple(photos), notes


def _notes_on_people(photos: Sequence[Photo]) -> list[str]:
    per_person = Counter(photo.person for photo in photos)
    nameless = per_person.pop(None, 0)
    people = sorted(person for person in per_person if person is not None)
    total = _count(len(photos), "photo")
    if not people:
        return [f"{total}, none of them in a person's folder, so without names."]
    who = "1 person" if len(people) == 1 else f"{len(people):,} people, a folder each"
    notes = [f"{who}, {total}: {_some(people)}."]
    if nameless:
        notes.append(f"{_count(nameless, 'photo')} not in a person's folder: taken without a name.")
    return notes + _notes_on_twins(people)


def _notes_on_blanks(folders: Iterable[str]) -> list[str]:
    """Say which folders make one person because their names differ in blanks only: nobody sees those."""
    spelt = defaultdict(set)
    for folder in folders:
        spelt[_name_of(folder)].add(folder)
    joined = [sorted(folders) for name, folders in sorted(spelt.items(), key=str) if name and len(folders) > 1]
    notes = [
        f"{' and '.join(_quoted(folder) for folder in folders)} differ only in blanks: taken as one person."
        for folders in joined[:_MOST_TWINS]
    ]
    if len(joined) > _MOST_TWINS:
        notes.append(f"{len(joined) - _MOST_TWINS:,} more people have folders that differ only in blanks.")
    return notes


def _notes_on_twins(people: Iterable[str]) -> list[str]:
    """Say which names some disks take for one; nobody can know, and mixing two people is the worse mistake."""
    alike = defaultdict(list)
    for person in people:
        alike[unicodedata.normalize("NFKC", person).casefold()].append(person)
    twins = [names for names in alike.values() if len(names) > 1]
    notes = [
        f"{' and '.join(_quoted(name) for name in names)} differ only in case or spelling of the same letters; "
        "they are kept as different people. Give both folders one name if they are one person."
        for names in twins[:_MOST_TWINS]
    ]
    if len(twins) > _MOST_TWINS:
        notes.append(f"{len(twins) - _MOST_TWINS:,} more names are as alike, and kept as different people.")
    return notes


def _some(names: Iterable[str]) -> str:
    """Return the first names, so that people see what was taken for a name, and how many more there are."""
    ordered = sorted(names)
    listed = ", ".join(_quoted(name) for name in ordered[:4])
    return listed if len(ordered) <= 4 else f"{listed} and {len(ordered) - 4:,} more"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _quoted(name: str) -> str:
    return f"“{shown(name)}”"
