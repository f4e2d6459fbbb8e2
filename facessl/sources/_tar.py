"""A tar read in place: only its headers are believed to be a list of files, and no name in it is ever created.

A compressed tar cannot be read here and there, so it is decompressed once, as one file that is still a tar, into
``<workspace>/downloads/unpacked``; every process then reads that.
"""

import bz2
import gzip
import hashlib
import io
import lzma
import os
import tarfile
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from facessl.errors import ImageError, SourceError
from facessl.images import MAX_BYTES
from facessl.sources._downloads import downloads, one_at_a_time
from facessl.sources._layout import shown
from facessl.sources._sieve import LINKS, MAX_TOTAL, NO_FILES, Sieve

_PACKED: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
_MOST_PACKED = 100  # times that a tar of photos may shrink; a file of zeros shrinks a thousandfold
_KEPT = 7 * 24 * 3600  # seconds since a decompressed copy was last opened
_MOST_HEADER = 2**20  # bytes; a name takes at most a few thousand
_DAMAGE = (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, IndexError, OverflowError)


def is_packed(path: Path) -> bool:
    """Return whether a file is compressed as a whole, as ``.tgz`` is; raise OSError if it cannot be read."""
    return _opener(path) is not None


def is_tar(path: Path) -> bool:
    """Return whether a file is a tar, compressed or (said by its content or its ending) not; may raise OSError."""
    with path.open("rb") as file:
        start = file.read(262)
    return start[257:] == b"ustar" or path.suffix.lower() == ".tar" or is_packed(path)


class Tar:
    """The files of a tar. ``files`` are their paths, "/" between the parts; ``notes`` says what was left out."""

    def __init__(self, path: Path) -> None:
        """List a tar, after decompressing it where it is compressed.

        Raises:
            SourceError: It is no tar, is damaged, holds names that point outside, or unpacks to too much.
        """
        self._lock = threading.Lock()  # one reading position
        plain = _plain(path)
        try:
            self._places, self.notes = _listed(plain, path.name)
        except _DAMAGE as error:
            raise SourceError(
                f"{shown(path.name)} is no tar, or not a whole one; make or upload it again, or give a folder."
            ) from error
        self.files = list(self._places)
        self._file = plain.open("rb")

    def head(self, file: str) -> bytes:
        """Return the first bytes of a file; raise ImageError when the disk fails."""
        at, size = self._places[file]
        return self._bytes(at, min(size, 32))

    def read(self, file: str) -> bytes:
        """Return a file's bytes; raise ImageError when it is too large or the tar was changed meanwhile."""
        at, size = self._places[file]
        if size > MAX_BYTES:
            raise ImageError(f"The file has {size / 1e6:,.0f} MB, too much for one picture; save it smaller.")
        data = self._bytes(at, size)
        if len(data) != size:
            raise ImageError("The file is cut off inside the tar; make the tar again.")
        return data

    def _bytes(self, at: int, size: int) -> bytes:
        try:
            with self._lock:
                self._file.seek(at)
                return self._file.read(size)
        except OSError as error:
            raise ImageError(f"The tar cannot be read ({error.strerror}); check that it is there.") from error

    def close(self) -> None:
        self._file.close()


class _Headers(io.FileIO):
    """A tar file for listing; a header that claims to be a gigabyte long would be read into memory whole."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= _MOST_HEADER:
            raise tarfile.ReadError("a header of more than a megabyte")
        return super().read(size) or b""


def _listed(plain: Path, archive: str) -> tuple[dict[str, tuple[int, int]], list[str]]:
    """Return where each file worth looking at lies, (offset, size) by path, and notes on the others."""
    places: dict[str, tuple[int, int]] = {}
    sieve = Sieve(archive)
    with _Headers(plain) as file, tarfile.open(fileobj=file, mode="r:") as opened:
        for entry in opened:
            opened.members.clear()  # type: ignore[attr-defined]  # it would keep every header in memory
            if entry.isdir():
                continue
            place = _place(entry, places)
            if place is None:
                sieve.left_out[LINKS if entry.issym() or entry.islnk() else NO_FILES] += 1
            elif (path := sieve.take(entry.name)) is not None:
                places[path] = place
        file.seek(opened.offset)
        if file.read(tarfile.BLOCKSIZE).strip(b"\0"):  # tarfile takes a damaged header for the end
            raise tarfile.ReadError("a damaged header")
    return places, sieve.notes


def _place(entry: tarfile.TarInfo, places: dict[str, tuple[int, int]]) -> tuple[int, int] | None:
    """Return where a file's bytes lie; those of a second name for a file (a hard link) lie where the first's do."""
    if entry.islnk():
        return places.get(entry.linkname.removeprefix("./"))
    return (entry.offset_data, entry.size) if entry.isreg() and not entry.issparse() else None


def _opener(path: Path) -> Callable[..., Any] | None:
    with path.open("rb") as file:
        start = file.read(6)
    return next((opener for magic, opener in _PACKED.items() if start.startswith(magic)), None)


def _plain(path: Path) -> Path:
    """Return an uncompressed tar: the file itself, or the copy that was made of it once."""
    opener = _opener(path)
    if opener is None:
        return path
    state = path.stat()
    digest = hashlib.sha256(f"{path.resolve()} {state.st_size} {state.st_mtime_ns}".encode()).hexdigest()[:16]
    folder = downloads() / "unpacked"
    plain = folder / f"{digest}.tar"
    partial = plain.with_suffix(".partial")
    try:
        with one_at_a_time(folder):
            if not plain.exists():
                _forget_old(folder)
                with opener(path) as packed, partial.open("wb") as unpacked:
                    _copy(packed, unpacked, min(MAX_TOTAL, _MOST_PACKED * state.st_size), path.name)
                partial.replace(plain)
            os.utime(plain)  # it is in use
    except _DAMAGE as error:
        raise SourceError(
            f"{shown(path.name)} cannot be unpacked ({_reason(error)}); unpack it yourself and give the folder."
        ) from error
    return plain


def _forget_old(folder: Path) -> None:
    """Delete copies that nobody has opened for a while: they are made again from their archives when needed."""
    for copy in folder.glob("*.tar"):
        if time.time() - copy.stat().st_mtime > _KEPT:
            copy.unlink()


def _copy(packed: IO[bytes], unpacked: IO[bytes], most: int, archive: str) -> None:
    while piece := packed.read(2**20):
        if unpacked.tell() + len(piece) > most:
            unpacked.truncate(0)
            raise SourceError(
                f"{shown(archive)} unpacks to more than {most / 1e6:,.0f} MB; unpack it yourself if you trust it, "
                "and give the folder."
            )
        unpacked.write(piece)


def _reason(error: BaseException) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else "it is damaged or cut off"
