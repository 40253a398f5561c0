"""Best weights of a run: best.npz, written after each epoch that scores higher than all before."""

import pathlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from runtime import atomic_file, errors
from trainer.distributed import host_channel
from trainer.run import checkpoint, trained_run

BEST = trained_run.BEST

_SPARE_BYTES = 2**28
"""What a file may have beyond its arrays: names, facts, the history of a long run."""

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
    variables = weights(model)
    content = from_chief(
        lambda: _read(path, most_bytes=most_bytes(variables)), connection=connection
    )
    if content is None:
        raise errors.UserError(trained_run.no_weights(model_dir))
    arrays, facts = content
    assign(variables, arrays=arrays, path=path)
    return {"chosen_by": _CHOSEN_BY, **facts}


def mend(
    model_dir: pathlib.Path, *, checkpoints: pathlib.Path, epoch: int, facts: Mapping[str, Any]
) -> None:
    """Write the best weights anew from the checkpoint of their epoch, where they cannot be read.

    Args:
      model_dir: folder of the run.
      checkpoints: folder of its checkpoints.
      epoch: the best one so far, from 1.
      facts: to save with the weights.

    Raises:
      errors.UserError: if there is no such checkpoint.
    """
    path = model_dir / BEST
    reason = _fault(path)
    if not reason:
        return
    found = checkpoint.find(
        checkpoints, matches=lambda state: (state["epoch"], state["step"]) == (epoch, 0)
    )
    if found is None:
        raise errors.UserError(
            f"cannot read {path} ({reason}), nor a checkpoint of epoch {epoch}, whose weights it "
            "holds: restore it from a backup, or train anew with --overwrite"
        )
    if path.exists():
        kept = atomic_file.set_aside(path)
        reason = f"damaged ({reason}) and kept as {kept.name}"
    checkpoint.write(path, arrays=_evaluated(found[0]), facts=facts)
    print(f"mended        {path} was {reason}; written anew from its checkpoint", file=sys.stderr)


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


def most_bytes(variables: Mapping[str, tf.Variable]) -> int:
    """Return how large a file with the values of variables can be."""
    arrays = sum(each.dtype.size * each.shape.num_elements() for each in variables.values())
    return _SPARE_BYTES + 2 * int(arrays)


def _read(path: pathlib.Path, *, most_bytes: int) -> checkpoint.Content | None:
    if not path.exists():
        return None
    try:
        return checkpoint.read(path, most_bytes=most_bytes)
    except checkpoint.Damaged as error:
        raise errors.UserError(trained_run.damaged_weights(path, error=error)) from None


def _fault(path: pathlib.Path) -> str:
    """Return why the best weights cannot be read, or ""."""
    if not path.exists():
        return "missing"
    try:
        checkpoint.verify(path)
    except checkpoint.Damaged as error:
        return str(error)
    return ""


def _evaluated(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the weights that a checkpoint's run evaluates: their averages, where it has them."""
    return {
        name: arrays.get(f"average/{name.split('/')[1]}", array)
        for name, array in arrays.items()
        if name.startswith("weight/")
    }
