"""What is said before a start: where it computes, who is before it, and how the faces fall into steps."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from facessl import devices, resolve
from facessl.config import PretrainRecipe, TrainRecipe
from facessl.devices import DeviceInfo
from facessl.errors import FaceSSLError, RecipeError
from pages._shared.backend import studio
from pages._shared.words import count, in_labels, plain

if TYPE_CHECKING:
    from facessl.run import Run

EVERY = 3.0  # seconds between two looks at the queue


@dataclass(frozen=True)
class Steps:
    """How an epoch's faces fall into steps, as ``batches.FaceBatches`` deals them."""

    batch: int  # faces a step
    steps: int  # an epoch
    left_out: int  # faces that fill no whole batch and wait for another epoch


def steps_of(faces: int, batch_size: int, processes: int) -> Steps:
    """Return the steps of an epoch of so many faces, 1 or more; every process has as many faces of a batch."""
    batch = max(1, min(batch_size, faces) // processes) * processes
    return Steps(batch, faces // batch, faces % batch)


def refused(recipe: PretrainRecipe) -> str:
    """Return why these settings cannot work here, as a start would say; "" where they can, or nobody knows yet."""
    if studio().device() is None:  # to find that out takes seconds, and no page waits for it
        return ""
    try:
        resolve.check(recipe, studio().workspace)
    except FaceSSLError as error:
        return in_labels(str(error), PretrainRecipe)
    return ""


def where_it_goes(recipe: PretrainRecipe, refusal: str) -> None:
    """Say how a run would learn from its faces, on which device, and who is before it; a fragment with a timer.

    ``refusal`` is why it would not start; nobody is told then when it would.
    """
    st.markdown(f":material/footprint: {an_epoch(recipe)}")
    on = computes_on(recipe, studio().device())
    if refusal:
        st.markdown(f":material/memory: {on}")
        st.markdown(f":orange[:material/block: {refusal}]")
        return
    st.markdown(f":material/memory: {on} {before_it(recipe)}")


def an_epoch(recipe: PretrainRecipe) -> str:
    """Return in words how many steps an epoch has, and which faces it leaves out."""
    sets = (recipe.dataset, *recipe.also)
    faces = sum(len(studio().dataset(name).rows("unlabelled", "train")) for name in sets)
    if faces < 2:
        return f"{count(faces, 'face')} to learn from: too few; take a set with more photos."
    found = steps_of(faces, recipe.batch_size, recipe.processes)
    if not found.steps:
        return f"{count(faces, 'face')} for {recipe.processes} processes: too few; take fewer processes."
    said = f"An epoch: {count(faces, 'face')} in {count(found.steps, 'step')} of {found.batch:,}"
    if recipe.batch_size > faces:
        said += f", for a batch of {recipe.batch_size:,} is more than there are"
    if found.left_out:
        said += f"; {count(found.left_out, 'face')} left out of each epoch, others every time"
    return f"{said}. {twice_learnt_from(sets)}".rstrip()


def twice_learnt_from(sets: tuple[str, ...]) -> str:
    """Return a warning where one set is named twice, or two versions of it: their faces count twice; else ""."""
    origins = [name.partition("@")[0] for name in sets]
    twice = dict.fromkeys(plain(name) for name, origin in zip(sets, origins, strict=True) if origins.count(origin) > 1)
    if not twice:
        return ""
    if len(twice) == 1:
        return f"**{next(iter(twice))} was named twice**; further sets are other sets."
    return f"**{' and '.join(twice)} are versions of one set**: the faces in both count twice."


def computes_on(recipe: TrainRecipe, best: DeviceInfo | None) -> str:
    """Return in a sentence where a recipe computes, in which numbers and how many processes; ``best`` is the machine's
    own choice, None while that is being looked for."""
    if best is None:
        return "It computes on a device that is being looked for."
    try:
        name, precision = _device_of(recipe.device, best)
    except RecipeError as error:
        return plain(str(error))
    precision = precision if recipe.precision == "auto" else recipe.precision
    threads = f", {count(recipe.threads, 'thread')}" if recipe.threads else ""
    return f"It computes on **{plain(name)}, {precision}**{threads}{_shared(recipe, name, best)}."


def _device_of(wanted: str, best: DeviceInfo) -> tuple[str, str]:
    """Return a device's name and the precision that pays there; RecipeError when this machine has no such device."""
    if wanted in ("auto", best.kind):
        return best.name, best.precision
    if wanted.partition(":")[0] == best.kind:
        return wanted, best.precision  # its name is known to torch alone
    found = devices.pick(wanted)
    return found.name, found.precision


def _shared(recipe: TrainRecipe, name: str, best: DeviceInfo) -> str:
    """Return what several processes share, as the end of a sentence."""
    if recipe.processes == 1:
        return ""
    if best.kind != "cuda" or recipe.device == "cpu":
        return f" in {recipe.processes} processes, which share its cores"
    cards = 1 if name.startswith("cuda:") else len(devices.gpus())
    if recipe.processes > cards:
        return (
            f". But {recipe.processes} processes need as many GPUs, and there {'is' if cards == 1 else 'are'} {cards}"
        )
    return f" in {recipe.processes} processes, each on a GPU of its own"


def ahead_of(recipe: TrainRecipe) -> "list[Run]":
    """Return the runs that a recipe would wait for, who works first: those of the longest of the queues it needs."""
    places = studio().queue()
    lines = [[place.run for place in places if place.queue == queue] for queue in devices.queues(recipe.device)]
    return sorted(lines, key=len)[: recipe.processes][-1]


def before_it(recipe: TrainRecipe) -> str:
    """Return in a sentence or two who works and who waits."""
    ahead = ahead_of(recipe)
    if not ahead:
        return "Nobody is before it: it starts at once."
    waiting = f", and {count(len(ahead) - 1, 'run waits', 'runs wait')}" if len(ahead) > 1 else ""
    return f"It waits its turn: *{plain(ahead[0].title)}* {_does(ahead[0])}{waiting}."


def estimate_waits(recipe: PretrainRecipe) -> None:
    """Say beside its button that an estimate waits too, while it would; a fragment with a timer."""
    ahead = ahead_of(recipe)
    if ahead:
        st.caption(f"An estimate waits its turn as well: *{plain(ahead[0].title)}* {_does(ahead[0])}.")


def _does(run: "Run") -> str:
    # Asked for, a pause has to wait for the end of a step; after that nobody else works either.
    return "is paused, and holds the queue" if run.pause_requested() else "works there"
