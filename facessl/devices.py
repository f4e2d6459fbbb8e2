"""Which device there is and what it likes; nobody else asks torch about hardware."""

import os
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from facessl.errors import RecipeError


@dataclass(frozen=True)
class DeviceInfo:
    """The device that work goes to."""

    kind: str  # cuda, mps or cpu
    name: str  # what a person calls it
    precision: str  # the forward pass's number format that pays here: bf16, fp16 or fp32
    memory_gib: float  # of the device

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_has_bf16() -> bool:
    """Return whether the processor multiplies bfloat16 itself; emulated, it is slower than float32."""
    try:
        with open("/proc/cpuinfo") as file:
            flags = next((line for line in file if line.startswith("flags")), "")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def _processor_name() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            line = next(line for line in file if line.startswith("model name"))
        return line.split(":", 1)[1].strip()
    except (OSError, StopIteration):
        return "processor"


@cache
def detect() -> DeviceInfo:
    """Return the best device of this machine. Imports torch (seconds): call it off the page."""
    import psutil
    import torch

    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        precision = "bf16" if torch.cuda.is_bf16_supported() else "fp16"
        return DeviceInfo("cuda", properties.name, precision, properties.total_memory / 2**30)
    memory = psutil.virtual_memory().total / 2**30
    if torch.backends.mps.is_available():
        return DeviceInfo("mps", "Apple GPU", "fp32", memory)
    return DeviceInfo("cpu", f"{cores()} × {_processor_name()}", "bf16" if cpu_has_bf16() else "fp32", memory)


def pick(wanted: str) -> DeviceInfo:
    """Return the wanted device, or the best one for ``auto``; RecipeError when it is not there."""
    best = detect()
    if wanted in ("auto", best.kind):
        return best
    if wanted == "cpu":
        import psutil

        precision = "bf16" if cpu_has_bf16() else "fp32"
        return DeviceInfo("cpu", f"{cores()} × {_processor_name()}", precision, psutil.virtual_memory().total / 2**30)
    raise RecipeError(f"This machine has no {wanted} device; choose auto or {best.kind}.")


def queue_name(wanted: str) -> str:
    """Return which queue a run waits in; decided without torch, so that waiting costs nothing."""
    has_gpu = Path("/dev/nvidiactl").exists() or Path("/dev/kfd").exists()
    return "gpu" if wanted in ("cuda", "mps") or (wanted == "auto" and has_gpu) else "cpu"


@dataclass(frozen=True)
class Compute:
    """How a job computes, resolved: nothing in it is "auto" any more."""

    device: DeviceInfo
    precision: str  # bf16, fp16 or fp32
    threads: int  # of the CPU


def compute(device: str, precision: str = "auto", threads: int = 0) -> Compute:
    """Resolve what a recipe asks for, and set this process's CPU threads accordingly.

    Raises:
        RecipeError: This machine has no such device.
    """
    import torch

    found = pick(device)
    used = threads or cores()
    torch.set_num_threads(used)
    return Compute(found, found.precision if precision == "auto" else precision, used)
