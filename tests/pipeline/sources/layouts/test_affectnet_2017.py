"""Every name that the folders, lists and headers of the 2017 release go by."""

import pytest

from pipeline.rows import annotations
from pipeline.sources import base, line_ranges
from pipeline.sources.layouts import affectnet_2017
from runtime import errors
from tests.pipeline import conftest as release
from tests.pipeline.sources import conftest
from tests.pipeline.sources.conftest import brief, put, read, recognise

LINE = f"7/a.jpg,134.0,20,50,40,{release.landmarks_text()},1,0.5,-0.25\n"
HEADER = ",".join(release.HEADER) + "\n"

MANUAL = [  # images, training list, validation list
    ("Manually_Annotated_Images", "training.csv", "validation.csv"),
    ("Manually_Annotated_Images", "Manually_training.csv", "Manually_validation.csv"),
    (
        "Manually_Annotated/Manually_Annotated_Images",
        "Manually_Annotated_file_lists/training.csv",
        "Manually_Annotated_file_lists/validation.csv",
    ),
    (
        "Manually_Annotated/Manually_Annotated_Images",
        "Manually_Annotated/training.csv",
        "Manually_Annotated/validation.csv",
    ),
    (
        "Manually_Annotated_compressed/Manually_Annotated_Images",
        "Manually_Annotated_file_list/training.csv",
        "Manually_Annotated_file_list/validation.csv",
    ),
    (
        "manually_annotated_compressed/Manually_Annotated/Manually_Annotated_Images",
        "manually_annotated_file_lists/Training.CSV",
        "manually_annotated_file_lists/Validation.CSV",
    ),
    (
        "Manual_Annot/Manually_Annotated_Images",
        "Manual_Annot_files/training.csv",
        "Manual_Annot_files/validation.csv",
    ),
    (
        "AffectNet/Manually Annotated/Images",
        "AffectNet/lists/training.csv",
        "AffectNet/lists/validation.csv",
    ),
    ("images", "training.csv", "validation.csv"),
    (".", "training.csv", "validation.csv"),
]
AUTOMATIC = [
    ("Automatically_Annotated_Images", "automatically_annotated.csv"),
    (
        "Automatically_Annotated/Automatically_Annotated_Images",
        "Automatically_annotated_file_list/automatically_annotated.csv",
    ),
    (
        "Automatically_Annotated_compressed/Automatically_Annotated/Automatically_Annotated_Images",
        "Automatically_Annotated_file_lists/automatically_annotated.csv",
    ),
    (
        "Automatically Annotated/Images",
        "Automatically_Annotated_file_list/Automatically_Annotated.csv",
    ),
]


@pytest.mark.parametrize(("images", "training", "validation"), MANUAL)
def test_the_manual_lists_and_images_are_found_whatever_they_are_called(
    tmp_path, images, training, validation
):
    put(tmp_path, f"{images}/7/a.jpg", f"{images}/7/b.jpg")
    put(tmp_path, training, content=HEADER + LINE)
    put(tmp_path, validation, content=LINE.replace("a.jpg", "b.jpg"))
    rows = read(tmp_path)
    where = "" if images == "." else f"{images}/"
    assert brief(rows) == [("train", f"{where}7/a.jpg", 1), ("validation", f"{where}7/b.jpg", 1)]
    assert [row.filename for row in rows] == [
        "Manually_Annotated_Images/7/a.jpg",
        "Manually_Annotated_Images/7/b.jpg",
    ]
    assert recognise(tmp_path).layout == "2017"


@pytest.mark.parametrize(("images", "table"), AUTOMATIC)
def test_the_automatic_list_and_its_images_are_found_whatever_they_are_called(
    tmp_path, images, table
):
    put(tmp_path, f"{images}/7/a.jpg")
    put(tmp_path, table, content="#" + HEADER + LINE)
    (row,) = read(tmp_path, subsets=("automatic",))
    assert (row.subset, row.path, row.filename) == (
        "automatic",
        f"{images}/7/a.jpg",
        "Automatically_Annotated_Images/7/a.jpg",
    )


def test_the_same_image_path_in_both_subsets_refers_to_its_own_folder(tmp_path):
    put(tmp_path, "Manually_Annotated_Images/7/a.jpg", "Automatically_Annotated_Images/7/a.jpg")
    put(tmp_path, "training.csv", "automatically_annotated.csv", content=HEADER + LINE)
    rows = read(tmp_path, subsets=("manual", "automatic"))
    assert [row.path for row in rows] == [
        "Manually_Annotated_Images/7/a.jpg",
        "Automatically_Annotated_Images/7/a.jpg",
    ]


@pytest.mark.parametrize(
    "header",
    [
        "",
        HEADER,
        "#" + HEADER,
        HEADER.lower(),
        HEADER.upper(),
        "\ufeff" + HEADER,
        HEADER.replace(",", " , "),
        "# " + HEADER,
    ],
)
def test_every_header_on_record_and_none_give_the_same_row(tmp_path, header):
    put(tmp_path, "Manually_Annotated_Images/7/a.jpg")
    put(tmp_path, "training.csv", content=header + LINE)
    (row,) = read(tmp_path)
    assert row.source == "training.csv row 1"
    assert (row.box, row.label, row.valence, row.arousal) == (
        (134.0, 20.0, 50.0, 40.0),
        1,
        0.5,
        -0.25,
    )
    assert annotations.points_of(row)[1].tolist() == [30.5, 40.25]


@pytest.mark.parametrize(
    "text", [LINE * 2, (HEADER + LINE * 2).replace("\n", "\r\n"), (LINE + "\n" + LINE).rstrip()]
)
def test_line_ends_do_not_matter(tmp_path, text):
    put(tmp_path, "Manually_Annotated_Images/7/a.jpg")
    put(tmp_path, "training.csv", content=text)
    assert [row.label for row in read(tmp_path)] == [1, 1]


def test_rows_keep_their_numbers_when_a_list_is_cut_into_parts(tmp_path, monkeypatch):
    put(tmp_path, "Manually_Annotated_Images/7/a.jpg")
    put(tmp_path, "training.csv", content=HEADER + LINE * 5)
    release = recognise(tmp_path)
    cut = tuple(
        line_ranges.byte_ranges(tmp_path / "training.csv", chunk_bytes=len(HEADER) + len(LINE))
    )
    assert len(cut) == 3
    table = release.tables[0]._replace(parts=cut)
    rows = [
        row for part in cut for row in affectnet_2017.read(str(tmp_path), base.Part(table, part))
    ]
    assert [row.source for row in rows] == [f"training.csv row {i}" for i in range(1, 6)]


def test_columns_may_come_in_another_order_and_more_of_them(tmp_path):
    put(tmp_path, "Manually_Annotated_Images/7/a.jpg")
    put(tmp_path, "training.csv", content="subDirectory_filePath,extra,expression\n7/a.jpg,x,3\n")
    (row,) = read(tmp_path)
    assert (row.label, row.box, row.box_from) == (3, None, "picture")


def test_a_short_row_is_rejected_and_an_empty_one_passed_over(tmp_path):
    put(tmp_path, "Manually_Annotated_Images/7/a.jpg")
    put(tmp_path, "training.csv", content=LINE + "\n" + "7/b.jpg,1,2\n")
    assert brief(read(tmp_path)) == [
        ("train", "Manually_Annotated_Images/7/a.jpg", 1),
        ("7/b.jpg", "short row"),
    ]


def test_a_header_without_the_expression_is_refused(tmp_path):
    put(tmp_path, "Manually_Annotated_Images/7/a.jpg")
    put(tmp_path, "training.csv", content="subDirectory_filePath,valence\n7/a.jpg,0\n")
    with pytest.raises(
        errors.UserError, match="training.csv must have a column expression: its header is"
    ):
        read(tmp_path)


def test_a_header_with_a_column_twice_is_refused(tmp_path):
    put(tmp_path, "Manually_Annotated_Images/7/a.jpg")
    put(tmp_path, "training.csv", content=HEADER.replace("\n", ",Expression\n") + LINE)
    with pytest.raises(errors.UserError, match="each column once: its header has expression sever"):
        read(tmp_path)


def test_lists_without_their_images_are_refused(tmp_path):
    put(tmp_path, "training.csv", content=LINE)
    with pytest.raises(
        errors.UserError,
        match="names images such as '7/a.jpg', and no folder of 1 has one of its first",
    ):
        read(tmp_path)


def test_things_that_are_no_images_lie_about_unnoticed(tmp_path):
    put(
        tmp_path,
        "Manually_Annotated_Images/7/a.jpg",
        "Manually_Annotated_Images/7/Thumbs.db",
        ".DS_Store",
        "desktop.ini",
    )
    put(tmp_path, "training.csv", content=LINE)
    assert len(read(tmp_path)) == 1


def test_the_rows_on_record_are_expected(tmp_path):
    put(tmp_path, "Manually_Annotated_Images/7/a.jpg", "Automatically_Annotated_Images/7/a.jpg")
    put(tmp_path, "training.csv", "validation.csv", "automatically_annotated.csv", content=LINE)
    tables = recognise(tmp_path, subsets=("manual", "automatic")).tables
    assert [table.expected[0] for table in tables] == [414_800, 5_500, 539_607]
    assert conftest.recognise(tmp_path, subsets=("automatic",)).tables == tables[2:]
