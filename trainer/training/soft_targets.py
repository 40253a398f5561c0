"""Soft targets: the distribution over the classes that is learnt beside an image's label.

Owns where they come from: the soft labels of the data, or a CSV of a teacher's probabilities. The
teacher is asked once for each image, and not in every step for the images as augmented: any model
that trainer.evaluate takes can then be one, and a step costs no more.
"""

import dataclasses
import hashlib
import pathlib
from typing import TYPE_CHECKING

import numpy as np

from affectnet_tfds import labels
from runtime import errors
from trainer.arena import probabilities
from trainer.config import training_config

if TYPE_CHECKING:  # `check` must not wait for TensorFlow.
    from trainer.data import dataset_version, examples


def what(train: "examples.Split") -> str:
    """Return what `fingerprint` is of, in words."""
    more = {
        "soft targets (--teacher, --targets)": train.targets,
        "doubted labels (--suspects)": train.label_weights,
    }
    return " and ".join(["data", *(name for name, each in more.items() if each is not None)])


def check(settings: training_config.Targets) -> None:
    """Check the teacher's file, without TensorFlow.

    Raises:
      errors.UserError: if it is no CSV of probabilities.
      OSError: if the disk does not let it be read.
    """
    if settings.teacher is not None:
        probabilities.read(pathlib.Path(settings.teacher))


def attached(
    train: "examples.Split",
    *,
    settings: training_config.Targets,
    version: "dataset_version.Version",
) -> "examples.Split":
    """Return a training split with the soft targets that the settings ask for.

    Raises:
      errors.UserError: if the data have no soft labels, or the teacher's file does not fit them.
    """
    if not settings.is_soft:
        return train
    if settings.teacher is None:
        probs = _of_data(train, version=version)
    else:
        probs = _of_teacher(pathlib.Path(settings.teacher), train=train, version=version)
    softened = at_temperature(probs, temperature=settings.temperature)
    return dataclasses.replace(train, targets=softened.astype(np.float32))


def at_temperature(probs: np.ndarray, *, temperature: float) -> np.ndarray:
    """Return p^(1/T), scaled to a sum of 1: the softmax of logits divided by T, float64[N, C]."""
    raised = np.asarray(probs, np.float64) ** (1 / temperature)
    scaled: np.ndarray = raised / raised.sum(axis=1, keepdims=True)
    return scaled


def fingerprint(train: "examples.Split", *, data: str) -> str:
    """Return the fingerprint of what a run learns: its data, soft targets and label weights."""
    for learnt in (train.targets, train.label_weights):
        if learnt is not None:
            data = hashlib.sha256(data.encode() + learnt.tobytes()).hexdigest()
    return data


def _of_data(train: "examples.Split", *, version: "dataset_version.Version") -> np.ndarray:
    """Return the soft labels in the data's classes; where an image has none, its label."""
    if train.soft_labels is None:
        raise errors.UserError(
            f"--targets=soft needs data with soft labels, as those built from AffectNet+ and FER+ "
            f"are: {version.name} has none; leave it out, or name another build (--config_name)"
        )
    one_hot = np.eye(len(version.class_names))[train.labels]
    stored = labels.EXPRESSIONS[: train.soft_labels.shape[1]]
    soft = np.zeros(one_hot.shape)
    for column, name in enumerate(version.class_names):
        if name in stored:
            soft[:, column] = np.nan_to_num(train.soft_labels[:, stored.index(name)])
    total = soft.sum(axis=1, keepdims=True)
    if without := int((total == 0).sum()):
        print(
            f"warning       {without:,} of {len(total):,} examples have no soft label of these "
            "classes: --targets=soft learns their label",
            flush=True,
        )
    return np.where(total > 0, soft / np.where(total > 0, total, 1), one_hot)


def _of_teacher(
    path: pathlib.Path, *, train: "examples.Split", version: "dataset_version.Version"
) -> np.ndarray:
    """Return the probabilities of a CSV, matched to the images by file name."""
    table = probabilities.read(path)
    names = version.class_names
    probabilities.check_classes(table, data_classes=names, data=version.name)
    probs, _ = probabilities.match(
        table,
        filenames=train.filenames,
        copies=train.copies,
        data_classes=names,
        way_out=f"'python -m trainer.evaluate --split={train.name}' writes a row of each",
    )
    return probs
