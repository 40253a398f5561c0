"""Which examples show the same image: by name, by content, by the record's own group, in chains."""

import dataclasses

import numpy as np
import pytest

from runtime import errors
from tests.trainer.training.test_soft_targets import split_of
from trainer.data import image_groups


def split_with(contents, *, names=None, **changes):
    names = names or tuple(f"{number}.jpg" for number in range(len(contents)))
    count = len(names)
    split = split_of(names=names, copies=(0,) * count, labels=(0,) * count)
    return dataclasses.replace(
        split, image_bytes=lambda position: memoryview(contents[position]), **changes
    )


def test_identical_bytes_are_one_group():
    assert image_groups.of(split_with([b"a", b"b", b"a", b"c"])).tolist() == [0, 1, 0, 2]


def test_repeats_and_further_faces_of_a_file_are_one_group():
    split = split_with([b"a", b"b", b"c", b"d"], names=("x.jpg", "y.jpg", "x.jpg#2", "x.jpg"))
    assert image_groups.of(split).tolist() == [0, 1, 0, 0]


def test_a_chain_of_copies_is_one_group():
    """The first two share their bytes, the last two their file, and the middle ones a group."""
    groups = np.array(["", "g", "g", ""])
    split = split_with(
        [b"a", b"a", b"b", b"c"],
        names=("w.jpg", "x.jpg", "y.jpg", "y.jpg#2"),
        duplicate_groups=groups,
    )
    assert image_groups.of(split).tolist() == [0, 0, 0, 0]
    without = dataclasses.replace(split, duplicate_groups=None)
    assert image_groups.of(without).tolist() == [0, 0, 1, 1]


def test_bytes_are_those_at_the_positions_of_the_split():
    split = split_with([b"a", b"b", b"b"], names=("x.jpg", "y.jpg"))
    moved = dataclasses.replace(split, positions=np.array([1, 2]))
    assert image_groups.of(split).tolist() == [0, 1]
    assert image_groups.of(moved).tolist() == [0, 0]


def test_groups_by_number_are_joined_too():
    keys = [np.array(["a", "b", "c"]), np.array([7, 3, 7])]
    assert image_groups.joined(keys).tolist() == [0, 1, 0]


def test_a_split_without_bytes_is_refused():
    with pytest.raises(errors.UserError, match="the images of train cannot be read one by one"):
        image_groups.of(split_of())
