"""Attributes (--groups): from columns of each layout into the records, and not unless asked for."""

import json

import cv2
import pytest
import tensorflow_datasets as tfds

from affectnet_tfds import dataset_paths, example_codec, features
from affectnet_tfds.reader import face_dataset
from pipeline import config
from pipeline.rows import annotations, row_format
from pipeline.shards import tasks
from runtime import errors
from tests.pipeline import conftest as releases
from tests.pipeline.sources.conftest import put
from tests.pipeline.sources.layouts import test_affectnet_plus
from tests.pipeline.sources.layouts.test_layout_builds import examples, jpeg, run


@pytest.fixture
def lists(tmp_path):
    """A list with attributes; its second image is gray."""
    rows = ["0.jpg,happy,train,34,Woman", "1.jpg,sad,train,,Man", "2.jpg,happy,val,7,Woman"]
    for index in range(3):
        put(tmp_path, f"{index}.jpg", content=jpeg(index))
    gray = cv2.cvtColor(releases.picture(5, width=80, height=60), cv2.COLOR_BGR2GRAY)
    put(tmp_path, "1.jpg", content=cv2.imencode(".jpg", gray)[1].tobytes())
    put(tmp_path, "faces.csv", content="\n".join(["image,emotion,split,Age,sex", *rows]) + "\n")
    return tmp_path


def groups_of(built, split):
    found = sorted(examples(built, split), key=lambda example: example.filename)
    return [dict(example.groups) for example in found]


def test_columns_of_a_list_and_what_is_measured_are_in_the_records(lists):
    built = run(lists, csv="faces.csv", groups="Age,gender=sex,colour,face_px")
    assert groups_of(built, "train") == [
        {"age": "34", "colour": "colour", "face_px": "80", "gender": "Woman"},
        {"age": "", "colour": "gray", "face_px": "80", "gender": "Man"},
    ]
    assert json.loads((built.version / dataset_paths.JOB_CONFIG).read_text())["groups"] == (
        "Age,gender=sex,colour,face_px"
    )
    croissant = (built.version / "croissant.json").read_text()
    assert '"examples/groups/age"' in croissant


def test_tfds_and_the_reader_give_attributes_back(lists):
    built = run(lists, csv="faces.csv", groups="age,gender=sex")
    tfds_rows = tfds.as_numpy(tfds.builder_from_directory(built.version).as_dataset("validation"))
    assert [row["groups"] for row in tfds_rows] == [{"age": b"7", "gender": b"Woman"}]
    by_name = tfds.load("affectnet_faces/tiny", data_dir=lists / "data", split="validation")
    assert next(iter(tfds.as_numpy(by_name)))["groups"]["gender"] == b"Woman"
    faces = face_dataset.FaceDataset(built.version, split="validation")
    assert faces[0]["groups"] == {"age": "7", "gender": "Woman"}
    assert faces.columns()["groups/age"].tolist() == ["7"]


def test_a_build_that_does_not_ask_has_no_trace_of_attributes(lists):
    built = run(lists, csv="faces.csv")
    assert groups_of(built, "train") == [{}, {}]
    for name in (dataset_paths.JOB_CONFIG, "features.json", "croissant.json", "build_report.json"):
        text = (built.version / name).read_text()  # Copies are in groups, too: another word.
        assert '"groups"' not in text and "examples/groups" not in text
    assert "groups" not in config.JobConfig(input_dir="x").content()


def test_a_row_without_attributes_is_written_and_digested_as_before_there_were_any():
    row = annotations.Row(
        split="train",
        subset="manual",
        path="p/1.jpg",
        filename="1.jpg",
        label=3,
        valence=0.5,
        arousal=-0.25,
        box=None,
        box_from="picture",
        landmarks=b"",
        source="a.csv row 7",
    )
    assert repr(row) == (
        "Row(split='train', subset='manual', path='p/1.jpg', filename='1.jpg', label=3, "
        "valence=0.5, arousal=-0.25, box=None, box_from='picture', landmarks=b'', "
        "source='a.csv row 7', soft_label=(), left_out='')"
    )
    # As of the release before: a build that it began is continued.
    assert tasks.digest([tasks.Task(1, 0, row)], {"seed": 0}) == "8dcaf51a92f0e5f469bcb67aa50de9db"
    with_age = row._replace(groups=(("age", "3"),))
    assert row_format.decode(row_format.encode(with_age)) == with_age
    assert "groups=(('age', '3'),)" in repr(with_age)


def test_the_keys_of_affectnet_plus_are_attributes(tmp_path):
    meta = {**test_affectnet_plus.META, "race": {"asian": 0.2, "white": 0.7}, "Age": 41.0}
    meta |= {"gender": {"Woman": 99.1, "Man": 0.9}, "pose": {"Yaw": -12.5, "pitch": 40}}
    del meta["age"]
    for folder in (test_affectnet_plus.TRAIN, test_affectnet_plus.VALIDATION):
        test_affectnet_plus.annotate(tmp_path, folder, "0", **{"meta-data": meta})
        put(tmp_path, f"{folder}/images/0.jpg", content=jpeg(len(folder)))
    test_affectnet_plus.annotate(
        tmp_path, test_affectnet_plus.TRAIN, "1", **{"meta-data": {"gender": {}, "age": None}}
    )
    put(tmp_path, f"{test_affectnet_plus.TRAIN}/images/1.jpg", content=jpeg(7))
    built = run(tmp_path, groups="age,gender,race,pose,pitch=pose.pitch")
    assert groups_of(built, "train") == [
        {"age": "41.0", "gender": "Woman", "pitch": "40", "pose": "12.5", "race": "white"},
        {"age": "", "gender": "", "pitch": "", "pose": "", "race": ""},
    ]


def test_a_column_of_the_lists_of_2017_is_an_attribute(release):
    release.add("training", 1)
    release.add("validation", 1)
    release.write()
    folder = release.root / "Manually_Annotated_file_lists"
    header = ",".join(releases.HEADER)
    for name, age in (("training", "31"), ("validation", "32")):
        lines = (folder / f"{name}.csv").read_text().splitlines()
        rows = [line for line in lines if line != header]
        (folder / f"{name}.csv").write_text(f"{header},age\n{rows[0]},{age}\n")
    built = run(release.root, groups="age")
    assert groups_of(built, "train") + groups_of(built, "validation") == [
        {"age": "31"},
        {"age": "32"},
    ]


def test_lists_of_2017_without_the_column_are_refused(release):
    release.add("training", 1)
    release.add("validation", 1)
    release.write()
    with pytest.raises(errors.UserError, match="training.csv must have a column 'age' for"):
        run(release.root, groups="age")


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ("age,age", "--groups must name each attribute once: got age twice"),
        ("skin=", "--groups must name a column after each =: got 'skin='"),
        ("skin tone", "a column called otherwise is given a name with name=column"),
        ("age,", "--groups must have names of small letters"),
    ],
)
def test_a_flag_that_names_no_attributes_is_refused(groups, message):
    with pytest.raises(errors.UserError) as refusal:
        config.JobConfig(input_dir="x", groups=groups)
    assert message in str(refusal.value)


def test_a_column_that_a_list_or_a_layout_lacks_is_refused(lists, small_release):
    with pytest.raises(errors.UserError) as refusal:
        run(lists, csv="faces.csv", groups="race")
    assert "has no column 'race' for the group race" in str(refusal.value)
    assert "name it with --groups=race=…" in str(refusal.value)
    folder = put(lists / "sorted", "happy/0.jpg", content=jpeg(0))
    with pytest.raises(errors.UserError) as refusal:
        run(folder, layout="folders", groups="age")
    assert "columns are read with --layout=csv or 2017 or affectnetplus" in str(refusal.value)


def test_an_attribute_that_is_too_long_rejects_its_row(lists):
    text = (lists / "faces.csv").read_text().replace("Woman", "W" * 101, 1)
    put(lists, "faces.csv", content=text)
    built = run(lists, csv="faces.csv", groups="gender=sex", max_reject_frac=1.0)
    (reject,) = built.account.rejects
    assert (reject.reason, reject.path) == ("attribute too long", "0.jpg") or reject.path


def test_odd_copies_have_the_attributes_of_their_image(lists):
    built = run(lists, csv="faces.csv", groups="age", balance="3")
    found = [dict(e.groups)["age"] for e in examples(built, "train") if e.filename == "0.jpg"]
    assert found == ["34"] * 3


def test_attributes_have_one_place_in_the_bytes():
    assert features.group_columns("skin=tone,age,colour") == {
        "skin": "tone",
        "age": "age",
        "colour": "",
    }
    example = example_codec.Example(
        image=b"x",
        label=0,
        valence=0.0,
        arousal=0.0,
        landmarks=releases.np.zeros((68, 2), "f4"),
        bbox=(0, 0, 1, 1),
        filename="a",
        subset=0,
        copy=0,
    )
    given = example._replace(groups=(("age", "ü"), ("skin", "")))
    assert example_codec.parse(example_codec.serialize(given)).groups == given.groups
    assert b"groups" not in example_codec.serialize(example)
