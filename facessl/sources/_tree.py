"""A folder on this machine, listed without leaving it."""

import os
from collections import Counter
from pathlib import Path

from facessl.errors import SourceError
from facessl.images import read_file
from facessl.sources._layout import is_left_behind


class Tree:
    """The files below a folder. ``files`` are their paths in it; ``notes`` says what was left out."""

    def __init__(self, root: Path) -> None:
        """List a folder; raise SourceError when it may not be looked into."""
        self._root = root.resolve()
        self.files: list[str] = []
        left_out: Counter[str] = Counter()
        closed: list[OSError] = []
        for folder, folders, names in os.walk(self._root, onerror=closed.append):
            left_out["links to folders, which are not followed"] += sum(
                Path(folder, name).is_symlink() for name in folders
            )
            for name in names:
                path = Path(folder, name)
                reason = self._reason_against(path)
                if reason:
                    left_out[reason] += 1
                else:
                    self.files.append(path.relative_to(self._root).as_posix())
        if closed and not self.files:
            raise SourceError(f"{root} cannot be looked into ({closed[0].strerror}); allow reading it.")
        left_out["folders that may not be read"] += len(closed)
        self.notes = [f"Left out {what}: {number:,}." for what, number in left_out.items() if number]

    def _reason_against(self, path: Path) -> str | None:
        parts = path.relative_to(self._root).parts
        if is_left_behind(parts):
            return "what systems leave behind (.DS_Store, __MACOSX and the like)"
        if not _encodes(parts):
            return "files whose names are not UTF-8"
        if path.is_symlink() and not path.resolve().is_relative_to(self._root):
            return "links that lead out of the folder"
        if not path.is_file():
            return "entries that are no files"
        return None

    def head(self, file: str) -> bytes:
        """Return the first bytes of a file; none where they cannot be read."""
        try:
            with open(self._root / file, "rb") as opened:
                return opened.read(32)
        except OSError:
            return b""

    def read(self, file: str) -> bytes:
        """Return a file's bytes; raise ImageError when it is gone, closed to us or too large."""
        return read_file(self._root / file)

    def close(self) -> None:
        """Nothing is held open."""


def _encodes(parts: tuple[str, ...]) -> bool:
    try:
        "".join(parts).encode()
    except UnicodeEncodeError:
        return False
    return True
