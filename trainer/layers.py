"""Layers that Keras has no right version of.

Owns dropout whose mask belongs to the example (see `noise`).
"""

import keras
import tensorflow as tf

from trainer import noise

_FIRST_STREAM = 1000
"""Streams below this are augmentation's."""


@keras.saving.register_keras_serializable(package="affectnet_faces")
class Dropout(keras.layers.Layer):
    """Drop each unit with probability `rate` and scale the others by 1 / (1 - rate) (Srivastava et al. 2014)."""

    def __init__(self, rate: float, *, stream: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.rate, self.stream = rate, stream

    def call(self, inputs: tf.Tensor, *, training: bool = False) -> tf.Tensor:
        if not training or self.rate == 0:
            return inputs
        number = noise.uniform(noise.current(), stream=_FIRST_STREAM + self.stream, shape=tf.shape(inputs))
        kept = tf.cast(number >= self.rate, inputs.dtype)
        return inputs * kept / (1 - self.rate)

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "rate": self.rate, "stream": self.stream}
