"""Norms of a training step: of the gradient, of the update and of the trained weights.

Owns what is measured, on each replica and without a message between them: gradients arrive summed
over the replicas, and every replica applies the same update. Euclidean norms over all variables, as
clipping uses them.
"""

from collections.abc import Sequence

import tensorflow as tf

NAMES = ("gradient_norm", "update_norm", "parameter_norm")


def measure(
    *,
    gradients: Sequence[tf.Tensor],
    before: Sequence[tf.Tensor],
    after: Sequence[tf.Tensor],
    parameters: Sequence[tf.Tensor],
) -> tf.Tensor:
    """Return the three norms of `NAMES`: float32[3].

    Args:
      gradients: of the whole batch, before they are clipped.
      before: the trained variables' values before the update.
      after: their values after it.
      parameters: of all variables that training changes, those frozen at the moment too.
    """
    updates = [new - old for new, old in zip(after, before, strict=True)]
    return tf.stack([tf.linalg.global_norm(each) for each in (gradients, updates, parameters)])
