"""A run of several processes: ``torchrun`` starts them, the first of them speaks for all.

Whoever starts a run with more than one process gets a worker that waits for its turn as always, then lets
``torchrun`` start the processes and stays until they are through. Or a person calls a training command under
``torchrun``, on one machine or several; then the first process is the worker.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from facessl.errors import RunError, Stopped
from facessl.run import Run
from facessl.states import Status


class Onlooker(Run):
    """A run as all processes but the first see it: they read what it is, and write nothing."""

    def update(self, **changes: Any) -> Status:
        return self.written()

    def resolved(self, **what: Any) -> dict[str, Any]:
        return {**super().resolved(), **what}

    def log_metrics(self, **row: Any) -> None:
        pass

    def cut_metrics(self, epoch: int) -> None:
        pass

    def check_stop(self) -> None:
        pass  # the first tells them


def launch(workspace: Path, run: Run, processes: int) -> None:
    """Let ``torchrun`` carry out the run's work in so many processes of this machine; return when they are through.

    Raises:
        Stopped, RunError: What the first process wrote into the status before it ended.
    """
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    ended = subprocess.run(
        [*command, "-m", "facessl", "work", run.id],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "FACESSL_HOME": str(workspace.resolve())},
        stdin=subprocess.DEVNULL,
        check=False,
    )
    left = run.written()
    if left.state == "stopped":
        raise Stopped(left.message)
    if left.state == "failed":
        raise RunError(left.error)
    if ended.returncode != 0:
        raise RunError(f"One of its {processes} processes ended without a word; the log may say why. Resume it.")
