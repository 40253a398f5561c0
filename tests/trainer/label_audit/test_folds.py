"""Folds: groups stay together, sizes and classes are equal, and the seed is the data."""

import numpy as np

from trainer.label_audit import folds


def assigned(*, groups, labels, count=3):
    names = np.array([f"{number}.jpg" for number in range(len(labels))])
    return folds.assign(names, labels=np.array(labels), groups=np.array(groups), folds=count)


def test_a_group_is_in_one_fold():
    groups = [0, 1, 0, 2, 3, 3, 4, 0]
    found = assigned(groups=groups, labels=[0] * 8)
    for group in set(groups):
        assert len(set(found[np.array(groups) == group].tolist())) == 1


def test_folds_have_the_same_number_of_groups_of_each_class():
    labels = np.repeat([0, 1, 2], [31, 10, 7])
    found = assigned(groups=range(48), labels=labels)
    assert np.bincount(found).tolist() == [16, 16, 16]
    for label in range(3):
        counts = np.bincount(found[labels == label], minlength=3)
        assert counts.max() - counts.min() <= 1


def test_folds_do_not_depend_on_the_order_of_examples():
    names = np.array([f"{number}.jpg" for number in range(20)])
    order = np.random.default_rng(0).permutation(20)
    options = {"labels": np.zeros(20, int), "folds": 4}
    one = folds.assign(names, groups=np.arange(20), **options)
    other = folds.assign(names[order], groups=np.arange(20), **options)
    assert (one[order] == other).all()
    assert len(set(one.tolist())) == 4 and one.tolist() != sorted(one.tolist())
