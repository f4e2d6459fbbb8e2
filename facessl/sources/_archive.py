"""A zip read in place: nothing is unpacked to the disk, and what it claims about itself is not believed."""

import lzma
import stat
import struct
import threading
import zipfile
import zlib
from pathlib import Path

from facessl.errors import ImageError, SourceError
from facessl.images import MAX_BYTES
from facessl.sources._layout import shown
from facessl.sources._sieve import LINKS, MAX_TOTAL, NO_FILES, Sieve

_READABLE = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
_UNIX = 3  # the "version made by" of a zip from Linux or macOS, where a backslash is a character like others
# What zipfile was seen to raise on damaged files.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    struct.error,
    ValueError,
    IndexError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
)


class Archive:
    """The files of a zip. ``files`` are their paths, "/" between the parts; ``notes`` says what was left out."""

    def __init__(self, path: Path) -> None:
        """List a zip.

        Raises:
            SourceError: It is no zip, is encrypted or damaged, holds names that point outside, or unpacks to
                more than ``MAX_TOTAL``.
        """
        self._lock = threading.Lock()  # one reading position
        try:
            self._zip = zipfile.ZipFile(path)
        except _DAMAGE as error:
            raise SourceError(
                f"{shown(path.name)} is no zip or tar, or not a whole one; make or upload it again, or give a folder."
            ) from error
        try:
            self._entries, self.notes = _sorted_out(self._zip.infolist(), path.name)
        except SourceError:
            self._zip.close()
            raise
        self.files = list(self._entries)

    def head(self, file: str) -> bytes:
        """Return the first bytes of a file; none where they cannot be read."""
        try:
            with self._lock, self._zip.open(self._entries[file]) as opened:
                return opened.read(32)
        except _DAMAGE:
            return b""

    def read(self, file: str) -> bytes:
        """Return a file's bytes; raise ImageError when it is too large or damaged."""
        entry = self._entries[file]
        if entry.file_size > MAX_BYTES:
            raise ImageError(
                f"The file has {entry.file_size / 1e6:,.0f} MB, too much for one picture; save it smaller."
            )
        try:
            with self._lock, self._zip.open(entry) as opened:
                data = opened.read(MAX_BYTES + 1)  # never more, whatever the header says
        except _DAMAGE as error:
            raise ImageError("The file is damaged inside the zip; make the zip again.") from error
        if len(data) != entry.file_size:
            raise ImageError("The file is not as long as the zip says; make the zip again.")
        return data

    def close(self) -> None:
        self._zip.close()


def _sorted_out(entries: list[zipfile.ZipInfo], archive: str) -> tuple[dict[str, zipfile.ZipInfo], list[str]]:
    """Return the files worth looking at by path, and notes on the others."""
    total = sum(entry.file_size for entry in entries)
    if total >= MAX_TOTAL:
        raise SourceError(
            f"{shown(archive)} unpacks to {total / 1e9:,.0f} GB, more than the {MAX_TOTAL / 1e9:.0f} GB it may; "
            "unpack it yourself if you trust it, and give the folder."
        )
    kept: dict[str, zipfile.ZipInfo] = {}
    sieve = Sieve(archive)
    for entry in entries:
        kind = stat.S_IFMT(entry.external_attr >> 16)  # 0 where the archiver says nothing
        name = _true_name(entry)
        from_unix = entry.create_system == _UNIX
        folder = kind == stat.S_IFDIR or name.endswith("/" if from_unix else ("/", "\\"))
        if folder and not entry.file_size:
            continue
        if folder or kind not in (0, stat.S_IFREG):
            sieve.left_out[LINKS if kind == stat.S_IFLNK else NO_FILES] += 1
            continue
        path = sieve.take(name, backslash_parts=not from_unix)
        if path is not None:
            _refuse_locked(entry, archive)
            kept[path] = entry
    return kept, sieve.notes


def _true_name(entry: zipfile.ZipInfo) -> str:
    """Return the name; UTF-8 that is not marked as such (macOS writes it) is read as what it is."""
    if entry.flag_bits & 0x800 or entry.filename.isascii():
        return entry.filename
    try:
        return entry.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return entry.filename


def _refuse_locked(entry: zipfile.ZipInfo, archive: str) -> None:
    if entry.flag_bits & 0x1:
        raise SourceError(f"{shown(archive)} is locked with a password; unpack it and give the folder.")
    if entry.compress_type not in _READABLE:
        raise SourceError(
            f"{shown(archive)} is packed in a way that cannot be read here; zip it the usual way (deflate)."
        )
