"""Where a run stands, and its way into a checkpoint and back.

Owns the names of the saved arrays and the facts beside them. Variables are named by position and
path, so that a checkpoint of another network is noticed rather than loaded in part.
"""

import dataclasses
import pathlib

import tensorflow as tf

from runtime import errors
from trainer.distributed import host_channel
from trainer.run import best_weights, checkpoint, train_state
from trainer.training import train_step

_FOLDER = "checkpoints"


def save(
    standing: train_state.TrainState,
    *,
    program: train_step.TrainStep,
    model_dir: pathlib.Path,
    steps_per_epoch: int,
) -> None:
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


def restore(
    *,
    program: train_step.TrainStep,
    model_dir: pathlib.Path,
    data: str,
    connection: host_channel.HostChannel | None = None,
) -> train_state.TrainState:
    """Load the newest checkpoint into the program, or return the beginning where there is none.

    The chief reads it and sends it to the other hosts there is a connection to; they need not see
    its disk.

    Raises: errors.UserError: if it was made from data with another fingerprint, or belongs to
      another network.
    """
    found = best_weights.from_chief(
        lambda: checkpoint.load_newest(model_dir / _FOLDER), connection=connection
    )
    if found is None:
        return train_state.TrainState(data=data)
    arrays, facts = found
    if facts["data"] != data:
        raise errors.UserError(
            f"{model_dir} was trained on data with fingerprint {facts['data'][:12]}, and those here have {data[:12]}. "
            f"Give this run a folder of its own (--model_dir) or replace that one (--overwrite)."
        )
    best_weights.assign(_everything(program), arrays=arrays, path=model_dir / _FOLDER)
    return train_state.TrainState(**facts)


def _everything(program: train_step.TrainStep) -> dict[str, tf.Variable]:
    slots = {
        f"slot/{i:03d}/{name}": slot
        for i, of_variable in enumerate(program.optimizer.slots)
        for name, slot in zip(program.optimizer.rule.slot_names, of_variable, strict=True)
    }
    copies = program.average.copies if program.average else []
    averages = {f"average/{i:03d}": copy for i, copy in enumerate(copies)}
    scale = program.loss_scale
    scaling = (
        {"loss_scale/scale": scale.scale, "loss_scale/good_steps": scale.good_steps}
        if scale
        else {}
    )
    return best_weights.weights(program.model) | slots | averages | scaling
