"""Sampler: the order of examples in an epoch, natural or balanced by class.

Owns the order, a pure function of (seed, epoch). NumPy's Philox is seeded with both numbers;
chaining one generator over the epochs was rejected, because epoch 7 would then need epochs 0 to 6
first.
"""

import numpy as np


def natural(num_examples: int, *, seed: int, epoch: int) -> np.ndarray:
    """Return every example once, in random order: int64[N]."""
    return _generator(seed, epoch).permutation(num_examples).astype(np.int64)


def drawn(labels: np.ndarray, *, targets: np.ndarray, seed: int, epoch: int) -> np.ndarray:
    """Return an epoch's examples in random order, `targets[c]` of class c: int64[sum of targets].

    A class is traversed again and again in new random orders, an epoch continuing where the one
    before stopped; so over the epochs every example of a class is drawn equally often, within one.

    Args:
      labels: int[N].
      targets: int[C], how often each class is drawn in an epoch.
      seed: of the run.
      epoch: from 0.
    """
    by_class = [
        _of_class(
            np.flatnonzero(labels == label), count=int(count), seed=seed, epoch=epoch, label=label
        )
        for label, count in enumerate(targets)
        if count
    ]
    indices: np.ndarray = np.concatenate(by_class)
    shuffled: np.ndarray = indices[natural(len(indices), seed=seed, epoch=epoch)]
    return shuffled


def _of_class(members: np.ndarray, *, count: int, seed: int, epoch: int, label: int) -> np.ndarray:
    first = epoch * count
    last = first + count
    rounds = range(first // len(members), -(-last // len(members)))
    orders = [_generator(seed, 1, label, turn).permutation(members) for turn in rounds]
    start = first - rounds.start * len(members)
    return np.concatenate(orders)[start : start + count].astype(np.int64)


def _generator(*seeds: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seeds)))
