"""Throughput: images per second of an epoch, time spent waiting for input, time budget of a run.

Owns the clocks: time blocked on the next input, while the devices have nothing to do, against time
in steps. The training loop reads the sums of every step group before it asks for the next, so that
waiting is never hidden behind work still queued on a device.
"""

import contextlib
import time
from collections.abc import Iterator
from typing import TypeVar

T = TypeVar("T")

STEPS = "steps"
INPUT = "waiting for input"
START_UP = "start-up and compilation"
EVALUATION = "evaluation"
CHECKPOINTS = "checkpoints"
_ACTIVITIES = (STEPS, INPUT, START_UP, EVALUATION, CHECKPOINTS)


class EpochTimer:
    """Measure the throughput of an epoch, from its start or from the last `restart`."""

    def __init__(self) -> None:
        self._created = time.perf_counter()
        self.restart()

    def restart(self) -> None:
        """Start anew: the first step group of a process is mostly compilation."""
        self._started = time.perf_counter()
        self._waited_s = 0.0
        self.images = 0

    def waiting(self, items: Iterator[T]) -> T:
        """Return the next item and count the time it took as waiting."""
        before = time.perf_counter()
        item = next(items)
        self._waited_s += time.perf_counter() - before
        return item

    @property
    def images_per_s(self) -> float:
        """Images per second since the start."""
        return self.images / self._elapsed_s

    @property
    def input_wait_frac(self) -> float:
        """Share of the time since the start that was spent waiting for input."""
        return self._waited_s / self._elapsed_s

    @property
    def total_s(self) -> float:
        """Seconds since this timer was made, whatever was restarted."""
        return time.perf_counter() - self._created

    @property
    def _elapsed_s(self) -> float:
        return max(time.perf_counter() - self._started, 1e-9)


_INPUT_BOUND = 0.2
"""TensorFlow's profiler calls a program input-bound from this share of the steps' time on."""


class TimeBudget:
    """Seconds of a run by activity."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(_ACTIVITIES, 0.0)

    @contextlib.contextmanager
    def spent(self, activity: str) -> Iterator[None]:
        """Count the time of the block."""
        before = time.perf_counter()
        yield
        self.seconds[activity] += time.perf_counter() - before

    def summary(self) -> str:
        """Return what limited the speed, with the share of the time of each activity."""
        total = max(sum(self.seconds.values()), 1e-9)
        shares = ", ".join(
            f"{activity} {100 * seconds / total:.0f} %"
            for activity, seconds in self.seconds.items()
        )
        return f"limited by {self._limit(total)} ({shares})"

    def _limit(self, total: float) -> str:
        waiting = self.seconds[INPUT]
        training = max(self.seconds[STEPS] + waiting, 1e-9)
        if training < total / 2:
            return "activities other than training"
        if waiting / training >= _INPUT_BOUND:
            return (
                "the input: devices waited for images; --cache=ram, more CPU cores or a smaller "
                "--image_size help"
            )
        return "computation on the devices"
