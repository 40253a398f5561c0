"""YOLO folders: classes by name, boxes in fractions, several faces in an image."""

import pytest

from pipeline.rows import annotations
from runtime import errors
from tests.pipeline.sources.conftest import brief, put, read, recognise

ALPHABET = "names: [Anger, Contempt, Disgust, Fear, Happy, Neutral, Sad, Surprise]\nnc: 8\n"


@pytest.fixture
def root(tmp_path):
    put(tmp_path, "YOLO_format/data.yaml", content=ALPHABET)
    put(tmp_path, "YOLO_format/train/images/a.png", "YOLO_format/valid/images/b.jpg")
    put(tmp_path, "YOLO_format/train/labels/a.txt", content="4 0.5 0.4 0.2 0.6\n")
    return put(tmp_path, "YOLO_format/valid/labels/b.txt", content="0 0.5 0.5 1 1")


def test_a_class_is_the_expression_it_names_and_not_its_index(root):
    first, other = read(root)
    assert (first.split, first.path, first.label) == ("train", "YOLO_format/train/images/a.png", 1)
    assert (other.split, other.label) == ("validation", 6)
    assert [row.filename for row in (first, other)] == [
        "train/images/a.png",
        "validation/images/b.jpg",
    ]


def test_the_box_is_in_fractions_from_its_left_upper_corner(root):
    row = read(root)[0]
    assert row.box == pytest.approx((0.4, 0.1, 0.2, 0.6))
    assert row.box_from == "fractions"


def test_every_face_of_an_image_is_a_row(root):
    put(
        root,
        "YOLO_format/train/labels/a.txt",
        content="4 0.5 0.4 0.2 0.6\n\n7 0.2 0.2 0.1 0.1 0.98\n",
    )
    rows = read(root)[:2]
    assert [row.label for row in rows] == [1, 3]
    assert [row.source for row in rows] == [
        f"YOLO_format/train/images/a.png face {n}" for n in (1, 3)
    ]


@pytest.mark.parametrize(
    "names",
    [
        "names:\n  0: Anger\n  1: Contempt\n  2: Disgust\n  3: Fear\n  4: Happy\n",
        "names: {4: happiness, 0: angry, 1: x0, 2: Disgust, 3: Fear}\n".replace("x0", "Contempt"),
        "names:\n- anger\n- contempt\n- disgust\n- fear\n- HAPPY\ntrain: ../train/images\n",
    ],
)
def test_names_may_be_a_list_or_numbered(root, names):
    put(root, "YOLO_format/data.yaml", content=names)
    assert [row.label for row in read(root)] == [1, 6]


def test_images_and_labels_may_be_the_outer_folders(tmp_path):
    put(tmp_path, "data.yaml", content=ALPHABET)
    put(tmp_path, "images/train/a.jpg", "images/val/b.jpg")
    put(tmp_path, "labels/train/a.txt", "labels/val/b.txt", content="5 0.5 0.5 0.5 0.5\n")
    assert brief(read(tmp_path)) == [
        ("train", "images/train/a.jpg", 0),
        ("validation", "images/val/b.jpg", 0),
    ]


def test_three_splits_stay_three(root):
    put(root, "YOLO_format/test/images/c.jpg")
    put(root, "YOLO_format/test/labels/c.txt", content="0 0.5 0.5 1 1")
    assert [table.split for table in recognise(root).tables] == ["test", "train", "validation"]


@pytest.mark.parametrize(
    ("line", "reason", "detail"),
    [
        ("8 0.5 0.5 1 1", "bad label", "a class must be 0..7: got 8"),
        ("0 0.5 0.5 1", "bad line", "a line must be class, x, y, width, height: got 0 0.5 0.5 1"),
        (
            "x 0.5 0.5 1 1",
            "bad line",
            "a line must be class, x, y, width, height: got x 0.5 0.5 1 1",
        ),
        (
            "0 134 20 50 40",
            "bad box",
            "a box must be in fractions of the picture, 0..1: got 134 20 50 40",
        ),
        (
            "0 0.5 0.5 0 1",
            "bad box",
            "a box must be in fractions of the picture, 0..1: got 0.5 0.5 0 1",
        ),
        (
            "0 0.5 0.5 nan 1",
            "bad box",
            "a box must be in fractions of the picture, 0..1: got 0.5 0.5 nan 1",
        ),
        ("0 0 0 0 1 1 1 1 0", "bad line", "a line must be a box, not an outline: got 8 numbers"),
        ("", "no face", "a list of faces must have one: that of a.png is empty"),
    ],
)
def test_a_bad_line_is_a_reject(root, line, reason, detail):
    put(root, "YOLO_format/train/labels/a.txt", content=line + "\n")
    reject = read(root)[0]
    assert isinstance(reject, annotations.Reject)
    assert (reject.path, reject.reason, reject.detail) == (
        "YOLO_format/train/images/a.png",
        reason,
        detail,
    )


def test_an_image_without_a_list_is_a_reject(root):
    put(root, "YOLO_format/train/images/z.jpg")
    assert brief(read(root))[1] == ("YOLO_format/train/images/z.jpg", "no annotation")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("nc: 8\n", r"data.yaml must have names, a list or 0: …, 1: …: got None"),
        ("names: {0: Anger, x: Fear}\n", r"got {0: 'Anger', 'x': 'Fear'}"),
        ("names: [[Anger], [Happy]]\n", r"got \[\['Anger'\], \['Happy'\]\]"),
        ("- a\n", r"must have names, a list or 0: …, 1: …: got None"),
        ("names: {1: happy, 2: sad}\n", r"must have names, .*: got {1: 'happy', 2: 'sad'}"),
        (
            "names: [happy, sad]\nnc: 3\n",
            r"must have as many names as classes: nc is 3, names are 2",
        ),
        ("names: [happy\n", r"data.yaml must be YAML: "),
        (
            "names: [face, happy]\n",
            r"every class must be an expression: .*has face; "
            r"name its expression with --labels=face=…",
        ),
        ("names: ['1', '2']\n", r"numbers are taken as AffectNet's codes where they begin with 0"),
    ],
)
def test_a_data_yaml_that_does_not_say_what_classes_mean_is_refused(root, content, message):
    put(root, "YOLO_format/data.yaml", content=content)
    with pytest.raises(errors.UserError, match=message):
        read(root)


def test_the_flag_says_what_classes_mean(root):
    put(root, "YOLO_format/data.yaml", content="names: [rage, '1', '2', '3', glee]\n")
    labels = "rage=anger,1=sad,2=sad,3=sad,glee=happy"
    assert [row.label for row in read(root, labels=labels)] == [1, 6]


@pytest.mark.parametrize("name", ["data.yml", "Dataset.YML", "DATA.yaml"])
def test_the_file_of_names_may_be_spelt_otherwise(root, name):
    file = next(root.rglob("data.yaml"))
    file.rename(file.with_name(name))
    assert recognise(root).layout == "yolo"
