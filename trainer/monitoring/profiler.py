"""A trace of some steps for TensorBoard's profiler.

Owns when it begins and ends. Whole calls are traced, several steps each: a call cannot be cut.
"""

import pathlib

import tensorflow as tf


class Profiler:
    """Trace the calls that hold steps first..last of the run, counted from 1; nothing where none
    are asked for."""

    def __init__(self, steps: tuple[int, ...], *, model_dir: pathlib.Path) -> None:
        self._first, self._last = steps or (0, -1)
        self._folder, self._is_on = model_dir / "tensorboard" / "train", False

    def before(self, *, first_step: int, last_step: int) -> None:
        """Begin where a call of these steps, counted from 1, is to be traced."""
        if not self._is_on and first_step <= self._last and last_step >= self._first:
            tf.profiler.experimental.start(str(self._folder))
            self._is_on = True

    def after(self, last_step: int) -> None:
        """End where the call just made holds the last step asked for."""
        if self._is_on and last_step >= self._last:
            self.stop()

    def stop(self) -> None:
        """End, and say where the trace is."""
        if self._is_on:
            tf.profiler.experimental.stop()
            self._is_on = False
            print(
                f"profile       {self._folder}: tensorboard --logdir={self._folder.parent}",
                flush=True,
            )
