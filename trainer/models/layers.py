"""Keras layers: reproducible dropout and stochastic depth, gray scale, image normalisation.

Owns dropout of units and of residual branches with masks that are a function of the example (see
`example_rng`), gray scale, and the normalisations of images. Keras' own dropout was rejected: it
gives every replica the same mask, and its state has to be checkpointed.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf

from affectnet_tfds import luma
from trainer.distributed import example_rng

_BGR_MEAN = (103.939, 116.779, 123.68)
"""ImageNet's mean in 0..255 (keras.applications.imagenet_utils, mode caffe; Simonyan and Zisserman
2015)."""

_FIRST_STREAM = 1000
"""Streams below this are augmentation's."""


@keras.saving.register_keras_serializable(package="affectnet_faces")
class Dropout(keras.layers.Layer):
    """Dropout: zero each unit with probability `rate`, scale the others by 1 / (1 - rate).

    Srivastava et al. 2014. Frozen (`trainable = False`) it does nothing, like BatchNormalization: a
    frozen layer runs in inference mode.
    """

    def __init__(self, rate: float, *, stream: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.rate, self.stream = rate, stream

    def call(self, inputs: tf.Tensor, *, training: bool = False) -> tf.Tensor:
        if not training or not self.trainable or self.rate == 0:
            return inputs
        return _dropped(inputs, rate=self.rate, stream=self.stream, mask_shape=inputs.shape)

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "rate": self.rate, "stream": self.stream}


@keras.saving.register_keras_serializable(package="affectnet_faces")
class DropPath(keras.layers.Layer):
    """Stochastic depth: drop an example's whole residual branch with probability `rate`.

    Huang et al. 2016, arXiv:1603.09382. Branches that are kept are scaled by 1 / (1 - rate), so
    that inference needs no scaling. Frozen, it does nothing, like Dropout.
    """

    def __init__(self, rate: float, *, stream: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.rate, self.stream = rate, stream

    def call(self, inputs: tf.Tensor, *, training: bool = False) -> tf.Tensor:
        if not training or not self.trainable or self.rate == 0:
            return inputs
        one_each = (inputs.shape[0], *[1] * (len(inputs.shape) - 1))
        return _dropped(inputs, rate=self.rate, stream=self.stream, mask_shape=one_each)

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "rate": self.rate, "stream": self.stream}


def _dropped(
    inputs: tf.Tensor, *, rate: float, stream: int, mask_shape: Sequence[int]
) -> tf.Tensor:
    uniform = example_rng.uniform(
        example_rng.current(), stream=_FIRST_STREAM + stream, shape=mask_shape
    )
    return inputs * tf.cast(uniform >= rate, inputs.dtype) / (1 - rate)


@keras.saving.register_keras_serializable(package="affectnet_faces")
class Gray(keras.layers.Layer):
    """Gray scale by luma: [B, H, W, 3] (RGB) to [B, H, W, channels], all channels equal."""

    def __init__(self, *, channels: int = 1, **kwargs: object) -> None:
        super().__init__(autocast=False, **kwargs)
        self.channels = channels

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        gray = tf.tensordot(tf.cast(inputs, tf.float32), tf.constant(luma.LUMA), axes=1)[..., None]
        return tf.repeat(gray, self.channels, axis=-1)

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "channels": self.channels}


@keras.saving.register_keras_serializable(package="affectnet_faces")
class CaffeMean(keras.layers.Layer):
    """Normalisation of keras.applications' ResNet50: RGB to BGR, less ImageNet's mean."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(autocast=False, **kwargs)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        centred = tf.reverse(tf.cast(inputs, tf.float32), [-1]) - tf.constant(_BGR_MEAN)
        return tf.cast(centred, self.compute_dtype)


@keras.saving.register_keras_serializable(package="affectnet_faces")
class Standardise(keras.layers.Layer):
    """Standardisation of each image to mean 0 and standard deviation at most 1.

    (x - mean) / (deviation + 10), of [B, H, W, C] in 0..255 of any number type: the 10 keeps the
    noise of a nearly flat image from being amplified.
    """

    def __init__(self, **kwargs: object) -> None:
        # No autocast: half precision would round images before their mean is subtracted.
        super().__init__(autocast=False, **kwargs)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        images = tf.cast(inputs, tf.float32)
        axes = [1, 2, 3]
        mean = tf.reduce_mean(images, axes, keepdims=True)
        deviation = tf.math.reduce_std(images, axes, keepdims=True)
        return tf.cast((images - mean) / (deviation + 10.0), self.compute_dtype)
