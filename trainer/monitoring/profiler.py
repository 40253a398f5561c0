"""Profiler: traces the steps of --profile_steps for TensorBoard.

Owns when a trace begins and ends. Whole step groups are traced: a call into the graph cannot be
cut.
"""

import pathlib

import tensorflow as tf


class Profiler:
    """Trace the step groups that hold steps first..last of the run, counted from 1."""

    def __init__(self, steps: tuple[int, ...], *, model_dir: pathlib.Path) -> None:
        """Trace `steps`, (first, last); or nothing, ()."""
        self._first, self._last = steps or (0, -1)
        self._folder = model_dir / "tensorboard" / "train"
        self._is_on = False

    def before(self, *, first_step: int, last_step: int) -> None:
        """Start the trace if a step group of these steps is to be traced."""
        if not self._is_on and first_step <= self._last and last_step >= self._first:
            tf.profiler.experimental.start(str(self._folder))
            self._is_on = True

    def after(self, last_step: int) -> None:
        """Stop the trace if the step group just trained holds the last step to trace."""
        if self._is_on and last_step >= self._last:
            self.stop()

    def stop(self) -> None:
        """Stop the trace, if there is one, and print where it is."""
        if self._is_on:
            tf.profiler.experimental.stop()
            self._is_on = False
            print(
                f"profile       {self._folder}: tensorboard --logdir={self._folder.parent}",
                flush=True,
            )
