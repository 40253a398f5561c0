"""Hostile rows of every layout: each is read or one reject, and no other row is lost."""

import io
import json
import os
import struct

import numpy as np
import pytest

from affectnet_tfds import invalid_example
from pipeline.rows import annotations, deduplicate, row_index
from pipeline.sources.layouts import affectnet_2017, registry
from runtime import errors
from tests.pipeline.conftest import landmarks_text
from tests.pipeline.sources import conftest

HEADER = (
    "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,"
    "valence,arousal"
)


def release_2017(root, *rows, header=HEADER):
    conftest.put(root, "Manually_Annotated_Images/1/a.jpg", "Manually_Annotated_Images/1/b.jpg")
    return conftest.put(root, "training.csv", content="\n".join([header, *rows]) + "\n")


def row(**changes):
    fields = {"path": "1/a.jpg", "x": 5, "y": 5, "w": 80, "h": 80, "points": "", "label": 1}
    return ",".join(str(value) for value in {**fields, "v": 0.1, "a": -0.1, **changes}.values())


def problems(items):
    return [
        "" if isinstance(item, annotations.Row) else f"{item.reason}: {item.detail}"
        for item in items
    ]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"w": "1e9", "h": "1e9"}, "bad box: a box must be within 1,000,000 pixels: got 5, 5, "),
        ({"x": "-1e300"}, "bad box: a box must be within"),
        ({"w": "inf"}, "no face box: "),
        ({"label": "1_0"}, "bad label: label must be 0..10: got '1_0'"),
        ({"label": "٣"}, "bad label: "),
        ({"x": "4_0"}, "no face box: "),
        ({"path": "x" * 5000}, "file name too long: a path may have 4,096 characters: got 5,000"),
        ({"points": "1" * 200_000}, ""),
        ({"points": "x;" * 600_000}, "unreadable row: a row may have 1,048,576 bytes: got "),
        ({"v": "0.1\r"}, ""),
        ({"path": "1/a.jpg\0"}, "path leaves the release: "),
    ],
    ids=str,
)
def test_a_hostile_row_of_2017_is_read_or_one_reject(tmp_path, changes, problem):
    root = release_2017(tmp_path, row(), row(**changes), row(path="1/b.jpg"))
    first, hostile, last = problems(conftest.read(root))
    assert (first, last) == ("", "")
    assert hostile.startswith(problem) and bool(hostile) == bool(problem)
    assert len(hostile) < 600


def test_landmarks_beyond_any_image_are_none(tmp_path):
    far = landmarks_text().replace("30.00;40.00", "1e38;-1e38")
    root = release_2017(
        tmp_path, row(points=far), row(points=far, w=0), row(points=landmarks_text())
    )
    read, rejected, good = conftest.read(root)
    assert read.landmarks == b"" and good.landmarks
    assert rejected.reason == "no face box"


@pytest.mark.parametrize(
    ("header", "change"),
    [
        (f",{HEADER}", lambda line, number: f"{number},{line}"),
        (HEADER.replace(",", ";"), lambda line, number: line.replace(",", ";")),
        (HEADER.replace(",", "\t"), lambda line, number: line.replace(",", "\t")),
    ],
    ids=["row numbers", "semicolons", "tabs"],
)
def test_a_release_saved_anew_is_read_by_the_names_in_its_header(tmp_path, header, change):
    rows = [row(), row(path="1/b.jpg", label=3)]
    root = release_2017(tmp_path, *(change(line, n) for n, line in enumerate(rows)), header=header)
    assert [item.label for item in conftest.read(root)] == [1, 3]


def test_columns_that_are_not_read_are_named(tmp_path):
    root = release_2017(tmp_path, row(), header=HEADER.replace("valence", "valance"))
    assert conftest.recognise(root).notes == (
        "training.csv: columns that are not read: valance (did you mean valence?)",
    )
    conftest.put(tmp_path / "csv", "a.jpg")
    conftest.put(tmp_path / "csv", "list.csv", content="image,label,arousl,user\na.jpg,1,0.5,7\n")
    notes = conftest.recognise(tmp_path / "csv", csv="list.csv").notes
    assert "list.csv: columns that are not read: arousl (did you mean arousal?), user" in notes


def npy(array=None, *, header: str = "") -> bytes:
    if header:
        text = header.encode().ljust(117) + b"\n"
        return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(64)
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npy_row(root, label: bytes, points: bytes):
    conftest.put(root, "train_set/images/1.jpg", "train_set/images/2.jpg")
    for number in (1, 2):
        for kind in ("exp", "val", "aro"):
            place = f"train_set/annotations/{number}_{kind}.npy"
            conftest.put(root, place, content=npy(np.array("1")))
        place = f"train_set/annotations/{number}_lnd.npy"
        conftest.put(root, place, content=npy(np.zeros(136)))
    conftest.put(root, "train_set/annotations/1_exp.npy", content=label)
    conftest.put(root, "train_set/annotations/1_lnd.npy", content=points)
    return problems(conftest.read(root))


@pytest.mark.parametrize(
    "content",
    [
        npy(header="{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}"),
        npy(header="{'descr': '<f8', 'fortran_order': False, 'shape': (10**30,)}"),
        npy(header=f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({10**30},)}}"),
        npy(header=f"{{'descr': '<f8', 'fortran_order': False, 'shape': (0, {10**30})}}"),
        npy(header="{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296)}"),
        npy(header="{'descr': '|V0', 'fortran_order': False, 'shape': (1,)}"),
        npy(header="{'descr': 'O', 'fortran_order': False, 'shape': ()}"),
        npy(header="(" * 100),
        npy(header="{1: {2: [3]}}"),
        b"\x93NUMPY\x09\x00",
        b"",
        bytes(70_000),
    ],
    ids=range(12),
)
def test_an_npy_file_of_any_shape_is_one_reject(tmp_path, content):
    first, second = npy_row(tmp_path, content, npy(np.zeros(136)))
    assert first.startswith("unreadable annotation: ") and second == ""
    first, second = npy_row(tmp_path, npy(np.array("1")), content)
    assert first.startswith(("unreadable annotation: ", "")) and second == ""
    assert invalid_example.DEFECT not in first


def test_npy_landmarks_that_32_bits_cannot_hold_are_none(tmp_path):
    first, _ = npy_row(tmp_path, npy(np.array(1)), npy(np.full(136, 1e300)))
    assert first == ""


def plus(root, record: str):
    conftest.put(root, *(f"human_annotated/train_set/images/{n}.jpg" for n in (1, 2)))
    folder = "human_annotated/train_set/annotations"
    conftest.put(root, f"{folder}/1.json", content=record)
    conftest.put(root, f"{folder}/2.json", content=json.dumps({"human-label": 1}))
    return problems(conftest.read(root))


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (f'{{"human-label": {"9" * 400}}}', "bad label: "),
        (f'{{"human-label": {"9" * 5000}}}', "unreadable annotation: "),
        (f'{{"human-label": 1, "soft-label": [{"9" * 400},0,0,0,0,0,0,0]}}', "bad soft label: "),
        (f'{{"human-label": 1, "landmark68": [{"9" * 400}]}}', ""),
        ("[" * 100_000, "unreadable annotation: "),
        ('{"human-label": 1, "valence": 1e999}', "bad valence: "),
        ('{"human-label": {"a": 1}}', "bad label: "),
        ("[]", "unreadable annotation: "),
        ('{"human-label": 1, "meta-data": 3}', "unreadable annotation: "),
        ('"\\ud800"', "unreadable annotation: "),
        ('{"human-label": "\\ud800"}', "bad label: "),
    ],
    ids=lambda text: str(text)[:30],
)
def test_a_hostile_json_file_is_read_or_one_reject(tmp_path, record, problem):
    first, second = plus(tmp_path, record)
    assert first.startswith(problem) and bool(first) == bool(problem)
    assert second == ""
    assert invalid_example.DEFECT not in first


def test_annotation_files_that_are_none_are_rejects(tmp_path):
    root = tmp_path / "in"
    folder = "human_annotated/train_set/annotations"
    plus(root, "{}")
    for number in range(3, 7):
        conftest.put(root, f"human_annotated/train_set/images/{number}.jpg")
    os.mkfifo(root / folder / "3.json")
    (root / folder / "4.json").symlink_to("/dev/zero")
    (root / folder / "5.json").symlink_to(root / folder / "5.json")
    conftest.put(root, f"{folder}/6.json")
    os.truncate(root / folder / "6.json", 8_000_000_000)
    found = problems(conftest.read(root))
    assert found[1] == ""
    for problem, part in zip(
        found[2:], ["a named pipe", "a link leads out", "symbolic links", "8,000.0 MB"], strict=True
    ):
        assert problem.startswith("unreadable annotation: ") and part in problem


def test_a_defect_of_ours_is_told_apart_and_loses_one_row(tmp_path, monkeypatch):
    root = release_2017(tmp_path, row(), row(label=2), row(path="1/b.jpg"))
    parse = affectnet_2017.annotations.parse

    def fails(fields, place):
        return {}["no"] if fields["label"] == "2" else parse(fields, place)

    monkeypatch.setattr(affectnet_2017.annotations, "parse", fails)
    first, second, third = conftest.read(root)
    assert isinstance(first, annotations.Row) and isinstance(third, annotations.Row)
    assert (second.reason, second.path) == ("defect of this program", "1/a.jpg")
    assert second.source == "training.csv row 2"
    assert second.detail.startswith("please report it: KeyError in test_hostile_rows.py, line ")


def test_more_faces_than_an_image_may_have_are_rejects(monkeypatch):
    monkeypatch.setattr(row_index, "MOST_FACES", 3)
    place = annotations.Place("train", "manual", "", "", "a.txt")
    rows = [
        annotations.parse(
            {"path": "a.jpg", "label": "1", "x": str(n), "y": "0", "width": "9", "height": "9"},
            place._replace(source=f"a.txt face {n + 1}"),
        )
        for n in range(5)
    ]
    entries = np.zeros(5, row_index.ENTRY)
    entries["start"] = range(5)
    corrections, stays = deduplicate.find_repeats(
        entries, fetch=lambda some: [rows[start] for start in some["start"]], seed=0
    )
    assert stays["face"].tolist() == [0, 2, 3]
    assert [(r.reason, r.source) for r in corrections.rejects] == [
        ("too many faces", "a.txt face 4"),
        ("too many faces", "a.txt face 5"),
    ]
    assert np.iinfo(row_index.ENTRY["face"]).max == 65_535


def test_links_out_of_the_input_are_followed_with_the_flag_only(tmp_path):
    root = release_2017(tmp_path / "in", row(), row(path="1/c.jpg"), row(path="2/d.jpg"))
    outside = conftest.put(tmp_path / "out", "c.jpg", "d.jpg")
    conftest.put(outside, "lists/validation.csv", content=row(path="c.jpg"))
    images = root / "Manually_Annotated_Images"
    (images / "1/c.jpg").symlink_to(outside / "c.jpg")
    (images / "2").symlink_to(outside)
    (root / "lists").symlink_to(outside / "lists")
    release = conftest.recognise(root)
    assert [table.path for table in release.tables] == ["training.csv"]
    assert release.notes == (
        "lists and 2 more: links out of the input folder, which --follow_links follows",
    )
    assert not any(table.follow_links for table in release.tables)
    followed = conftest.recognise(root, follow_links=True)
    assert [table.path for table in followed.tables] == ["training.csv", "lists/validation.csv"]
    assert all(table.follow_links for table in followed.tables)
    (root / "training.csv").rename(outside / "training.csv")
    (root / "training.csv").symlink_to(outside / "training.csv")
    with pytest.raises(errors.UserError, match="lists and 3 more: links out of"):
        conftest.recognise(root)


def test_a_damaged_marker_of_the_drawn_sample_is_a_sentence(tmp_path):
    for content in ("[", "3", "[" * 9_000):
        conftest.put(tmp_path, registry.SAMPLE_MARKER, content=content)
        with pytest.raises(errors.UserError, match="drawn_sample.json is damaged"):
            registry.drawn_sample(tmp_path)
