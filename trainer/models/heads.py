"""Output heads: logits of the expressions, and with --heads=expression+va valence and arousal.

Owns the layers after the features, and the names of their outputs. A network with one head returns
its logits alone, as every program for classifiers expects; with more it returns them by name.
"""

from typing import TypeAlias

import keras
import tensorflow as tf

from trainer.config import model_config
from trainer.models import layers

LOGITS = "logits"
PROBABILITIES = "probabilities"
AFFECT = model_config.AFFECT

LAYERS = ("head_dropout", LOGITS, *AFFECT)
"""Names of the layers that pretrained weights are not loaded into, and that are trained first."""

ByName: TypeAlias = "dict[str, tf.Tensor]"
Outputs: TypeAlias = "tf.Tensor | dict[str, tf.Tensor]"

_STREAM = 900
"""Streams below this belong to layers of the architectures."""


def attach(
    features: keras.KerasTensor, *, model: model_config.Model, num_classes: int
) -> keras.KerasTensor | dict[str, keras.KerasTensor]:
    """Attach the heads to features float[B, F].

    Returns:
      Logits, float32[B, num_classes]; or a mapping with these, and valence and arousal,
      float32[B, 1] in -1..1.
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


def by_name(outputs: Outputs) -> ByName:
    """Return the outputs of a network by the names of its heads."""
    return outputs if isinstance(outputs, dict) else {LOGITS: outputs}


def probabilities(outputs: Outputs) -> ByName:
    """Return the same with probabilities, float32[B, C], in the place of the logits."""
    others = dict(by_name(outputs))
    return {PROBABILITIES: tf.nn.softmax(tf.cast(others.pop(LOGITS), tf.float32)), **others}


def logits(outputs: Outputs) -> tf.Tensor:
    """Return the logits among the outputs of a network, float32[B, C]."""
    return by_name(outputs)[LOGITS]


def affect(outputs: Outputs) -> tf.Tensor | None:
    """Return valence and arousal, float32[B, 2], or None for a network without these heads."""
    if not isinstance(outputs, dict):
        return None
    return tf.concat([outputs[name] for name in AFFECT], axis=1)
