"""Lists of labels: what is read, what is refused, and that what is written can be read."""

import pytest

from affectnet_tfds.reader import label_list
from runtime import errors

SHA256 = "90522712be14aca2c92d8f06edf896c3478e8bf07339b58ca2645512910c60d5"
"""Of "filename", "a.jpg" and their line ends, by sha256sum."""


def listed(tmp_path, text, **options):
    (tmp_path / "list.csv").write_text(text)
    return label_list.read(tmp_path / "list.csv", **options)


def test_columns_are_found_by_name_and_others_are_passed_over(tmp_path):
    text = "suggested,score,filename,split,given\nsad,0.1,a.jpg,train,happy\n,,b.jpg,,\n"
    assert listed(tmp_path, text).entries == (
        ("train", "a.jpg", 1, 2),
        ("", "b.jpg", -1, -1),
    )


def test_spaces_after_the_commas_of_the_header_are_no_part_of_a_name(tmp_path):
    found = listed(tmp_path, "filename, split, given\na.jpg, train, sad\n")
    assert found.entries == (("train", "a.jpg", 2, -1),)


def test_a_line_without_a_split_is_about_all(tmp_path):
    found = listed(tmp_path, "split,filename\ntrain,a.jpg\n,b.jpg\nvalidation,c.jpg\n")
    assert list(found.of_split("train")) == ["a.jpg", "b.jpg"]
    assert list(found.of_split("validation")) == ["b.jpg", "c.jpg"]


def test_the_digest_is_that_of_the_file(tmp_path):
    found = listed(tmp_path, "filename\na.jpg\n")
    assert found.sha256 == SHA256
    assert found.sha256 != listed(tmp_path, "filename\nb.jpg\n").sha256


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name\na.jpg\n", "the columns filename: filename is not there, its first line is name$"),
        ("split;filename\n;a.jpg\n", "filename is not there, its first line is split;filename$"),
        ("", "filename is not there, its first line is empty$"),
        ("filename\n", "it has no row"),
        ("filename,given\na.jpg,joy\n", "row 1: given must be one of neutral, .*: got 'joy'"),
        ("filename,split\na.jpg,train\na.jpg,train\n", "row 2 has the image of row 1, a.jpg"),
        ("filename,split\na.jpg,\na.jpg,train\n", "row 2 has the image of row 1, a.jpg"),
        ("filename,split\na.jpg,train\na.jpg,\n", "row 1 has the image of row 2, a.jpg"),
        ("filename,split\n,train\n", "row 1 has no filename"),
        ('filename\n"a.jpg\n', "as a list of labels: unexpected end of data"),
    ],
)
def test_what_is_no_list_is_refused(tmp_path, text, message):
    with pytest.raises(errors.UserError, match=message):
        listed(tmp_path, text)


def test_columns_that_a_user_needs_are_asked_for(tmp_path):
    with pytest.raises(errors.UserError, match="given, suggested are not there"):
        listed(tmp_path, "filename\na.jpg\n", needs=("filename", "given", "suggested"))


def test_what_is_written_is_read_again(tmp_path):
    rows = [
        {"split": "train", "filename": "=a.jpg", "given": "sad", "suggested": "fear", "score": "1"}
    ]
    text = label_list.to_csv(rows)
    assert text.splitlines()[0] == "split,filename,given,suggested,score"
    assert listed(tmp_path, text).entries == (("train", "=a.jpg", 2, 4),)


def test_lines_of_what_is_kept_are_passed_over(tmp_path):
    """As duplicates.csv of a build has them."""
    (tmp_path / "d.csv").write_text("split,filename,kept\ntrain,a.jpg,1\ntrain,b.jpg,0\n")
    assert [entry.filename for entry in label_list.read(tmp_path / "d.csv").entries] == ["b.jpg"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("train,a.jpg,1\ntrain,c.jpg,0\ntrain,c.jpg,0\n", r"row 3 has the image of row 2, c\.jpg"),
        ("train,a.jpg,1\ntrain,b.jpg,yes\n", "row 2: kept must be 0 or 1: got 'yes'"),
        ("train,a.jpg,1\ntrain,b.jpg,1\n", "all of its 2 rows are kept: nothing is to be done"),
    ],
)
def test_a_list_of_what_is_kept_is_refused_by_its_own_row_numbers(tmp_path, rows, said):
    (tmp_path / "d.csv").write_text("split,filename,kept\n" + rows)
    with pytest.raises(errors.UserError, match=said):
        label_list.read(tmp_path / "d.csv")
