"""Which entries of an archive are worth looking at; the same for zip and tar."""

import re
from collections import Counter

from facessl.errors import SourceError
from facessl.sources._layout import is_left_behind, shown

# Bytes unpacked; an archive of photos hardly shrinks, so what claims more is a trap or needs a folder.
MAX_TOTAL = 20 * 10**9

LINKS = "links, which are not followed"
NO_FILES = "entries that are no files"


class Sieve:
    """Takes the entries of one archive in turn, and counts what it leaves out."""

    def __init__(self, archive: str) -> None:
        self._archive = shown(archive)
        self._taken: set[str] = set()
        self.left_out: Counter[str] = Counter()

    @property
    def notes(self) -> list[str]:
        """Return a sentence on each kind of entry that was left out."""
        return left_out_notes(self.left_out)

    def take(self, name: str, *, backslash_parts: bool = False) -> str | None:
        """Return the path of a file that is to be kept, "/" between its parts, or None.

        Args:
            name: As the archive has it.
            backslash_parts: It was written where a backslash parts folders; elsewhere it is a character.

        Raises:
            SourceError: The name points outside of the archive. No archiver writes such a name by itself.
        """
        self._refuse_escape(name)
        path = name.replace("\\", "/") if backslash_parts else name
        parts = tuple(part for part in path.split("/") if part not in ("", "."))
        path = "/".join(parts)
        reason = self._reason_against(path, parts)
        if reason:
            self.left_out[reason] += 1
            return None
        self._taken.add(path)
        return path

    def _reason_against(self, path: str, parts: tuple[str, ...]) -> str | None:
        if not parts:
            return NO_FILES
        if not is_utf8(path):
            return "files whose names are not UTF-8"
        if is_left_behind(parts):
            return "what systems leave behind (.DS_Store, __MACOSX and the like)"
        if path in self._taken:
            return "files whose name appeared twice (the first was taken)"
        return None

    def _refuse_escape(self, name: str) -> None:
        parts = re.split(r"[/\\]", name)
        if ".." in parts or parts[0] == "" or re.match(r"[A-Za-z]:[/\\]", name):
            raise SourceError(
                f"{self._archive} holds the name {shown(name)!r}, which points outside of it, so nothing was taken; "
                "make it again from the photos' folder."
            )


def left_out_notes(left_out: Counter[str]) -> list[str]:
    return [f"Left out {what}: {number:,}." for what, number in left_out.items() if number]


def is_utf8(path: str) -> bool:
    """Return whether a name was made of UTF-8: Python keeps other bytes as lone surrogates, which no file can hold."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
