"""Where a run stands, and its way into a checkpoint and back.

Owns the names of the saved arrays and the facts beside them. Variables are named by position and path, so that a
checkpoint of another network is noticed rather than loaded in part.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from runtime import errors
from trainer import checkpoint, link, loop

BEST = "best.npz"
_FOLDER = "checkpoints"
_CHOSEN_BY = "accuracy on validation itself"
"""How the best epoch was chosen before best.npz said so: there was no other way."""


@dataclasses.dataclass(kw_only=True)
class Standing:
    """Say how far a run has come: the next epoch and step (from 0), and what has been seen until there."""

    epoch: int = 0
    step: int = 0
    sums: list[float] = dataclasses.field(default_factory=lambda: [0.0, 0.0, 0.0])
    history: list[dict[str, float]] = dataclasses.field(default_factory=list)
    best_epoch: int = 0
    best_score: float = -1.0
    data: str = ""
    """Fingerprint of the data."""

    @property
    def has_begun(self) -> bool:
        """Whether there is something to continue."""
        return self.epoch > 0 or self.step > 0

    def add(self, sums: np.ndarray) -> None:
        """Take in the sums of k steps, float32[k, 3]; see `loop.Loop.train`."""
        self.step += len(sums)
        self.sums = [a + b for a, b in zip(self.sums, sums.sum(axis=0, dtype=np.float64).tolist(), strict=True)]

    def end_epoch(self, row: dict[str, float], *, score: float) -> None:
        """Take in an epoch's row and score and go to the next; the first of equally good epochs stays the best."""
        self.history.append(row)
        self.epoch, self.step, self.sums = self.epoch + 1, 0, [0.0, 0.0, 0.0]
        if score > self.best_score:
            self.best_epoch, self.best_score = self.epoch, score

    def has_stalled(self, *, patience: int | None) -> bool:
        """Return whether the last `patience` epochs brought none better."""
        return patience is not None and self.epoch - self.best_epoch >= patience


def save(standing: Standing, *, program: loop.Loop, model_dir: pathlib.Path, steps_per_epoch: int) -> None:
    """Write a checkpoint of everything, and keep it apart where it is that of the best epoch."""
    step = standing.epoch * steps_per_epoch + standing.step
    checkpoint.save_step(
        model_dir / _FOLDER,
        step=step,
        arrays={name: variable.numpy() for name, variable in _everything(program).items()},
        facts=dataclasses.asdict(standing),
    )
    if standing.step == 0 and standing.epoch == standing.best_epoch:
        checkpoint.keep_best(model_dir / _FOLDER, step=step)


def restore(*, program: loop.Loop, model_dir: pathlib.Path, data: str, connection: link.Link | None = None) -> Standing:
    """Load the newest checkpoint into the program, or return the beginning where there is none.

    The chief reads it and sends it to the other hosts there is a connection to; they need not see its disk.

    Raises:
      errors.UserError: if it was made from data with another fingerprint, or belongs to another network.
    """
    found = _from_chief(lambda: checkpoint.load_newest(model_dir / _FOLDER), connection=connection)
    if found is None:
        return Standing(data=data)
    arrays, facts = found
    if facts["data"] != data:
        raise errors.UserError(
            f"{model_dir} was trained on data with fingerprint {facts['data'][:12]}, and those here have {data[:12]}. "
            f"Give this run a folder of its own (--model_dir) or replace that one (--overwrite)."
        )
    _assign(_everything(program), arrays=arrays, path=model_dir / _FOLDER)
    return Standing(**facts)


def save_best(model: keras.Model, *, model_dir: pathlib.Path, facts: Mapping[str, Any]) -> None:
    """Write the weights that judged best so far."""
    arrays = {name: variable.numpy() for name, variable in _weights(model).items()}
    checkpoint.write(model_dir / BEST, arrays=arrays, facts=facts)


def load_best(model: keras.Model, *, model_dir: pathlib.Path, connection: link.Link | None = None) -> dict[str, Any]:
    """Load the best weights into a model and return the facts saved with them; on several hosts as `restore` does.

    Raises:
      errors.UserError: if there are none, or they belong to another network.
    """
    path = model_dir / BEST
    found = _from_chief(lambda: checkpoint.read(path) if path.exists() else None, connection=connection)
    if found is None:
        raise errors.UserError(f"{model_dir} holds no trained model ({BEST}): train one with --model_dir={model_dir}")
    arrays, facts = found
    _assign(_weights(model), arrays=arrays, path=path)
    return {"chosen_by": _CHOSEN_BY, **facts}


def _from_chief(
    load: Callable[[], checkpoint.Content | None], *, connection: link.Link | None
) -> checkpoint.Content | None:
    """Return what the chief loads on every host."""
    if connection is None or connection.num_hosts == 1:
        return load()
    found = load() if connection.is_chief else None
    content = connection.from_chief(checkpoint.pack(*found) if found else b"")
    return checkpoint.unpack(content) if content else None


def _everything(program: loop.Loop) -> dict[str, tf.Variable]:
    slots = {
        f"slot/{i:03d}/{name}": slot
        for i, of_variable in enumerate(program.optimizer.slots)
        for name, slot in zip(program.optimizer.rule.slot_names, of_variable, strict=True)
    }
    copies = program.average.copies if program.average else []
    averages = {f"average/{i:03d}": copy for i, copy in enumerate(copies)}
    scale = program.loss_scale
    scaling = {"loss_scale/scale": scale.scale, "loss_scale/good_steps": scale.good_steps} if scale else {}
    return _weights(program.model) | slots | averages | scaling


def _weights(model: keras.Model) -> dict[str, tf.Variable]:
    return {f"weight/{i:03d}/{variable.path}": variable.value for i, variable in enumerate(model.variables)}


def _assign(variables: Mapping[str, tf.Variable], *, arrays: Mapping[str, np.ndarray], path: pathlib.Path) -> None:
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
