"""Weights and states on a disk that is full: said as what it is, and what was there before stays."""

import contextlib
import errno
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from facessl import checkpoints, worker
from facessl.errors import ModelError

CARD = {"backbone": "tiny", "backbone_options": {}, "image_size": 8, "precision": "fp32", "device": "cpu", "people": []}
WEIGHTS = {"backbone.weight": torch.arange(6.0).reshape(2, 3).t()}  # not contiguous


@contextlib.contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let the system refuse what a file would hold beyond ``size`` bytes, as a full disk or a quota does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_model_comes_back_as_it_was(tmp_path: Path) -> None:
    checkpoints.save_model(tmp_path, WEIGHTS, CARD)
    weights, card = checkpoints.load_model(tmp_path)
    assert card == CARD
    assert torch.equal(weights["backbone.weight"], WEIGHTS["backbone.weight"])


def test_a_full_disk_keeps_the_model_of_before(tmp_path: Path) -> None:
    checkpoints.save_model(tmp_path, WEIGHTS, CARD)
    with room_for(1 << 20), pytest.raises(OSError) as failed:
        checkpoints.save_model(tmp_path, {"backbone.weight": torch.zeros(1 << 19)}, CARD | {"backbone": "other"})
    assert failed.value.errno == errno.EFBIG
    weights, card = checkpoints.load_model(tmp_path)
    assert card == CARD and torch.equal(weights["backbone.weight"], WEIGHTS["backbone.weight"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "model.safetensors"]


def test_a_full_disk_keeps_the_state_of_before(tmp_path: Path) -> None:
    checkpoints.save_state(tmp_path, {"epoch": 3, "weights": torch.ones(1000)})
    with room_for(1 << 20), pytest.raises(OSError) as failed:
        checkpoints.save_state(tmp_path, {"epoch": 4, "weights": torch.zeros(1 << 19)})
    assert failed.value.errno == errno.EFBIG
    state = checkpoints.load_state(tmp_path)
    assert state and state["epoch"] == 3 and torch.equal(state["weights"], torch.ones(1000))
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]


def test_a_disk_that_says_so_only_at_the_end_is_full_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for save in (checkpoints.save_state, lambda folder, weights: checkpoints.save_model(folder, weights, {})):
        with pytest.raises(OSError) as failed:
            save(tmp_path, WEIGHTS)
        assert worker._what_failed(failed.value) == "The disk is full; make room, then resume this."
        assert list(tmp_path.iterdir()) == []


def test_memory_that_torch_cannot_have_is_said_as_such() -> None:
    with pytest.raises(RuntimeError) as failed:
        torch.empty(2**60, dtype=torch.uint8)
    assert worker._what_failed(failed.value) == "The machine's memory is full; choose a smaller batch or image size."


@pytest.mark.parametrize("left", [0, 1, 100, 5_000, 20_000, 50_000, 200_000])
def test_a_state_cut_short_anywhere_is_said_to_be_damaged(tmp_path: Path, left: int) -> None:
    weights = {str(n): torch.arange(20_000.0) for n in range(4)}
    checkpoints.save_state(tmp_path, {"epoch": 3, "weights": weights})
    path = tmp_path / "state.pt"
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(ModelError, match=r"state\.pt of .* is damaged and was laid aside; resume to begin"):
        checkpoints.load_state(tmp_path)
    assert checkpoints.load_state(tmp_path) is None and (tmp_path / "state.damaged.pt").exists()


@pytest.mark.parametrize("content", [{"a": 1}, [1, 2], 3])
def test_a_state_that_lacks_what_it_should_hold_is_said_to_be_damaged(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "state.pt")
    with pytest.raises(ModelError, match="is damaged"):
        checkpoints.load_state(tmp_path, holding=("epoch",))
