"""fit(): the only training loop.

Everything random is a function of (seed, epoch, step), so that a resumed run draws what the undisturbed one would
have drawn; on the CPU, with the same threads and number format, it ends with the same weights bit for bit. On a GPU
the loop runs ahead of it: nothing waits for a result but every 50th step and the end of an epoch.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

import torch

from facessl import attending, checkpoints, optimisers, progress, states, telling, trouble
from facessl.batches import Batches
from facessl.config import FinetuneRecipe, TrainRecipe
from facessl.devices import Compute
from facessl.distributed import ALONE, World
from facessl.errors import ModelError, RunError, Stopped
from facessl.gradients import Gradients, set_to_learn
from facessl.methods import Method
from facessl.progress import Progress
from facessl.run import Run
from facessl.stopping import BestEpoch

_SAVE_SECONDS = 60.0  # an epoch can be long; a crash shall not cost more than this
_SAY_SECONDS = 0.5
_STATE = ("modules", "optimizer", *progress.SAVED)  # what every version has saved
_LOOK_STEPS = 50  # a GPU is asked for the loss so often: asking means waiting for all that is in its queue


def fit(
    run: Run,
    method: Method,
    batches: Batches,
    recipe: TrainRecipe,
    compute: Compute,
    on_epoch: Callable[[int], dict[str, Any]],
    world: World = ALONE,
) -> BestEpoch | None:
    """Train ``method`` for ``recipe.epochs``, from the run's saved state if it has one.

    Parameters that want no gradient stay, and modules of such alone behave as in use. A recipe with patience ends when
    the epochs' ``val_top1`` and ``val_loss`` say so; the method then has the weights of the best epoch, which is what
    is returned.

    ``on_epoch`` is asked after each epoch (counted from 1) for figures that join the epoch's row in
    ``metrics.jsonl``; with epoch 0 it is asked once before the first, and what it then says of val counts for patience
    like an epoch's.

    Raises:
        Stopped: Somebody asked for it; the state is saved.
        RunError: The loss, a gradient or a feature is no longer a number, or the memory is full.
    """
    with trouble.said_when_memory_is_full(recipe), trouble.said_when_nothing_compiles(recipe):
        loop = _Loop(run, method, batches, recipe, compute, world)
        loop.restore()
        if loop.progress.step and loop.progress.epoch >= recipe.epochs:  # its network is of no whole number of epochs
            within = loop.progress.epoch + 1
            raise RunError(f"It was stopped within epoch {within}; ask for {within} epochs or more.")
        loop.report(message="Learning.", epoch=loop.progress.epoch, epochs=recipe.epochs, **loop.progress.so_far())
        if world.first:
            for line in telling.beginning(batches, recipe, compute, world, (loop.progress.epoch, loop.progress.step)):
                run.log(line)
        # A step of large images takes long on a CPU, and so does looking at the result of an epoch: a stop that would
        # have to wait for it drops it.
        with attending.saving_first(loop.save):
            if loop.progress.epoch == 0 and loop.progress.step == 0:
                loop.look_at_the_untrained(on_epoch)
            while loop.progress.epoch < recipe.epochs and not loop.over:
                loop.one_epoch()
                loop.finish_epoch(on_epoch)
        if loop.over:  # no more steps will come: what is left is to be judged, and a bar at two thirds would not end
            loop.report(steps=loop.progress.so_far()["step"])
        if loop.best is not None and world.first:
            loop.best.give(loop.modules)
            run.log(loop.best.why(recipe.epochs))
        return loop.best


class _Loop:
    """The state of one fit: what is saved, and how a step is made."""

    def __init__(
        self, run: Run, method: Method, batches: Batches, recipe: TrainRecipe, compute: Compute, world: World
    ) -> None:
        self.run, self.method, self.batches, self.recipe = run, method, batches, recipe
        self.compute, self.world = compute, world
        patience = recipe.patience if isinstance(recipe, FinetuneRecipe) else 0
        self.best = BestEpoch(patience) if patience else None
        self.gradients = Gradients(method, recipe, compute, world)
        self.modules, self.scaler = self.gradients.modules, self.gradients.scaler
        self.optimizer = optimisers.build(
            recipe.optimizer,
            self.modules,
            learning_rate=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            factors=method.factors,
        )
        self.progress = Progress(recipe.epochs, batches, compute.device.kind)
        self.over = False  # nothing is gained any more, as ``best`` says
        # The first step that went wrong; on the device, as nobody waits for it.
        self.bad_step = torch.full((), -1, dtype=torch.int64, device=compute.device.kind)
        self._whole = threading.Lock()  # held while weights and counters do not belong together
        self._said = self._saved = time.monotonic()

    # -- the state -----------------------------------------------------------------------------------------------

    def restore(self) -> None:
        """Take up the state that was saved, of any world size and batch size.

        Raises:
            ModelError: It is damaged, or of another network than the settings ask for now.
        """
        state = checkpoints.load_state(self.run.path, holding=_STATE)
        if state is None:
            return
        try:
            self.modules.load_state_dict(state["modules"])
        except RuntimeError as error:  # an older version made another network of the same settings
            raise ModelError(
                f"What {self.run.id} has learnt so far does not fit the network that this version makes of its "
                "settings; start a new run."
            ) from error
        self.optimizer.load_state_dict(state["optimizer"])
        if state.get("scaler"):
            self.scaler.load_state_dict(state["scaler"])
        if self.batches.prelude is not None and "prelude" in state:
            self.batches.prelude.restore(state["prelude"])
        self.progress.restore(state)
        if self.best is not None and "best" in state:
            self.best.restore(state["best"])
            self.over = self.best.over
        if self.world.first:
            self.run.cut_metrics(self.progress.epoch)

    def save(self) -> None:
        """Write the state as it was after the last whole step."""
        if not self.world.first:
            return
        with self._whole:
            if int(self.bad_step.item()) < 0:  # what is saved is known to be numbers
                self._save()

    def _save(self) -> None:
        modules = dict(self.modules.state_dict())
        if self.gradients.before is not None:
            names = [name for name, _ in self.modules.named_buffers()]
            modules |= dict(zip(names, self.gradients.before, strict=True))
        state = {
            "modules": modules,
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            **self.progress.state(),
        }
        if self.batches.prelude is not None:
            state["prelude"] = self.batches.prelude.state()
        if self.best is not None:
            state["best"] = self.best.state()
        checkpoints.save_state(self.run.path, state)
        self._saved = time.monotonic()

    # -- an epoch ------------------------------------------------------------------------------------------------

    def look_at_the_untrained(self, on_epoch: Callable[[int], dict[str, Any]]) -> None:
        # No measure of the looks to come: what pixels reach is asked once, and whatever has to warm up does so here.
        if self.world.first:
            self.run.cut_metrics(-1)
            self.run.update(message="Looking at the network before it learns.")
            if first := on_epoch(0):
                if self.best is not None:
                    self.best.hear(0, first, self.modules)
                self.run.log_metrics(epoch=0, **first)
        self.world.agree(None)  # nobody begins before

    def one_epoch(self) -> None:
        """Run what is left of the current epoch; it is not counted as finished yet."""
        if self.progress.step == 0 and self.batches.prelude is not None:
            self.batches.prelude(self.progress.epoch)
        set_to_learn(self.modules)
        if self.progress.step == 0:
            self.progress.begin_epoch()
        start = time.monotonic()
        while self.progress.step < self.batches.steps:
            if (paused := self._heed()) > 0:
                start += paused
            self._one_step()
            on_cpu = self.compute.device.kind == "cpu"
            if on_cpu or self.progress.step % _LOOK_STEPS == 0 or self.progress.step == self.batches.steps:
                self._look()
            now = time.monotonic()
            self.progress.seconds += now - start
            start = now
            if now - self._said > _SAY_SECONDS:
                self.say()
            if self.world.first and now - self._saved > _SAVE_SECONDS:
                self._look()
                self.save()
                start = time.monotonic()

    def finish_epoch(self, on_epoch: Callable[[int], dict[str, Any]]) -> None:
        """Look at the result, write the epoch's row, and only then count it: a crash meanwhile repeats the look."""
        start, done = time.monotonic(), self.progress.epoch + 1
        figures = self.figures()
        if self.world.first:
            with trouble.said_when_features_burst(self.run, self.recipe, done):
                figures |= on_epoch(done)
            if self.best is not None:
                self.best.hear(done, figures, self.modules)
            self.run.log_metrics(epoch=done, **figures)
            self.run.log(f"Epoch {done} of {self.recipe.epochs}: {telling.in_words(figures)}.")
        with self._whole:
            self.progress.epoch, self.progress.step = done, 0
        self.save()
        self.progress.looking = time.monotonic() - start
        self.say()
        self.over = self.world.agree(self.best is not None and self.best.over)

    def _heed(self) -> float:
        """Do what a person asked for; return for how many seconds that paused the work."""
        asked = ""
        if self.world.first:
            asked = "stop" if self.run.stop_requested() else "pause" if self.run.pause_requested() else ""
        asked = self.world.agree(asked)
        if not asked:
            return 0.0
        start = time.monotonic()
        self.save()
        self.report(**self.progress.so_far())
        if asked == "stop":
            raise Stopped(states.STOPPED)
        if self.world.first:
            self.run.wait_while_paused()
        self.world.agree(None)
        return time.monotonic() - start

    # -- a step --------------------------------------------------------------------------------------------------

    def _one_step(self) -> None:
        done = self.progress.epoch * self.batches.steps + self.progress.step
        total = self.recipe.epochs * self.batches.steps
        recipe = self.recipe
        rate = optimisers.learning_rate_at(done, total, recipe.learning_rate, recipe.schedule, recipe.warm_up)
        optimisers.set_rate(self.optimizer, rate)
        batch = self.batches(self.progress.epoch, self.progress.step)
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.world.mean(self.gradients.of(batch, done))
        parameters = list(self.modules.parameters())
        self.world.average_gradients(parameters)
        self.scaler.unscale_(self.optimizer)
        norm = optimisers.clip(parameters, recipe.clip_norm)
        with self._whole:
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.progress.loss_sum += loss
            self.progress.norm_sum += norm
            # With a scaler a norm that is no number is none of a fault: it skips the step, and scales less.
            fine = torch.isfinite(loss) if self.scaler.is_enabled() else torch.isfinite(loss + norm)
            wrong = ~fine & (self.bad_step < 0)
            self.bad_step.copy_(torch.where(wrong, done, self.bad_step))
            self.progress.step += 1
            self.gradients.before = None

    def _look(self) -> None:
        """Raise RunError if the loss or the gradient is no longer a number; waits for the device.

        All processes know the same loss, so they need not talk here: each comes here at moments of its own.
        """
        bad = int(self.bad_step.item())
        if bad < 0:
            return
        epoch, step = divmod(bad, self.batches.steps)
        what = f"The loss or its gradient is no number since epoch {epoch + 1}, step {step + 1}"
        raise trouble.no_numbers(self.run, self.recipe, what)

    # -- what is told --------------------------------------------------------------------------------------------

    def report(self, **changes: Any) -> None:
        if self.world.first:
            self.run.update(**changes)

    def say(self) -> None:
        self.report(**self.progress.in_status())
        self._said = time.monotonic()

    def figures(self) -> dict[str, Any]:
        """Return the row of the epoch just run."""
        means = self.progress.means()
        return {
            "loss": means.loss,
            "chance": self.method.chance(self.batches.batch_size),
            "learning_rate": optimisers.rate_of(self.optimizer),
            "gradient_norm": means.gradient_norm,
            "images_per_second": round(self.progress.speed(), 1),
            "seconds": round(self.progress.seconds, 2),
            **telling.memory(self.compute),
        }
