"""Which queue a run waits in, and which GPU its process sees."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from facessl import devices


@pytest.mark.parametrize(
    ("told", "expected"),
    [("0,1", ("0", "1")), ("3", ("3",)), ("", ()), ("-1", ()), ("1,-1,0", ("1",)), ("GPU-8a, 2", ("GPU-8a", "2"))],
)
def test_the_gpus_are_those_that_cuda_would_see(
    told: str, expected: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", told)
    assert devices.gpus() == expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("auto", ("gpu2", "gpu5")),
        ("cuda", ("gpu2", "gpu5")),
        ("cuda:1", ("gpu5",)),
        ("cpu", ("cpu",)),
        ("mps", ("gpu0",)),
    ],
)
def test_one_queue_a_gpu_and_one_for_the_cpu(
    wanted: str, expected: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    assert devices.queues(wanted) == expected


def test_without_a_gpu_everything_waits_for_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert devices.queues("auto") == ("cpu",)


def test_a_worker_sees_the_gpu_of_its_queue_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5,MIG-1/0")
    for taken, expected in ((["gpu5"], "5"), (["gpuMIG-1_0"], "MIG-1/0"), (["gpu2", "gpu5"], "2,5"), (["cpu"], "")):
        with devices.visible(taken):
            assert os.environ["CUDA_VISIBLE_DEVICES"] == expected
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "2,5,MIG-1/0"


def test_finding_the_queue_loads_no_torch() -> None:
    code = "import sys; from facessl import devices; devices.queues('auto'); print('torch' in sys.modules)"
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_person_chooses_among_the_gpus_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for told, expected in (("", ()), ("3", ("cuda",)), ("2,5", ("cuda", "cuda:0", "cuda:1"))):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", told)
        assert devices.choices() == ("auto", *expected, "cpu")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has the knob")
@pytest.mark.parametrize("kept", [False, True])
def test_what_is_freed_stays_with_a_process_that_trains(kept: bool) -> None:
    code = f"""
import ctypes, psutil
from facessl import devices
if {kept}: devices.keep_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
for _ in range(2):  # what is asked for again is what was given back
    there = libc.malloc(100 << 20)
    ctypes.memset(there, 1, 100 << 20)
    libc.free(ctypes.c_void_p(there))
print(psutil.Process().memory_info().rss >> 20)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True
    )
    held = int(done.stdout)
    assert 100 < held < 180 if kept else held < 90
