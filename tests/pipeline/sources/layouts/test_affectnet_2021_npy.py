"""The npy release: whatever shape its small files have."""

import math
from pathlib import Path

import numpy as np
import pytest

from pipeline.rows import annotations
from tests.pipeline.sources.conftest import brief, put, read, recognise

CUT_HEADER = (
    b"\x93NUMPY\x01\x00\x36\x00{'descr': '<U9', 'fortran_order': False, 'shape': (), }\n0.5"
)
SHORT = CUT_HEADER.replace(b"\x36", b"\x38")
POINTS = np.arange(136, dtype=np.float64)


def annotate(root: Path, split: str, stem: str, **changes: object) -> Path:
    """Write the four files of an image; None leaves one out."""
    folder = root / split / "annotations"
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {
        "exp": np.array("3"),
        "val": np.array("0.5"),
        "aro": np.array("-0.25"),
        "lnd": POINTS,
        **changes,
    }
    for kind, array in arrays.items():
        if array is not None:
            np.save(folder / f"{stem}_{kind}.npy", array)
    return root


@pytest.fixture
def root(tmp_path):
    put(tmp_path, "train_set/images/0.jpg", "train_set/images/12.jpg", "val_set/images/0.jpg")
    annotate(tmp_path, "train_set", "0")
    annotate(tmp_path, "train_set", "12", exp=np.array("7"))
    return annotate(tmp_path, "val_set", "0", exp=np.array("1"))


def test_rows_have_everything_the_files_say(root):
    first, *others = read(root)
    assert (first.split, first.subset, first.path, first.label) == (
        "train",
        "manual",
        "train_set/images/0.jpg",
        3,
    )
    assert (first.valence, first.arousal, first.box, first.box_from) == (
        0.5,
        -0.25,
        None,
        "picture",
    )
    assert annotations.points_of(first)[:2].tolist() == [[0, 1], [2, 3]]
    assert brief(others) == [
        ("train", "train_set/images/12.jpg", 7),
        ("validation", "val_set/images/0.jpg", 1),
    ]


def test_ids_that_the_splits_share_have_names_of_their_own(root):
    names = [row.filename for row in read(root)]
    assert names == ["train_set/images/0.jpg", "train_set/images/12.jpg", "val_set/images/0.jpg"]


@pytest.mark.parametrize("folder", ["valid_set", "validation_set", "Val_Set", "test_set"])
def test_the_validation_folder_has_many_names_and_the_record_one(root, folder):
    (root / "val_set").rename(root / folder)
    row = read(root)[-1]
    assert (row.split, row.path, row.filename) == (
        "validation",
        f"{folder}/images/0.jpg",
        "val_set/images/0.jpg",
    )


def test_a_test_folder_beside_validation_is_a_split_of_its_own_and_said_so(root):
    put(root, "test_set/images/3.jpg")
    annotate(root, "test_set", "3")
    release = recognise(root)
    assert [table.split for table in release.tables] == ["test", "train", "validation"]
    assert release.notes == ("test is kept as a split of its own, beside validation",)


@pytest.mark.parametrize(
    ("changes", "label", "valence"),
    [
        ({"exp": np.array(["5"]), "val": np.array(["-0.5"])}, 5, -0.5),
        ({"exp": np.array(5), "val": np.array(-0.5)}, 5, -0.5),
        ({"exp": np.array([5.0]), "val": np.array([[-0.5]], np.float32)}, 5, -0.5),
        ({"exp": np.array(b"5"), "val": np.array("-2")}, 5, math.nan),
    ],
)
def test_values_may_be_text_or_numbers_and_of_no_or_one_dimension(root, changes, label, valence):
    annotate(root, "train_set", "0", **changes)
    row = read(root)[0]
    assert row.label == label
    assert row.valence == pytest.approx(valence, nan_ok=True)


@pytest.mark.parametrize(
    "points",
    [
        POINTS.reshape(68, 2),
        np.asfortranarray(POINTS.reshape(68, 2)),
        POINTS.astype(np.float32),
        POINTS.astype(int),
    ],
)
def test_landmarks_may_be_flat_or_pairs(root, points):
    annotate(root, "train_set", "0", lnd=points)
    assert annotations.points_of(read(root)[0])[67].tolist() == [134, 135]


@pytest.mark.parametrize("points", [POINTS[:10], np.full(136, np.nan), np.array("none")])
def test_unusable_landmarks_are_none_and_the_row_stays(root, points):
    annotate(root, "train_set", "0", lnd=points)
    assert annotations.points_of(read(root)[0]) is None


@pytest.mark.parametrize("kind", ["exp", "val", "aro", "lnd"])
def test_a_missing_file_is_a_reject_that_names_it(root, kind):
    (root / f"train_set/annotations/12_{kind}.npy").unlink()
    reject = read(root)[1]
    assert isinstance(reject, annotations.Reject)
    assert (reject.path, reject.reason) == ("train_set/images/12.jpg", "no annotation")
    assert reject.detail == f"a picture must have exp, val, aro and lnd: 12_{kind}.npy is not there"


def test_a_pickled_file_is_rejected_and_not_loaded(root):
    annotate(root, "train_set", "0", exp=np.array({"code": 3}, dtype=object))
    reject = read(root)[0]
    assert reject.reason == "unreadable annotation"
    assert reject.detail.startswith(
        "an annotation must be a plain npy array: 0_exp.npy: it holds pickled objects"
    )


@pytest.mark.parametrize(
    "content", [b"", b"not numpy", b"\x93NUMPY\x01\x00", b"PK\x03\x04broken", CUT_HEADER, SHORT]
)
def test_a_broken_file_is_a_reject(root, content):
    (root / "train_set/annotations/0_val.npy").write_bytes(content)
    assert read(root)[0].reason == "unreadable annotation"


def test_a_value_that_is_several_is_a_reject(root):
    annotate(root, "train_set", "0", aro=np.zeros(2))
    assert (read(root)[0].reason, read(root)[0].detail) == (
        "unreadable annotation",
        "aro must be one value: got 2 of them",
    )


def test_rules_for_values_hold_here_too(root):
    annotate(root, "train_set", "0", exp=np.array("11"))
    annotate(root, "train_set", "12", val=np.array("1.5"))
    assert [item.reason for item in read(root)[:2]] == ["bad label", "bad valence"]


def test_an_image_and_annotations_without_each_other_are_both_rows(root):
    put(root, "train_set/images/7.png", "train_set/images/Thumbs.db", "train_set/images/._0.jpg")
    annotate(root, "train_set", "5")
    assert brief(read(root))[:4] == [
        ("train", "train_set/images/0.jpg", 3),
        ("train", "train_set/images/12.jpg", 7),
        ("train", "train_set/images/5.jpg", 3),  # Found to be missing when its shard is written.
        ("train_set/images/7.png", "no annotation"),
    ]


def test_a_lone_folder_is_all_train_and_said_so(tmp_path):
    put(tmp_path, "images/0.jpg")
    annotate(tmp_path, ".", "0")
    assert read(tmp_path)[0].split == "train"
    assert recognise(tmp_path).notes == (
        "the folder has no train and val folders: all of it is train",
    )


def test_the_release_may_lie_deeper(root, tmp_path_factory):
    above = tmp_path_factory.mktemp("data")
    (above / "AffectNet").mkdir()
    root.rename(above / "AffectNet" / "march2021")
    assert recognise(above).layout == "npy"
    assert [table.expected[0] for table in recognise(above).tables] == [287_651, 3_999]
