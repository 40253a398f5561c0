"""McNemar's test: significance of the accuracy difference of two classifiers on the same images.

Owns the exact and the mid-p test, and Holm's correction for several of them. Only examples that one
classifier has correct and the other has wrong carry information (McNemar 1947, Psychometrika 12).
The mid-p value is the one to read: the exact test is conservative, and mid-p holds its level in
nearly all cases (Fagerland, Lydersen and Laake 2013, BMC Medical Research Methodology 13:91). SciPy
has neither mid-p nor Holm.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats


class Result(NamedTuple):
    """Two-sided p-values of the hypothesis that both classifiers are equally accurate."""

    only_first: int  # Examples that only the first has correct.
    only_second: int
    exact_p: float
    mid_p: float


def test(first_correct: np.ndarray, second_correct: np.ndarray) -> Result:
    """Test two classifiers; bool[N] each: is the classifier correct on the example?"""
    only_first = int((first_correct & ~second_correct).sum())
    only_second = int((second_correct & ~first_correct).sum())
    num_examples = only_first + only_second
    if not num_examples:
        return Result(only_first, only_second, exact_p=1.0, mid_p=1.0)
    exact_p = float(stats.binomtest(only_first, num_examples).pvalue)
    as_observed = float(stats.binom.pmf(only_first, num_examples, 0.5))
    # At a tie the two tails overlap in what was observed, of which half is then left out once.
    mid_p = exact_p - (as_observed / 2 if only_first == only_second else as_observed)
    return Result(only_first, only_second, exact_p=exact_p, mid_p=mid_p)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for several tests (Holm 1979, Scandinavian Journal of Statistics 6)."""
    order = np.argsort(p_values, kind="stable")
    raised = np.asarray(p_values)[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(raised))
    return [float(p) for p in adjusted]
