"""What a network says of a picture: logits of the expressions, and with --heads=expression+va
valence and arousal.

Owns the layers after the features, and the names of what they say. A network with one head returns
its logits alone, as every program for classifiers expects; with more it returns them by name.
"""

from typing import TypeAlias

import keras
import tensorflow as tf

from trainer.config import model_config
from trainer.models import layers

LOGITS = "logits"
AFFECT = model_config.AFFECT

LAYERS = ("head_dropout", LOGITS, *AFFECT)
"""Names of the layers that no file of weights gives, and that are trained first."""

Outputs: TypeAlias = "tf.Tensor | dict[str, tf.Tensor]"

_STREAM = 900
"""Streams below this belong to layers of the architectures."""


def attach(
    features: keras.KerasTensor, *, model: model_config.Model, num_classes: int
) -> keras.KerasTensor | dict[str, keras.KerasTensor]:
    """Put the heads on features float[B, F].

    Returns: float32[B, num_classes]; or a mapping with these, and valence and arousal, float32[B,
      1] in -1..1.
    """
    if model.model != "cnn":  # Its last dense layer has a dropout of its own.
        features = layers.Dropout(model.dropout, stream=_STREAM, name="head_dropout")(features)
    logits = keras.layers.Dense(num_classes, dtype="float32", name=LOGITS)(features)
    if not model.has_affect:
        return logits
    affect = {
        name: keras.layers.Dense(1, "tanh", dtype="float32", name=name)(features) for name in AFFECT
    }
    return {LOGITS: logits, **affect}


def by_name(outputs: Outputs) -> dict[str, tf.Tensor]:
    """Return what a network said by the names of its heads."""
    return outputs if isinstance(outputs, dict) else {LOGITS: outputs}


def logits(outputs: Outputs) -> tf.Tensor:
    """Return float32[B, C] of what a network said."""
    return by_name(outputs)[LOGITS]


def affect(outputs: Outputs) -> tf.Tensor | None:
    """Return valence and arousal of what a network said, float32[B, 2], or None where it has no
    such heads."""
    return (
        tf.concat([outputs[name] for name in AFFECT], axis=1) if isinstance(outputs, dict) else None
    )
