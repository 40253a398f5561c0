"""Views of images: cuts the parts that a network is given in evaluation, and averages its outputs.

Owns the cutting and the average. Probabilities are averaged, not logits: a view without an opinion
then does not outweigh the others. Evaluation, prediction and exports come here, so that what is
shipped is what was evaluated.
"""

import dataclasses
from collections.abc import Sequence

import keras
import tensorflow as tf

from trainer.config import evaluation_views
from trainer.models import heads


def of(images: tf.Tensor, *, views: evaluation_views.Views) -> list[tf.Tensor]:
    """Return the views of images [B, S, S, 3], [B, N, N, 3] each; those mirrored come last."""
    side = views.crop_px
    cut = [
        images if side == views.image_px else images[:, top : top + side, left : left + side]
        for top, left in views.places
    ]
    return cut + [tf.reverse(view, axis=[2]) for view in cut if views.is_mirrored]


def mean_outputs(
    network: keras.Model, images: tf.Tensor, *, views: evaluation_views.Views
) -> heads.ByName:
    """Return probabilities, float32[B, C], and the other heads by name, each the mean over views.

    Args:
      network: takes images float32[B, N, N, 3] in 0..255.
      images: float32[B, S, S, 3] in 0..255.
      views: of the images.
    """
    return mean(
        [heads.probabilities(network(view, training=False)) for view in of(images, views=views)]
    )


def mean(outputs: Sequence[heads.ByName]) -> heads.ByName:
    """Return the mean of outputs of the same names and shapes: of several views, or networks."""
    if len(outputs) == 1:
        return outputs[0]
    names = outputs[0]
    return {name: tf.reduce_mean([each[name] for each in outputs], axis=0) for name in names}


@keras.saving.register_keras_serializable(package="affectnet_faces")
class AllViews(keras.layers.Layer):
    """Views of images [B, S, S, 3], below each other: [V * B, N, N, 3], for a network as one batch.

    Args:
      image_px, crop_px, tta: of `evaluation_views.Views`.
    """

    def __init__(self, *, image_px: int, crop_px: int, tta: str, **kwargs: object) -> None:
        super().__init__(autocast=False, **kwargs)
        self._views = evaluation_views.Views(image_px=image_px, crop_px=crop_px, tta=tta)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.concat(of(inputs, views=self._views), axis=0)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        side = self._views.crop_px
        return (None, side, side, input_shape[3])

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), **dataclasses.asdict(self._views)}


@keras.saving.register_keras_serializable(package="affectnet_faces")
class MeanOfViews(keras.layers.Layer):
    """Mean over the views of what a network makes of `AllViews`: [V * B, C] to [B, C].

    Args:
      count: V.
    """

    def __init__(self, count: int, **kwargs: object) -> None:
        super().__init__(autocast=False, **kwargs)
        self.count = count

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        by_view = tf.reshape(inputs, [self.count, -1, inputs.shape[-1]])
        return tf.reduce_mean(by_view, axis=0)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (None, input_shape[-1])

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "count": self.count}
