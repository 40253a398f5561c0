"""What training minimises, one number an example.

Owns losses over logits. Reduction is the loop's: only it knows how many examples the whole batch holds.
"""

import tensorflow as tf


def cross_entropy(logits: tf.Tensor, *, labels: tf.Tensor) -> tf.Tensor:
    """Return -log softmax(logits)[label].

    Args:
      logits: float[B, C].
      labels: int64[B].

    Returns:
      float32[B].
    """
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=tf.cast(logits, tf.float32))
