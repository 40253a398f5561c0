"""Checkpointing: saves the weights, optimizer and state of a run, and restores them.

Owns the names of the saved arrays and the facts beside them. Variables are named by position and
path, so that a checkpoint of another network is noticed rather than loaded in part.
"""

import dataclasses
import pathlib
import sys
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from runtime import atomic_file, errors
from trainer.distributed import host_channel
from trainer.run import best_weights, checkpoint, train_state
from trainer.training import train_step as train_step_lib

_FOLDER = "checkpoints"
_SKIPPED = "loss_scale/skipped"


def save(
    state: train_state.TrainState,
    *,
    train_step: train_step_lib.TrainStep,
    model_dir: pathlib.Path,
    steps_per_epoch: int,
) -> None:
    """Write a checkpoint, and a copy of it where it is that of the best epoch."""
    step = state.epoch * steps_per_epoch + state.step
    checkpoint.save_step(
        model_dir / _FOLDER,
        step=step,
        arrays={name: variable.numpy() for name, variable in _variables(train_step).items()},
        facts=dataclasses.asdict(state),
    )
    if state.step == 0 and state.epoch == state.best_epoch:
        checkpoint.keep_best(model_dir / _FOLDER, step=step)


def restore(
    *,
    train_step: train_step_lib.TrainStep,
    model_dir: pathlib.Path,
    data: str,
    what: str = "data",
    connection: host_channel.HostChannel | None = None,
) -> train_state.TrainState:
    """Load the newest checkpoint into the network and optimizer and return its training state.

    Without a checkpoint the state is that of a new run. The chief reads the file and sends it to
    the other hosts, which need not have access to its disk.

    Args:
      train_step: whose variables are restored.
      model_dir: folder of the run.
      data: fingerprint of the data, or of all that is learnt.
      what: of which it is the fingerprint.
      connection: to the other hosts, if any.

    Raises:
      errors.UserError: if the checkpoint was made from data with another fingerprint, or belongs
        to another network.
    """
    variables = _variables(train_step)
    content = best_weights.from_chief(
        lambda: _load(model_dir, most_bytes=best_weights.most_bytes(variables)),
        connection=connection,
    )
    if content is None:
        return train_state.TrainState(data=data)
    arrays, facts = content
    _check_facts(facts, folder=model_dir / _FOLDER)
    if facts["data"] != data:
        raise errors.UserError(
            f"{model_dir} was trained on {what} with fingerprint {facts['data'][:12]}, and those "
            f"here have {data[:12]}; give this run a folder of its own (--model_dir) or replace "
            "that one (--overwrite)"
        )
    if _SKIPPED in variables and _SKIPPED not in arrays:  # Of 0.1.0, which did not count them.
        arrays = {**arrays, _SKIPPED: np.zeros(2, np.int64)}
    best_weights.assign(variables, arrays=arrays, path=model_dir / _FOLDER)
    return train_state.TrainState(**facts)


def mend_best(
    state: train_state.TrainState, *, model_dir: pathlib.Path, facts: Mapping[str, object]
) -> None:
    """Write best.npz anew where the run has a best epoch and the file cannot be read.

    Raises:
      errors.UserError: if no checkpoint holds the weights of that epoch.
    """
    if state.best_epoch:
        best_weights.mend(
            model_dir, checkpoints=model_dir / _FOLDER, epoch=state.best_epoch, facts=facts
        )


def _load(model_dir: pathlib.Path, *, most_bytes: int) -> checkpoint.Content | None:
    """Return the newest readable checkpoint; where all are damaged, say that the run begins anew.

    Its best weights are set aside then: the first epoch would replace them.
    """
    content = checkpoint.load_newest(model_dir / _FOLDER, most_bytes=most_bytes)
    if content is None and any((model_dir / _FOLDER).glob("*.npz.damaged*")):
        kept = ""
        if (model_dir / best_weights.BEST).exists():
            name = atomic_file.set_aside(model_dir / best_weights.BEST).name
            kept = f", and its best weights are kept as {name}"
        print(
            f"warning       no checkpoint of {model_dir} can be read: the run begins anew{kept}",
            file=sys.stderr,
        )
    return content


def _check_facts(facts: Mapping[str, object], *, folder: pathlib.Path) -> None:
    known = {field.name for field in dataclasses.fields(train_state.TrainState)}
    if strange := sorted(facts.keys() - known) or sorted({"data", "epoch", "step"} - facts.keys()):
        raise errors.UserError(
            f"{folder} has a checkpoint of another release ({strange[0]}): continue the run with "
            "that one, or give this run a folder of its own (--model_dir)"
        )


def _variables(train_step: train_step_lib.TrainStep) -> dict[str, tf.Variable]:
    """Return everything that training changes, by the name it has in a checkpoint."""
    variables = best_weights.weights(train_step.model)
    for i, slots in enumerate(train_step.optimizer.slots):
        for name, slot in zip(train_step.optimizer.rule.slot_names, slots, strict=True):
            variables[f"slot/{i:03d}/{name}"] = slot
    if train_step.average:
        for i, copy in enumerate(train_step.average.copies):
            variables[f"average/{i:03d}"] = copy
    if train_step.early_learning:
        variables["early_learning/targets"] = train_step.early_learning.targets
    if train_step.loss_scale:
        variables["loss_scale/scale"] = train_step.loss_scale.scale
        variables["loss_scale/good_steps"] = train_step.loss_scale.good_steps
        variables[_SKIPPED] = train_step.loss_scale.skipped
    return variables
