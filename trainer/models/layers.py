"""Layers that Keras has no right version of.

Owns dropout of units and of residual branches whose mask belongs to the example (see `noise`), the
gray of a picture, and the normalisations of pictures.
"""

import keras
import tensorflow as tf

from trainer.distributed import example_rng

LUMA = (0.299, 0.587, 0.114)
"""Red, green and blue in gray (ITU-R BT.601, as JPEG has it)."""

_BGR_MEAN = (103.939, 116.779, 123.68)
"""ImageNet's mean in 0..255 (keras.applications.imagenet_utils, mode caffe; Simonyan and Zisserman
2015)."""

_FIRST_STREAM = 1000
"""Streams below this are augmentation's."""


@keras.saving.register_keras_serializable(package="affectnet_faces")
class Dropout(keras.layers.Layer):
    """Drop each unit with probability `rate` and scale the others by 1 / (1 - rate) (Srivastava et
    al. 2014).

    Frozen (`trainable = False`) it does nothing, like BatchNormalization: what is not trained is
    used as in inference.
    """

    def __init__(self, rate: float, *, stream: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.rate, self.stream = rate, stream

    def call(self, inputs: tf.Tensor, *, training: bool = False) -> tf.Tensor:
        if not training or not self.trainable or self.rate == 0:
            return inputs
        return _dropped(inputs, rate=self.rate, stream=self.stream, mask_shape=tf.shape(inputs))

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "rate": self.rate, "stream": self.stream}


@keras.saving.register_keras_serializable(package="affectnet_faces")
class DropPath(keras.layers.Layer):
    """Drop an example's whole residual branch with probability `rate` (Huang et al. 2016,
    arXiv:1603.09382).

    Branches that are kept are scaled by 1 / (1 - rate), so that inference needs no scaling. Frozen,
    as Dropout.
    """

    def __init__(self, rate: float, *, stream: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.rate, self.stream = rate, stream

    def call(self, inputs: tf.Tensor, *, training: bool = False) -> tf.Tensor:
        if not training or not self.trainable or self.rate == 0:
            return inputs
        one_each = tf.concat(
            [tf.shape(inputs)[:1], tf.ones([len(inputs.shape) - 1], tf.int32)], axis=0
        )
        return _dropped(inputs, rate=self.rate, stream=self.stream, mask_shape=one_each)

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "rate": self.rate, "stream": self.stream}


def _dropped(inputs: tf.Tensor, *, rate: float, stream: int, mask_shape: tf.Tensor) -> tf.Tensor:
    number = example_rng.uniform(
        example_rng.current(), stream=_FIRST_STREAM + stream, shape=mask_shape
    )
    return inputs * tf.cast(number >= rate, inputs.dtype) / (1 - rate)


@keras.saving.register_keras_serializable(package="affectnet_faces")
class Gray(keras.layers.Layer):
    """Turn [B, H, W, 3] (RGB) into gray of the same range by LUMA, [B, H, W, channels] of equal
    channels."""

    def __init__(self, *, channels: int = 1, **kwargs: object) -> None:
        super().__init__(autocast=False, **kwargs)
        self.channels = channels

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        gray = tf.tensordot(tf.cast(inputs, tf.float32), tf.constant(LUMA), axes=1)[..., None]
        return tf.repeat(gray, self.channels, axis=-1)

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "channels": self.channels}


@keras.saving.register_keras_serializable(package="affectnet_faces")
class CaffeMean(keras.layers.Layer):
    """Turn RGB into BGR and take ImageNet's mean away, as the weights of keras.applications'
    ResNet50 expect."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(autocast=False, **kwargs)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        centred = tf.reverse(tf.cast(inputs, tf.float32), [-1]) - tf.constant(_BGR_MEAN)
        return tf.cast(centred, self.compute_dtype)


@keras.saving.register_keras_serializable(package="affectnet_faces")
class Standardise(keras.layers.Layer):
    """Bring each picture, [B, H, W, C] in 0..255 of any number type, to mean 0 and deviation at
    most 1.

    (x - mean) / (deviation + 10): the 10 keeps the noise of a nearly flat picture from being blown
    up.
    """

    def __init__(self, **kwargs: object) -> None:
        super().__init__(
            autocast=False, **kwargs
        )  # Half precision would round pictures before their mean is known.

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        pictures = tf.cast(inputs, tf.float32)
        axes = [1, 2, 3]
        mean = tf.reduce_mean(pictures, axes, keepdims=True)
        deviation = tf.math.reduce_std(pictures, axes, keepdims=True)
        return tf.cast((pictures - mean) / (deviation + 10.0), self.compute_dtype)
