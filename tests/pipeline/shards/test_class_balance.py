"""How many examples each class gets."""

import pytest

from pipeline.shards import class_balance

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
    assert class_balance.targets(COUNTS, policy) == wanted


def test_an_odd_number_of_classes_has_its_middle_count_as_median():
    assert class_balance.targets({0: 5, 1: 9, 2: 100}, "median") == {0: 9, 1: 9, 2: 9}


@pytest.mark.parametrize(("policy", "target"), [("min", 4), ("max", 300)])
def test_min_only_samples_down_and_max_only_repeats(policy, target):
    assert class_balance.targets(COUNTS, policy) == dict.fromkeys((0, 1, 2, 7), target)


def test_max_copies_keeps_small_classes_from_being_repeated_too_often():
    assert class_balance.targets(COUNTS, "max", max_copies=3) == {0: 300, 1: 300, 2: 60, 7: 12}
