"""Flipped labels: which labels become which others, and how lists of flips and suspects combine."""

from collections.abc import Mapping

import numpy as np

from affectnet_tfds.reader import label_list
from trainer.evaluation import predictions

Entries = Mapping[str, label_list.Entry]
"""The lines of a list about a split, by file name."""


def uniform_shares(num_classes: int) -> np.ndarray:
    """Return the probability of each new label (columns) of a class (rows): all others alike."""
    return (1 - np.eye(num_classes)) / (num_classes - 1)


def confusion_shares(preds: predictions.Predictions) -> np.ndarray:
    """Return the same by what a network takes the class for; one without mistakes: all alike."""
    size = len(preds.class_names)
    counts = np.zeros((size, size))
    np.add.at(counts, (preds.labels, preds.predicted), 1)
    np.fill_diagonal(counts, 0)
    total = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, total, out=uniform_shares(size), where=total > 0)


def flipped(labels: np.ndarray, *, shares: np.ndarray, rate: float, seed: int) -> np.ndarray:
    """Return labels of which each class has lost a share of `rate` to others: int64[N].

    Args:
      labels: int64[N], in an order that is always the same.
      shares: float64[C, C], the probability of each new label of a class.
      rate: of the labels of each class, rounded to whole images.
      seed: of the choice.
    """
    noisy = labels.copy()
    for label in np.unique(labels):
        generator = np.random.Generator(np.random.Philox(key=[seed, int(label)]))
        members = np.flatnonzero(labels == label)
        chosen = generator.permutation(members)[: round(rate * len(members))]
        noisy[chosen] = generator.choice(len(shares), size=len(chosen), p=shares[label])
    return noisy


def without(flips: Entries, *, suspects: Entries) -> list[label_list.Entry]:
    """Return the flips whose images are no suspects: the others are left out of the build."""
    return [each for name, each in flips.items() if name not in suspects]


def composed(flips: Entries, *, suspects: Entries) -> list[label_list.Entry]:
    """Return the list that flips labels and then gives suspects the label of the audit.

    A row of it says the label of the input, and the one that it has in the end, if that is another.
    """
    entries = []
    for name in {**flips, **suspects}:
        first = flips.get(name) or suspects[name]
        last = suspects.get(name) or flips[name]
        if first.given != last.suggested:
            entries.append(first._replace(split="train", suggested=last.suggested))
    return entries
