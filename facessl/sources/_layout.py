"""How folders are understood: whose photo is which, and what to tell people about it."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from facessl.sources import Photo

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
ARCHIVES = {".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"}
_SPLITS = {"train", "training", "val", "valid", "validation", "test", "testing"}


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


def understand(paths: Iterable[str], layout: str) -> tuple[tuple[Photo, ...], list[str]]:
    """Return the photos in their lasting order, and how they were understood.

    Args:
        paths: Of the pictures, "/" between the parts; at least one.
        layout: ``people`` (a folder a person), ``flat`` (nobody has a name) or ``auto``.
    """
    parts = sorted(tuple(path.split("/")) for path in paths)
    if layout == "flat":
        return _nameless(parts), [f"{_count(len(parts), 'photo')}, taken without names as asked."]
    notes = []
    outer = _outer_levels(parts)
    if outer:
        notes.append(f"Looked into the folder {_quoted('/'.join(parts[0][:outer]))}.")
    tops = {path[outer] for path in parts if len(path) > outer + 1}
    if tops and tops <= _SPLITS and all(len(path) > outer + 2 for path in parts):
        notes.append(
            f"The folders {', '.join(sorted(tops))} are taken as parts of a split, not as people; they are mixed."
        )
        outer += 1
    elif len(tops) == 1 and layout == "auto":
        name = next(iter(tops))
        notes.append(
            f"All {_count(len(parts), 'photo')} lie in one folder, {_quoted(name)}, so they are taken without names; "
            "choose the layout people if that is one person."
        )
        return _nameless(parts), notes
    if not tops:
        return _nameless(parts), [*notes, f"{_count(len(parts), 'photo')} without folders, so without names."]
    photos = tuple(Photo(path[outer] if len(path) > outer + 1 else None, "/".join(path)) for path in parts)
    return photos, notes + _notes_on_people(photos, parts, outer)


def _outer_levels(parts: Sequence[tuple[str, ...]]) -> int:
    """Return how many folders only wrap the others, as ``lfw-deepfunneled/`` does."""
    level = 0
    while len({path[level] for path in parts}) == 1 and any(len(path) > level + 2 for path in parts):
        if min(len(path) for path in parts) <= level + 1:
            break
        level += 1
    return level


def _nameless(parts: Sequence[tuple[str, ...]]) -> tuple[Photo, ...]:
    return tuple(Photo(None, "/".join(path)) for path in parts)


def _notes_on_people(photos: Sequence[Photo], parts: Sequence[tuple[str, ...]], outer: int) -> list[str]:
    per_person = Counter(photo.person for photo in photos)
    loose = per_person.pop(None, 0)
    people = [person for person in per_person if person is not None]
    notes = [
        f"{len(people):,} {'person' if len(people) == 1 else 'people'}, a folder each, {_count(len(photos), 'photo')}."
    ]
    if loose:
        notes.append(f"{_count(loose, 'photo')} beside the people's folders: taken without a name.")
    deeper = sum(len(path) > outer + 2 for path in parts)
    if deeper:
        notes.append(f"{_count(deeper, 'photo')} in deeper folders: taken as the person's whose folder holds them.")
    return notes + _notes_on_twins(people)


def _notes_on_twins(people: Iterable[str]) -> list[str]:
    """Say which names some disks take for one; nobody can know, and mixing two people is the worse mistake."""
    alike = defaultdict(list)
    for person in people:
        alike[unicodedata.normalize("NFKC", person).casefold()].append(person)
    return [
        f"{' and '.join(_quoted(name) for name in sorted(names))} differ only in case or spelling of the same letters; "
        "they are kept as different people. Give both folders one name if they are one person."
        for names in alike.values()
        if len(names) > 1
    ]


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _quoted(name: str) -> str:
    return f"“{name if len(name) <= 60 else name[:59] + '…'}”"
