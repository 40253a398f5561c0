"""The model as it is shipped: crops of any size in, named probabilities out.

Owns what stands around the network, its resize before and its softmax after, and the registration
of every layer that a .keras file may hold. Written against any network that takes pictures of one
size and gives logits, alone or under that name beside other heads.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf

from trainer.inference import exact_resize, outputs
from trainer.models import layers, sync_batch_norm
from trainer.run import trained_run

REGISTERED = (sync_batch_norm, layers)
"""Modules whose layers Keras has to know before it can load a model."""


@keras.saving.register_keras_serializable(package="affectnet_faces")
class Resize(keras.layers.Layer):
    """Bring crops, uint8[B, H, W, 3] of any size, to whole numbers float32[B, S, S, 3] (see
    `resizing`)."""

    def __init__(self, size_px: int, *, by_eighths: bool, **kwargs: object) -> None:
        super().__init__(autocast=False, **kwargs)
        self.size_px, self.by_eighths = size_px, by_eighths

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return exact_resize.resize(inputs, size_px=self.size_px, by_eighths=self.by_eighths)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], self.size_px, self.size_px, input_shape[3])

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "size_px": self.size_px, "by_eighths": self.by_eighths}


@keras.saving.register_keras_serializable(package="affectnet_faces")
class Probabilities(keras.layers.Layer):
    """Turn logits, [B, C], into probabilities, float32[B, C], of classes whose names it keeps."""

    def __init__(self, class_names: Sequence[str], **kwargs: object) -> None:
        super().__init__(autocast=False, **kwargs)
        self.class_names = tuple(class_names)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(tf.cast(inputs, tf.float32))

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "class_names": list(self.class_names)}


def model(run: trained_run.Run, *, network: keras.Model) -> keras.Model:
    """Put the preprocessing of a run into its network.

    Returns: A model from uint8 RGB [B, H, W, 3], any B, H and W, to a mapping: probabilities,
      float32[B, C] in the order of the run's class names, and every other head of the network under
      its own name.
    """
    crops = keras.Input((None, None, 3), dtype="uint8", name=outputs.CROPS)
    resize = Resize(run.image_size, by_eighths=run.data.encoding == "jpeg", name="resize")
    return keras.Model(crops, _named(network(resize(crops)), run=run), name="affectnet_faces")


def fixed(run: trained_run.Run, *, network: keras.Model) -> keras.Model:
    """Return the same for pictures of the network's own size, float32 in 0..255, as integer
    quantisation wants it."""
    crops = keras.Input((run.image_size, run.image_size, 3), dtype="float32", name=outputs.CROPS)
    return keras.Model(crops, _named(network(crops), run=run), name="affectnet_faces")


def _named(made: object, *, run: trained_run.Run) -> dict[str, keras.KerasTensor]:
    heads = outputs.heads_of(made)
    probabilities = Probabilities(run.data.class_names, name=outputs.PROBABILITIES)(
        heads.pop(outputs.LOGITS)
    )
    return {outputs.PROBABILITIES: probabilities, **heads}
