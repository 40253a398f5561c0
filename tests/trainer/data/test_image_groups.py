"""Which examples show the same image: by name, by content, by the list of near duplicates."""

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


def groups(split, folder):
    return image_groups.of(split, version_dir=folder).tolist()


def test_identical_bytes_are_one_group(tmp_path):
    assert groups(split_with([b"a", b"b", b"a", b"c"]), tmp_path) == [0, 1, 0, 2]


def test_repeats_and_further_faces_of_a_file_are_one_group(tmp_path):
    split = split_with([b"a", b"b", b"c", b"d"], names=("x.jpg", "y.jpg", "x.jpg#2", "x.jpg"))
    assert groups(split, tmp_path) == [0, 1, 0, 0]


LIST = """group,kind,labels_disagree,split,subset,filename,expression
1,near,0,train,manual,x.jpg,0
1,near,0,train,manual,y.jpg,0
2,near,0,validation,manual,w.jpg,0
2,near,0,validation,manual,z.jpg,0
"""


def test_a_chain_of_copies_is_one_group(tmp_path):
    """The first two share their bytes, the last two their file; the middle ones are listed."""
    names = ("w.jpg", "x.jpg", "y.jpg", "y.jpg#2", "z.jpg")
    split = split_with([b"a", b"a", b"b", b"c", b"d"], names=names)
    assert groups(split, tmp_path) == [0, 0, 1, 1, 2]
    (tmp_path / "duplicates.csv").write_text(LIST)
    assert groups(split, tmp_path) == [0, 0, 0, 0, 1]


def test_names_are_found_as_the_list_writes_them(tmp_path):
    split = split_with([b"a", b"b"], names=("=x\n.jpg", "y,.jpg"))
    rows = ["group,split,filename", "1,train,'=x\\x0a.jpg", '1,train,"y,.jpg"']
    (tmp_path / "duplicates.csv").write_text("\n".join(rows))
    assert groups(split, tmp_path) == [0, 0]


def test_a_damaged_list_is_refused(tmp_path):
    (tmp_path / "duplicates.csv").write_text("nothing\nof it\n")
    with pytest.raises(errors.UserError, match=r"duplicates.csv is damaged \(KeyError: 'split'\)"):
        groups(split_with([b"a", b"b"]), tmp_path)


def test_bytes_are_those_at_the_positions_of_the_split(tmp_path):
    split = split_with([b"a", b"b", b"b"], names=("x.jpg", "y.jpg"))
    moved = dataclasses.replace(split, positions=np.array([1, 2]))
    assert groups(split, tmp_path) == [0, 1]
    assert groups(moved, tmp_path) == [0, 0]


def test_groups_by_number_are_joined_too():
    keys = [np.array(["a", "b", "c"]), np.array([7, 3, 7])]
    assert image_groups.joined(keys).tolist() == [0, 1, 0]


def test_a_split_without_bytes_is_refused(tmp_path):
    with pytest.raises(errors.UserError, match="the images of train cannot be read one by one"):
        groups(split_of(), tmp_path)
