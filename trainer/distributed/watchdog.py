"""A watchdog for several hosts: one that hangs lives on and answers, and all others wait for its
gradients.

Owns the limit, and how the run ends at it: as with a lost host, after saying where this one stands,
since the one that waits for no other is the one that hangs. TensorFlow's own time limit for
collective operations was rejected: it starts a thread for each, and is meant for debugging.
"""

import sys
import threading
import time
import traceback

from trainer.distributed import host_failure


class Watchdog:
    """A context that ends the process unless it hears, again and again, that the run goes on."""

    def __init__(self, *, limit_s: float, model_dir: str) -> None:
        """Wait so many seconds for each sign of life; 0: do not watch."""
        self._limit_s, self._model_dir = limit_s, model_dir
        self._heard_at_s = 0.0
        self._is_over = threading.Event()

    def __enter__(self) -> "Watchdog":
        """Begin to watch."""
        self.hear()
        if self._limit_s:
            threading.Thread(target=self._watch, args=(threading.get_ident(),), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop watching."""
        self._is_over.set()

    def hear(self) -> None:
        """Learn that the run goes on."""
        self._heard_at_s = time.monotonic()

    def _watch(self, watched: int) -> None:
        while not self._is_over.wait(self._limit_s / 10):
            if time.monotonic() - self._heard_at_s > self._limit_s:
                self._bite(watched)

    def _bite(self, watched: int) -> None:
        print("\nwhere this host stands, the newest call last:", file=sys.stderr)
        traceback.print_stack(sys._current_frames()[watched])
        minutes = f"{self._limit_s / 60:g}"
        reason = f"no step was finished in {minutes} minutes (--host_stall_minutes={minutes}): a host hangs"
        host_failure.end(reason, model_dir=self._model_dir)
