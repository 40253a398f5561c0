"""Learning-rate schedules: linear warm-up, then cosine, step, exponential or no decay.

Owns pure functions of the step. A stateful schedule object was rejected: it would have to be
checkpointed.
"""

import math
from collections.abc import Callable, Sequence

import tensorflow as tf

from trainer.config import training_config

Schedule = Callable[[tf.Tensor], tf.Tensor]
"""From a step, int64[] counted from 0, to its learning rate, float32[]."""

_FACTORS = {"step": 0.1, "exponential": 0.9}
_STEP_FRACS = (0.5, 0.75)
"""He et al. 2016 (arXiv:1512.03385), section 4.2: a tenth of the learning rate after half and after
three quarters."""


def make(settings: training_config.Optimization, *, epochs: int, steps_per_epoch: int) -> Schedule:
    """Return the schedule of a run: a linear warm-up, then the decay that the settings name.

    The first step has peak / warmup_steps (not zero, which would waste it). Linear warm-up: Goyal
    et al. 2017 (arXiv:1706.02677), section 2.2.
    """
    warmup = round(settings.warmup_epochs * steps_per_epoch)
    total = epochs * steps_per_epoch
    factor = settings.decay_factor
    if factor is None:
        factor = _FACTORS.get(settings.schedule, 1.0)
    drop_epochs = settings.decay_epochs or [frac * epochs for frac in _STEP_FRACS]
    drops = [round(epoch * steps_per_epoch) for epoch in drop_epochs]
    decays: dict[str, Schedule] = {
        "cosine": lambda step: cosine(step - warmup, length=total - warmup),
        "step": lambda step: dropping(step, drops=drops, factor=factor),
        "exponential": lambda step: factor ** ((step - warmup) / steps_per_epoch),
        "constant": tf.ones_like,
    }
    decay = decays[settings.schedule]

    def learning_rate(step: tf.Tensor) -> tf.Tensor:
        step = tf.cast(step, tf.float32)
        rise = (step + 1) / max(warmup, 1)
        return settings.learning_rate * tf.where(step < warmup, rise, decay(step))

    return learning_rate


def cosine(step: tf.Tensor, *, length: int) -> tf.Tensor:
    """Return half a cosine from 1 at step 0 to 0 at step `length`.

    Loshchilov and Hutter 2017 (arXiv:1608.03983), Eq. 5 without restarts.
    """
    return 0.5 * (1 + tf.cos(math.pi * tf.clip_by_value(step / max(length, 1), 0, 1)))


def dropping(step: tf.Tensor, *, drops: Sequence[int], factor: float) -> tf.Tensor:
    """Return 1, multiplied by `factor` at each step of `drops`."""
    return factor ** tf.reduce_sum(tf.cast(step >= tf.constant(drops, tf.float32), tf.float32))
