"""McNemar's test: whether two classifiers judged on the same pictures differ by more than chance
would have them.

Only pictures on which one is right and the other wrong tell anything (McNemar 1947, Psychometrika
12). The exact test is conservative; the mid-p test, which is what to read, is not, and holds its
level in nearly all cases (Fagerland, Lydersen and Laake 2013, BMC Medical Research Methodology
13:91).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats


class Result(NamedTuple):
    """Two-sided p-values that neither classifier is the better one."""

    only_first: int  # examples that only the first has right
    only_second: int
    exact_p: float
    mid_p: float


def test(first_right: np.ndarray, second_right: np.ndarray) -> Result:
    """Test bool[N] against bool[N]: whether each classifier has each example right."""
    only_first = int((first_right & ~second_right).sum())
    only_second = int((second_right & ~first_right).sum())
    fewer, num = min(only_first, only_second), only_first + only_second
    both_sides = 2 * float(stats.binom.cdf(fewer, num, 0.5))
    mid = both_sides - float(stats.binom.pmf(fewer, num, 0.5))
    return Result(only_first, only_second, exact_p=min(1.0, both_sides), mid_p=min(1.0, mid))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for there being several of them (Holm 1979, Scandinavian Journal of
    Statistics 6)."""
    order = np.argsort(p_values, kind="stable")
    raised = np.asarray(p_values)[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(raised))
    return adjusted.tolist()
