"""Permutation test of groups: are images of every group equally often correct, class by class?

Owns the test of Cochran, Mantel and Haenszel in its permutation form: within each true class, which
images are correct is dealt to the groups at random, so that groups of unequal classes are not taken
for groups of unequal accuracy. The number of correct images that a group is dealt is multivariate
hypergeometric, and drawn as such: shuffling images ten thousand times gives the same distribution,
and takes a hundred times as long. statsmodels' StratifiedTable was rejected: it knows two groups.
"""

import numpy as np

DRAWS = 9_999
"""Permutations: the smallest p-value is 1 / (DRAWS + 1)."""

_TOLERANCE = 1e-9
"""Statistics that differ by less are equal: sums of the same numbers in another order."""


def p_value(images: np.ndarray, correct: np.ndarray, *, seed: int = 0) -> float:
    """Return the p-value of the hypothesis that correctness does not depend on the group.

    Args:
      images: int[G, C], images of each group and true class.
      correct: int[G, C], those of them that are correct.
      seed: of the permutations.
    """
    rng = np.random.default_rng(seed)
    expected = _expected(images, correct)
    dealt = np.zeros((DRAWS, len(images)))
    for column, hits in zip(images.T, correct.T.sum(axis=1), strict=True):
        if 0 < hits < column.sum():  # Else every permutation is the same.
            dealt += rng.multivariate_hypergeometric(column, int(hits), size=DRAWS)
        else:
            dealt += column * (hits > 0)
    sizes = images.sum(axis=1)
    observed = _statistic(correct.sum(axis=1), expected=expected, sizes=sizes)
    drawn = _statistic(dealt, expected=expected, sizes=sizes)
    return float((1 + np.sum(drawn >= observed - _TOLERANCE)) / (1 + DRAWS))


def _expected(images: np.ndarray, correct: np.ndarray) -> np.ndarray:
    """Return how many of each group would be correct at the accuracy of each class: float[G]."""
    totals = np.maximum(images.sum(axis=0), 1)
    return np.asarray(images @ (correct.sum(axis=0) / totals))


def _statistic(correct: np.ndarray, *, expected: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the sum over the groups of (correct - expected)^2 / size, of int[..., G]."""
    return np.asarray(((correct - expected) ** 2 / np.maximum(sizes, 1)).sum(axis=-1))
