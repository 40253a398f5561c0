"""Best weights of a run: best.npz, written after each epoch that scores higher than all before."""

import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from runtime import errors
from trainer.distributed import host_channel
from trainer.run import checkpoint

BEST = "best.npz"


_CHOSEN_BY = "accuracy on validation itself"
"""How the best epoch was chosen before best.npz said so: there was no other way."""


def save_best(model: keras.Model, *, model_dir: pathlib.Path, facts: Mapping[str, Any]) -> None:
    """Write the weights that judged best so far."""
    arrays = {name: variable.numpy() for name, variable in weights(model).items()}
    checkpoint.write(model_dir / BEST, arrays=arrays, facts=facts)


def load_best(
    model: keras.Model,
    *,
    model_dir: pathlib.Path,
    connection: host_channel.HostChannel | None = None,
) -> dict[str, Any]:
    """Load the best weights into a model and return the facts saved with them; on several hosts as
    `restore` does.

    Raises:
      errors.UserError: if there are none, or they belong to another network.
    """
    path = model_dir / BEST
    found = from_chief(
        lambda: checkpoint.read(path) if path.exists() else None, connection=connection
    )
    if found is None:
        raise errors.UserError(
            f"{model_dir} holds no trained model ({BEST}): train one with --model_dir={model_dir}"
        )
    arrays, facts = found
    assign(weights(model), arrays=arrays, path=path)
    return {"chosen_by": _CHOSEN_BY, **facts}


def from_chief(
    load: Callable[[], checkpoint.Content | None], *, connection: host_channel.HostChannel | None
) -> checkpoint.Content | None:
    """Return what the chief loads on every host."""
    if connection is None or connection.num_hosts == 1:
        return load()
    found = load() if connection.is_chief else None
    content = connection.from_chief(checkpoint.pack(*found) if found else b"")
    return checkpoint.unpack(content) if content else None


def weights(model: keras.Model) -> dict[str, tf.Variable]:
    return {
        f"weight/{i:03d}/{variable.path}": variable.value
        for i, variable in enumerate(model.variables)
    }


def assign(
    variables: Mapping[str, tf.Variable], *, arrays: Mapping[str, np.ndarray], path: pathlib.Path
) -> None:
    wanted = {name: tuple(variable.shape) for name, variable in variables.items()}
    there = {name: array.shape for name, array in arrays.items()}
    if wanted != there:
        first = min(set(wanted.items()) ^ set(there.items()))
        raise errors.UserError(
            f"{path} belongs to another network: {first[0]} is {there.get(first[0], 'absent')} in the file and "
            f"{wanted.get(first[0], 'absent')} here"
        )
    for name, variable in variables.items():
        variable.assign(arrays[name])
