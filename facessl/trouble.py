"""What a machine cannot do, said in one sentence with what to try."""

import contextlib
from collections.abc import Iterator

import torch

from facessl.config import TrainRecipe
from facessl.errors import RunError


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
