"""Watchdog: ends a run of several hosts when no step has finished for too long.

A host that hangs keeps its connections open, and all others wait for its gradients. Owns the limit,
and how the run ends at it: as with a lost host, after printing this host's stack, since the one
that waits for no other is the one that hangs. TensorFlow's own time limit for collective operations
was rejected: it starts a thread for each, and is meant for debugging.
"""

import sys
import threading
import time
import traceback

from trainer.distributed import host_failure


class Watchdog:
    """Context that ends the process unless `hear` is called again within the limit."""

    def __init__(self, *, limit_s: float, model_dir: str) -> None:
        """Allow `limit_s` seconds between two calls of `hear`; 0 turns the watchdog off."""
        self._limit_s = limit_s
        self._model_dir = model_dir
        self._heard_at_s = 0.0
        self._is_over = threading.Event()

    def __enter__(self) -> "Watchdog":
        """Start watching."""
        self.hear()
        if self._limit_s:
            threading.Thread(target=self._watch, args=(threading.get_ident(),), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop watching."""
        self._is_over.set()

    def hear(self) -> None:
        """Record that the run makes progress."""
        self._heard_at_s = time.monotonic()

    def _watch(self, watched: int) -> None:
        while not self._is_over.wait(self._limit_s / 10):
            if time.monotonic() - self._heard_at_s > self._limit_s:
                self._end(watched)

    def _end(self, watched: int) -> None:
        print("\nstack of this host, most recent call last:", file=sys.stderr)
        traceback.print_stack(sys._current_frames()[watched])
        minutes = f"{self._limit_s / 60:g}"
        reason = (
            f"no step was finished in {minutes} minutes (--host_stall_minutes={minutes}): a host "
            "hangs"
        )
        host_failure.end(reason, model_dir=self._model_dir)
