"""Photos brought through the browser and by command give the same set, byte for byte.

    python -m tests.proofs.ways_in --home FOLDER ../shared/data/celebs6-natural.zip:200 lfw-deepfunneled.zip:20

After each zip stands the least number of photos of a person. Exit code 1 when two sets differ.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

from facessl.dataset import FaceDataset, open_dataset
from tests import chromium
from tests.browser.driver import opened, served
from tests.browser.walk import Walk

MOST = 500 << 20  # bytes that the page takes as an upload


def differences(one: FaceDataset, other: FaceDataset) -> list[str]:
    """Return in what two sets differ, names and dates aside; nothing where they are the same."""
    found = [] if _digest(one.path / "faces.npy") == _digest(other.path / "faces.npy") else ["faces.npy"]
    if not pd.read_parquet(one.path / "faces.parquet").equals(pd.read_parquet(other.path / "faces.parquet")):
        found.append("faces.parquet")
    if one.info["counts"] != other.info["counts"]:
        found.append("counts")
    crops = [
        {str(file.relative_to(made.path)): _digest(file) for file in (made.path / "scaled").rglob("*.jpg")}
        for made in (one, other)
    ]
    return [*found, *(["scaled"] if crops[0] != crops[1] else [])]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def by_command(photos: Path, home: Path, min_photos: int) -> FaceDataset:
    """Prepare a zip by command and return the set."""
    name = "by-command-" + photos.stem
    command = [sys.executable, "-m", "facessl", "prepare", "--source", "folder", "--path", str(photos)]
    command += ["--name", name, "--min-photos", str(min_photos)]
    subprocess.run(command, check=True, env={**os.environ, "FACESSL_HOME": str(home)}, stdout=subprocess.DEVNULL)
    return open_dataset(home, name)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("zips", nargs="+")
    parser.add_argument("--home", type=Path, required=True)
    asked = parser.parse_args()
    executable = chromium.find()
    assert executable, chromium.MISSING
    asked.home.mkdir(parents=True, exist_ok=True)
    wrong = 0
    with served(asked.home) as address, opened(address, executable, webgl=False) as page:
        walk = Walk(page, asked.home, patience=3600)
        for given in asked.zips:
            name, _, least = given.rpartition(":")
            photos, min_photos = Path(name).resolve(), int(least)
            upload = photos.stat().st_size < MOST
            start = time.monotonic()
            made = walk.prepare(photos, upload=upload, min_photos=min_photos).config["recipe"]["name"]
            browser_seconds, start = time.monotonic() - start, time.monotonic()
            command = by_command(photos, asked.home, min_photos)
            seconds = time.monotonic() - start
            found = differences(open_dataset(asked.home, made), command)
            wrong += bool(found)
            print(
                f"{photos.name}: {'uploaded' if upload else 'by its path'} {browser_seconds:.0f} s, "
                f"by command {seconds:.0f} s; "
                f"{', '.join(found) + ' differ' if found else 'the same bytes'}; {command.info['counts']}",
                flush=True,
            )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
