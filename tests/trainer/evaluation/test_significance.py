"""McNemar's test and Holm's correction, by hand and against SciPy."""

import numpy as np
import pytest
from scipy import stats

from trainer.evaluation import significance


def answers(*, both=0, first=0, second=0, neither=0):
    """Return on which examples each of two classifiers is correct."""
    by_first = [True] * (both + first) + [False] * (second + neither)
    by_second = [True] * both + [False] * first + [True] * second + [False] * neither
    return np.array(by_first, bool), np.array(by_second, bool)


def test_five_against_none_by_hand():
    found = significance.test(*answers(both=10, first=5, neither=3))
    assert (found.only_first, found.only_second) == (5, 0)
    assert found.exact_p == pytest.approx(2 / 32)  # Both ends of five tosses of a coin.
    assert found.mid_p == pytest.approx(1 / 32)  # Half of what is as extreme counts.


def test_one_against_three_by_hand():
    found = significance.test(*answers(first=1, second=3))
    assert found.exact_p == pytest.approx(2 * (1 + 4) / 16)
    assert found.mid_p == pytest.approx(2 * (1 + 4) / 16 - 4 / 16)


def test_a_tie_by_hand():
    found = significance.test(*answers(first=2, second=2, both=4))
    assert (found.exact_p, found.mid_p) == (1.0, pytest.approx(1 - 6 / 16 / 2))  # 1 - f(2; 4) / 2.


@pytest.mark.parametrize("counts", [(3, 9), (40, 61), (7, 7), (0, 1)])
def test_the_exact_value_is_that_of_the_binomial_test(counts):
    found = significance.test(*answers(first=counts[0], second=counts[1], both=5))
    assert found.exact_p == pytest.approx(stats.binomtest(counts[0], sum(counts)).pvalue)
    assert found.mid_p <= found.exact_p


def test_runs_that_agree_do_not_differ():
    assert significance.test(*answers(both=5, neither=5)) == (0, 0, 1.0, 1.0)


def test_holm_by_hand():
    assert significance.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert significance.holm([0.6, 0.5]) == pytest.approx([1.0, 1.0])
    assert significance.holm([]) == []
