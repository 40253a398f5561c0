"""AffectNet+: what is read from its JSON files, however their keys are spelt."""

import json

import pytest

from pipeline.rows import annotations
from tests.pipeline.sources.conftest import brief, put, read, recognise

SOFT = [0.1, 0.7, 0.0, 0.05, 0.05, 0.0, 0.1, 0.0]
META = {
    "age": 30,
    "gender": {"male": 0.1},
    "valence": 0.5,
    "arousal": -2,
    "landmark-68": [[i, 2 * i] for i in range(68)],
}
GOOD = {"human-label": 1, "soft-label": SOFT, "subset": 0, "meta-data": META}
TRAIN, VALIDATION = "human_annotated/train_set", "human_annotated/validation_set"


def annotate(root, folder, stem, **changes):
    value = {key: one for key, one in {**GOOD, **changes}.items() if one != "left out"}
    put(root, f"{folder}/images/{stem}.jpg")
    return put(root, f"{folder}/annotations/{stem}.json", content=json.dumps(value))


@pytest.fixture
def root(tmp_path):
    annotate(tmp_path, TRAIN, "a")
    annotate(tmp_path, VALIDATION, "b", **{"human-label": 6})
    return annotate(tmp_path, "no_human_annotated", "c")


def test_a_row_has_everything_the_file_says(root):
    row, other = read(root)
    assert (row.split, row.subset, row.path, row.label) == (
        "train",
        "manual",
        f"{TRAIN}/images/a.jpg",
        1,
    )
    assert (row.valence, row.box, row.box_from) == (0.5, None, "picture")
    assert str(row.arousal) == "nan"
    assert row.soft_label == tuple(SOFT)
    assert annotations.points_of(row)[2].tolist() == [2, 4]
    assert brief([other]) == [("validation", f"{VALIDATION}/images/b.jpg", 6)]


def test_keys_in_the_other_spelling_are_the_same(root):
    other = {"Human-Label": 1, "Soft-Label": SOFT, "Subset": 0, "Metadata": META}
    put(root, f"{TRAIN}/annotations/a.json", content=json.dumps(other))
    assert read(root)[0].soft_label == tuple(SOFT)
    assert read(root)[0].valence == 0.5


def test_the_automatic_part_is_the_automatic_subset(root):
    (row,) = read(root, subsets=("automatic",))
    assert (row.split, row.subset, row.filename) == (
        "train",
        "automatic",
        "no_human_annotated/images/c.jpg",
    )
    assert [t.expected[0] for t in recognise(root, subsets=("manual", "automatic")).tables] == [
        414_799,
        5_500,
        539_607,
    ]


@pytest.mark.parametrize("label", ["left out", None, -1])
def test_without_a_human_label_the_automatic_part_has_the_likeliest(root, label):
    annotate(root, "no_human_annotated", "c", **{"human-label": label})
    annotate(root, TRAIN, "a", **{"human-label": label})
    rows = read(root, subsets=("manual", "automatic"))
    assert rows[2].label == 1
    assert rows[0].reason == "bad label"


def test_a_label_is_not_read_from_a_soft_label_of_zeros(root):
    zeros = {"human-label": -1, "soft-label": [0] * 8}
    annotate(root, "no_human_annotated", "c", **zeros)
    (reject,) = read(root, subsets=("automatic",))
    assert reject.reason == "bad soft label" and "all of 8 numbers are 0" in reject.detail


@pytest.mark.parametrize(
    ("code", "difficulty"), [(0, "easy"), (1, "challenging"), (2, "difficult"), ("Easy", "easy")]
)
def test_rows_of_another_difficulty_are_left_out_and_say_why(root, code, difficulty):
    annotate(root, TRAIN, "a", subset=code)
    for wanted in ("easy", "challenging", "difficult"):
        row = read(root, difficulty=wanted)[0]
        assert row.left_out == ("" if wanted == difficulty else "other difficulty")
    assert read(root)[0].left_out == ""


@pytest.mark.parametrize("soft", ["left out", None, []])
def test_a_row_without_a_soft_label_stays(root, soft):
    annotate(root, TRAIN, "a", **{"soft-label": soft})
    assert (read(root)[0].label, read(root)[0].soft_label) == (1, ())


@pytest.mark.parametrize(
    "soft", [[0.5] * 7, [0.5] * 7 + [1.5], ["a"] * 8, 3, [float("nan")] * 8, "00000001"]
)
def test_a_soft_label_that_is_none_is_a_reject(root, soft):
    annotate(root, TRAIN, "a", **{"soft-label": soft})
    reject = read(root)[0]
    assert reject.reason == "bad soft label"
    assert reject.detail.startswith("a soft label must be 8 numbers in 0..1: got ")


@pytest.mark.parametrize("points", [[float(i) for i in range(136)], [str(i) for i in range(136)]])
def test_landmarks_may_be_flat(root, points):
    annotate(root, TRAIN, "a", **{"meta-data": {**META, "landmark-68": points}})
    assert annotations.points_of(read(root)[0])[67].tolist() == [134, 135]


@pytest.mark.parametrize("points", [None, [], [[1, 2]] * 67, {"x": 1}, "none", [[1, 2], [3]]])
def test_unusable_landmarks_are_none_and_the_row_stays(root, points):
    annotate(root, TRAIN, "a", **{"meta-data": {**META, "landmark-68": points}})
    assert annotations.points_of(read(root)[0]) is None


@pytest.mark.parametrize(
    "content", ["", "{", "[1]", "3", '"a"', b"\xff\xfe\x00".decode("latin-1"), '{"meta-data": 3}']
)
def test_a_broken_file_is_a_reject_that_names_it(root, content):
    put(root, f"{TRAIN}/annotations/a.json", content=content)
    reject = read(root)[0]
    assert (reject.path, reject.reason) == (f"{TRAIN}/images/a.jpg", "unreadable annotation")
    assert reject.detail.startswith("an annotation must be a JSON object: a.json: ")


def test_an_image_without_its_file_is_a_reject(root):
    put(root, f"{TRAIN}/images/z.jpg")
    reject = read(root)[1]
    assert (reject.reason, reject.detail) == (
        "no annotation",
        "a picture must have a JSON file: z.json is not there",
    )


def test_the_release_may_lie_in_a_folder_of_its_name(root, tmp_path_factory):
    above = tmp_path_factory.mktemp("data")
    root.rename(above / "AffectNet+")
    release = recognise(above)
    assert (release.layout, release.has_soft_labels) == ("affectnetplus", True)
    assert read(above)[0].filename == f"{TRAIN}/images/a.jpg"
