"""Batch normalisation over the whole batch: of all replicas, and of real examples only.

Owns the layer, and the hidden argument that says which examples are real. Keras' layer was
rejected: synchronised, it still counts the filling of an epoch's last batch, so that its statistics
would depend on how a batch is filled up; unsynchronised, on how many replicas share it.
"""

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator

import keras
import tensorflow as tf

MOMENTUM = 0.9
"""Share of the moving statistics that a step keeps: they follow within tens of steps, also in runs
of few epochs."""

Slopes = Callable[[tf.Tensor], tuple[tf.Tensor | None, ...]]

_current = threading.local()
"""The examples that layers count: MirroredStrategy traces each replica in a thread of its own."""


@contextlib.contextmanager
def over(weight: tf.Tensor) -> Iterator[None]:
    """Let the layers called in the block count each example, float32[B], by 1 or, for filling, 0.

    A hidden argument for the reason that `example_rng.using` gives.
    """
    previous, _current.weight = getattr(_current, "weight", None), weight
    try:
        yield
    finally:
        _current.weight = previous


@keras.saving.register_keras_serializable(package="affectnet_faces")
class BatchNormalization(keras.layers.Layer):
    """Normalise each channel by its mean and variance over the batch (Ioffe and Szegedy 2015,
    Algorithm 1).

    In inference, and while the layer is frozen (`trainable = False`), by the moving statistics.
    Computed in float32.
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
                name=name,
                shape=input_shape[-1:],
                initializer=initializer,
                dtype="float32",
                autocast=False,
                **about,
            )

        # Every replica computes the same statistics, so that any of them can speak for all.
        moving = {"trainable": False, "aggregation": "only_first_replica"}
        self.gamma = channels("gamma", "ones") if self.scale else None
        self.beta = channels("beta", "zeros") if self.center else None
        self.moving_mean = channels("moving_mean", "zeros", **moving)
        self.moving_variance = channels("moving_variance", "ones", **moving)

    def call(self, inputs: tf.Tensor, *, training: bool = False) -> tf.Tensor:
        channels = inputs.shape[-1]
        gamma = tf.ones([channels]) if self.gamma is None else tf.convert_to_tensor(self.gamma)
        beta = tf.zeros([channels]) if self.beta is None else tf.convert_to_tensor(self.beta)
        mean, variance = (
            tf.convert_to_tensor(self.moving_mean),
            tf.convert_to_tensor(self.moving_variance),
        )
        if training and self.trainable:
            batch = moments(inputs, weight=_weight(), about=mean, otherwise=variance)
            self._move(self.moving_mean, to=batch.mean)
            self._move(self.moving_variance, to=batch.variance)
            normal = normalise(inputs, by=batch, gamma=gamma, beta=beta, epsilon=self.epsilon)
        else:
            x = tf.cast(inputs, tf.float32)
            normal = tf.nn.batch_normalization(
                x, mean, variance, beta, gamma, variance_epsilon=self.epsilon
            )
        return tf.cast(normal, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, object]:
        own = {
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
        }
        return {**super().get_config(), **own}

    def _move(self, moving: keras.Variable, *, to: tf.Tensor) -> None:
        moving.assign(self.momentum * tf.convert_to_tensor(moving) + (1 - self.momentum) * to)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Moments:
    """Mean and (population) variance of each channel, float32[C], over the examples of all replicas
    that count."""

    mean: tf.Tensor
    variance: tf.Tensor
    weight: tf.Tensor  # float32[B]: which examples of this replica count
    num_values: tf.Tensor  # float32[]: over how many values of a channel, on all replicas


def moments(x: tf.Tensor, *, weight: tf.Tensor, about: tf.Tensor, otherwise: tf.Tensor) -> Moments:
    """Return the moments of a batch, as numbers without slopes; `normalise` knows these.

    Args: x: float[B, ..., C], this replica's share. weight: float32[B], 1 for an example that
      counts and 0 for one that does not. about: float32[C], a guess of the mean: sums of squares
      about it keep their digits where the mean is far from 0
        (Chan, Golub and LeVeque 1983, section 2). It is the mean returned where no example counts.
      otherwise: float32[C], the variance returned where no example counts.
    """
    distance = tf.stop_gradient(tf.cast(x, tf.float32) - about)
    sums = [_over_places(each) for each in (distance, tf.square(distance))]  # [B, C]
    counted = tf.linalg.matvec(tf.concat(sums, axis=1), weight, transpose_a=True)
    total = all_sum(tf.concat([counted, [tf.reduce_sum(weight)]], axis=0))
    num_values = tf.maximum(total[-1], 1.0) * tf.cast(tf.reduce_prod(tf.shape(x)[1:-1]), tf.float32)
    first, second = tf.split(total[:-1] / num_values, 2)
    variance = tf.where(total[-1] > 0, tf.maximum(second - tf.square(first), 0.0), otherwise)
    return Moments(mean=about + first, variance=variance, weight=weight, num_values=num_values)


def normalise(
    x: tf.Tensor, *, by: Moments, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float
) -> tf.Tensor:
    """Return gamma (x - mean) / sqrt(variance + epsilon) + beta, float32, with slopes through the
    moments.

    The slopes are those of Ioffe and Szegedy 2015, section 3, with sums over all replicas, an
    example that does not count having no part in the moments. Written out rather than left to
    TensorFlow for two reasons: only x has to be kept until then, and TensorFlow's slope of an
    all-reduce searches the graph of every replica anew for each layer.
    """

    @tf.custom_gradient
    def apply(
        x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, *about: tf.Tensor
    ) -> tuple[tf.Tensor, Slopes]:
        mean, variance, weight, num_values = about
        inverse = tf.math.rsqrt(variance + epsilon)

        def slopes(slope: tf.Tensor) -> tuple[tf.Tensor | None, ...]:
            hat = (tf.cast(x, tf.float32) - mean) * inverse
            local = tf.concat(
                [tf.reduce_sum(_over_places(each), axis=0) for each in (slope, slope * hat)], axis=0
            )
            of_beta, of_gamma = tf.split(local, 2)
            mean_slope, mean_product = tf.split(all_sum(local) / num_values, 2)
            counts = tf.reshape(weight, [-1] + [1] * (len(x.shape) - 1))
            of_x = gamma * inverse * (slope - counts * (mean_slope + hat * mean_product))
            return tf.cast(of_x, x.dtype), of_gamma, of_beta, None, None, None, None

        return (tf.cast(x, tf.float32) - mean) * (inverse * gamma) + beta, slopes

    return apply(x, gamma, beta, by.mean, by.variance, by.weight, by.num_values)


def all_sum(value: tf.Tensor) -> tf.Tensor:
    """Return the sum over the replicas, without slopes; to be called on each replica."""
    replica = tf.distribute.get_replica_context()
    return value if replica.num_replicas_in_sync == 1 else replica.merge_call(_add, args=(value,))


def _add(strategy: tf.distribute.Strategy, value: tf.Tensor) -> tf.Tensor:
    return strategy.extended.reduce_to("SUM", value, destinations=value)


def _over_places(x: tf.Tensor) -> tf.Tensor:
    """Sum float[B, ..., C] to [B, C]."""
    inner = list(range(1, len(x.shape) - 1))
    return tf.reduce_sum(x, inner) if inner else x


def _weight() -> tf.Tensor:
    weight = getattr(_current, "weight", None)
    if weight is None:
        raise RuntimeError(
            "batch normalisation was called in training mode outside batch_norm.over"
        )
    return weight
