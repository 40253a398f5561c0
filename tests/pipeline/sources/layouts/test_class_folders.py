"""Class folders: names in any spelling, AffectNet's codes, and numbers that are not AffectNet's."""

import pytest

from runtime import errors
from tests.pipeline.sources.conftest import brief, put, read, recognise


@pytest.mark.parametrize(
    ("names", "codes"),
    [
        (["Anger", "Contempt", "Happy", "Neutral"], [6, 7, 1, 0]),
        (
            ["anger", "contempt", "disgust", "fear", "happy", "neutral", "sad", "surprise"],
            [6, 7, 5, 4, 1, 0, 2, 3],
        ),
        (
            ["ANGRY", "Disgusted", "Fearful", "Happiness", "Sadness", "Surprised"],
            [6, 5, 4, 1, 2, 3],
        ),
        (["0", "1", "2", "7"], [0, 1, 2, 7]),
        (["0_neutral", "1_anger", "2 Happy"], [0, 6, 1]),
        (["none", "uncertain", "no-face", "No_Face"], [8, 9, 10, 10]),
    ],
)
def test_a_folder_is_the_expression_it_names_and_not_its_place_in_the_alphabet(
    tmp_path, names, codes
):
    put(tmp_path, *(f"train/{name}/x.jpg" for name in names))
    found = {row.path.split("/")[1]: row.label for row in read(tmp_path)}
    assert found == dict(zip(names, codes, strict=True))


@pytest.mark.parametrize("train", ["train", "Train", "training", "train_set", "archive (3)/Train"])
@pytest.mark.parametrize(
    "validation", ["val", "valid", "validation", "test", "Test", "archive (3)/Test"]
)
def test_splits_have_many_names(tmp_path, train, validation):
    put(tmp_path, f"{train}/anger/a.jpg", f"{validation}/0/b.png")
    assert brief(read(tmp_path)) == [
        ("train", f"{train}/anger/a.jpg", 6),
        ("validation", f"{validation}/0/b.png", 0),
    ]
    assert [row.filename for row in read(tmp_path)] == ["train/anger/a.jpg", "validation/0/b.png"]


def test_the_whole_image_is_taken(tmp_path):
    put(tmp_path, "train/anger/a.jpg")
    (row,) = read(tmp_path)
    assert (row.box, row.box_from, row.landmarks, str(row.valence)) == (None, "picture", b"", "nan")


def test_images_in_folders_of_a_class_folder_are_taken_and_others_counted(tmp_path):
    put(tmp_path, "train/happy/S010/a.jpg", "train/happy/S010/1/b.heic", "train/sad/c", "notes.jpg")
    put(tmp_path, "train/happy/S010/clip.mp4", "train/sad/d.pgm", content="P5 2 2 255\n\1\2\3\4")
    put(tmp_path, "train/happy/__MACOSX/._a.jpg", "train/happy/S010/._a.jpg")
    assert brief(read(tmp_path)) == [
        ("train", "train/happy/S010/1/b.heic", 1),
        ("train", "train/happy/S010/a.jpg", 1),
        ("train", "train/sad/c", 2),
    ]
    assert [tuple(kind) for kind in recognise(tmp_path).passed_over] == [
        ("files of macOS or Windows", 2, "train/happy/S010/._a.jpg"),
        (".jpg", 1, "notes.jpg"),
        (".mp4", 1, "train/happy/S010/clip.mp4"),
        (".pgm", 1, "train/sad/d.pgm"),
    ]


def test_all_images_may_be_in_folders_of_the_class_folders(tmp_path):
    put(tmp_path, "train/happy/S010/a.jpg", "val/happy/S011/b.jpg", "val/sad/S011/c.jpg")
    assert [row.filename for row in read(tmp_path)] == [
        "train/happy/S010/a.jpg",
        "validation/happy/S011/b.jpg",
        "validation/sad/S011/c.jpg",
    ]


def test_splits_within_class_folders_are_refused(tmp_path):
    put(tmp_path, "happy/train/a.jpg", "happy/test/b.jpg", "sad/train/c.jpg")
    with pytest.raises(errors.UserError, match="must be above class folders, as in test/happy: "):
        recognise(tmp_path)


def test_a_numbered_folder_above_class_folders_is_no_class(tmp_path):
    put(tmp_path, "archive/1/happy/a.jpg", "archive/1/sad/b.jpg")
    assert brief(read(tmp_path)) == [
        ("train", "archive/1/happy/a.jpg", 1),
        ("train", "archive/1/sad/b.jpg", 2),
    ]


@pytest.mark.parametrize("above", [".", "train"])
def test_a_link_to_a_folder_above_is_not_followed(tmp_path, above):
    put(tmp_path, "train/happy/a.jpg", "train/sad/b.jpg")
    (tmp_path / "train" / "happy" / "loop").symlink_to(tmp_path / above)
    assert len(read(tmp_path)) == 2
    assert [kind.example for kind in recognise(tmp_path).passed_over] == ["train/happy/loop/"]


def test_a_test_folder_is_validation_only_where_there_is_no_other(tmp_path):
    put(tmp_path, "train/anger/a.jpg", "test/anger/b.jpg")
    assert recognise(tmp_path).notes == ("test is taken as validation: there is no other",)
    put(tmp_path, "val/anger/c.jpg")
    assert [table.split for table in recognise(tmp_path).tables] == ["test", "train", "validation"]


def test_folders_without_splits_are_all_train_and_said_so(tmp_path):
    put(tmp_path, "archive/happy/a.jpg", "archive/sad/b.jpg")
    assert brief(read(tmp_path)) == [
        ("train", "archive/happy/a.jpg", 1),
        ("train", "archive/sad/b.jpg", 2),
    ]
    assert recognise(tmp_path).notes == (
        "archive has no train and val folders: all of it is train",
    )


def test_what_is_no_image_and_no_expression_is_ignored_with_a_note(tmp_path):
    put(
        tmp_path,
        "train/happy/a.JPG",
        "train/happy/Thumbs.db",
        "train/happy/.DS_Store",
        "train/happy/._a.jpg",
    )
    put(tmp_path, "train/faces/b.jpg", "train/happy/b.TIF")
    put(tmp_path, "train/happy/notes.txt", content="a text")
    assert brief(read(tmp_path)) == [
        ("train", "train/happy/a.JPG", 1),
        ("train", "train/happy/b.TIF", 1),
    ]
    assert recognise(tmp_path).notes == ("ignored, as no expression: train/faces",)


def test_numbers_that_do_not_begin_with_0_are_refused(tmp_path):
    put(tmp_path, *(f"train/{i}/x.jpg" for i in range(1, 8)))
    with pytest.raises(errors.UserError) as caught:
        read(tmp_path)
    assert str(caught.value) == (
        "numbers are taken as AffectNet's codes where they begin with 0 and end by 10: "
        f"{tmp_path}/train has 1, 2, 3, 4, 5, 6, 7; give their meaning, "
        "as in --labels=1=surprise,2=fear"
    )


def test_the_flag_says_what_numbers_mean(tmp_path):
    put(tmp_path, *(f"train/{i}/x.jpg" for i in range(1, 8)))
    raf = "1=surprise,2=Fear,3=disgust,4=happiness,5=sad,6=6,7=neutral"
    assert [row.label for row in read(tmp_path, labels=raf)] == [3, 4, 5, 1, 2, 6, 0]


def test_the_flag_overrides_a_name(tmp_path):
    put(tmp_path, "train/joy/x.jpg", "train/rage/x.jpg")
    assert [row.label for row in read(tmp_path, labels="rage=anger,joy=none")] == [8, 6]


def test_the_image_folders_of_2017_without_their_lists_are_not_taken_for_classes(tmp_path):
    put(tmp_path, *(f"Manually_Annotated_Images/{i}/x.jpg" for i in range(15)))
    with pytest.raises(errors.UserError, match="is no AffectNet release in a known layout"):
        read(tmp_path)


def test_two_folders_for_one_split_are_refused(tmp_path):
    put(tmp_path, "a/train/happy/x.jpg", "b/Train/happy/x.jpg")
    with pytest.raises(
        errors.UserError,
        match="several folders of annotations of which each is a train folder: a/train, b/",
    ):
        read(tmp_path)


@pytest.mark.parametrize("inside", ["happy/1", "1_happy/0"])
def test_numbered_folders_in_a_class_folder_with_a_name_are_no_classes(tmp_path, inside):
    put(tmp_path, f"train/{inside}/a.jpg", "train/sad/2/b.jpg", "val/sad/3/b.jpg")
    found = {row.path: row.label for row in read(tmp_path)}
    assert found == {f"train/{inside}/a.jpg": 1, "train/sad/2/b.jpg": 2, "val/sad/3/b.jpg": 2}
