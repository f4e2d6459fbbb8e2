"""What a run cost: the training time and the images it saw, with those of the runs that it began from."""

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from facessl.errors import RunError
from facessl.run import Run
from pages._shared.backend import studio


@dataclass(frozen=True)
class Cost:
    """None where a run did not write it down, or one that it began from is gone."""

    seconds: float | None  # of training, without looking at the results
    images: int | None  # a photo counts once an epoch
    imagenet: bool = False  # it began from ImageNet weights, whose cost is not counted


def cost_of(run: Run) -> Cost:
    """Return what a run and all that it builds on cost."""
    config = run.config
    curve = run.path / "metrics.jsonl"
    seconds = _seconds(str(curve), curve.stat().st_mtime_ns) if curve.exists() else None
    batch, steps = config.get("resolved", {}).get("batch_size"), run.status().step
    own = Cost(seconds, batch * steps if batch and steps else None)
    init = config["recipe"].get("init", "scratch")
    if init == "scratch":
        return own
    if init == "imagenet":
        return Cost(own.seconds, own.images, imagenet=True)
    try:
        before = cost_of(studio().run(init))
    except RunError:
        return Cost(None, None)
    total = None if own.seconds is None or before.seconds is None else own.seconds + before.seconds
    images = None if own.images is None or before.images is None else own.images + before.images
    return Cost(total, images, before.imagenet)


@st.cache_data(show_spinner=False, max_entries=2000)
def _seconds(curve: str, changed: int) -> float | None:
    """Return the seconds of all epochs in a curve; of hundreds of runs, reading them each time would take seconds."""
    measured = [row["seconds"] for row in Run(Path(curve).parent).metrics() if row.get("seconds") is not None]
    return sum(measured) if measured else None
