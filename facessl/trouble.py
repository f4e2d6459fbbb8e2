"""What a machine cannot do, said in one sentence with what to try."""

import contextlib
from collections.abc import Iterator

import torch

from facessl import states
from facessl.config import TrainRecipe
from facessl.errors import NonFiniteError, RunError
from facessl.run import Run


@contextlib.contextmanager
def said_when_memory_is_full(recipe: TrainRecipe) -> Iterator[None]:
    """Turn the error of a full memory, of a GPU or of the CPU, into RunError."""
    try:
        yield
    except (torch.OutOfMemoryError, RuntimeError) as error:
        # The CPU's allocator has no error of its own.
        if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
            raise
        size, parts = recipe.batch_size, recipe.accumulate
        smaller = f"batch size {size // 2}, " if size >= 4 else ""
        raise RunError(
            f"The memory is full at batch size {size} of {recipe.image_size} px; "
            f"try {smaller}accumulate {2 * parts}, or smaller images."
        ) from error


@contextlib.contextmanager
def said_when_features_burst(run: Run, recipe: TrainRecipe, epoch: int) -> Iterator[None]:
    """Turn NonFiniteError into RunError.

    Batch norm hides in training what it does not hide in use: there each batch is brought back to size.
    """
    try:
        yield
    except NonFiniteError:
        raise no_numbers(run, recipe, f"The network's features are no numbers after epoch {epoch}") from None


def no_numbers(run: Run, recipe: TrainRecipe, what: str) -> RunError:
    """Return the error of a training that grew over all bounds; ``what`` is no number, and since when."""
    passing = run.kind in states.PASSING
    again = "" if passing else " If that ends alike, what was saved is too large already: start anew with them."
    return RunError(
        f"{what}; {'try' if passing else 'resume'} it with a learning rate below {recipe.learning_rate:g}, with "
        f"clip_norm 1, or in fp32.{again}"
    )


@contextlib.contextmanager
def said_when_nothing_compiles(recipe: TrainRecipe) -> Iterator[None]:
    """Turn torch.compile's errors into RunError."""
    if not recipe.compile:
        yield
        return
    from torch._dynamo.exc import TorchDynamoException  # 2 s, and torch.compile loads it anyway

    try:
        yield
    except TorchDynamoException as error:
        reason = str(getattr(error, "inner_exception", error)).strip().partition("\n")[0]
        raise RunError(f"torch could not compile the network here ({reason}); go on without compile.") from error
