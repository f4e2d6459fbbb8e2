"""A run in the terminal: its progress, its end."""

import sys
import time
from typing import Any

from facessl import states
from facessl.errors import RunError
from facessl.run import Run
from facessl.states import Status

_POLL_SECONDS = 0.3
_REVIVED_WITHIN = 6.0  # seconds: a studio looks every two for runs whose process died, and takes them up again


def follow(run: Run) -> dict[str, Any]:
    """Show a run's progress until it ends, and return its result; Ctrl-C asks it to stop.

    One whose process died is followed on when somebody takes it up again within a few seconds.

    Raises:
        RunError: It failed or was stopped.
    """
    said = ("", -1, -1)
    asked = False
    died: float | None = None
    while True:
        try:
            status = run.status()
            # A line each tenth of the way: one for each step would bury what matters.
            step = (status.state, status.epoch, status.step * 10 // max(status.steps, 1))
            if step != said:
                print(_progress_line(status), file=sys.stderr, flush=True)
                said = step
            # Nobody has said yet what becomes of it, or somebody has just taken it up.
            silent = status.state == "interrupted" and run.written().state != "interrupted"
            died = (died or time.monotonic()) if silent else None
            if status.state not in states.ACTIVE and (died is None or time.monotonic() - died > _REVIVED_WITHIN):
                break
            time.sleep(_POLL_SECONDS)
        except KeyboardInterrupt:
            if asked:
                how = f"`python -m facessl stop {run.id}` ends it"
                raise RunError(f"{run.id} goes on in the background; {how}.") from None
            asked = True
            run.request_stop()
    result = run.result()
    if status.state != "finished" or result is None:
        reason = status.error or status.message
        raise RunError(f"{run.title}: {status.state}. {reason} (`python -m facessl resume {run.id}` takes it up again)")
    return result


def _progress_line(status: Status) -> str:
    parts = [f"{status.state}: {status.message}"]
    if status.steps:
        parts.append(f"{status.step * 100 // status.steps} %")
    return " ".join(parts)


def summary(run: Run) -> dict[str, Any]:
    """Return a run as lists of runs show it."""
    status = run.status()
    return {
        "run": run.id,
        "kind": run.kind,
        "title": run.title,
        "state": status.state,
        "epoch": status.epoch,
        "epochs": status.epochs,
        "seconds": status.seconds,
        "note": run.note,
        "error": status.error,
    }
