"""Exponential moving average of the weights over the steps, for evaluation and saving.

Owns the averaged copies and their exchange with the network's weights. Batch normalisation's
statistics are averaged with the weights they belong to. Keras' `use_ema` was rejected: it averages
trainable weights only, inside an optimizer that is not used here.
"""

import contextlib
from collections.abc import Iterator, Sequence

import tensorflow as tf


class WeightAverage:
    """Exponential moving average of variables; to be made in the strategy's scope."""

    def __init__(self, variables: Sequence[tf.Variable], *, decay: float) -> None:
        self._variables = variables
        self._decay = decay
        self.copies = [tf.Variable(variable, trainable=False) for variable in variables]

    def update(self, step: tf.Tensor) -> None:
        """Update the averages after a step, counted from 0; to be called on each replica.

        average = d average + (1 - d) weights, d = min(decay, (1 + n) / (10 + n)) after n steps, as
        in TensorFlow's ExponentialMovingAverage: the first steps would otherwise keep their share
        for thousands of steps.
        """
        count = tf.cast(step, tf.float32) + 1
        decay = tf.minimum(self._decay, (1 + count) / (10 + count))
        for copy, variable in zip(self.copies, self._variables, strict=True):
            if variable.dtype.is_floating:
                copy.assign_sub(tf.cast(1 - decay, copy.dtype) * (copy - variable))
            else:
                copy.assign(variable)

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Give the network the averages inside the block, and exactly its own weights after it."""
        own = [variable.numpy() for variable in self._variables]
        for copy, variable in zip(self.copies, self._variables, strict=True):
            variable.assign(copy.numpy())
        try:
            yield
        finally:
            for variable, value in zip(self._variables, own, strict=True):
                variable.assign(value)
