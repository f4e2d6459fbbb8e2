"""What S1's trainings learn from and are judged on: their batches, and what a network gives for them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from facessl.devices import Compute

BATCH = 64

Batches = list[np.ndarray]


@dataclass(frozen=True)
class Pictures:
    """Pictures to learn from and to be judged on."""

    faces: np.ndarray  # (N, S, S, 3) uint8; of a grey one the channels are equal
    labels: np.ndarray  # (N,) 0 <= label < people
    learnt: np.ndarray  # indices that are learnt from
    judged: np.ndarray  # indices that are judged on
    people: int


@dataclass(frozen=True)
class Work:
    """What a training works with."""

    pictures: Pictures
    compute: Compute
    check: Callable[[], None]  # called before every step; may raise to stop
    rng: np.random.Generator  # of the order of the pictures and of the views


def outputs(network: nn.Module, work: Work) -> np.ndarray:
    """Return what comes out for the judged pictures, (M, D); in training mode, if it is in it, as the notebook's."""
    return computed(network, work, work.pictures.judged)


def batches_of(indices: np.ndarray) -> Batches:
    """Return batches of 64; a single picture left over joins the last, for batch norm cannot judge it alone."""
    parts = np.split(indices, range(BATCH, len(indices), BATCH))
    return [*parts[:-2], np.concatenate(parts[-2:])] if len(parts) > 1 and len(parts[-1]) == 1 else parts


def computed(network: nn.Module, work: Work, indices: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        faces = (work.pictures.faces[batch] for batch in batches_of(indices))
        return np.concatenate([network(as_input(part, work.compute)).cpu().numpy() for part in faces])


def as_input(faces: np.ndarray, compute: Compute) -> Tensor:
    """Return faces (N, S, S, 3) uint8 as (N, 3, S, S) in 0-1, which the notebook does not normalise further."""
    tensor = torch.from_numpy(np.ascontiguousarray(faces)).to(compute.device.kind)
    return (tensor.permute(0, 3, 1, 2).float() / 255).contiguous(memory_format=torch.channels_last)
