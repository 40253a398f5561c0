"""Model factory: builds the network of a configuration, from images to logits.

Owns the composition of input, architecture and heads. Every model takes uint8 images and normalises
them itself, so that an exported model can be given what a decoder returns, and bytes rather than
floats are copied to the device.
"""

import importlib
import math

import keras

from trainer.config import model_config
from trainer.models import heads, keras_backbones, layers


def build(
    model: model_config.Model, *, image_size: int, num_classes: int, seed: int
) -> keras.Model:
    """Build the network that a configuration names, with initial weights from `seed`.

    Returns:
      A model from [B, S, S, 3] in 0..255 (any number type) to float32 logits [B, num_classes], or
      to the mapping that `heads.attach` describes.

    Raises:
      errors.UserError: if images of this size are too small for it.
    """
    keras.utils.set_random_seed(seed)
    images, features = _features(model, image_size=image_size)
    outputs = heads.attach(features, model=model, num_classes=num_classes)
    return keras.Model(images, outputs, name=model.model)


def backbone_layers(network: keras.Model) -> list[keras.layers.Layer]:
    """Return all layers but the heads, in the network's order."""
    return [layer for layer in network.layers if layer.name not in heads.LAYERS]


def describe(model: keras.Model, *, image_size: int) -> str:
    """Describe a network in one line: name, parameters, input size, heads."""
    gray = " gray" if any(isinstance(layer, layers.Gray) for layer in model.layers) else ""
    affect = ", valence and arousal" if isinstance(model.output, dict) else ""
    return f"{model.name}, {model.count_params():,} parameters, {image_size} px{gray}{affect}"


def cost(model: keras.Model) -> str:
    """Return the arithmetic of the network in words."""
    return f"{multiply_adds(model) / 1e6:,.2f} million multiply-adds an image, forward"


def multiply_adds(model: keras.Model) -> int:
    """Return the multiply-adds of the forward pass of one image, in convolutions and dense layers.

    As papers count them: normalisation, activations, pooling and biases are left out.
    """
    return sum(
        multiply_adds(layer) if isinstance(layer, keras.Model) else _layer_multiply_adds(layer)
        for layer in model.layers
    )


def _layer_multiply_adds(layer: keras.Layer) -> int:
    """Return the multiply-adds of a layer: of each of its outputs those of one kernel."""
    kernel = getattr(layer, "kernel", None)
    if kernel is None:
        return 0
    # Of a depthwise convolution the last two axes are the input's and what each becomes.
    is_depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
    each = math.prod(kernel.shape[: -2 if is_depthwise else -1])
    return int(math.prod(layer.output.shape[1:]) * each)


def _features(
    model: model_config.Model, *, image_size: int
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the network's input and the features float[B, F] of its architecture."""
    images = keras.Input((image_size, image_size, 3), name="image")
    x = images
    if model.color == "gray":
        channels = 3 if model.model in model_config.BACKBONES else 1
        x = layers.Gray(channels=channels, name="gray")(x)
    if model.model in model_config.BACKBONES:
        return keras_backbones.features(x, model=model)
    x = layers.Standardise(name="normalise")(x)
    # By name, so that an architecture is its module and its name in model_config.ARCHITECTURES.
    architecture = importlib.import_module(f"trainer.models.{model.model}")
    return images, architecture.features(x, model=model)
