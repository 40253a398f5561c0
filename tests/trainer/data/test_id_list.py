"""Lists of ids: which examples they name, and each sentence about one that names none."""

import numpy as np
import pytest

from runtime import errors
from trainer.data import id_list

FILES = np.array(["1/a.jpg", "1/a.jpg", "1/b.jpg#2", "2/a.png", "2/c.jpg"])


def listed(tmp_path, text):
    path = tmp_path / "list.csv"
    path.write_text(text)
    return id_list.read(path)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("1/a.jpg\n2/c.jpg\n", [0, 1, 4]),
        ("2/c\n1/a\n\n", [0, 1, 4]),
        ("1/b#2\n", [2]),
        ("1/b.jpg#2\n", [2]),
        ("subDirectory_filePath,face_x\n2/a.png,4\n", [3]),
        ("id\n2/a\n2/a\n", [3]),
        ("\ufeff2/a.png\r\n", [3]),
    ],
)
def test_ids_are_file_names_with_or_without_ending(tmp_path, text, rows):
    found = id_list.find(listed(tmp_path, text), filenames=FILES, split="validation")
    assert found.rows.tolist() == rows


def test_ids_that_the_split_has_not_are_counted(tmp_path):
    found = id_list.find(listed(tmp_path, "1/a\n3/x\na.jpg\n"), filenames=FILES, split="test")
    assert found.counts == "1 of 4 images of test; 2 of 3 ids are not there"


def test_a_list_of_other_data_is_refused(tmp_path):
    with pytest.raises(errors.UserError) as no:
        id_list.find(listed(tmp_path, "7\n8\n"), filenames=FILES, split="validation")
    assert str(no.value) == (
        f"none of the 2 ids in {tmp_path}/list.csv is in validation: ids are the file names of "
        "validation, such as 1/a.jpg, and the first is '7'; choose another --subset or --split"
    )


@pytest.mark.parametrize("text", ["", "\n", "filename\n"])
def test_an_empty_list_is_refused(tmp_path, text):
    with pytest.raises(errors.UserError, match=r"list\.csv lists no id: it must have one a line"):
        listed(tmp_path, text)


def test_a_quotation_mark_that_is_not_closed_swallows_no_ids(tmp_path):
    with pytest.raises(errors.UserError, match="'b' begins with a quotation mark that is not clos"):
        listed(tmp_path, 'a\n"b\nc\n')


def test_an_id_without_ending_that_two_files_have_is_refused(tmp_path):
    files = np.array(["a.jpg", "a.png"])
    with pytest.raises(errors.UserError, match=r"a stands for a\.jpg and for a\.png: write its"):
        id_list.find(listed(tmp_path, "a\n"), filenames=files, split="test")
    found = id_list.find(listed(tmp_path, "a.png\n"), filenames=files, split="test")
    assert found.rows.tolist() == [1]
