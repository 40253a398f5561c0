"""The networks: pictures in, one logit a class out.

Owns construction from the configuration: input, architecture (`networks`), heads. Every model takes uint8 pictures and
normalises them itself, so that what is exported can be fed what a decoder returns, and bytes rather than floats travel
to the device.
"""

import keras

from trainer import layers, model_section
from trainer.networks import backbones, cnn, residual

_HEAD_STREAM = 900
"""Streams below this belong to layers of the architectures."""


def build(model: model_section.Model, *, image_size: int, num_classes: int, seed: int) -> keras.Model:
    """Build the network a configuration names, with weights drawn from `seed`.

    Returns:
      A model from [B, S, S, 3] in 0..255 (any number type) to float32 logits [B, num_classes].

    Raises:
      refusal.Refusal: if pictures of this size are too small for it.
    """
    keras.utils.set_random_seed(seed)
    pictures, features = _features(model, image_size=image_size)
    logits = keras.layers.Dense(num_classes, dtype="float32", name="logits")(features)
    return keras.Model(pictures, logits, name=model.model)


def describe(model: keras.Model, *, image_size: int) -> str:
    """Return the start-up line's part: name, parameters, input size."""
    gray = " gray" if any(isinstance(layer, layers.Gray) for layer in model.layers) else ""
    return f"{model.name}, {model.count_params():,} parameters, {image_size} px{gray}"


def _features(model: model_section.Model, *, image_size: int) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    pictures = keras.Input((image_size, image_size, 3), name="image")
    channels = 3 if model.model in model_section.BACKBONES else 1
    seen = layers.Gray(channels=channels, name="gray")(pictures) if model.color == "gray" else pictures
    if model.model == "cnn":
        return pictures, cnn.features(layers.Standardise(name="normalise")(seen), model=model)
    if model.model == "resnet_small":
        features = residual.features(layers.Standardise(name="normalise")(seen), model=model)
    else:
        pictures, features = backbones.features(seen, model=model)
    return pictures, layers.Dropout(model.dropout, stream=_HEAD_STREAM, name="head_dropout")(features)
