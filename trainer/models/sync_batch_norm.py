"""Synchronised batch normalisation: statistics over the real examples of all replicas.

Owns the layer, and the hidden argument that says which examples are real. Keras' layer was
rejected: synchronised, it still counts the padding of an epoch's last batch, so that its statistics
would depend on how a batch is padded; unsynchronised, on how many replicas share it.
"""

import contextlib
import dataclasses
import math
import threading
from collections.abc import Callable, Iterator

import keras
import tensorflow as tf

MOMENTUM = 0.9
"""Share of the moving statistics that a step keeps: they adapt within tens of steps, so that runs
of few epochs have them too."""

Gradients = Callable[[tf.Tensor], tuple[tf.Tensor | None, ...]]

_current = threading.local()
"""Weights of the examples: MirroredStrategy traces each replica in a thread of its own."""


@contextlib.contextmanager
def weighting(weight: tf.Tensor) -> Iterator[None]:
    """Weight the examples of layers called in the block: float32[B], 1 or, for padding, 0.

    A hidden argument for the reason that `example_rng.using` gives.
    """
    previous, _current.weight = getattr(_current, "weight", None), weight
    try:
        yield
    finally:
        _current.weight = previous


@keras.saving.register_keras_serializable(package="affectnet_faces")
class BatchNormalization(keras.layers.Layer):
    """Normalisation of each channel by its mean and variance over the batch, in float32.

    Ioffe and Szegedy 2015, Algorithm 1. In inference, and while the layer is frozen (`trainable =
    False`), by the moving statistics.
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
        self.momentum = momentum
        self.epsilon = epsilon
        self.center = center
        self.scale = scale

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

        # Every replica computes the same statistics, so that the first one's can be saved.
        moving = {"trainable": False, "aggregation": "only_first_replica"}
        self.gamma = channels("gamma", "ones") if self.scale else None
        self.beta = channels("beta", "zeros") if self.center else None
        self.moving_mean = channels("moving_mean", "zeros", **moving)
        self.moving_variance = channels("moving_variance", "ones", **moving)

    def call(self, inputs: tf.Tensor, *, training: bool = False) -> tf.Tensor:
        channels = inputs.shape[-1]
        gamma = tf.ones([channels]) if self.gamma is None else tf.convert_to_tensor(self.gamma)
        beta = tf.zeros([channels]) if self.beta is None else tf.convert_to_tensor(self.beta)
        mean = tf.convert_to_tensor(self.moving_mean)
        variance = tf.convert_to_tensor(self.moving_variance)
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
    """Mean and (population) variance of each channel, float32[C], over all real examples."""

    mean: tf.Tensor
    variance: tf.Tensor
    weight: tf.Tensor  # float32[B]: 1 for the real examples of this replica, else 0
    num_values: tf.Tensor  # float32[]: number of values of a channel, on all replicas


def moments(x: tf.Tensor, *, weight: tf.Tensor, about: tf.Tensor, otherwise: tf.Tensor) -> Moments:
    """Return the moments of a batch, without gradients; `normalise` has these.

    Args:
      x: float[B, ..., C], this replica's share.
      weight: float32[B], 1 for a real example and 0 for padding.
      about: float32[C], a guess of the mean: sums of squares about it keep their digits where the
        mean is far from 0 (Chan, Golub and LeVeque 1983, section 2). It is the mean returned for a
        batch without real examples.
      otherwise: float32[C], the variance returned for a batch without real examples.
    """
    distance = tf.stop_gradient(tf.cast(x, tf.float32) - about)
    sums = [_over_places(each) for each in (distance, tf.square(distance))]  # [B, C]
    counted = tf.linalg.matvec(tf.concat(sums, axis=1), weight, transpose_a=True)
    total = all_sum(tf.concat([counted, [tf.reduce_sum(weight)]], axis=0))
    num_values = tf.maximum(total[-1], 1.0) * math.prod(x.shape[1:-1])
    first, second = tf.split(total[:-1] / num_values, 2)
    variance = tf.where(total[-1] > 0, tf.maximum(second - tf.square(first), 0.0), otherwise)
    return Moments(mean=about + first, variance=variance, weight=weight, num_values=num_values)


def normalise(
    x: tf.Tensor, *, by: Moments, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float
) -> tf.Tensor:
    """Return gamma (x - mean) / sqrt(variance + epsilon) + beta, float32.

    Its gradient goes through the moments: Ioffe and Szegedy 2015, section 3, with sums over the
    real examples of all replicas. Written out rather than left to TensorFlow for two reasons: only
    x has to be kept for the backward pass, and TensorFlow's gradient of an all-reduce searches the
    graph of every replica anew for each layer.
    """

    @tf.custom_gradient
    def apply(
        x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, *about: tf.Tensor
    ) -> tuple[tf.Tensor, Gradients]:
        mean, variance, weight, num_values = about
        inverse = tf.math.rsqrt(variance + epsilon)

        def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor | None, ...]:
            hat = (tf.cast(x, tf.float32) - mean) * inverse
            local = tf.concat(
                [tf.reduce_sum(_over_places(each), axis=0) for each in (upstream, upstream * hat)],
                axis=0,
            )
            of_beta, of_gamma = tf.split(local, 2)
            mean_upstream, mean_product = tf.split(all_sum(local) / num_values, 2)
            counts = tf.reshape(weight, [-1] + [1] * (len(x.shape) - 1))
            of_x = gamma * inverse * (upstream - counts * (mean_upstream + hat * mean_product))
            return tf.cast(of_x, x.dtype), of_gamma, of_beta, None, None, None, None

        return (tf.cast(x, tf.float32) - mean) * (inverse * gamma) + beta, gradients

    return apply(x, gamma, beta, by.mean, by.variance, by.weight, by.num_values)


def all_sum(value: tf.Tensor) -> tf.Tensor:
    """Return the sum over the replicas, without a gradient; to be called on each replica."""
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
            "batch normalisation was called in training mode outside sync_batch_norm.weighting"
        )
    return weight
