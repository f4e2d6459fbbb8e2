"""A folder on this machine, listed without leaving it."""

import os
from collections import Counter
from pathlib import Path

from facessl.errors import ImageError, SourceError
from facessl.images import read_file
from facessl.sources._layout import is_left_behind, shown
from facessl.sources._sieve import NO_FILES, is_utf8, left_out_notes


class Tree:
    """The files below a folder. ``files`` are their paths in it; ``notes`` says what was left out.

    A link to a file inside the folder counts as that file; links to folders are not followed, for they may lead in
    circles. 100,000 files are listed in under a second: the system tells each entry's kind with its name.
    """

    def __init__(self, root: Path) -> None:
        """List a folder; raise SourceError when it may not be looked into."""
        self._root = Path(os.path.realpath(root))
        self.files: list[str] = []
        self._left_out: Counter[str] = Counter()
        folders = [""]  # each with its "/" at the end
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(self._root / folder) as entries:
                    folders += [path for path in (self._taken(folder, entry) for entry in entries) if path]
            except OSError as error:
                if not folder:
                    raise SourceError(
                        f"{shown(root.name)} cannot be looked into ({error.strerror}); allow reading it."
                    ) from error
                self._left_out["folders that may not be read"] += 1
        self.notes = left_out_notes(self._left_out)

    def _taken(self, folder: str, entry: "os.DirEntry[str]") -> str | None:
        """Take up a file, count what is left out, or return the path of a folder that is to be listed."""
        path = folder + entry.name
        if entry.is_dir(follow_symlinks=False):
            return path + "/"
        reason = self._reason_against(path, entry)
        if reason:
            self._left_out[reason] += 1
        else:
            self.files.append(path)
        return None

    def _reason_against(self, path: str, entry: "os.DirEntry[str]") -> str | None:
        if not is_utf8(path):
            return "files whose names are not UTF-8"
        if is_left_behind(path.split("/")):
            return "what systems leave behind (.DS_Store, __MACOSX and the like)"
        if entry.is_symlink():
            return self._reason_against_link(entry.path)
        return None if entry.is_file(follow_symlinks=False) else NO_FILES

    def _reason_against_link(self, path: str) -> str | None:
        # os.path and not the entry's own methods, which raise where a link leads to itself
        if os.path.isdir(path):  # noqa: PTH112
            return "links to folders, which are not followed"
        if not Path(os.path.realpath(path)).is_relative_to(self._root):
            return "links that lead out of the folder"
        return None if os.path.isfile(path) else NO_FILES  # noqa: PTH113

    def head(self, file: str) -> bytes:
        """Return the first bytes of a file; none where they cannot be read."""
        try:
            with open(self._root / file, "rb") as opened:
                return opened.read(32)
        except OSError:
            return b""

    def read(self, file: str) -> bytes:
        """Return a file's bytes; raise ImageError when it is gone, closed to us or too large.

        Raises SourceError when the whole folder is gone: a disk pulled out must not make every photo unreadable.
        """
        try:
            return read_file(self._root / file)
        except ImageError:
            if self._root.is_dir():
                raise
        raise SourceError(f"The folder {shown(self._root.name)} is gone; bring it back, then resume this.")

    def close(self) -> None:
        """Nothing is held open."""
