"""Layers that Keras has no right version of.

Owns dropout whose mask belongs to the example (see `noise`), the gray of a picture, and each picture's own
normalisation.
"""

import keras
import tensorflow as tf

from trainer import noise

LUMA = (0.299, 0.587, 0.114)
"""Red, green and blue in gray (ITU-R BT.601, as JPEG has it)."""

_FIRST_STREAM = 1000
"""Streams below this are augmentation's."""


@keras.saving.register_keras_serializable(package="affectnet_faces")
class Dropout(keras.layers.Layer):
    """Drop each unit with probability `rate` and scale the others by 1 / (1 - rate) (Srivastava et al. 2014).

    Frozen (`trainable = False`) it does nothing, like BatchNormalization: what is not trained is used as in inference.
    """

    def __init__(self, rate: float, *, stream: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.rate, self.stream = rate, stream

    def call(self, inputs: tf.Tensor, *, training: bool = False) -> tf.Tensor:
        if not training or not self.trainable or self.rate == 0:
            return inputs
        number = noise.uniform(noise.current(), stream=_FIRST_STREAM + self.stream, shape=tf.shape(inputs))
        kept = tf.cast(number >= self.rate, inputs.dtype)
        return inputs * kept / (1 - self.rate)

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "rate": self.rate, "stream": self.stream}


@keras.saving.register_keras_serializable(package="affectnet_faces")
class Gray(keras.layers.Layer):
    """Turn [B, H, W, 3] (RGB) into [B, H, W, 1] of the same range by LUMA."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(autocast=False, **kwargs)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.tensordot(tf.cast(inputs, tf.float32), tf.constant(LUMA), axes=1)[..., None]


@keras.saving.register_keras_serializable(package="affectnet_faces")
class Standardise(keras.layers.Layer):
    """Bring each picture, [B, H, W, C] in 0..255 of any number type, to mean 0 and deviation at most 1.

    (x - mean) / (deviation + 10): the 10 keeps the noise of a nearly flat picture from being blown up.
    """

    def __init__(self, **kwargs: object) -> None:
        super().__init__(autocast=False, **kwargs)  # Half precision would round pictures before their mean is known.

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        pictures = tf.cast(inputs, tf.float32)
        axes = [1, 2, 3]
        mean = tf.reduce_mean(pictures, axes, keepdims=True)
        deviation = tf.math.reduce_std(pictures, axes, keepdims=True)
        return tf.cast((pictures - mean) / (deviation + 10.0), self.compute_dtype)
