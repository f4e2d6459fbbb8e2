"""Work that a page asks for and does not wait for."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


class Background:
    """A few threads that do what is submitted, in that order.

    An executor of ``concurrent.futures`` would finish its work before the server may end; nobody is there to see it.
    """

    def __init__(self, threads: int, name: str) -> None:
        self._waiting: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        for number in range(threads):
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True).start()

    def submit(self, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        """Return the future of ``function(*arguments)``, which holds what it returned or raised."""
        future: Future[Any] = Future()

        def work() -> None:
            try:
                future.set_result(function(*arguments))
            # Anything at all, or who waits for the result would wait for ever: ``result`` raises it again over there.
            except BaseException as error:
                future.set_exception(error)

        self._waiting.put(work)
        return future

    def _work(self) -> None:
        while True:
            self._waiting.get()()
