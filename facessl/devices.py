"""Which device there is and what it likes; nobody else asks torch about hardware."""

import contextlib
import ctypes
import itertools
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from facessl.errors import RecipeError

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # names of glibc's malloc.h


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
    if wanted.partition(":")[0] in ("auto", best.kind):  # which of several GPUs is settled before torch is loaded
        return best
    if wanted == "cpu":
        import psutil

        precision = "bf16" if cpu_has_bf16() else "fp32"
        return DeviceInfo("cpu", f"{cores()} × {_processor_name()}", precision, psutil.virtual_memory().total / 2**30)
    raise RecipeError(f"This machine has no {wanted} device; choose auto or {best.kind}.")


def gpus() -> tuple[str, ...]:
    """Return the GPUs that this process may use, as CUDA names them; decided without torch, so at no cost."""
    told = os.environ.get("CUDA_VISIBLE_DEVICES")
    if told is not None:
        named = [name.strip() for name in told.split(",")]
        return tuple(itertools.takewhile(lambda name: name not in ("", "-1"), named))  # CUDA reads it so
    count = len([path for path in Path("/dev").glob("nvidia[0-9]*") if path.name.removeprefix("nvidia").isdigit()])
    # Of an AMD card there is no number to be read here.
    return tuple(str(number) for number in range(count or int(Path("/dev/kfd").exists())))


def choices() -> tuple[str, ...]:
    """Return the names of devices that a person of this machine may choose from; at no cost, like ``gpus``."""
    found = gpus()
    numbered = tuple(f"cuda:{number}" for number in range(len(found))) if len(found) > 1 else ()
    others = ("mps",) if sys.platform == "darwin" else ()
    return ("auto", *(("cuda",) if found else ()), *numbered, *others, "cpu")


def queues(wanted: str) -> tuple[str, ...]:
    """Return the queues in which a run may wait that wants ``auto``, ``cpu``, ``mps``, ``cuda`` or ``cuda:<number>``.

    There is one a GPU, named after it, and one for the CPU.
    """
    kind, _, number = wanted.partition(":")
    found = tuple(_queue_of(name) for name in gpus())
    if kind == "mps" or (kind == "cuda" and not found):
        return ("gpu0",)
    if number.isdigit() and int(number) < len(found):
        return (found[int(number)],)
    return found if kind in ("cuda", "auto") and found else ("cpu",)


def _queue_of(gpu: str) -> str:
    return "gpu" + "".join(c if c.isalnum() or c in "-." else "_" for c in gpu)


@contextlib.contextmanager
def visible(taken: Sequence[str]) -> Iterator[None]:
    """Let this process see the GPUs of these queues only; to be entered before torch is loaded.

    One that computes on the CPU must not hold a GPU's memory, and ``cuda`` is the GPU whose turn it is.
    """
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    if gpus() or before is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpu for gpu in gpus() if _queue_of(gpu) in taken)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("CUDA_VISIBLE_DEVICES", None)
        else:
            os.environ["CUDA_VISIBLE_DEVICES"] = before


def keep_memory() -> None:
    """Let this process keep what a step frees for the next step; for one that trains on the CPU.

    glibc hands large pieces back to the kernel, which has to empty and map every page of them anew a moment later:
    an eighth to a sixth of a step's time. Other C libraries have no such knob.

    Reference: mallopt(3), https://man7.org/linux/man-pages/man3/mallopt.3.html
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if set_option is not None:
        set_option(_M_MMAP_MAX, 0)
        set_option(_M_TRIM_THRESHOLD, -1)


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
