"""Plain convolutional network: blocks of convolution and pooling, then fully connected layers.

Owns that family and its variations. Weights are initialised as in Glorot and Bengio 2010: with He's
larger ones, and no normalisation between layers, most units of the dense layers die in the first
steps and the loss stays at log C for many epochs.
"""

import keras

from runtime import errors
from trainer.config import model_config
from trainer.models import channel_attention, layers, sync_batch_norm

INITIALIZER = "glorot_uniform"


def features(x: keras.KerasTensor, *, model: model_config.Model) -> keras.KerasTensor:
    """Return float[B, last of dense_units] of images [B, S, S, 1 or 3].

    A block is 3x3 convolution, batch normalisation where asked for, and activation, as often as
    `convs_per_block` says, then channel attention where asked for, 2x2 max-pooling and dropout.

    Raises:
      errors.UserError: if there are more blocks than times that the image can be halved.
    """
    check(model, image_size=x.shape[1])
    for i, filters in enumerate(model.conv_filters):
        for j in range(model.convs_per_block):
            name = f"conv{i}_{j}" if j else f"conv{i}"
            x = keras.layers.Conv2D(filters, 3, padding="same", name=name, **_weights(model))(x)
            x = _activated(x, model=model, name=name)
        x = channel_attention.scaled(x, model=model, name=f"conv{i}")
        x = keras.layers.MaxPooling2D(2, name=f"pool{i}")(x)
        x = layers.Dropout(model.dropout, stream=i, name=f"conv{i}_dropout")(x)
    pooling = {"flatten": keras.layers.Flatten, "mean": keras.layers.GlobalAveragePooling2D}
    x = pooling[model.pooling](name=model.pooling)(x)
    for i, units in enumerate(model.dense_units):
        x = keras.layers.Dense(units, name=f"dense{i}", **_weights(model))(x)
        x = _activated(x, model=model, name=f"dense{i}")
        x = layers.Dropout(
            model.dropout, stream=len(model.conv_filters) + i, name=f"dense{i}_dropout"
        )(x)
    return x


def check(model: model_config.Model, *, image_size: int) -> None:
    """Refuse more blocks than times that the image can be halved.

    Raises:
      errors.UserError: naming both numbers.
    """
    most = image_size.bit_length() - 1
    if len(model.conv_filters) > most:
        raise errors.UserError(
            f"--conv_filters names {len(model.conv_filters)} blocks, each of which halves the "
            f"image: {image_size} px can be halved {most} times; use fewer blocks or a larger "
            f"--image_size"
        )


def num_flat_weights(model: model_config.Model, *, image_size: int, num_classes: int) -> int:
    """Return the weights of the layer after flattening, which grow with the image; 0 without it."""
    if model.pooling != "flatten":
        return 0
    side = image_size >> len(model.conv_filters)
    return side**2 * model.conv_filters[-1] * (*model.dense_units, num_classes)[0]


def _weights(model: model_config.Model) -> dict[str, object]:
    # Batch normalisation subtracts the mean and adds a constant of its own, so that a bias before
    # it has no effect.
    return {
        "kernel_initializer": model.initializer or INITIALIZER,
        "use_bias": not model.batch_norm,
    }


def _activated(x: keras.KerasTensor, *, model: model_config.Model, name: str) -> keras.KerasTensor:
    if model.batch_norm:
        x = sync_batch_norm.BatchNormalization(name=f"{name}_norm")(x)
    return keras.layers.Activation(model.activation, name=f"{name}_{model.activation}")(x)
