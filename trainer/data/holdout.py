"""Pictures held out of the training split to choose by, so that what is chosen is not chosen on
what is judged.

Owns who is held out: a function of the file name alone, so that all repeats of a picture are on one
side, and every run, seed and sweep holds out the same. A random split of the examples was rejected:
balancing repeats pictures, and their copies would be on both sides.
"""

import dataclasses
import hashlib
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from runtime import errors
from trainer.data import examples

NAME = "holdout"
_SALT = b"affectnet_faces holdout\0"


def divide(train: examples.Split, *, frac: float) -> tuple[examples.Split, examples.Split]:
    """Return what is left to train on, and what is held out: of each picture there itself, without
    its repeats.

    Args:
      train: the training split.
      frac: share of the pictures to hold out.

    Raises:
      errors.UserError: if that leaves one of the two without examples.
    """
    held = are_held_out(train.filenames, frac=frac)
    rest, kept = np.flatnonzero(~held), np.flatnonzero(held & (train.copies == 0))
    if not (len(rest) and len(kept)):
        raise errors.UserError(
            f"--holdout_frac={frac} holds out {len(kept):,} of {train.num_examples:,} pictures: both sides need some"
        )
    return take(train, numbers=rest, name=train.name), take(train, numbers=kept, name=NAME)


def are_held_out(filenames: Iterable[str], *, frac: float) -> np.ndarray:
    """Return whether each file name's hash lies in the lowest `frac` of all: bool[N]."""
    digests = (hashlib.blake2b(_SALT + name.encode(), digest_size=8).digest() for name in filenames)
    return np.array([int.from_bytes(digest, "big") < frac * 2**64 for digest in digests])


def take(split: examples.Split, *, numbers: np.ndarray, name: str) -> examples.Split:
    """Return the split that holds only these examples, int64[M], renumbered from 0."""
    columns = {f.name: getattr(split, f.name) for f in dataclasses.fields(split)}
    taken = {
        name: column[numbers] for name, column in columns.items() if isinstance(column, np.ndarray)
    }
    places, fetch = tf.constant(numbers, tf.int64), split.fetch
    return dataclasses.replace(
        split, name=name, fetch=lambda chosen: fetch(tf.gather(places, chosen)), **taken
    )
