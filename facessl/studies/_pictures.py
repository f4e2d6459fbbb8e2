"""What S1's trainings learn from and are judged on: its split, its batches, and what a network gives for them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from facessl.devices import Compute
from facessl.errors import DatasetError

BATCH = 64
SPLIT_SEED, HELD_OUT = 42, 0.2

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


def pooled_split(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the notebook's split of all labelled pictures: 80/20, by person, ``random_state`` 42.

    It is drawn over what had been split before, so faces of one photo or near-copies may fall on both sides.

    Raises:
        DatasetError: Somebody has fewer than two pictures, or there are too few for everybody to be on both sides.
    """
    from sklearn.model_selection import train_test_split

    people, counts = np.unique(labels, return_counts=True)
    if len(labels) * HELD_OUT < len(people) or counts.min(initial=2) < 2:
        raise DatasetError(
            f"S1's split leaves 20 % of {len(labels)} faces for judging, too few for {len(people)} people; "
            "take a set with more photos a person."
        )
    learnt, judged = train_test_split(
        np.arange(len(labels)), test_size=HELD_OUT, random_state=SPLIT_SEED, stratify=labels
    )
    return learnt, judged


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
