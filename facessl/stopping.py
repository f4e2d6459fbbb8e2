"""Early stopping: when validation says that nothing is gained any more, and the weights of the best epoch."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass
class BestEpoch:
    """The epoch that was best on val, with its weights, and for how long no other has been better.

    Better is a higher top-1, and of equal ones a lower loss: of few faces many epochs name equally many right. It
    regularises like weight decay does (Prechelt 1998, Early stopping - but when?,
    https://doi.org/10.1007/978-3-642-35289-8_5).
    """

    patience: int  # epochs without a better one after which training ends, >= 1
    epoch: int = 0  # the best so far; 0: what it began with, or, without weights, none was heard of
    top1: float = -1.0
    loss: float = math.inf
    last: int = 0  # the last epoch that was heard of
    weights: "dict[str, Tensor] | None" = None

    @property
    def over(self) -> bool:
        """Return whether nothing has been gained for as long as was to be waited."""
        return self.last - self.epoch >= self.patience

    def hear(self, epoch: int, figures: dict[str, Any], modules: "nn.Module") -> None:
        """Take in an epoch's ``val_top1`` and ``val_loss``, and keep its weights if it is the best.

        Epoch 0 is what training begins with, where that is worth keeping.
        """
        top1, loss = figures["val_top1"], figures["val_loss"]
        self.last = epoch
        if (top1, -loss) > (self.top1, -self.loss):
            self.epoch, self.top1, self.loss = epoch, top1, loss
            self.weights = {name: tensor.detach().cpu().clone() for name, tensor in modules.state_dict().items()}

    def give(self, modules: "nn.Module") -> None:
        """Put the best epoch's weights into ``modules``."""
        if self.weights is not None:
            modules.load_state_dict(self.weights)

    def state(self) -> dict[str, Any]:
        """Return what ``restore`` needs, fit for ``torch.load(weights_only=True)``."""
        kept = ("epoch", "top1", "loss", "last", "weights")
        return {name: getattr(self, name) for name in kept}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what ``state`` gave."""
        for name, value in state.items():
            setattr(self, name, value)

    def summary(self, epochs: int) -> dict[str, Any]:
        """Return for a run's result when training of at most ``epochs`` ended, which epoch was best, and why."""
        return {
            "epoch": self.last,
            "early": self.last < epochs,
            "best_epoch": self.epoch,
            "val_top1": self.top1,
            "val_loss": self.loss,
            "why": self.why(epochs),
        }

    def why(self, epochs: int) -> str:
        """Return in a sentence when and why training of at most ``epochs`` ended, and which weights were kept."""
        which = f"the weights of epoch {self.epoch} are" if self.epoch else "the linear probe that it began as is"
        kept = f"{which} kept (val top-1 {100 * self.top1:.1f} %)"
        if self.last >= epochs:
            return f"All {epochs} epochs ran; {kept}."
        waited = f"{self.patience} epochs" if self.patience > 1 else "an epoch"
        return f"Stopped early after epoch {self.last} of {epochs}: {waited} without a better val result; {kept}."
