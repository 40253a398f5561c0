"""The networks: pictures in, one logit a class out.

Owns construction from the configuration. Every model takes uint8 pictures and normalises them itself, so that what
is exported can be fed what a decoder returns, and bytes rather than floats travel to the device.
"""

import keras

from trainer import config, layers


def build(model: config.Model, *, image_size: int, num_classes: int, seed: int) -> keras.Model:
    """Build the network a configuration names, with weights drawn from `seed`.

    Returns:
      A model from [B, S, S, 3] in 0..255 (any number type) to float32 logits [B, num_classes].
    """
    keras.utils.set_random_seed(seed)
    pictures = keras.Input((image_size, image_size, 3), name="image")
    features = cnn(normalised(pictures), model=model)
    logits = keras.layers.Dense(num_classes, dtype="float32", name="logits")(features)
    return keras.Model(pictures, logits, name=model.model)


def normalised(pictures: keras.KerasTensor) -> keras.KerasTensor:
    """Bring each picture to mean 0 and deviation about 1, so that light and exposure do not have to be learned."""
    return layers.Standardise(name="normalise")(pictures)


def cnn(x: keras.KerasTensor, *, model: config.Model) -> keras.KerasTensor:
    """Return the features of blocks of (3x3 convolution, ReLU, 2x2 max-pooling, dropout), then dense layers.

    Weights start as Glorot and Bengio 2010 draw them: with He's larger ones, and no normalisation between layers, most
    units of the dense layers die in the first steps and the loss stays at log C for many epochs.
    """
    for i, filters in enumerate(model.conv_filters):
        x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"conv{i}")(x)
        x = keras.layers.MaxPooling2D(2, name=f"pool{i}")(x)
        x = layers.Dropout(model.dropout, stream=i, name=f"conv_dropout{i}")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    for i, units in enumerate(model.dense_units):
        x = keras.layers.Dense(units, activation="relu", name=f"dense{i}")(x)
        x = layers.Dropout(model.dropout, stream=len(model.conv_filters) + i, name=f"dense_dropout{i}")(x)
    return x


def describe(model: keras.Model, *, image_size: int) -> str:
    """Return the start-up line's part: name, parameters, input size."""
    return f"{model.name}, {model.count_params():,} parameters, {image_size} px"
