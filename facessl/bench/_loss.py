"""NT-Xent, forward and backward, beside lightly's: time, and the memory that it takes."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from facessl import devices
from facessl.bench import BenchRecipe, _peer
from facessl.bench._rounds import alternately, compared, samples
from facessl.bench._timeline import synchronise
from facessl.errors import RunError
from facessl.losses import nt_xent

TEMPERATURE = 0.5  # lightly's default
_FEW = 64  # pairs with which everything is loaded before the memory is looked at
_MOST_PROCESSES = 3  # a side: memory varies little, and each imports torch anew
_PACKAGE = Path(__file__).parents[2]


def measure(recipe: BenchRecipe, workspace: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Compare milliseconds and MiB of ``recipe.pairs`` pairs; a GPU's memory is what torch took of it."""
    compute = devices.compute(recipe.device, "fp32", recipe.threads)
    device, n, d = compute.device.kind, recipe.pairs, recipe.dimensions
    peer = partial(milliseconds, "peer", n, d, device, recipe.seed) if _peer.installed() else None
    ours = partial(milliseconds, "ours", n, d, device, recipe.seed)
    times = alternately(ours, peer, recipe.repeats, lambda number: say(f"time: {number} of {recipe.repeats}"))
    rows = [compared(f"nt_xent N={n}", "ms", *times, less_is_better=True)]
    every = [samples(rows[0]["what"], *times)]
    settled = {"threads": compute.threads, "temperature": TEMPERATURE}
    found = {"rows": rows, "samples": every, "settings": settled}
    if device == "mps" or (device == "cpu" and sys.platform != "linux"):
        return found | {"notes": ["How much memory it takes cannot be told on this system."]}

    def peaks(side: str) -> list[float]:
        say(f"memory of {side}")
        count = min(recipe.repeats, _MOST_PROCESSES)
        return [_peak_mib_elsewhere(side, n, d, device, compute.threads) for _ in range(count)]

    sizes = peaks("ours"), peaks("peer") if peer else None
    rows.append(compared(f"memory N={n}", "MiB", *sizes, less_is_better=True))
    every.append(samples(rows[1]["what"], *sizes))
    return found


def milliseconds(side: str, n: int, dimensions: int, device: str, seed: int = 0) -> float:
    """Return how long the loss of n pairs and its gradient take one side, "ours" or "peer"."""
    z, loss = _pairs(n, dimensions, device, seed), _loss(side)
    synchronise(device)
    start = time.perf_counter()
    loss(z[0], z[1]).backward()
    synchronise(device)
    return (time.perf_counter() - start) * 1000


def peak_mib(side: str, n: int, dimensions: int, device: str) -> float:
    """Return the most memory that the loss of n pairs and its gradient hold at once, besides the pairs themselves.

    On a CPU of Linux, in a process that has done nothing larger before.
    """
    loss = _loss(side)
    few, many = (_pairs(count, dimensions, device, 0) for count in (_FEW, n))
    loss(few[0], few[1]).backward()
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        loss(many[0], many[1]).backward()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    Path("/proc/self/clear_refs").write_text("5")  # from here on the peak is counted anew: imports had one, too
    before_mib = _peak_of_process()
    loss(many[0], many[1]).backward()
    return _peak_of_process() - before_mib


def _peak_mib_elsewhere(side: str, n: int, dimensions: int, device: str, threads: int) -> float:
    code = f"""
import torch
from facessl.bench import _loss
torch.set_num_threads({threads})
print(_loss.peak_mib({side!r}, {n}, {dimensions}, {device!r}))
"""
    path = os.pathsep.join([str(_PACKAGE), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": path}, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise RunError(f"The process that measures the memory of {n} pairs ended too early; ask for fewer --pairs.")
    return float(done.stdout.split()[-1])


def _pairs(n: int, dimensions: int, device: str, seed: int) -> Tensor:
    drawn = torch.randn(2, n, dimensions, generator=torch.Generator().manual_seed(seed))
    return drawn.to(device).requires_grad_()


def _loss(side: str) -> Callable[[Tensor, Tensor], Tensor]:
    if side == "ours":
        return partial(nt_xent, temperature=TEMPERATURE)
    from lightly.loss import NTXentLoss

    return NTXentLoss(temperature=TEMPERATURE)


def _peak_of_process() -> float:
    """Return the most memory that this process held at once, in MiB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None  # Linux always says it
    return int(found[1]) / 1024
