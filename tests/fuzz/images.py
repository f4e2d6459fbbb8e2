"""Reads pictures that were damaged at random: ``python -m tests.fuzz.images --cases 10000 --seed 0``.

Each is read in a process of its own, with a limit on time and memory, as nothing less survives a decoder that
crashes. A picture or an ImageError is right; anything else counts as crashed or hung, and the exit code says so.
A case follows from the seed and its number alone: ``--first N --cases 1`` repeats it.
"""

import argparse
import faulthandler
import io
import os
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from facessl.errors import ImageError
from facessl.images import read_image

READ, REFUSED, CRASHED, HUNG = "read", "refused", "crashed", "hung"
CPU_SECONDS, WALL_SECONDS = 5, 60  # the first tells a hang; the second is for a sleep, on a busy machine too
MEMORY = 1_500_000_000  # bytes, beyond what the process has when it starts
_EXIT = {0: READ, 10: REFUSED}
_NUMBERS = (0, 1, 2, 3, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def originals() -> dict[str, bytes]:
    """Return small whole pictures of every format and of the ways it can store one."""
    x, y = np.meshgrid(np.linspace(0, 255, 48), np.linspace(0, 255, 40))
    noise = np.random.default_rng(0).integers(0, 40, (40, 48))
    rgb = Image.fromarray(np.clip(np.stack([x, y, 60 + noise], 2), 0, 255).astype(np.uint8))
    grey = rgb.convert("L")
    clear = rgb.convert("RGBA")
    clear.putalpha(grey)
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    turned = Image.Exif()
    turned[0x0112] = 6
    frames = {"save_all": True, "append_images": [rgb.rotate(90), rgb.rotate(180)]}
    made: dict[str, tuple[Image.Image, str, dict[str, object]]] = {
        "jpeg": (rgb, "JPEG", {}),
        "jpeg-progressive": (rgb, "JPEG", {"progressive": True}),
        "jpeg-grey": (grey, "JPEG", {}),
        "jpeg-cmyk": (rgb.convert("CMYK"), "JPEG", {}),
        "jpeg-exif": (rgb, "JPEG", {"exif": turned}),
        "png": (rgb, "PNG", {}),
        "png-palette": (rgb.convert("P"), "PNG", {"transparency": 3}),
        "png-alpha": (clear, "PNG", {}),
        "png-16": (deep, "PNG", {}),
        "png-1": (rgb.convert("1"), "PNG", {}),
        "png-animated": (rgb, "PNG", frames),
        "webp": (rgb, "WEBP", {}),
        "webp-lossless": (clear, "WEBP", {"lossless": True, "exif": turned}),
        "webp-animated": (rgb, "WEBP", frames),
        "gif": (rgb, "GIF", {}),
        "gif-animated": (rgb, "GIF", frames),
        "bmp": (rgb, "BMP", {}),
        "bmp-palette": (rgb.convert("P"), "BMP", {}),
        "tiff": (rgb, "TIFF", {}),
        "tiff-lzw": (rgb, "TIFF", {"compression": "tiff_lzw"}),
        "tiff-jpeg": (rgb, "TIFF", {"compression": "jpeg"}),
        "tiff-fax": (rgb.convert("1"), "TIFF", {"compression": "group4"}),
        "tiff-float": (Image.fromarray(np.asarray(grey, np.float32)), "TIFF", {"compression": "tiff_deflate"}),
        "avif": (rgb, "AVIF", {}),
        "avif-animated": (rgb, "AVIF", {"save_all": True, "append_images": [rgb.rotate(180)]}),
        "avif-alpha": (clear, "AVIF", {}),
    }
    return {name: _saved(*how) for name, how in made.items()}


def _saved(picture: Image.Image, kind: str, how: dict[str, object]) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **how)
    return file.getvalue()


def damaged(pictures: dict[str, bytes], seed: int, case: int) -> tuple[str, bytes]:
    """Return the case's picture: which it was, and its bytes after one to three kinds of damage."""
    rng = np.random.default_rng([seed, case])
    names = sorted(pictures)
    name = names[case % len(names)]
    data = bytearray(pictures[name])
    for _ in range(int(rng.integers(1, 4))):
        if len(data) < 8:
            break
        damage = _DAMAGES[int(rng.integers(len(_DAMAGES)))]
        damage(data, rng, pictures[names[int(rng.integers(len(names)))]])
    return name, bytes(data)


def _flip_bits(data: bytearray, rng: np.random.Generator, other: bytes) -> None:
    for at in rng.integers(0, len(data), int(rng.integers(1, 17))):
        data[at] ^= 1 << int(rng.integers(8))


def _truncate(data: bytearray, rng: np.random.Generator, other: bytes) -> None:
    del data[int(rng.integers(1, len(data))) :]


def _splice(data: bytearray, rng: np.random.Generator, other: bytes) -> None:
    """Put a piece of another picture somewhere."""
    start, length = int(rng.integers(len(other))), int(rng.integers(1, 200))
    at = int(rng.integers(len(data)))
    data[at : at + int(rng.integers(0, 2)) * length] = other[start : start + length]


def _repeat(data: bytearray, rng: np.random.Generator, other: bytes) -> None:
    start, length = int(rng.integers(len(data))), int(rng.integers(1, 100))
    data[start:start] = data[start : start + length] * int(rng.integers(1, 30))


def _cut_out(data: bytearray, rng: np.random.Generator, other: bytes) -> None:
    start = int(rng.integers(len(data)))
    del data[start : start + int(rng.integers(1, 64))]


def _edit_number(data: bytearray, rng: np.random.Generator, other: bytes) -> None:
    """Write a number that decoders trip over where sizes, offsets and counts stand: near the start, mostly."""
    size = int(rng.choice([1, 2, 4]))
    at = int(rng.integers(min(len(data), 400 if rng.random() < 0.8 else len(data))))
    number = _NUMBERS[int(rng.integers(len(_NUMBERS)))] % 256**size
    data[at : at + size] = number.to_bytes(size, "little" if rng.random() < 0.5 else "big")


_DAMAGES = (_flip_bits, _truncate, _splice, _repeat, _cut_out, _edit_number, _edit_number)


def outcome(data: bytes, read: Callable[[bytes], object] = read_image) -> str:
    """Read a picture in a process of its own and return what came of it."""
    child = os.fork()
    if child == 0:
        os._exit(_read_within_limits(data, read))
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return HUNG if os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGALRM, signal.SIGKILL) else CRASHED
    return _EXIT.get(os.WEXITSTATUS(status), CRASHED)


def _read_within_limits(data: bytes, read: Callable[[bytes], object]) -> int:
    """Return the exit code; a signal may end the process first."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    memory = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in (signal.SIGALRM, signal.SIGXCPU):
        signal.signal(number, signal.SIG_DFL)
    faulthandler.disable()  # pytest's would tell of a crash at length
    signal.alarm(WALL_SECONDS)
    errors = os.dup(2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # decoders complain a lot
    try:
        read(data)
    except ImageError:
        return 10
    except BaseException:
        os.write(errors, traceback.format_exc().encode())
        return 20
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run the cases, print the counts and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the pictures that crashed or hung")
    asked = parser.parse_args(arguments)
    pictures, counts, slowest = originals(), Counter[str](), 0.0
    for data in pictures.values():
        read_image(data)  # loads every decoder, so that each process starts with it
    start = time.monotonic()
    for case in range(asked.first, asked.first + asked.cases):
        before = time.monotonic()
        name, data = damaged(pictures, asked.seed, case)
        found = outcome(data)
        counts[found] += 1
        slowest = max(slowest, time.monotonic() - before)
        if found in (CRASHED, HUNG):
            print(f"case {case} ({name}) {found}", file=sys.stderr)
            if asked.keep:
                asked.keep.mkdir(parents=True, exist_ok=True)
                (asked.keep / f"{asked.seed}-{case}-{name}").write_bytes(data)
    print(
        f"{asked.cases:,} damaged pictures: "
        + ", ".join(f"{counts[kind]:,} {kind}" for kind in (READ, REFUSED, CRASHED, HUNG))
        + f"; {time.monotonic() - start:.0f} s, the slowest {slowest:.2f} s"
    )
    return 1 if counts[CRASHED] or counts[HUNG] else 0


if __name__ == "__main__":
    sys.exit(main())
