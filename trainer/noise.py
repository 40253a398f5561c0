"""Random numbers that belong to an example, not to a device or a step.

Owns the one generator the trainer draws from: Philox, where the numbers of stream s at place p of epoch e are a pure
function of (seed, e, s, p). A replica that holds places p..p+b therefore draws its own stretch of the numbers that one
device would draw for the whole batch. The place (position in the epoch's order) stands for the example because
balanced sampling draws an example several times. Keras' SeedGenerator was rejected: it gives every replica the same
mask, and its state has to be checkpointed.
"""

import contextlib
import dataclasses
import threading
from collections.abc import Iterator

import tensorflow as tf

_PHILOX = 1
_GROUP = 4
"""Philox makes four 32-bit numbers for each value of its counter (Salmon et al. 2011, Table 2: Philox-4x32)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Draw:
    """Say whose numbers are drawn: those of `count` consecutive places from `first_place` on, in one epoch."""

    seed: int
    epoch: tf.Tensor  # int64[]
    first_place: tf.Tensor  # int64[]


def uniform(draw: Draw, *, stream: int, shape: tf.Tensor | tuple[int, ...]) -> tf.Tensor:
    """Draw float32 numbers in [0, 1).

    Args:
      draw: whose numbers.
      stream: which use they have (a layer, an augmentation); different streams are independent.
      shape: [B, ...], the first axis counts places.
    """
    shape = tf.cast(shape, tf.int64)
    size = tf.reduce_prod(shape[1:])
    groups = (size + _GROUP - 1) // _GROUP
    key = tf.random.experimental.stateless_fold_in(tf.constant([draw.seed, stream], tf.int64), draw.epoch)
    philox_key, _ = tf.raw_ops.StatelessRandomGetKeyCounter(seed=key)
    counter = tf.cast(tf.stack([draw.first_place * groups, tf.zeros([], tf.int64)]), tf.uint64)
    numbers = tf.raw_ops.StatelessRandomUniformV2(
        shape=tf.stack([shape[0], groups * _GROUP]), key=philox_key, counter=counter, alg=_PHILOX
    )
    return tf.reshape(numbers[:, :size], shape)


_current = threading.local()
"""The draw that layers use: MirroredStrategy traces each replica in a thread of its own."""


@contextlib.contextmanager
def drawing(draw: Draw) -> Iterator[None]:
    """Let the layers called in the block draw these numbers.

    A hidden argument, so that a model keeps the picture as its only input in training, export and prediction.
    """
    previous, _current.draw = getattr(_current, "draw", None), draw
    try:
        yield
    finally:
        _current.draw = previous


def current() -> Draw:
    """Return the draw of the enclosing `drawing` block.

    Raises:
      RuntimeError: outside of one.
    """
    draw = getattr(_current, "draw", None)
    if draw is None:
        raise RuntimeError("a layer that draws random numbers was called in training mode outside noise.drawing")
    return draw
