"""A hundred thousand photos: made from real ones, prepared, opened, with the memory that it took.

    python -m tests.proofs.many lfw-deepfunneled.zip --home FOLDER [--photos 100000 --people 10000] [--weights F]

Each photo is one of LFW's, mirrored, moved, turned, scaled and recoloured by chance: all are different pictures.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import cv2
import numpy as np
import psutil


def make(photos: Path, folder: Path, number: int, people: int) -> None:
    """Write ``number`` photos into the folders of ``people``; what is there already is kept."""
    with zipfile.ZipFile(photos) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        for index in range(number):
            file = folder / f"Person {index % people:05d}" / f"{index:06d}.jpg"
            if file.exists():
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            # A person's photos are of one person of LFW as far as they go: what matters here is the number.
            data = np.frombuffer(archive.read(names[index * 7919 % len(names)]), np.uint8)
            file.write_bytes(cv2.imencode(".jpg", another(cv2.imdecode(data, cv2.IMREAD_COLOR), index))[1].tobytes())


def another(image: np.ndarray, seed: int) -> np.ndarray:
    """Return another picture of the same face, (250, 250, 3) uint8."""
    rng = np.random.default_rng(seed)
    matrix = cv2.getRotationMatrix2D((125, 125), rng.uniform(-10, 10), rng.uniform(0.85, 1.1))
    matrix[:, 2] += rng.uniform(-20, 20, 2)
    image = cv2.warpAffine(image, matrix, (250, 250), borderMode=cv2.BORDER_REFLECT_101)
    image = image[:, ::-1] if rng.random() < 0.5 else image
    return np.clip(image * rng.uniform(0.6, 1.3, 3) + rng.uniform(-25, 25), 0, 255).astype(np.uint8)


def memory(home: Path) -> int:
    """Return what all processes of a workspace hold, in bytes, shared pages counted once (PSS)."""
    total = 0
    for process in psutil.process_iter():
        try:
            if process.environ().get("FACESSL_HOME") == str(home):
                total += process.memory_full_info().pss
        except psutil.Error:  # it ended meanwhile, or is somebody else's
            continue
    return total


def prepare(home: Path, *settings: str) -> None:
    """Prepare by command; print what came out, and the most memory that command, worker and crew held together."""
    command = [sys.executable, "-m", "facessl", "prepare", "--json", *settings]
    start, most = time.monotonic(), 0
    with (home / "prepare.txt").open("w") as said:
        process = subprocess.Popen(command, env={**os.environ, "FACESSL_HOME": str(home)}, stdout=said)
        while process.poll() is None:
            most = max(most, memory(home))
            time.sleep(1)
    result = json.loads((home / "prepare.txt").read_text().splitlines()[-1])
    seconds = time.monotonic() - start
    print(f"prepared in {seconds:.0f} s, at most {most / 1e6:.0f} MB in all processes; {result['counts']}", flush=True)


def opened(home: Path) -> None:
    """Print how long a new process takes to open the set, and what it holds then."""
    code = (
        "import time, psutil, pandas; from pathlib import Path; from facessl.studio import Studio\n"
        "studio = Studio(Path('.')); own = psutil.Process(); before = own.memory_info().rss\n"
        "start = time.perf_counter()\n"
        "made = studio.dataset('many'); made.crops; seconds = time.perf_counter() - start\n"
        "print(f'opened with its table in {seconds:.2f} s, {(own.memory_info().rss - before) / 1e6:.0f} MB more; '"
        "f'{made.faces.shape} faces of {made.faces.nbytes / 1e9:.1f} GB, {len(made.people):,} people')"
    )
    subprocess.run(
        [sys.executable, "-c", code], cwd=home, check=True, env={**os.environ, "PYTHONPATH": str(Path.cwd())}
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lfw", type=Path)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--min-photos", type=int, default=5)
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--weights", type=Path, help="of YuNet; without, the faces are found by Haar")
    asked = parser.parse_args()
    home = asked.home.resolve()
    make(asked.lfw, home / "photos", asked.photos, asked.people)
    settings = ["--source", "folder", "--path", str(home / "photos"), "--name", "many"]
    settings += ["--min-photos", str(asked.min_photos), "--size", str(asked.size)]
    if asked.weights:
        settings += ["--detector", "yunet", "--weights", str(asked.weights.resolve())]
    prepare(home, *settings)
    opened(home)


if __name__ == "__main__":
    main()
