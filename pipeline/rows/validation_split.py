"""Validation split of data that have none: a fraction of the subjects, or of the images, of train.

Owns who is held out: the fold of a cross-validation over subjects in the order of their stable
hashes, or every image whose hash falls into the fold. Hashing subjects one by one was rejected:
ten of them often leave a fold empty.
"""

from collections.abc import Iterable
from typing import NamedTuple

from pipeline.rows import annotations, stable_hash

_PURPOSE = "validation"


class Holdout(NamedTuple):
    """What is held out of train; with a fraction of 0, nothing."""

    frac: float = 0.0
    fold: int = 0
    seed: int = 0
    subjects: frozenset[str] | None = None  # None: by image


def of_subjects(subjects: Iterable[str], *, frac: float, fold: int, seed: int) -> frozenset[str]:
    """Return the subjects of a fold: frac of them, at least one."""
    ordered = sorted(
        set(subjects), key=lambda name: (stable_hash.stable_hash(seed, _PURPOSE, name), name)
    )
    begin, end = (round(len(ordered) * frac * number) for number in (fold, fold + 1))
    begin = min(begin, len(ordered) - 1)
    return frozenset(ordered[begin : max(end, begin + 1)])


def is_held_out(name: str, holdout: Holdout) -> bool:
    """Tell whether a subject, or the image of a path, is in the validation split."""
    if holdout.subjects is not None:
        return name in holdout.subjects
    place = stable_hash.stable_hash(holdout.seed, _PURPOSE, name) / 2**stable_hash.HASH_BITS
    return holdout.fold * holdout.frac <= place < (holdout.fold + 1) * holdout.frac


def divided(
    item: annotations.Row | annotations.Reject, *, subject: str, holdout: Holdout
) -> annotations.Row | annotations.Reject:
    """Return a row or reject of train in the split that it belongs to.

    Args:
      item: the row.
      subject: who its image shows; "" where nothing says it, so that its path decides.
      holdout: what is held out.
    """
    if not holdout.frac or item.split != "train":
        return item
    name = subject or item.path
    rule = holdout if subject else holdout._replace(subjects=None)
    return item._replace(split="validation") if is_held_out(name, rule) else item
