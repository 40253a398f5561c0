"""Drift between two training runs that should be the same.

Sums of floats in another order differ in their last digits, and training amplifies that: smoothly,
in proportion to how far the weights move, and by jumps where a ReLU or the maximum of a pooling
window is within those digits of another. A fixed limit for a difference therefore means little; the
effect of a fault is in proportion to the distance that weights move.
"""

import numpy as np

LIMIT = 4e-3
"""Largest drift of training runs that are the same.

Measured over 32 steps in the settings of `test_hosts`: 3e-5 with two hosts against one; with two
replicas 8e-6 (2e-4 with a seed that has a jump), and at most 2e-5 where the first weights are
changed by 3e-7 of themselves, 24 times. With faults put in: 0.04 where the last, smaller batch of
each epoch is the mean of the replicas' means, 0.19 where replicas clip before they add, 0.22 where
gradients are averaged, 0.30 where batch normalisation counts filling, 1.7 where they draw the same
random numbers. Those of `test_replicas` drift by 1e-6 to 4e-6, with such faults by 0.5 and more.
"""

_LEAST_SHARE = 0.03
"""Of the distance of all variables: one that hardly moves, such as a bias before a normalisation,
has little else than last digits."""


def largest(arrays, others, *, start):
    """Return the largest distance between two final values of a variable.

    It is relative to the distance from its initial value (Euclidean norms).
    """
    moved = [_norm(array - first) for array, first in zip(arrays, start, strict=True)]
    least = _LEAST_SHARE * _norm(np.array(moved))
    apart = [_norm(array - other) for array, other in zip(arrays, others, strict=True)]
    return max(distance / max(way, least) for distance, way in zip(apart, moved, strict=True))


def _norm(array):
    return float(np.sqrt(np.square(array.astype(np.float64)).sum()))
