"""The networks: pictures in, one logit a class out, and valence and arousal where asked for.

Owns construction from the configuration: input, architecture (`networks`), `heads`. Every model
takes uint8 pictures and normalises them itself, so that what is exported can be fed what a decoder
returns, and bytes rather than floats travel to the device.
"""

import keras

from trainer.config import model_config
from trainer.models import cnn, heads, keras_backbones, layers, resnet_small


def build(
    model: model_config.Model, *, image_size: int, num_classes: int, seed: int
) -> keras.Model:
    """Build the network a configuration names, with weights drawn from `seed`.

    Returns: A model from [B, S, S, 3] in 0..255 (any number type) to float32 logits [B,
      num_classes], or to the mapping that `heads.attach` describes.

    Raises:
      errors.UserError: if pictures of this size are too small for it.
    """
    keras.utils.set_random_seed(seed)
    pictures, features = _features(model, image_size=image_size)
    outputs = heads.attach(features, model=model, num_classes=num_classes)
    return keras.Model(pictures, outputs, name=model.model)


def backbone_layers(network: keras.Model) -> list[keras.layers.Layer]:
    """Return all layers but the heads, in the network's order."""
    return [layer for layer in network.layers if layer.name not in heads.LAYERS]


def describe(model: keras.Model, *, image_size: int) -> str:
    """Return the start-up line's part: name, parameters, input size, heads."""
    gray = " gray" if any(isinstance(layer, layers.Gray) for layer in model.layers) else ""
    affect = ", valence and arousal" if isinstance(model.output, dict) else ""
    return f"{model.name}, {model.count_params():,} parameters, {image_size} px{gray}{affect}"


def _features(
    model: model_config.Model, *, image_size: int
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    pictures = keras.Input((image_size, image_size, 3), name="image")
    channels = 3 if model.model in model_config.BACKBONES else 1
    seen = (
        layers.Gray(channels=channels, name="gray")(pictures) if model.color == "gray" else pictures
    )
    if model.model == "cnn":
        return pictures, cnn.features(layers.Standardise(name="normalise")(seen), model=model)
    if model.model == "resnet_small":
        return pictures, resnet_small.features(
            layers.Standardise(name="normalise")(seen), model=model
        )
    return keras_backbones.features(seen, model=model)
