"""A compiled network learns what it would have learnt, and resumes to the same weights."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch._inductor.config as _inductor
from safetensors.torch import load_file

from facessl.errors import RunError
from facessl.pretraining import pretrain
from facessl.run import Run
from tests.cut_off import cut_off
from tests.test_training import new_run
from tests.tiny import make_set

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles with g++ on a CPU")


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "compiled"))
    torch._dynamo.reset()
    make_set(tmp_path)
    with _inductor.patch(compile_threads=1):  # no processes that outlive the test
        yield tmp_path


def losses(run: Run) -> list[float]:
    return [row["loss"] for row in run.metrics() if row["epoch"] > 0]


@needs_compiler
@pytest.mark.long
def test_a_compiled_network_learns_the_same_and_resumes_exactly(workspace: Path) -> None:
    plain, compiled, stopped = (
        new_run(workspace, "pretrain", epochs=2, precision="fp32", compile=choice) for choice in (False, True, True)
    )
    pretrain(plain, workspace)
    pretrain(compiled, workspace)
    assert losses(compiled) == pytest.approx(losses(plain), rel=1e-4)
    cut_off(pretrain, stopped, workspace, 3)
    pretrain(stopped, workspace)
    expected, found = (load_file(run.path / "model.safetensors") for run in (compiled, stopped))
    assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())
    assert losses(stopped) == losses(compiled)


def test_where_nothing_compiles_that_is_said(workspace: Path) -> None:
    run = new_run(workspace, "pretrain", epochs=1, compile=True)
    nothing = _inductor.patch({"cpp.cxx": (None, "no-such-compiler")})
    with nothing, pytest.raises(RunError, match=r"could not compile the network here .*; go on without compile"):
        pretrain(run, workspace)
