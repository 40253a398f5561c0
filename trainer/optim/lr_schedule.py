"""Learning-rate schedules: linear warm-up, then cosine, step, exponential, plateau or no decay.

Owns pure functions of the step, and of the scores of the epochs before it (plateau). A stateful
schedule object was rejected: it would have to be checkpointed.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from trainer.config import training_config

Schedule = Callable[[tf.Tensor], tf.Tensor]
"""From a step, int64[] counted from 0, to its learning rate, float32[]."""

_FACTORS = {"step": 0.1, "exponential": 0.9, "plateau": 0.1}
_STEP_FRACS = (0.5, 0.75)
"""He et al. 2016 (arXiv:1512.03385), section 4.2: a tenth of the learning rate after half and after
three quarters."""


def make(settings: training_config.Optimization, *, epochs: int, steps_per_epoch: int) -> Schedule:
    """Return the schedule of a run: a linear warm-up, then the decay that the settings name.

    The first step has peak / warmup_steps (not zero, which would waste it). Linear warm-up: Goyal
    et al. 2017 (arXiv:1706.02677), section 2.2. A plateau's decay is not in it: `plateau_factor`.
    """
    warmup = round(settings.warmup_epochs * steps_per_epoch)
    length = epochs * steps_per_epoch - warmup
    drop_epochs = settings.decay_epochs or [frac * epochs for frac in _STEP_FRACS]
    drops = [round(epoch * steps_per_epoch) for epoch in drop_epochs]
    factor = decay_factor(settings)
    starts = _cycle_starts(settings, length=length, steps_per_epoch=steps_per_epoch)
    decays: dict[str, Schedule] = {
        "cosine": lambda step: _restarting(step - warmup, starts=starts),
        "step": lambda step: dropping(step, drops=drops, factor=factor),
        "exponential": lambda step: factor ** ((step - warmup) / steps_per_epoch),
        "plateau": tf.ones_like,
        "constant": tf.ones_like,
    }
    decay = _floored(decays[settings.schedule], settings=settings)

    def learning_rate(step: tf.Tensor) -> tf.Tensor:
        step = tf.cast(step, tf.float32)
        rise = (step + 1) / max(warmup, 1)
        return settings.learning_rate * tf.where(step < warmup, rise, decay(step))

    return learning_rate


def _floored(decay: Schedule, *, settings: training_config.Optimization) -> Schedule:
    """Return a decay that ends at the floor: a cosine is squeezed, another one is cut off."""
    if not settings.min_learning_rate:
        return decay
    floor = settings.min_learning_rate / settings.learning_rate
    if settings.schedule == "cosine":  # Loshchilov and Hutter 2017, Eq. 5.
        return lambda step: floor + (1 - floor) * decay(step)
    return lambda step: tf.maximum(decay(step), floor)


def decay_factor(settings: training_config.Optimization) -> float:
    """Return the factor of the decay, by default that of the schedule's kind."""
    if settings.decay_factor is not None:
        return settings.decay_factor
    return _FACTORS.get(settings.schedule, 1.0)


def plateau_factor(scores: Sequence[float], *, settings: training_config.Optimization) -> float:
    """Return the factor of the learning rate in the epoch after those with these scores.

    It is multiplied by `decay_factor` after every `plateau_epochs` epochs without one that is
    better than all before, as Keras' ReduceLROnPlateau does, and is 1 for the other schedules.

    Args:
      scores: of the epochs so far; the higher the better.
      settings: schedule, factor, epochs and floor.
    """
    if settings.schedule != "plateau":
        return 1.0
    best, waited, drops = -math.inf, 0, 0
    for score in scores:
        waited = 0 if score > best else waited + 1
        best = max(best, score)
        if waited == settings.plateau_epochs:
            waited, drops = 0, drops + 1
    factor: float = decay_factor(settings) ** drops
    if not settings.learning_rate:
        return factor
    return max(factor, settings.min_learning_rate / settings.learning_rate)


def _cycle_starts(
    settings: training_config.Optimization, *, length: int, steps_per_epoch: int
) -> list[int]:
    """Return the first step of each cosine cycle, and the end of the last one.

    The last cycle is cut off where the run ends.
    """
    if settings.cycle_epochs is None:
        return [0, length]
    starts, cycle = [0], settings.cycle_epochs * steps_per_epoch
    while starts[-1] < length:
        starts.append(starts[-1] + max(1, round(cycle)))
        cycle *= settings.cycle_factor
    return starts


def _restarting(step: tf.Tensor, *, starts: Sequence[int]) -> tf.Tensor:
    """Return the cosines of several cycles: the restarts of Loshchilov and Hutter 2017."""
    if len(starts) <= 2:
        return cosine(step, length=starts[-1])
    known = tf.constant(starts[:-1], tf.float32)
    lengths = tf.constant(np.diff(starts), tf.float32)
    cycle = tf.maximum(tf.reduce_sum(tf.cast(step >= known, tf.int32)) - 1, 0)
    place = (step - tf.gather(known, cycle)) / tf.gather(lengths, cycle)
    return 0.5 * (1 + tf.cos(math.pi * place))


def warning(settings: training_config.Optimization, *, epochs: int) -> str:
    """Return a warning where the run ends before the learning rate is at its peak, or ""."""
    if settings.warmup_epochs < epochs:
        return ""
    return (
        f"--warmup_epochs={settings.warmup_epochs:g} of --epochs={epochs} leaves no epoch at "
        f"--learning_rate={settings.learning_rate:g}; a tenth of the run is usual"
    )


def cosine(step: tf.Tensor, *, length: int) -> tf.Tensor:
    """Return half a cosine from 1 at step 0 to 0 at step `length`.

    Loshchilov and Hutter 2017 (arXiv:1608.03983), Eq. 5 in one cycle.
    """
    return 0.5 * (1 + tf.cos(math.pi * tf.clip_by_value(step / max(length, 1), 0, 1)))


def dropping(step: tf.Tensor, *, drops: Sequence[int], factor: float) -> tf.Tensor:
    """Return 1, multiplied by `factor` at each step of `drops`."""
    return factor ** tf.reduce_sum(tf.cast(step >= tf.constant(drops, tf.float32), tf.float32))
