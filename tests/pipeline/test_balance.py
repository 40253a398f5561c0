"""How many examples each class gets."""

import pytest

from pipeline import balance

COUNTS = {0: 100, 1: 300, 2: 20, 7: 4, 5: 0}


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        ("none", {0: 100, 1: 300, 2: 20, 7: 4}),
        ("median", {0: 20, 1: 20, 2: 20, 7: 20}),
        ("50", {0: 50, 1: 50, 2: 50, 7: 50}),
    ],
)
def test_targets_by_policy(policy, wanted):
    assert balance.targets(COUNTS, policy) == wanted


def test_an_odd_number_of_classes_has_its_middle_count_as_median():
    assert balance.targets({0: 5, 1: 9, 2: 100}, "median") == {0: 9, 1: 9, 2: 9}
