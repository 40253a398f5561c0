"""Named outputs of a model: class probabilities, logits, valence and arousal, for crops of any
size."""

from collections.abc import Callable

import keras
import numpy as np

Outputs = dict[str, np.ndarray]


Runner = Callable[[np.ndarray], Outputs]
"""uint8[B, H, W, 3] to outputs by name."""


CROPS, PROBABILITIES, LOGITS = "crops", "probabilities", "logits"


def heads_of(outputs: object) -> dict[str, keras.KerasTensor]:
    """Return the outputs of a network by name; a single one is the logits."""
    return dict(outputs) if isinstance(outputs, dict) else {LOGITS: outputs}
