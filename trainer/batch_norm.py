"""Batch normalisation over the whole batch: of all replicas, and of real examples only.

Owns the layer, and the hidden argument that says which examples are real. Keras' layer was rejected: synchronised, it
still counts the filling of an epoch's last batch, so that its statistics would depend on how a batch is filled up;
unsynchronised, on how many replicas share it.
"""

import contextlib
import threading
from collections.abc import Iterator

import keras
import tensorflow as tf

MOMENTUM = 0.9
"""Share of the moving statistics that a step keeps: they follow within tens of steps, also in runs of few epochs."""

_current = threading.local()
"""The examples that layers count: MirroredStrategy traces each replica in a thread of its own."""


@contextlib.contextmanager
def over(weight: tf.Tensor) -> Iterator[None]:
    """Let the layers called in the block count each example, float32[B], by 1 or, for filling, 0.

    A hidden argument for the reason that `noise.drawing` gives.
    """
    previous, _current.weight = getattr(_current, "weight", None), weight
    try:
        yield
    finally:
        _current.weight = previous


@keras.saving.register_keras_serializable(package="affectnet_faces")
class BatchNormalization(keras.layers.Layer):
    """Normalise each channel by its mean and variance over the batch (Ioffe and Szegedy 2015, Algorithm 1).

    In inference, and while the layer is frozen (`trainable = False`), by the moving statistics. Computed in float32.
    """

    def __init__(
        self,
        *,
        momentum: float = MOMENTUM,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.momentum, self.epsilon, self.center, self.scale = momentum, epsilon, center, scale

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        def channels(name: str, initializer: str, **about: object) -> keras.Variable:
            return self.add_weight(
                name=name, shape=input_shape[-1:], initializer=initializer, dtype="float32", autocast=False, **about
            )

        # Every replica computes the same statistics, so that any of them can speak for all.
        moving = {"trainable": False, "aggregation": "only_first_replica"}
        self.gamma = channels("gamma", "ones") if self.scale else None
        self.beta = channels("beta", "zeros") if self.center else None
        self.moving_mean = channels("moving_mean", "zeros", **moving)
        self.moving_variance = channels("moving_variance", "ones", **moving)

    def call(self, inputs: tf.Tensor, *, training: bool = False) -> tf.Tensor:
        x = tf.cast(inputs, tf.float32)
        mean, variance = tf.convert_to_tensor(self.moving_mean), tf.convert_to_tensor(self.moving_variance)
        if training and self.trainable:
            mean, variance = moments(x, weight=_weight(), about=mean, otherwise=variance)
            self._move(self.moving_mean, to=mean)
            self._move(self.moving_variance, to=variance)
        beta, gamma = (None if v is None else tf.convert_to_tensor(v) for v in (self.beta, self.gamma))
        normal = tf.nn.batch_normalization(x, mean, variance, offset=beta, scale=gamma, variance_epsilon=self.epsilon)
        return tf.cast(normal, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, object]:
        own = {"momentum": self.momentum, "epsilon": self.epsilon, "center": self.center, "scale": self.scale}
        return {**super().get_config(), **own}

    def _move(self, moving: keras.Variable, *, to: tf.Tensor) -> None:
        moving.assign(self.momentum * tf.convert_to_tensor(moving) + (1 - self.momentum) * tf.stop_gradient(to))


def moments(x: tf.Tensor, *, weight: tf.Tensor, about: tf.Tensor, otherwise: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the mean and (population) variance of each channel over the examples of all replicas, float32[C] each.

    Args:
      x: float32[B, ..., C].
      weight: float32[B], 1 for an example that counts and 0 for one that does not.
      about: float32[C], a guess of the mean: sums of squares about it keep their digits where the mean is far from 0
        (Chan, Golub and LeVeque 1983, section 2). It is the mean returned where no example counts.
      otherwise: float32[C], the variance returned where no example counts.
    """
    distance = x - tf.stop_gradient(about)
    inner = list(range(1, len(x.shape) - 1))
    sums = [tf.reduce_sum(each, inner) if inner else each for each in (distance, tf.square(distance))]  # [B, C]
    places = tf.cast(tf.reduce_prod(tf.shape(x)[1:-1]), tf.float32)
    packed = tf.concat(
        [tf.linalg.matvec(tf.concat(sums, axis=1), weight, transpose_a=True), [tf.reduce_sum(weight)]], 0
    )
    total = all_sum(packed)
    first, second = tf.split(total[:-1] / (places * tf.maximum(total[-1], 1.0)), 2)
    return about + first, tf.where(total[-1] > 0, tf.maximum(second - tf.square(first), 0.0), otherwise)


def all_sum(value: tf.Tensor) -> tf.Tensor:
    """Return the sum over the replicas, through which gradients flow back to each; to be called on a replica."""
    replica = tf.distribute.get_replica_context()
    return value if replica.num_replicas_in_sync == 1 else replica.all_reduce("sum", value)


def _weight() -> tf.Tensor:
    weight = getattr(_current, "weight", None)
    if weight is None:
        raise RuntimeError("batch normalisation was called in training mode outside batch_norm.over")
    return weight
