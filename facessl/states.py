"""Where a run can stand, and what may be done with it there."""

from pydantic import BaseModel, ConfigDict

ACTIVE = ("queued", "running", "paused", "stopping")
RESUMABLE = ("stopped", "failed", "interrupted")
ENDED = ("finished", *RESUMABLE)
DAMAGED = "damaged"  # the kind of a run whose settings cannot be read any more: it can be listed and deleted
PASSING = ("probe",)  # the kinds that answer one question and are not kept: no list of what was done shows them
PLACELESS = ("study",)  # the kinds that wait for runs of their own, and hold no place in a queue meanwhile
PAUSABLE = ("pretrain", "finetune")  # the kinds that learn, whose loop waits between two steps when asked
# With what a run may go on when it is resumed.
CHANGEABLE = (
    "epochs", "learning_rate", "clip_norm", "batch_size", "accumulate", "precision", "device", "threads", "processes",
    "compile",
)  # fmt: skip

STOPPED = "Stopped on request; resume it whenever you like."


class Status(BaseModel):
    """Where a run stands; written by its worker, read by everybody."""

    model_config = ConfigDict(frozen=True)

    state: str = "queued"  # queued, running, paused, stopping, stopped, finished, failed, interrupted
    message: str = ""  # what it is doing now, for a person
    notice: str = ""  # what befell this attempt, for a person; stays when the message changes
    step: int = 0  # finished units of the whole
    steps: int = 0  # of so many
    epoch: int = 0
    epochs: int = 0
    device: str = ""
    images_per_second: float = 0.0
    seconds: float = 0.0  # working time over all attempts, without pauses, as of the last writing
    counted_at: float | None = None  # the machine's monotonic clock at that writing; None while no time counts
    seconds_left: float | None = None
    error: str = ""  # one sentence, when failed
    started: str = ""
    finished: str = ""
    attempts: int = 0  # how often a worker took it up
