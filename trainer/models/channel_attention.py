"""Channel attention: scales each feature map by what is in all of them (SE, ECA).

Owns the layers of squeeze-and-excitation (Hu et al. 2018, arXiv:1709.01507, section 3) and of
efficient channel attention (Wang et al. 2020, arXiv:1910.03151, section 3), made of Keras' own, so
that exports need nothing of ours.
"""

import math

import keras

from trainer.config import model_config

_REDUCTION = 16
"""Ratio r of SE's bottleneck, Hu et al.'s choice (section 6.1)."""
_FEWEST_UNITS = 4
"""Of SE's bottleneck, for narrow networks."""
_GAMMA, _B = 2, 1
"""Constants of ECA's kernel size, Wang et al., Eq. 12."""


def scaled(x: keras.KerasTensor, *, model: model_config.Model, name: str) -> keras.KerasTensor:
    """Return feature maps [B, H, W, C], each times a weight in 0..1; unchanged where not asked."""
    if model.channel_attention == "none":
        return x
    weights = _squeeze_excitation if model.channel_attention == "se" else _efficient
    return keras.layers.Multiply(name=f"{name}_scaled")([x, weights(x, name=name)])


def kernel_size(channels: int) -> int:
    """Return the nearest odd number of neighbours that ECA looks at: Eq. 12."""
    size = int(abs(math.log2(channels) / _GAMMA + _B / _GAMMA))
    return size if size % 2 else size + 1


def _squeeze_excitation(x: keras.KerasTensor, *, name: str) -> keras.KerasTensor:
    channels = x.shape[-1]
    units = max(_FEWEST_UNITS, channels // _REDUCTION)
    means = keras.layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(x)
    hidden = keras.layers.Dense(units, activation="relu", name=f"{name}_reduce")(means)
    return keras.layers.Dense(channels, activation="sigmoid", name=f"{name}_excite")(hidden)


def _efficient(x: keras.KerasTensor, *, name: str) -> keras.KerasTensor:
    channels = x.shape[-1]
    means = keras.layers.GlobalAveragePooling2D(name=f"{name}_squeeze")(x)
    sequence = keras.layers.Reshape((channels, 1), name=f"{name}_sequence")(means)
    mixed = keras.layers.Conv1D(
        1,
        kernel_size(channels),
        padding="same",
        use_bias=False,
        activation="sigmoid",
        name=f"{name}_neighbours",
    )(sequence)
    return keras.layers.Reshape((1, 1, channels), name=f"{name}_weights")(mixed)
