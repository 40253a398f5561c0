"""Loss of valence and arousal: 1 - CCC plus the mean squared error.

Owns that loss over the examples of all replicas at once: CCC is not a mean over examples, so that
the mean over replicas of each one's own CCC would be another loss with every number of replicas.
"""

import tensorflow as tf

from trainer.models import sync_batch_norm

_TINY = 1e-6
"""Avoids 0/0."""


def total(predicted: tf.Tensor, *, truth: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Return the loss times the number of examples, over all replicas, float32[].

    Every replica returns the same value. The loss is the mean over valence and arousal of 1 - CCC
    (Lin 1989) + MSE: 0 for one that no example is annotated with, and without 1 - CCC for one of a
    single example. MSE keeps a gradient where predictions do not vary yet and CCC has next to none.
    Gradients reach this replica's predictions only: those of all replicas, added up, are the
    loss's.

    Args:
      predicted: float[B, 2], valence and arousal.
      truth: float32[B, 2], NaN where there is no annotation.
      weight: float32[B], 1, or 0 for padding.
    """
    is_known = tf.math.is_finite(truth)
    x, y = tf.cast(predicted, tf.float32), tf.where(is_known, truth, 0.0)
    one = tf.ones_like(x) * weight[:, None]
    known = tf.cast(is_known, tf.float32) * one
    local = tf.reduce_sum(
        tf.stack([one, known, *(known * z for z in (x, y, x * x, y * y, x * y))]), axis=1
    )  # [7, 2]
    sums = local + tf.stop_gradient(sync_batch_norm.all_sum(tf.stop_gradient(local)) - local)
    n = sums[1]
    mean_x, mean_y, mean_xx, mean_yy, mean_xy = tf.unstack(sums[2:] / tf.maximum(n, 1.0))
    variances = mean_xx - tf.square(mean_x) + mean_yy - tf.square(mean_y)
    offset = tf.square(mean_x - mean_y)
    ccc = 2 * (mean_xy - mean_x * mean_y) / (tf.maximum(variances, 0.0) + offset + _TINY)
    squared_error = mean_xx + mean_yy - 2 * mean_xy
    return tf.reduce_mean(tf.where(n > 1, 1 - ccc, 0.0) + squared_error) * sums[0, 0]
