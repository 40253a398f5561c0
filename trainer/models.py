"""The networks: pictures in, one logit a class out.

Owns construction from the configuration: input, architecture (`networks`), heads. Every model takes uint8 pictures and
normalises them itself, so that what is exported can be fed what a decoder returns, and bytes rather than floats travel
to the device.
"""

import keras

from trainer import config, layers
from trainer.networks import cnn


def build(model: config.Model, *, image_size: int, num_classes: int, seed: int) -> keras.Model:
    """Build the network a configuration names, with weights drawn from `seed`.

    Returns:
      A model from [B, S, S, 3] in 0..255 (any number type) to float32 logits [B, num_classes].

    Raises:
      refusal.Refusal: if pictures of this size are too small for it.
    """
    keras.utils.set_random_seed(seed)
    pictures = keras.Input((image_size, image_size, 3), name="image")
    features = cnn.features(normalised(pictures, model=model), model=model)
    logits = keras.layers.Dense(num_classes, dtype="float32", name="logits")(features)
    return keras.Model(pictures, logits, name=model.model)


def normalised(pictures: keras.KerasTensor, *, model: config.Model) -> keras.KerasTensor:
    """Bring each picture to mean 0 and deviation about 1, so that light and exposure do not have to be learned."""
    seen = layers.Gray(name="gray")(pictures) if model.color == "gray" else pictures
    return layers.Standardise(name="normalise")(seen)


def describe(model: keras.Model, *, image_size: int) -> str:
    """Return the start-up line's part: name, parameters, input size."""
    gray = " gray" if any(isinstance(layer, layers.Gray) for layer in model.layers) else ""
    return f"{model.name}, {model.count_params():,} parameters, {image_size} px{gray}"
