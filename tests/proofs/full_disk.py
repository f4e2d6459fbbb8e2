"""A disk that fills up while photos are prepared: said in a sentence, nothing half is ready, and it goes on afterwards.

    sudo python -m tests.proofs.full_disk PHOTOS.zip [--at 2 8 20 40]

A workspace on a tmpfs of so many megabytes is filled by a preparation, made larger, and the run is resumed. The set
must then hold the same faces as one prepared where there was room all the time. Exit code 1 where it does not.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from facessl import runs
from facessl.dataset import list_datasets, open_dataset
from facessl.studio import Studio
from tests.proofs.ways_in import differences

_ROOM = 500  # megabytes that are enough


def prepare(home: Path, photos: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "facessl", *more]
    if not more:
        command += ["prepare", "--source", "folder", "--path", str(photos), "--name", "photos", "--min-photos", "2"]
    environment = {**os.environ, "FACESSL_HOME": str(home)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def filled(photos: Path, megabytes: int, whole: Path) -> bool:
    """Fill a disk of this size, make room, go on; print what was said and return whether all went as it should."""
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", place], check=True)
        try:
            first = prepare(home, photos)
            said = first.stderr.strip().splitlines()[-1:] or ["nothing"]
            ready = [made.name for made in list_datasets(home)]
            states = [run.status().state for run in runs.list_all(home)]
            subprocess.run(["mount", "-o", f"remount,size={_ROOM}m", place], check=True)
            stuck = [run.id for run in runs.list_all(home) if run.status().state != "finished"]
            second = prepare(home, photos, "resume", stuck[0]) if stuck else prepare(home, photos)
            same = not differences(open_dataset(home, "photos"), open_dataset(whole, "photos"))
            Studio(home).dataset("photos")
        finally:
            subprocess.run(["umount", "-l", place], check=True)
    print(f"{megabytes} MB: exit {first.returncode}, “{said[0]}”, run {states}, ready then {ready}; "
          f"with room: exit {second.returncode}, {'the same set' if same else 'ANOTHER SET'}", flush=True)  # fmt: skip
    stopped = first.returncode == 1 and not ready and second.returncode == 0
    return (stopped or not stuck) and same


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--at", type=int, nargs="+", default=[2, 8, 20, 40])
    asked = parser.parse_args()
    photos = asked.photos.resolve()
    with tempfile.TemporaryDirectory() as place:
        whole = Path(place)
        assert prepare(whole, photos).returncode == 0
        went_well = [filled(photos, megabytes, whole) for megabytes in asked.at]  # each is tried, whatever came before
        return 0 if all(went_well) else 1


if __name__ == "__main__":
    sys.exit(main())
