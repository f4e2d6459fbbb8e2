"""The other side: lightly's own example for SimCLR, as its documentation has it.

ResNet18 without its last layer, ``SimCLRProjectionHead(512, 512, 128)``, ``NTXentLoss()``, ``SimCLRTransform``, a
``DataLoader`` that shuffles and drops the rest, SGD at 0.06, fp32, one pass a view
(https://docs.lightly.ai/self-supervised-learning/examples/simclr.html). Only the number of workers is chosen: the
best for the machine. It runs in a process of its own, as it would for who follows it: how ours deals with memory
(``devices.keep_memory``) would make it faster, too.
"""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, RandomSampler, default_collate

from facessl.bench._timeline import Stretch, Timeline
from facessl.errors import RunError

if TYPE_CHECKING:
    from PIL.Image import Image

_PREFETCH = 2  # batches that the loader keeps ready a worker, torch's default
_TRIED_STEPS = 4  # at least, with each number of workers


class _Images(Dataset):
    """What torchvision's data sets give: the transformed picture, and a label that nobody uses."""

    def __init__(self, images: "Sequence[Image]", transform: Callable[[Any], Any]) -> None:
        self.images, self.transform = images, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return self.transform(self.images[index]), 0


class Example:
    """The example's network and data, ready to be trained for some steps."""

    def __init__(self, images: "Sequence[Image]", size: int, batch_size: int, device: str, seed: int) -> None:
        from lightly.loss import NTXentLoss
        from lightly.models.modules import SimCLRProjectionHead
        from lightly.transforms import SimCLRTransform
        from torchvision.models import resnet18

        torch.manual_seed(seed)
        self._data = _Images(images, SimCLRTransform(input_size=size))
        self._batch_size, self._device = batch_size, device
        backbone = nn.Sequential(*list(resnet18().children())[:-1])
        self._network = nn.Sequential(backbone, nn.Flatten(), SimCLRProjectionHead(512, 512, 128)).to(device)
        self._criterion = NTXentLoss()
        self._optimizer = torch.optim.SGD(self._network.parameters(), lr=0.06)

    def stretch(self, workers: int, steps: int, warm_up: int) -> Stretch:
        """Train for ``warm_up`` steps, and then for ``steps`` that are timed.

        With several workers batches come in bursts of as many: both numbers are raised to whole bursts. The loader
        has more to do than is asked of it, so that the workers are busy to the end.
        """
        burst = max(workers, 1)
        warm_up, steps = _whole(warm_up, burst), _whole(steps, burst)
        timeline = Timeline(self._device)
        batches = iter(self._loader(workers, warm_up + steps + _PREFETCH * workers))
        total = torch.zeros((), device=self._device)
        for step in range(warm_up + steps):
            if step == warm_up:
                timeline.start()
            timeline.mark("waiting" if workers else "views")
            (x0, x1), _ = next(batches)
            timeline.mark("views")
            x0, x1 = x0.to(self._device), x1.to(self._device)
            timeline.mark("model")
            total += self._step(x0, x1)
        found = timeline.stop()
        return Stretch(found.seconds / steps, found.shares)

    def views_alone(self) -> float:
        """Return the seconds that one process takes for the views of a batch."""
        start = time.perf_counter()
        default_collate([self._data[index % len(self._data)] for index in range(self._batch_size)])
        return time.perf_counter() - start

    def _loader(self, workers: int, steps: int) -> DataLoader:
        count = steps * self._batch_size
        make = partial(DataLoader, self._data, self._batch_size, drop_last=True, num_workers=workers)
        # Without replacement, as in the example; round after round, where the faces do not last.
        return make(sampler=RandomSampler(self._data, num_samples=count))

    def _step(self, x0: Tensor, x1: Tensor) -> Tensor:
        loss = self._criterion(self._network(x0), self._network(x1))
        loss.backward()
        self._optimizer.step()
        self._optimizer.zero_grad()
        return loss.detach()


class Apart:
    """The example in its own process; to be closed, which ``with`` does."""

    def __init__(
        self, images: "Sequence[Image]", size: int, batch_size: int, device: str, seed: int, threads: int
    ) -> None:
        self._batch_size = batch_size
        fresh = multiprocessing.get_context("spawn")
        self._process = ProcessPoolExecutor(1, fresh, _begin, (threads, images, size, batch_size, device, seed))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.shutdown(cancel_futures=True)

    def stretch(self, workers: int, steps: int, warm_up: int) -> Stretch:
        """See ``Example.stretch``."""
        found: Stretch = self._ask("stretch", workers, steps, warm_up)
        return found

    def views_alone(self) -> float:
        """See ``Example.views_alone``."""
        return float(self._ask("views_alone"))

    def best_workers(self, cores: int, say: Callable[[str], None]) -> tuple[int, dict[str, float | None]]:
        """Return the number of workers with which most images a second are learnt from, and what each reached.

        A number with which the loader's processes die, as for want of shared memory, reached nothing.
        """
        reached: dict[int, float | None] = {}
        for workers in worker_counts(cores):
            say(f"lightly's example with {workers} of up to {cores} workers")
            try:
                reached[workers] = self._batch_size / self.stretch(workers, _TRIED_STEPS, 1).seconds
            except RuntimeError as error:
                if "DataLoader worker" not in str(error):
                    raise
                reached[workers] = None
        best = max(reached, key=lambda workers: reached[workers] or 0.0)
        return best, {str(workers): speed for workers, speed in reached.items()}

    def _ask(self, method: str, *arguments: int) -> Any:
        try:
            return self._process.submit(_answer, method, *arguments).result()
        except BrokenProcessPool as error:
            raise RunError("lightly's example ended without a word; try a smaller --batch-size.") from error


_of_this_process: list[Example] = []  # one, if the process was made for it


def _begin(threads: int, *how: Any) -> None:
    torch.set_num_threads(threads)
    _of_this_process.append(Example(*how))


def _answer(method: str, *arguments: int) -> Any:
    return getattr(_of_this_process[0], method)(*arguments)


def worker_counts(cores: int) -> list[int]:
    """Return the numbers of workers to try: each up to four, then doubled, and one a core."""
    doubled = [2**power for power in range(3, 10) if 2**power < cores]
    return sorted({*range(min(cores, 4) + 1), *doubled, cores})


def _whole(count: int, burst: int) -> int:
    return -(-count // burst) * burst
