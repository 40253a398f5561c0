"""The learning rate of every step.

Owns one pure function of the step. A stateful schedule object was rejected: it would have to be checkpointed.
"""

import math

import tensorflow as tf


def warmup_cosine(step: tf.Tensor, *, peak: float, warmup_steps: int, total_steps: int) -> tf.Tensor:
    """Return the rate of a step: a linear rise to `peak`, then half a cosine down to zero.

    The first step has peak / warmup_steps (not zero, which would waste it); the step after the last would have zero.
    Cosine: Loshchilov and Hutter 2017 (arXiv:1608.03983), Eq. 5 without restarts. Linear warm-up: Goyal et al. 2017
    (arXiv:1706.02677), section 2.2.

    Args:
      step: int64[], counted from 0.
      peak: the highest rate.
      warmup_steps: steps of the rise; 0 is none.
      total_steps: steps of the whole run.
    """
    step = tf.cast(step, tf.float32)
    rise = (step + 1) / max(warmup_steps, 1)
    progress = (step - warmup_steps) / max(total_steps - warmup_steps, 1)
    fall = 0.5 * (1 + tf.cos(math.pi * tf.clip_by_value(progress, 0, 1)))
    return peak * tf.where(step < warmup_steps, rise, fall)
