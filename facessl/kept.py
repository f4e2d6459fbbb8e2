"""Values kept in memory for all sessions: made once, whoever asks, and a few of each kind at a time."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

_FEW = 4


class Kept:
    """A bounded store, safe between threads. A key is (kind, what tells one value of that kind from another, …)."""

    def __init__(self, limits: Mapping[str, int] | None = None) -> None:
        """``limits`` says how many values of a kind stay, 4 unless said; the least recently used goes first."""
        self._limits = dict(limits or {})
        self._values: OrderedDict[tuple[str, ...], Any] = OrderedDict()
        self._making: dict[tuple[str, ...], threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: tuple[str, ...], make: Callable[[], Any]) -> Any:
        """Return the value of ``key``, made on first use.

        Whoever wants the same value waits for the one who makes it; nobody else does. If making fails, nothing is kept.
        """
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._values:
                    self._values.move_to_end(key)
                    return self._values[key]
            value = make()
            with self._lock:
                self._values[key] = value
                same_kind = [other for other in self._values if other[0] == key[0]]
                for old in same_kind[: -self._limits.get(key[0], _FEW)]:
                    del self._values[old]
                    self._making.pop(old, None)
            return value
