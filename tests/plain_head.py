"""``python -m tests.plain_head WORKSPACE RUN``: be one of a run's processes, with a projection head without batch norm.

On a CPU each process has batch norm's figures of its own share, so that only a network without it can end as in one.
"""

import sys
from pathlib import Path
from unittest import mock

from torch import nn


def projection(inputs: int, hidden: int, outputs: int) -> nn.Module:
    """Stand in for ``methods._head.projection``."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


if __name__ == "__main__":
    from facessl import worker

    with mock.patch("facessl.methods._head.projection", projection):
        worker.take_part(Path(sys.argv[1]), sys.argv[2])
