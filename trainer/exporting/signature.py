"""Model signature: wraps a network so that it takes crops of any size and returns probabilities.

Owns the layers around the network (the resize before it, the softmax after it), the average of an
ensemble, the names of inputs and outputs, and the registration of every layer that a .keras file
may hold. Works for any network that takes images of one size and returns logits, alone or under
that name beside other heads.
"""

import dataclasses
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from trainer.data import exact_resize
from trainer.inference import trained_model
from trainer.models import heads, layers, sync_batch_norm
from trainer.models import views as views_lib
from trainer.run import trained_run

REGISTERED = (sync_batch_norm, layers, views_lib)
"""Modules whose layers Keras must know before it can load a model."""

_NAME = "affectnet_faces"
CROPS = "crops"
PROBABILITIES = heads.PROBABILITIES

Outputs = dict[str, np.ndarray]
"""Outputs of a model by name: probabilities, and valence and arousal where it has these heads."""

Runner = Callable[[np.ndarray], Outputs]
"""uint8[B, H, W, 3] to outputs, whatever runtime computes them."""


@keras.saving.register_keras_serializable(package="affectnet_faces")
class Resize(keras.layers.Layer):
    """Resize crops, uint8[B, H, W, 3] of any size, to whole numbers float32[B, S, S, 3].

    See `exact_resize`.
    """

    def __init__(self, size_px: int, *, by_eighths: bool, **kwargs: object) -> None:
        super().__init__(autocast=False, **kwargs)
        self.size_px = size_px
        self.by_eighths = by_eighths

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return exact_resize.resize(inputs, size_px=self.size_px, by_eighths=self.by_eighths)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], self.size_px, self.size_px, input_shape[3])

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "size_px": self.size_px, "by_eighths": self.by_eighths}


@keras.saving.register_keras_serializable(package="affectnet_faces")
class Probabilities(keras.layers.Layer):
    """Softmax of logits, [B, C], to float32[B, C]; holds the names of the classes."""

    def __init__(self, class_names: Sequence[str], **kwargs: object) -> None:
        super().__init__(autocast=False, **kwargs)
        self.class_names = tuple(class_names)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(tf.cast(inputs, tf.float32))

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "class_names": list(self.class_names)}


@keras.saving.register_keras_serializable(package="affectnet_faces")
class MeanOfRuns(keras.layers.Layer):
    """Mean of an output of several runs, [B, C] each; that of probabilities names their classes."""

    def __init__(self, class_names: Sequence[str] = (), **kwargs: object) -> None:
        super().__init__(autocast=False, **kwargs)
        self.class_names = tuple(class_names)

    def call(self, inputs: list[tf.Tensor]) -> tf.Tensor:
        return tf.add_n(inputs) / len(inputs)

    def compute_output_shape(
        self, input_shape: list[tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        return input_shape[0]

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "class_names": list(self.class_names)}


def class_names(model: keras.Model) -> list[str]:
    """Return the class names of a model made here."""
    return list(model.get_layer(PROBABILITIES).class_names)


def of_members(members: Sequence[trained_model.Member]) -> keras.Model:
    """Return the model of a run, or of an ensemble: see `model`, whose outputs it averages."""
    return _averaged([model(each.run, network=each.network) for each in members])


def fixed_of_members(members: Sequence[trained_model.Member]) -> keras.Model:
    """Return the same of `fixed`; the runs take images of one size."""
    return _averaged([fixed(each.run, network=each.network) for each in members])


def _averaged(models: Sequence[keras.Model]) -> keras.Model:
    """Return a model with the inputs and outputs of several, which become its layers."""
    if len(models) == 1:
        return models[0]
    (given,) = models[0].inputs
    class_names = models[0].get_layer(PROBABILITIES).class_names
    crops = keras.Input(given.shape[1:], dtype=given.dtype, name=CROPS)
    outputs = []
    for number, each in enumerate(models, start=1):
        each.name = f"run_{number}"
        outputs.append(each(crops))
    means = {
        name: MeanOfRuns(class_names if name == PROBABILITIES else (), name=name)(
            [each[name] for each in outputs]
        )
        for name in outputs[0]
    }
    return keras.Model(crops, means, name=_NAME)


def model(run: trained_run.Run, *, network: keras.Model) -> keras.Model:
    """Put the preprocessing of a run in front of its network.

    Returns: A model from uint8 RGB [B, H, W, 3], any B, H and W, to a mapping: probabilities,
      float32[B, C] in the order of the run's class names, and every other head of the network under
      its own name.
    """
    crops = keras.Input((None, None, 3), dtype="uint8", name=CROPS)
    resize = Resize(run.image_size, by_eighths=run.data.encoding == "jpeg", name="resize")
    return keras.Model(crops, _outputs(resize(crops), run=run, network=network), name=_NAME)


def fixed(run: trained_run.Run, *, network: keras.Model) -> keras.Model:
    """Return the same for images of the network's own size, float32[B, S, S, 3] in 0..255.

    Integer quantisation needs a fixed size.
    """
    crops = keras.Input((run.image_size, run.image_size, 3), dtype="float32", name=CROPS)
    return keras.Model(crops, _outputs(crops, run=run, network=network), name=_NAME)


def _outputs(
    images: keras.KerasTensor, *, run: trained_run.Run, network: keras.Model
) -> dict[str, keras.KerasTensor]:
    """Return the outputs by name for images [B, S, S, 3]: means over the views of the run."""
    views = trained_model.views(run)
    given = (
        images
        if views.is_plain
        else views_lib.AllViews(**dataclasses.asdict(views), name="views")(images)
    )
    outputs = dict(heads.by_name(network(given)))
    softmax = Probabilities(run.data.class_names, name=PROBABILITIES)
    named = {PROBABILITIES: softmax(outputs.pop(heads.LOGITS)), **outputs}
    if views.count == 1:
        return named
    return {
        name: views_lib.MeanOfViews(views.count, name=f"{name}_mean")(values)
        for name, values in named.items()
    }
