"""How fast an epoch goes and what it waits for.

Owns the clock: time blocked on the next input, while the devices have nothing to do, against time in steps. The
session reads its sums after every call, so waiting is never hidden behind work still queued on a device.
"""

import time
from collections.abc import Iterator
from typing import TypeVar

T = TypeVar("T")


class Watch:
    """Measure one epoch, or the part of it after the calls that `restart` takes out."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin anew: the first call of a process is mostly compilation."""
        self._started = time.perf_counter()
        self._waited_s = 0.0
        self.images = 0

    def waiting(self, items: Iterator[T]) -> T:
        """Take the next item and count the time it took as waiting."""
        before = time.perf_counter()
        item = next(items)
        self._waited_s += time.perf_counter() - before
        return item

    @property
    def images_per_s(self) -> float:
        """Images a second since the start."""
        return self.images / self._elapsed_s

    @property
    def input_wait_frac(self) -> float:
        """Share of the time since the start that was spent waiting for input."""
        return self._waited_s / self._elapsed_s

    @property
    def _elapsed_s(self) -> float:
        return max(time.perf_counter() - self._started, 1e-9)
