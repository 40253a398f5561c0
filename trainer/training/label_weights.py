"""Label weights: the weight of each training image's label in the loss, by a list of doubted ones.

Owns how a list becomes weights. A weight is of the label and not of the image: a soft target,
which does not come from the label, is learnt in full, and batch statistics and accuracy count every
image. Weights are scaled to a mean of 1, as class weights are, so that the size of the loss and the
best learning rate stay. Leaving doubted images out of the data is the job's (--exclude).
"""

import dataclasses
import pathlib
from typing import TYPE_CHECKING

import numpy as np

from affectnet_tfds.reader import label_list
from runtime import errors
from trainer.config import training_config

if TYPE_CHECKING:  # `check` must not wait for TensorFlow.
    from trainer.data import dataset_version, examples


def check(settings: training_config.Targets) -> None:
    """Check the list of doubted labels, without TensorFlow.

    Raises:
      errors.UserError: if it is no list of labels.
      OSError: if the disk does not let it be read.
    """
    if settings.suspects is not None:
        label_list.read(pathlib.Path(settings.suspects))


def attached(
    train: "examples.Split",
    *,
    settings: training_config.Targets,
    version: "dataset_version.Version",
) -> "examples.Split":
    """Return a training split with the weights that the settings ask for, and print how many.

    Raises:
      errors.UserError: if no line of the list is about an image of the split.
    """
    if settings.suspects is None:
        return train
    listed = label_list.read(pathlib.Path(settings.suspects))
    is_doubted = doubted(train, listed=listed)
    if not is_doubted.any():
        raise errors.UserError(
            f"--suspects={settings.suspects} must name labels of {train.name} of {version.name}: "
            f"of {len(listed.entries):,} rows, the first {listed.entries[0].filename:.80}, none is "
            "there with the label that is given; name the list of an audit of these data"
        )
    weights = np.where(is_doubted, settings.suspect_weight, 1.0)
    if not weights.any():
        raise errors.UserError(
            f"--suspects={settings.suspects} doubts every label of {train.name}, and with "
            "--suspect_weight=0 nothing is left to learn: give doubted labels a weight"
        )
    print(
        f"suspects      {int(is_doubted.sum()):,} of {train.num_examples:,} labels weigh "
        f"{settings.suspect_weight:g} times what others do",
        flush=True,
    )
    scaled = (weights / weights.mean()).astype(np.float32)
    return dataclasses.replace(train, label_weights=scaled)


def doubted(train: "examples.Split", *, listed: label_list.LabelList) -> np.ndarray:
    """Return whether a list doubts each label: bool[N].

    A line with another given label than the data have is about other labels, and is passed over;
    the repeats of an image share its line.
    """
    entries = listed.of_split(train.name)
    return np.array(
        [
            (entry := entries.get(str(name))) is not None and entry.given in (-1, int(label))
            for name, label in zip(train.filenames, train.labels, strict=True)
        ]
    )
