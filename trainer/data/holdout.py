"""Holdout split: images held out of train to choose the epoch on, apart from validation.

Owns which images are held out: a function of the file name alone, so that all repeats of an image
and all faces in it are on one side, and every run, seed and sweep holds out the same. A random
split of the examples was rejected: balancing repeats images, and their copies would be on both
sides.
"""

import dataclasses
import hashlib
import re
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from runtime import errors
from trainer.data import examples

NAME = "holdout"
_SALT = b"affectnet_faces holdout\0"
_FACE = re.compile(r"#\d+$")


def divide(train: examples.Split, *, frac: float) -> tuple[examples.Split, examples.Split]:
    """Return the split that is left to train on, and the holdout split.

    The holdout has each image once, without its repeats, and as evaluations decode it.

    Args:
      train: the training split.
      frac: share of the images to hold out.

    Raises:
      errors.UserError: if that leaves one of the two without examples.
    """
    is_held_out = are_held_out(train.filenames, frac=frac)
    rest = np.flatnonzero(~is_held_out)
    held = np.flatnonzero(is_held_out & (train.copies == 0))
    if not (len(rest) and len(held)):
        raise errors.UserError(
            f"--holdout_frac={frac} holds out {len(held):,} of {train.num_examples:,} images: both "
            "sides need some; choose another --holdout_frac"
        )
    exact = dataclasses.replace(train, fetch=train.fetch_exact)
    return take(train, indices=rest, name=train.name), take(exact, indices=held, name=NAME)


def are_held_out(filenames: Iterable[str], *, frac: float) -> np.ndarray:
    """Return whether each file name's hash lies in the lowest `frac` of all: bool[N].

    Further faces in a file (x.jpg#2) go by the name of the file.
    """
    images = (_FACE.sub("", name) for name in filenames)
    digests = (hashlib.blake2b(_SALT + name.encode(), digest_size=8).digest() for name in images)
    return np.array([int.from_bytes(digest, "big") < frac * 2**64 for digest in digests])


def take(split: examples.Split, *, indices: np.ndarray, name: str) -> examples.Split:
    """Return the split of only these examples, int64[M], indexed from 0."""
    columns = {f.name: getattr(split, f.name) for f in dataclasses.fields(split)}
    taken = {
        name: column[indices] for name, column in columns.items() if isinstance(column, np.ndarray)
    }
    original = tf.constant(indices, tf.int64)
    return dataclasses.replace(
        split,
        name=name,
        fetch=lambda chosen: split.fetch(tf.gather(original, chosen)),
        fetch_exact=lambda chosen: split.fetch_exact(tf.gather(original, chosen)),
        read_filenames=lambda: split.filenames[indices],
        read_groups=lambda: {name: texts[indices] for name, texts in split.groups.items()},
        **taken,
    )
