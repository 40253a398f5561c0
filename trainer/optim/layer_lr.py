"""Layer-wise learning rates: early layers of a pretrained network change less than late ones.

Owns each variable's share of the learning rate. It rises geometrically from the first layer to the
heads, as in discriminative fine-tuning (Howard and Ruder 2018, arXiv:1801.06146, section 3.2); a
factor from each layer to the next, as there, was rejected: what it does depends on the depth.
"""

from collections.abc import Sequence

import keras


def shares(
    variables: Sequence[keras.Variable], *, layers: Sequence[keras.layers.Layer], first: float
) -> list[float]:
    """Return each variable's share of the learning rate.

    Args:
      variables: of the network.
      layers: all but the heads, in the network's order; a model among them counts as its layers.
      first: share of the first layer with variables; of L the i-th, from 0, has
        first^((L - i) / L), and the heads have 1.
    """
    trained = [layer for layer in _flat(layers) if layer.trainable_variables]
    share = {
        id(variable): first ** ((len(trained) - i) / len(trained))
        for i, layer in enumerate(trained)
        for variable in layer.variables
    }
    return [share.get(id(variable), 1.0) for variable in variables]


def _flat(layers: Sequence[keras.layers.Layer]) -> list[keras.layers.Layer]:
    """Return layers with those of models among them in the models' place."""
    found = []
    for layer in layers:
        found += _flat(layer.layers) if isinstance(layer, keras.Model) else [layer]
    return found
