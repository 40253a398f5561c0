"""Best weights of a run: best.npz, written after each epoch that scores higher than all before."""

import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from runtime import errors
from trainer.distributed import host_channel
from trainer.run import checkpoint, trained_run

BEST = trained_run.BEST

_CHOSEN_BY = "accuracy on validation itself"
"""How the best epoch was chosen before best.npz recorded it: there was no other choice."""


def save_best(model: keras.Model, *, model_dir: pathlib.Path, facts: Mapping[str, Any]) -> None:
    """Write the weights with the best score so far."""
    arrays = {name: variable.numpy() for name, variable in weights(model).items()}
    checkpoint.write(model_dir / BEST, arrays=arrays, facts=facts)


def load_best(
    model: keras.Model,
    *,
    model_dir: pathlib.Path,
    connection: host_channel.HostChannel | None = None,
) -> dict[str, Any]:
    """Load the best weights into a model and return the facts saved with them.

    On several hosts the chief reads the file and sends it to the others.

    Raises:
      errors.UserError: if there are none, they are damaged, or they belong to another network.
    """
    path = model_dir / BEST
    content = from_chief(lambda: _read(path), connection=connection)
    if content is None:
        raise errors.UserError(trained_run.no_weights(model_dir))
    arrays, facts = content
    assign(weights(model), arrays=arrays, path=path)
    return {"chosen_by": _CHOSEN_BY, **facts}


def from_chief(
    load: Callable[[], checkpoint.Content | None], *, connection: host_channel.HostChannel | None
) -> checkpoint.Content | None:
    """Return on every host what the chief loads."""
    if connection is None or connection.num_hosts == 1:
        return load()
    content = load() if connection.is_chief else None
    packed = connection.from_chief(checkpoint.pack(*content) if content else b"")
    return checkpoint.unpack(packed) if packed else None


def weights(model: keras.Model) -> dict[str, tf.Variable]:
    """Return the variables of a model by the name they have in a checkpoint."""
    return {
        f"weight/{i:03d}/{variable.path}": variable.value
        for i, variable in enumerate(model.variables)
    }


def assign(
    variables: Mapping[str, tf.Variable], *, arrays: Mapping[str, np.ndarray], path: pathlib.Path
) -> None:
    """Assign saved arrays to variables of the same names and shapes.

    Raises:
      errors.UserError: naming the first that differs.
    """
    expected = {name: tuple(variable.shape) for name, variable in variables.items()}
    saved = {name: array.shape for name, array in arrays.items()}
    if expected != saved:
        name, _ = min(set(expected.items()) ^ set(saved.items()))
        raise errors.UserError(
            f"{path} belongs to another network: {name} is {saved.get(name, 'absent')} in the "
            f"file and {expected.get(name, 'absent')} here: give this run a folder of its own "
            "(--model_dir), or train anew with --overwrite"
        )
    for name, variable in variables.items():
        variable.assign(arrays[name])


def _read(path: pathlib.Path) -> checkpoint.Content | None:
    if not path.exists():
        return None
    try:
        return checkpoint.read(path)
    except checkpoint.DAMAGED as error:
        raise errors.UserError(
            f"cannot read {path} ({error}): restore it from a backup, or train anew with "
            "--overwrite"
        ) from None
