"""Kill a training again and again: it goes on each time, and ends with the weights of one that nobody disturbed.

    python -m tests.proofs.kills --kills 20 --backbone resnet18 --precision bf16 --threads 2

The moments are drawn by chance over the whole life of the process, its imports and its last words included.
"""

import argparse
import os
import random
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from facessl import runs
from facessl.run import Run
from facessl.studio import Studio
from tests.tiny import make_set


def prove(studio: Studio, kills: int, seed: int = 0, **settings: Any) -> list[tuple[float, int]]:
    """Return for each kill after how many seconds it came and in which epoch it struck.

    Raises:
        AssertionError: A run could not go on, or ended with other weights or another curve.
    """
    rng, struck = random.Random(seed), list[tuple[float, int]]()
    wanted = studio.start("pretrain", settings)
    lasts = _lasts(wanted)
    while len(struck) < kills:
        run = studio.start("pretrain", settings)
        while len(struck) < kills:
            after = rng.uniform(0, lasts)
            if _ended_within(run, after):
                break
            os.kill(_worker(run), signal.SIGKILL)
            while run.is_alive():
                time.sleep(0.02)
            status = run.status()
            assert status.state == "interrupted", status
            struck.append((after, status.epoch))
            studio.resume(run.id)
        _lasts(run)
        _same(wanted, run)
    return struck


def _lasts(run: Run) -> float:
    start = time.monotonic()
    while run.is_alive():
        time.sleep(0.1)
    assert run.status().state == "finished", run.log_text()
    return time.monotonic() - start


def _ended_within(run: Run, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while run.is_alive():
        if time.monotonic() >= until:
            return False
        time.sleep(0.01)
    return True


def _worker(run: Run) -> int:
    """Return the process that works on the run; its name is in its command."""
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and f"work\0{run.id}".encode() in (folder / "cmdline").read_bytes():
                return int(folder.name)
        except OSError:  # it ended meanwhile
            continue
    raise AssertionError(f"nobody works on {run.id}")


def _same(wanted: Run, found: Run) -> None:
    expected, weights = (load_file(run.path / "model.safetensors") for run in (wanted, found))
    assert expected.keys() == weights.keys()
    for name, tensor in expected.items():
        assert torch.equal(tensor, weights[name]), name
    curves = [
        [(row["epoch"], row.get("loss"), row["knn_accuracy"]) for row in run.metrics()] for run in (wanted, found)
    ]
    assert curves[0] == curves[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--precision", default="bf16")
    parser.add_argument("--threads", type=int, default=2)
    given = vars(parser.parse_args())
    kills, seed = given.pop("kills"), given.pop("seed")
    with tempfile.TemporaryDirectory() as home:
        make_set(Path(home), people=6, photos=40)
        settings = {"dataset": "tiny", "image_size": 32, "batch_size": 16, "device": "cpu", **given}
        struck = prove(Studio(Path(home)), kills, seed, **settings)
        attempts = [run.written().attempts for run in runs.list_all(Path(home))]
    for after, epoch in struck:
        print(f"killed after {after:5.1f} s, {epoch} epochs finished")
    print(f"{len(struck)} kills, {len(attempts)} runs of {attempts} attempts: the same weights and curves, bit for bit")


if __name__ == "__main__":
    main()
