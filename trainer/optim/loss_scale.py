"""Dynamic loss scaling, which keeps small gradients from vanishing in float16.

Owns the scale and when it changes. Weights, their updates, logits and losses are float32 in every
precision. Keras' LossScaleOptimizer was rejected: it wraps Keras' optimizers, which are not used
here.
"""

from collections.abc import Sequence

import tensorflow as tf

_FIRST_SCALE = 2.0**15
_GOOD_STEPS = 2000
"""Steps without overflow after which the scale is doubled (Micikevicius et al. 2018,
arXiv:1710.03740, section 3.2)."""


class LossScale:
    """Factor of the loss and of its gradients; to be made in the strategy's scope.

    It is halved, and the step skipped, when a gradient overflows, and doubled after many steps
    without.

    Args:
      freed_at: the step from which layers are trained that were frozen before; 0 if none were.
    """

    def __init__(self, *, freed_at: int = 0) -> None:
        self._freed_at = freed_at
        self.scale = tf.Variable(_FIRST_SCALE, trainable=False, dtype=tf.float32)
        self.good_steps = tf.Variable(0, trainable=False, dtype=tf.int64)
        self.skipped = tf.Variable([0, 0], trainable=False, dtype=tf.int64)
        """Steps that were skipped before and since `freed_at`."""

    def unscaled(self, gradients: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Return the gradients of the loss itself."""
        return [gradient / self.scale for gradient in gradients]

    def update(self, gradients: Sequence[tf.Tensor], *, step: tf.Tensor) -> tf.Tensor:
        """Update the scale; to be called on each replica with the same gradients.

        Args:
          gradients: of the step.
          step: int64[], counted from the start of the run.

        Returns:
          bool[], whether the step is to be taken.
        """
        is_good = tf.reduce_all(
            [tf.reduce_all(tf.math.is_finite(gradient)) for gradient in gradients]
        )
        good_steps = tf.where(is_good, self.good_steps + 1, 0)
        is_ripe = good_steps >= _GOOD_STEPS
        kept_or_doubled = tf.where(is_ripe, 2 * self.scale, tf.identity(self.scale))
        self.scale.assign(tf.where(is_good, kept_or_doubled, tf.maximum(self.scale / 2, 1.0)))
        self.good_steps.assign(tf.where(is_ripe, tf.zeros_like(good_steps), good_steps))
        in_phase = tf.one_hot(tf.cast(step >= self._freed_at, tf.int32), 2, dtype=tf.int64)
        self.skipped.assign_add(tf.where(is_good, tf.zeros_like(in_phase), in_phase))
        return is_good
