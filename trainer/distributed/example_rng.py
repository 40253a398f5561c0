"""Random numbers that belong to an example, not to a device or a step.

Owns the one generator the trainer draws from: Philox, where the numbers of stream s at place p of
epoch e are a pure function of (seed, e, s, p). A replica that holds places p..p+b therefore draws
its own stretch of the numbers that one device would draw for the whole batch. The place (position
in the epoch's order) stands for the example because balanced sampling draws an example several
times. Keras' SeedGenerator was rejected: it gives every replica the same mask, and its state has to
be checkpointed.
"""

import contextlib
import dataclasses
import threading
from collections.abc import Iterator

import tensorflow as tf

_PHILOX = 1
"""TensorFlow's number of the algorithm."""
_ROUNDS = 10
_FACTORS = (0xD2511F53, 0xCD9E8D57)
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
"""Constants of Philox-4x32-10 (Salmon et al. 2011, section 3.3, Table 2)."""
_GROUP = 4
"""Philox makes four 32-bit numbers for each value of its counter (Salmon et al. 2011, Table 2:
Philox-4x32)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExampleRng:
    """Say whose numbers are drawn: those of `count` consecutive places from `first_position` on, in
    one epoch."""

    seed: int
    epoch: tf.Tensor  # int64[]
    first_position: tf.Tensor  # int64[]
    in_graph: bool = (
        False  # made of plain arithmetic, which XLA compiles as it is; the same numbers
    )

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**31:
            raise ValueError(f"seed must be 0..2^31 - 1: got {self.seed}")


def uniform(draw: ExampleRng, *, stream: int, shape: tf.Tensor | tuple[int, ...]) -> tf.Tensor:
    """Draw float32 numbers in [0, 1).

    Args:
      draw: whose numbers.
      stream: which use they have (a layer, an augmentation); different streams are independent.
      shape: [B, ...], the first axis counts places.
    """
    shape = tf.cast(shape, tf.int64)
    size = tf.reduce_prod(shape[1:])
    groups = (size + _GROUP - 1) // _GROUP
    key = _key(draw, stream=stream)
    first, count = draw.first_position * groups, shape[0] * groups
    drawn = (
        _drawn_in_graph(key, first=first, count=count)
        if draw.in_graph
        else _drawn(key, first=first, count=count)
    )
    return tf.reshape(tf.reshape(drawn, tf.stack([shape[0], groups * _GROUP]))[:, :size], shape)


def _key(draw: ExampleRng, *, stream: int) -> tf.Tensor:
    """Mix seed, stream and epoch into the generator's key, uint64[].

    TensorFlow's own key derivation was rejected: XLA derives others.
    """
    key = _mixed(tf.constant(draw.seed * 2**32 + stream, tf.uint64))
    return _mixed(key + tf.cast(draw.epoch, tf.uint64))


def _mixed(z: tf.Tensor) -> tf.Tensor:
    """Return SplitMix64's next number from a state, uint64[] (Steele, Lea and Flood 2014, Figure
    16)."""
    z = z + tf.constant(0x9E3779B97F4A7C15, tf.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ tf.bitwise.right_shift(z, tf.constant(shift, tf.uint64))) * tf.constant(
            factor, tf.uint64
        )
    return z ^ tf.bitwise.right_shift(z, tf.constant(31, tf.uint64))


def _drawn(key: tf.Tensor, *, first: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Draw the groups first .. first + count - 1 with TensorFlow's kernel: float32[4 count]."""
    counter = tf.cast(tf.stack([first, tf.zeros([], tf.int64)]), tf.uint64)
    return tf.raw_ops.StatelessRandomUniformV2(
        shape=[count * _GROUP], key=key[None], counter=counter, alg=_PHILOX
    )


def _drawn_in_graph(key: tf.Tensor, *, first: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Do what `_drawn` does with Philox written out (Salmon et al. 2011, section 3.3:
    Philox-4x32-10).

    XLA has a kernel too, but arranges the numbers by the size of the whole draw, so that they would
    no longer belong to their places.
    """
    low32, half = tf.constant(0xFFFFFFFF, tf.uint64), tf.constant(32, tf.uint64)
    counter = tf.cast(first + tf.range(count), tf.uint64)
    zero = tf.zeros_like(counter)
    words = [counter & low32, tf.bitwise.right_shift(counter, half), zero, zero]
    keys = [key & low32, tf.bitwise.right_shift(key, half)]
    for _ in range(_ROUNDS):
        products = [words[2 * i] * tf.constant(_FACTORS[i], tf.uint64) for i in (0, 1)]
        high, low = (
            [tf.bitwise.right_shift(p, half) for p in products],
            [p & low32 for p in products],
        )
        words = [high[1] ^ words[1] ^ keys[0], low[1], high[0] ^ words[3] ^ keys[1], low[0]]
        keys = [
            (k + tf.constant(step, tf.uint64)) & low32
            for k, step in zip(keys, _KEY_STEPS, strict=True)
        ]
    bits = tf.reshape(tf.stack(words, axis=1), [-1])
    return _unit_floats(tf.cast(bits, tf.uint32))


def _unit_floats(bits: tf.Tensor) -> tf.Tensor:
    """Turn uint32[N] into floats in [0, 1): the low 23 bits are the fraction of a number in [1, 2),
    less 1."""
    fraction = bits & tf.constant(0x7FFFFF, tf.uint32)
    return tf.bitcast(fraction | tf.constant(0x3F800000, tf.uint32), tf.float32) - 1.0


_current = threading.local()
"""The draw that layers use: MirroredStrategy traces each replica in a thread of its own."""


@contextlib.contextmanager
def using(draw: ExampleRng) -> Iterator[None]:
    """Let the layers called in the block draw these numbers.

    A hidden argument, so that a model keeps the picture as its only input in training, export and
    prediction.
    """
    previous, _current.draw = getattr(_current, "draw", None), draw
    try:
        yield
    finally:
        _current.draw = previous


def current() -> ExampleRng:
    """Return the draw of the enclosing `using` block.

    Raises:
      RuntimeError: outside of one.
    """
    draw = getattr(_current, "draw", None)
    if draw is None:
        raise RuntimeError(
            "a layer that draws random numbers was called in training mode outside example_rng.using"
        )
    return draw
