"""Any CSV: columns by name or number, labels of other data sets, boxes in either form."""

import pytest

from pipeline.rows import annotations
from pipeline.sources import line_ranges
from runtime import errors
from tests.pipeline.sources.conftest import brief, put, read, recognise


def table(root, text, *, name="a.csv", images=("a.jpg", "b.jpg")):
    put(root, *images)
    return put(root, name, content=text)


def test_columns_that_need_no_naming_are_found(tmp_path):
    table(tmp_path, "Image,Emotion,valence\na.jpg,Happiness,0.5\nb.jpg,6,\n")
    rows = read(tmp_path, csv="train=a.csv")
    assert brief(rows) == [("train", "a.jpg", 1), ("train", "b.jpg", 6)]
    assert [(row.source, row.valence) for row in rows][0] == ("a.csv row 1", 0.5)
    assert rows[0].box_from == "picture"


def test_columns_are_named_by_the_flag(tmp_path):
    table(tmp_path, "which,what,x0,y0,w,h\na.jpg,3,1,2,3,4\n")
    (row,) = read(
        tmp_path, csv="train=a.csv", columns="path=which,label=what,x=x0,y=y0,width=w,height=h"
    )
    assert (row.label, row.box, row.box_from) == (3, (1, 2, 3, 4), "annotation")


def test_a_box_may_be_given_by_its_corners(tmp_path):
    table(tmp_path, "image,label,x1,y1,x2,y2\na.jpg,3,1,2,31,42\nb.jpg,3,NULL,2,3,4\n")
    rows = read(tmp_path, csv="train=a.csv", columns="left=x1,top=y1,right=x2,bottom=y2")
    assert rows[0].box == (1, 2, 30, 40)
    assert rows[1].reason == "no face box"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", " "])
def test_what_separates_fields_is_seen(tmp_path, delimiter):
    table(tmp_path, "image,label\na.jpg,3\nb.jpg,4\n".replace(",", delimiter))
    assert [row.label for row in read(tmp_path, csv="train=a.csv")] == [3, 4]


def test_landmarks_between_semicolons_do_not_hide_the_comma(tmp_path):
    points = ";".join(map(str, range(136)))
    table(tmp_path, f"image,points,label\na.jpg,{points},3\n")
    assert line_ranges.delimiter_of(tmp_path / "a.csv") == ","
    (row,) = read(tmp_path, csv="train=a.csv", columns="landmarks=points")
    assert annotations.points_of(row)[67].tolist() == [134, 135]


def test_landmarks_may_be_written_as_a_python_list(tmp_path):
    points = ", ".join(map(str, range(136)))
    table(tmp_path, f'image,points,label\na.jpg,"[{points}]",3\n')
    (row,) = read(tmp_path, csv="train=a.csv", columns="landmarks=points")
    assert annotations.points_of(row)[67].tolist() == [134, 135]


def test_raf_db_as_it_is(tmp_path):
    put(tmp_path, "Image/aligned/train_00001_aligned.jpg", "Image/aligned/test_0001_aligned.jpg")
    put(
        tmp_path, "EmoLabel/list_patition_label.txt", content="train_00001.jpg 5\ntest_0001.jpg 1\n"
    )
    rows = read(
        tmp_path,
        csv="EmoLabel/list_patition_label.txt",
        columns="path=1,label=2,split=1",
        labels="1=surprise,2=fear,3=disgust,4=happy,5=sad,6=anger,7=neutral",
        pictures="Image/aligned/{stem}_aligned.jpg",
    )
    assert brief(rows) == [
        ("train", "Image/aligned/train_00001_aligned.jpg", 2),
        ("validation", "Image/aligned/test_0001_aligned.jpg", 3),
    ]


def test_expw_as_it_is(tmp_path):
    put(tmp_path, "origin/afraid_1.jpg")
    put(
        tmp_path,
        "label.lst",
        content="afraid_1.jpg 0 10 20 120 140 96.5 1\nafraid_1.jpg 1 1 2 20 30 50.0 6\n",
    )
    rows = read(
        tmp_path,
        csv="label.lst",
        columns="path=1,label=8,top=3,left=4,right=5,bottom=6",
        labels="0=anger,1=disgust,2=fear,3=happy,4=sad,5=surprise,6=neutral",
    )
    assert brief(rows) == [("train", "origin/afraid_1.jpg", 5), ("train", "origin/afraid_1.jpg", 0)]
    assert rows[0].box == (20, 10, 100, 130)


def test_ferplus_as_it_is_with_its_votes(tmp_path):
    votes = (
        'fer0000000.png,"(0, 0, 48, 48)",4,0,0,1,3,2,0,0,0,0\n'
        'fer0000001.png,"(0, 0, 48, 48)",1,0,4,0,0,4,0,0,0,1\n'
    )
    put(tmp_path, "FER2013Train/fer0000000.png", "FER2013Valid/fer0000002.png")
    put(tmp_path, "FER2013Train/label.csv", content=votes)
    put(
        tmp_path,
        "FER2013Valid/label.csv",
        content='fer0000002.png,"(0, 0, 48, 48)",0,0,0,0,0,0,0,0,0,9\n',
    )
    rows = read(
        tmp_path,
        csv="train=FER2013Train/label.csv,val=FER2013Valid/label.csv",
        columns="path=1,label=3+4+5+6+7+8+9+10+11+12",
        labels="3=neutral,4=happy,5=surprise,6=sad,7=anger,8=disgust,9=fear,10=contempt,"
        "11=uncertain,12=no-face",
    )
    assert brief(rows) == [
        ("train", "FER2013Train/fer0000000.png", 0),
        ("train", "FER2013Train/fer0000001.png", 9),  # Surprise and disgust tie.
        ("validation", "FER2013Valid/fer0000002.png", 10),
    ]


def test_votes_under_a_header_are_named_by_it(tmp_path):
    table(
        tmp_path,
        "Usage,Image name,neutral,happiness,NF\nTraining,a.jpg,1,9,0\nPublicTest,b.jpg,0,0,10\n",
    )
    rows = read(tmp_path, csv="a.csv", columns="label=neutral+happiness+NF")
    assert brief(rows) == [("train", "a.jpg", 1), ("validation", "b.jpg", 10)]


def test_rows_may_say_their_split_and_three_stay_three(tmp_path):
    text = "image,label,split\na.jpg,1,train\nb.jpg,2,val\na.jpg,3,test\n"
    table(tmp_path, text)
    assert [row.split for row in read(tmp_path, csv="a.csv")] == ["train", "validation", "test"]
    put(tmp_path, "a.csv", content=text.replace("val", "train"))
    assert [row.split for row in read(tmp_path, csv="a.csv")] == ["train", "train", "validation"]


def test_a_list_alone_is_all_train_with_a_note(tmp_path):
    table(tmp_path, "image,label\na.jpg,happy\n")
    assert recognise(tmp_path, csv="a.csv").notes == (
        "a.csv is all train: --csv=train=…,validation=… or --columns=split=… divides it",
    )


def test_numbers_without_the_flag_are_codes_with_a_note(tmp_path):
    table(tmp_path, "image,label\na.jpg,3.0\n")
    assert read(tmp_path, csv="train=a.csv")[0].label == 3
    assert (
        recognise(tmp_path, csv="train=a.csv")
        .notes[0]
        .startswith("numbers are taken as AffectNet's codes")
    )
    assert recognise(tmp_path, csv="train=a.csv", labels="3=sad").notes == ()
    assert read(tmp_path, csv="train=a.csv", labels="3=sad")[0].label == 2


def test_a_label_that_the_flag_does_not_name_is_a_reject(tmp_path):
    table(tmp_path, "image,label\na.jpg,1\nb.jpg,8\n")
    reject = read(tmp_path, csv="train=a.csv", labels="1=surprise")[1]
    assert (reject.reason, reject.detail) == (
        "bad label",
        "label must be 0..10: got '8 (not in --labels)'",
    )


def test_numbered_columns_pass_over_a_header_if_there_is_one(tmp_path):
    table(tmp_path, "picture,what\na.jpg,3\n")
    assert brief(read(tmp_path, csv="train=a.csv", columns="path=1,label=2")) == [
        ("train", "a.jpg", 3)
    ]


def test_a_short_row_and_a_path_that_leaves_the_folder_are_rejects(tmp_path):
    table(tmp_path, "image,label\na.jpg,3\nb.jpg\n../c.jpg,3\n/etc/hostname,3\n")
    reasons = [item.reason for item in read(tmp_path, csv="train=a.csv")[1:]]
    assert reasons == ["short row", "path leaves the release", "path leaves the release"]


def test_images_may_be_in_a_folder_that_the_flag_names(tmp_path):
    table(tmp_path, "image,label\na.jpg,3\n", images=("one/a.jpg", "two/a.jpg"))
    assert read(tmp_path, csv="train=a.csv", pictures="two")[0].path == "two/a.jpg"


def test_the_list_may_lie_elsewhere(tmp_path, tmp_path_factory):
    elsewhere = put(tmp_path_factory.mktemp("lists"), "b.csv", content="image,label\na.jpg,3\n")
    put(tmp_path, "images/a.jpg")
    assert brief(read(tmp_path, csv=f"train={elsewhere}/b.csv")) == [("train", "images/a.jpg", 3)]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            {"columns": "label=emo"},
            "a.csv has no column 'emo' for the label: it has image, emotion, x, empty; "
            "name it with --columns=label=… (by name, or by number from 1)",
        ),
        (
            {"columns": "path=x,picture=image"},
            "--columns knows path, label, split, x, y, width, height, right, bottom, landmarks, "
            "valence, arousal, left, top, x1, y1, x2, y2: got 'picture'",
        ),
        (
            {"columns": "path=image,left=x,x=empty"},
            "--columns must name x once: got x and empty",
        ),
        (
            {"columns": "x=x"},
            "a box in --columns must be x, y, width, height or left, top, right, bottom: got x",
        ),
        (
            {"columns": "image"},
            "--columns must be like --columns=path=image,label=emotion: got 'image' in 'image'",
        ),
        (
            {"csv": "train=b.csv"},
            "--csv must name files below {root}, or by their absolute path: b.csv does not exist",
        ),
        (
            {"csv": "left=a.csv"},
            "--csv must give each of train, validation and test one list: got left=a.csv",
        ),
        (
            {"columns": "split=emotion"},
            "the split column of a.csv must have train, val or test: it has happy, sad",
        ),
        (
            {"columns": "split=empty"},
            "the split column of a.csv must have train, val or test: it has empty fields",
        ),
    ],
)
def test_flags_that_do_not_fit_are_refused_in_one_sentence(tmp_path, flags, message):
    table(tmp_path, "image,emotion,x,empty\na.jpg,happy,1,\nb.jpg,sad,1,\n")
    with pytest.raises(errors.UserError) as caught:
        read(tmp_path, **{"csv": "a.csv", **flags})
    assert str(caught.value) == message.format(root=tmp_path)


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff", " \nimage,label\n"])
def test_a_list_that_has_no_first_line_is_refused(tmp_path, content):
    table(tmp_path, content)
    with pytest.raises(errors.UserError, match=r"a\.csv must have rows: its first line is empty"):
        read(tmp_path, csv="a.csv")


def test_of_columns_of_one_name_none_is_taken_by_it(tmp_path):
    table(tmp_path, "image,label,Label\na.jpg,1,2\n")
    with pytest.raises(errors.UserError, match="must have a column for the label"):
        read(tmp_path, csv="a.csv")
    assert read(tmp_path, csv="a.csv", columns="label=Label")[0].label == 2  # As it is spelt.
    table(tmp_path, "image,label,label\na.jpg,1,2\n")
    with pytest.raises(errors.UserError, match="a.csv has columns 2 and 3 called 'label': give"):
        read(tmp_path, csv="a.csv", columns="label=label")
    assert read(tmp_path, csv="a.csv", columns="label=3")[0].label == 2


@pytest.mark.parametrize("folder", ["/home/me/AffectNet/images/", "AffectNet/", r"C:\data\\"])
def test_folders_of_another_machine_are_left_out_by_the_template(tmp_path, folder):
    table(tmp_path, f"image,label\n{folder}a.jpg,3\n", images=("faces/a.jpg",))
    with pytest.raises(errors.UserError, match=r"or name their folder, as in --pictures=images/{n"):
        read(tmp_path, csv="a.csv")
    assert brief(read(tmp_path, csv="a.csv", pictures="faces/{name}")) == [
        ("train", "faces/a.jpg", 3)
    ]


def test_a_list_without_a_column_that_looks_like_the_label_is_refused(tmp_path):
    table(tmp_path, "image,joy,sorrow\na.jpg,1,0\n")
    with pytest.raises(
        errors.UserError,
        match="a.csv must have a column for the label: it has image, joy, sorrow; name it",
    ):
        read(tmp_path, csv="a.csv")


def test_the_layout_without_a_list_is_refused(tmp_path):
    with pytest.raises(
        errors.UserError, match="--layout=csv needs the lists to read: add --csv=train="
    ):
        read(tmp_path, layout="csv")


def test_absolute_paths_below_the_input_folder_are_taken(tmp_path):
    put(tmp_path, "images/a.jpg", "images/b.jpg")
    put(tmp_path, "list.csv", content=f"image,label\n{tmp_path}/images/a.jpg,1\n/etc/b.jpg,2\n")
    assert brief(read(tmp_path, csv="list.csv")) == [
        ("train", "images/a.jpg", 1),
        ("/etc/b.jpg", "path leaves the release"),
    ]
    put(tmp_path, "names.csv", content="image,label\nb.jpg,2\n")
    assert brief(read(tmp_path, csv="names.csv", pictures=f"{tmp_path}/images")) == [
        ("train", "images/b.jpg", 2)
    ]


@pytest.mark.parametrize("pictures", ["", "{path}.png"])
def test_numbers_for_names_are_looked_for_in_the_folder_of_their_split(tmp_path, pictures):
    put(tmp_path, *(f"{split}_set/images/{n}.png" for split in ("train", "val") for n in (0, 3)))
    put(tmp_path, "train.csv", "val.csv", content="number,exp\n0,1\n3,2\n")
    rows = read(
        tmp_path,
        csv="train=train.csv,validation=val.csv",
        columns="path=number,label=exp",
        pictures=pictures,
    )
    assert brief(rows) == [
        ("train", "train_set/images/0.png", 1),
        ("train", "train_set/images/3.png", 2),
        ("validation", "val_set/images/0.png", 1),
        ("validation", "val_set/images/3.png", 2),
    ]
