"""Which rows are good, and what is said of the others."""

import math

import numpy as np
import pytest

from pipeline.rows import annotations
from tests.pipeline import conftest

PLACE = annotations.Place(
    "train", "manual", "Images", "Manually_Annotated_Images", "training.csv row 7"
)
GOOD = {
    "path": "1/a.jpg", "x": "134.0", "y": "20", "width": "50", "height": "40",
    "landmarks": conftest.landmarks_text(), "label": "1", "valence": "0.5", "arousal": "-2",
}  # fmt: skip


def parse(**changes: str) -> annotations.Row | annotations.Reject:
    return annotations.parse({**GOOD, **changes}, PLACE)


def test_a_good_row_keeps_every_value():
    row = parse()
    assert isinstance(row, annotations.Row)
    assert (row.split, row.subset, row.label, row.valence) == ("train", "manual", 1, 0.5)
    assert row.path == "Images/1/a.jpg"
    assert row.filename == "Manually_Annotated_Images/1/a.jpg"
    assert (row.box, row.box_from) == ((134.0, 20.0, 50.0, 40.0), "annotation")
    assert annotations.points_of(row)[:2].tolist() == [[30, 40], [30.5, 40.25]]


def test_minus_two_means_no_value():
    assert math.isnan(parse().arousal)
    assert parse(valence="-1").valence == -1
    assert all(math.isnan(parse(valence=word).valence) for word in ("", " NULL", "nan", "N/A"))


@pytest.mark.parametrize(
    "box", [{"x": "NULL", "y": "NULL"}, {"width": "-5", "height": "-5"}, {"width": "0"}]
)
def test_a_row_without_a_box_is_cropped_by_its_landmarks(box):
    row = parse(**box)
    assert (row.box, row.box_from) == ((30.0, 40.0, 33.5, 16.75), "landmarks")


@pytest.mark.parametrize(
    "text", ["", "1;2;3", ";".join(["nan"] * 136), ";".join(["1"] * 137), ";".join(["a"] * 136)]
)
def test_unusable_landmarks_are_none_and_the_row_stays(text):
    row = parse(landmarks=text)
    assert isinstance(row, annotations.Row)
    assert annotations.points_of(row) is None


@pytest.mark.parametrize(
    ("changes", "reason", "detail"),
    [
        ({"label": "11"}, "bad label", "label must be 0..10: got '11'"),
        ({"label": "happy"}, "bad label", "label must be 0..10: got 'happy'"),
        ({"label": "1.5"}, "bad label", "label must be 0..10: got '1.5'"),
        ({"valence": "3.7"}, "bad valence", "valence must be in [-1, 1], or -2 for none: got 3.7"),
        (
            {"valence": "0,5"},
            "bad valence",
            "valence must be a number with a point, as 0.5, or empty: got '0,5'",
        ),
        (
            {"arousal": "1.5.2"},
            "bad arousal",
            "arousal must be a number with a point, as 0.5, or empty: got '1.5.2'",
        ),
        (
            {"valence": "inf"},
            "bad valence",
            "valence must be a number with a point, as 0.5, or empty: got 'inf'",
        ),
        (
            {"arousal": "high"},
            "bad arousal",
            "arousal must be a number with a point, as 0.5, or empty: got 'high'",
        ),
        (
            {"arousal": "-1.5"},
            "bad arousal",
            "arousal must be in [-1, 1], or -2 for none: got -1.5",
        ),
        (
            {"path": "../../etc/passwd"},
            "path leaves the release",
            "a path must stay inside its folder: got '../../etc/passwd'",
        ),
        (
            {"path": "/etc/hostname"},
            "path leaves the release",
            "a path must stay inside its folder: got '/etc/hostname'",
        ),
        (
            {"path": "C:\\a.jpg"},
            "path leaves the release",
            "a path must stay inside its folder: got 'C:\\\\a.jpg'",
        ),
        ({"path": " "}, "no file name", "the row must name a picture: got an empty path"),
        (
            {"x": "NULL", "landmarks": ""},
            "no face box",
            "a row needs a box of positive size, or 68 landmarks: got NULL, 20, 50, 40",
        ),
    ],
)
def test_a_bad_row_is_rejected_with_the_rule_and_the_value(changes, reason, detail):
    reject = parse(**changes)
    assert isinstance(reject, annotations.Reject)
    assert (reject.reason, reject.detail, reject.source) == (reason, detail, "training.csv row 7")


def test_backslashes_are_folders():
    assert annotations.relative_path("1\\b\\.\\c.jpg") == "1/b/c.jpg"


def test_the_bounding_box_is_x_y_width_height():
    assert annotations.bounding_box(np.array([[3.0, 10.0], [5.0, 2.0]])) == (3, 2, 2, 8)
