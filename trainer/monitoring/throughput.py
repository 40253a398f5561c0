"""How fast an epoch goes, what it waits for, and where a run's time went.

Owns the clocks: time blocked on the next input, while the devices have nothing to do, against time
in steps. The session reads its sums after every call, so waiting is never hidden behind work still
queued on a device.
"""

import contextlib
import time
from collections.abc import Iterator
from typing import TypeVar

T = TypeVar("T")


class EpochTimer:
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


_MUCH_WAITING = 0.2
"""TensorFlow's profiler calls a program input-bound from this share of the steps' time on."""


class TimeBudget:
    """Seconds of a run by what they were spent on."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(
            ("steps", "waiting for input", "starting", "judging", "saving"), 0.0
        )

    @contextlib.contextmanager
    def spent(self, what: str) -> Iterator[None]:
        """Count the time that the block takes."""
        before = time.perf_counter()
        yield
        self.seconds[what] += time.perf_counter() - before

    def verdict(self) -> str:
        """Say in one sentence what limited the speed, with the shares of the time that show it."""
        steps, waiting = self.seconds["steps"], self.seconds["waiting for input"]
        share = waiting / max(steps + waiting, 1e-9)
        total = max(sum(self.seconds.values()), 1e-9)
        shares = ", ".join(
            f"{what} {100 * each / total:.0f} %" for what, each in self.seconds.items()
        )
        if steps + waiting < total / 2:
            why = "what comes besides training"
        elif share >= _MUCH_WAITING:
            why = "the input: devices waited for pictures; --cache=ram, more CPU cores or a smaller --image_size help"
        else:
            why = "computation on the devices"
        return f"limited by {why} ({shares})"
