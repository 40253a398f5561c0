"""Per-example random numbers: independent of devices, replicas and step groups.

Owns the one generator the trainer draws from: Philox, where the numbers of stream s at position p
of epoch e are a pure function of (seed, e, s, p). A replica that holds positions p..p+b therefore
draws its own stretch of the numbers that one device would draw for the whole batch. The position in
the epoch's order identifies the example because balanced sampling draws an example several times.
Keras' SeedGenerator was rejected: it gives every replica the same mask, and its state has to be
checkpointed.
"""

import contextlib
import dataclasses
import math
import threading
from collections.abc import Iterator, Sequence

import tensorflow as tf

_PHILOX = 1
"""Philox among TensorFlow's algorithms (tensorflow/core/framework/rng_alg.h)."""
_ROUNDS = 10
_FACTORS = (0xD2511F53, 0xCD9E8D57)
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
"""Constants of Philox-4x32-10 (Salmon et al. 2011, section 3.3, Table 2)."""
_GAMMA = 0x9E3779B97F4A7C15
_MIXING = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
_LAST_SHIFT = 31
"""Constants of SplitMix64 (Steele, Lea and Flood 2014, Figure 16)."""
_GROUP = 4
"""Philox makes four 32-bit numbers for each value of its counter (Salmon et al. 2011, Table 2:
Philox-4x32)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExampleRng:
    """Random number generator of consecutive positions of one epoch.

    With `in_graph` the same numbers come from plain arithmetic, which XLA can compile.
    """

    seed: int
    epoch: tf.Tensor  # int64[]
    first_position: tf.Tensor  # int64[]
    in_graph: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**31:
            raise ValueError(f"seed must be 0..2^31 - 1: got {self.seed}")


def uniform(rng: ExampleRng, *, stream: int, shape: Sequence[int]) -> tf.Tensor:
    """Draw float32 numbers in [0, 1).

    Args:
      rng: the generator.
      stream: what they are used for (a layer, an augmentation); streams are independent.
      shape: (B, ...), the first axis counts positions. Numbers rather than a tensor: what is known
        while a graph is traced takes no nodes in it, where each draw took 40 on every replica.
    """
    count, *each = shape
    size = math.prod(each)
    groups = -(-size // _GROUP)
    draw = _draw_in_graph if rng.in_graph else _draw
    numbers = draw(
        _key(rng, stream=stream),
        first=rng.first_position * groups,
        count=count * groups,
    )
    if size % _GROUP:
        numbers = tf.reshape(numbers, (-1, groups * _GROUP))[:, :size]
    return tf.reshape(numbers, (-1, *each))


def _key(rng: ExampleRng, *, stream: int) -> tf.Tensor:
    """Mix seed, stream and epoch into the generator's key, uint64[], by SplitMix64 twice.

    TensorFlow's own key derivation was rejected: XLA derives others.
    """
    state = _mixed_number(rng.seed * 2**32 + stream) + _GAMMA
    z = tf.constant(state % 2**64, tf.uint64) + tf.cast(rng.epoch, tf.uint64)
    for shift, factor in _MIXING:
        z = (z ^ tf.bitwise.right_shift(z, tf.constant(shift, tf.uint64))) * tf.constant(
            factor, tf.uint64
        )
    return z ^ tf.bitwise.right_shift(z, tf.constant(_LAST_SHIFT, tf.uint64))


def _mixed_number(z: int) -> int:
    """Return SplitMix64's next number from a state, as `_key` computes it of a tensor."""
    z = (z + _GAMMA) % 2**64
    for shift, factor in _MIXING:
        z = (z ^ z >> shift) * factor % 2**64
    return z ^ z >> _LAST_SHIFT


def _draw(key: tf.Tensor, *, first: tf.Tensor, count: int) -> tf.Tensor:
    """Draw the groups first .. first + count - 1 with TensorFlow's kernel: float32[4 count]."""
    counter = tf.cast(tf.stack([first, tf.zeros([], tf.int64)]), tf.uint64)
    return tf.raw_ops.StatelessRandomUniformV2(
        shape=[count * _GROUP], key=key[None], counter=counter, alg=_PHILOX
    )


def _draw_in_graph(key: tf.Tensor, *, first: tf.Tensor, count: int) -> tf.Tensor:
    """Draw the same numbers as `_draw` with Philox-4x32-10 written out.

    Source: Salmon et al. 2011, section 3.3. XLA has a kernel too, but arranges the numbers by the
    size of the whole draw, so that they would no longer belong to their positions.
    """
    low32 = tf.constant(0xFFFFFFFF, tf.uint64)
    half = tf.constant(32, tf.uint64)
    counter = tf.cast(first + tf.range(count, dtype=tf.int64), tf.uint64)
    zero = tf.zeros_like(counter)
    words = [counter & low32, tf.bitwise.right_shift(counter, half), zero, zero]
    keys = [key & low32, tf.bitwise.right_shift(key, half)]
    for _ in range(_ROUNDS):
        products = [words[2 * i] * tf.constant(_FACTORS[i], tf.uint64) for i in (0, 1)]
        high = [tf.bitwise.right_shift(product, half) for product in products]
        low = [product & low32 for product in products]
        words = [high[1] ^ words[1] ^ keys[0], low[1], high[0] ^ words[3] ^ keys[1], low[0]]
        keys = [
            (k + tf.constant(step, tf.uint64)) & low32
            for k, step in zip(keys, _KEY_STEPS, strict=True)
        ]
    bits = tf.reshape(tf.stack(words, axis=1), [-1])
    return _unit_floats(tf.cast(bits, tf.uint32))


def _unit_floats(bits: tf.Tensor) -> tf.Tensor:
    """Return floats in [0, 1) for uint32[N]: the low 23 bits as the fraction of 1.x, less 1."""
    fraction = bits & tf.constant(0x7FFFFF, tf.uint32)
    return tf.bitcast(fraction | tf.constant(0x3F800000, tf.uint32), tf.float32) - 1.0


_current = threading.local()
"""The generator that layers use; MirroredStrategy traces each replica in a thread of its own."""


@contextlib.contextmanager
def using(rng: ExampleRng) -> Iterator[None]:
    """Let the layers called in the block draw from this generator.

    A hidden argument, so that a model keeps the image as its only input in training, export and
    prediction.
    """
    previous = getattr(_current, "rng", None)
    _current.rng = rng
    try:
        yield
    finally:
        _current.rng = previous


def current() -> ExampleRng:
    """Return the generator of the enclosing `using` block.

    Raises:
      RuntimeError: outside of one.
    """
    rng: ExampleRng | None = getattr(_current, "rng", None)
    if rng is None:
        raise RuntimeError(
            "a layer that draws random numbers was called in training mode outside "
            "example_rng.using"
        )
    return rng
