"""Average of the weights over the steps, exponential or of the last steps, to evaluate and save.

Owns the averaged copies and their exchange with the network's weights. Batch normalisation's
statistics are averaged with the weights they belong to. Keras' `use_ema` was rejected: it averages
trainable weights only, inside an optimizer that is not used here.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence

import tensorflow as tf

Decay = Callable[[tf.Tensor], tf.Tensor]
"""From the number of steps so far, float32[], to the share that the average keeps, float32[]."""


def exponential(decay: float) -> Decay:
    """Return the decay of an exponential moving average: min(decay, (1 + n) / (10 + n)).

    As in TensorFlow's ExponentialMovingAverage: the first of n steps would otherwise keep their
    share for thousands of steps.
    """
    return lambda count: tf.minimum(decay, (1 + count) / (10 + count))


def mean_after(start: int) -> Decay:
    """Return the decay that makes the mean of the weights after each step behind `start`.

    It is k / (k + 1) at the (k + 1)th of them, and 0 before: the average is then the weights
    themselves. Izmailov et al. 2018 (arXiv:1803.05407), Algorithm 1, with a cycle of one step.
    """
    return lambda count: tf.maximum(count - start - 1, 0) / tf.maximum(count - start, 1)


class WeightAverage:
    """Moving average of variables; to be made in the strategy's scope."""

    def __init__(self, variables: Sequence[tf.Variable], *, decay: Decay) -> None:
        self._variables = variables
        self._decay = decay
        self.copies = [tf.Variable(variable, trainable=False) for variable in variables]

    def update(self, step: tf.Tensor) -> None:
        """Update the averages after a step, counted from 0; to be called on each replica.

        average = d average + (1 - d) weights, with d the decay of this step.
        """
        decay = self._decay(tf.cast(step, tf.float32) + 1)
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
