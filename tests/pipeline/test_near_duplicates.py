"""Near duplicates in a build: planted copies are found, grouped, named, pictured and dropped."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline import config
from runtime import errors
from tests.pipeline import conftest, test_main

BOX = (20, 10, 70, 70)


def photograph(index: int) -> np.ndarray:
    """An image with detail that no other index has: uint8[90, 120, 3]."""
    random = np.random.Generator(np.random.PCG64(index))
    coarse, fine = (
        cv2.resize(
            random.integers(0, 256, (side, side, 3), dtype=np.uint8),
            (120, 90),
            interpolation=cv2.INTER_CUBIC,
        ).astype(float)
        for side in (7, 24)
    )
    return (0.6 * coarse + 0.4 * fine).astype(np.uint8)


def smaller(image: np.ndarray) -> np.ndarray:
    return cv2.resize(image, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)


def mirrored(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image[:, ::-1])


def darker(image: np.ndarray) -> np.ndarray:
    return (image * 0.75).astype(np.uint8)


@pytest.fixture
def planted(tmp_path: Path) -> conftest.ReleaseWriter:
    """12 photographs in train, 2 in validation, and three copies of the first of each, in train."""
    release = conftest.ReleaseWriter(tmp_path / "planted")

    def add(table: str, label: int, image: np.ndarray, name: str, box=BOX) -> None:
        file = release.images / "1" / f"{name}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes())
        release.add(table, label, path=f"1/{name}.jpg", box=box, landmarks="")

    for index in range(12):
        add("training", index % 2, photograph(index), f"train{index}")
    for index in (20, 21):
        add("validation", index % 2, photograph(index), f"validation{index}")
    small_box = tuple(round(0.8 * side) for side in BOX)
    add("training", 0, smaller(photograph(0)), "copy0", small_box)
    add("training", 1, mirrored(photograph(0)), "mirrored0", (30, 10, 70, 70))
    add("training", 0, darker(photograph(20)), "copy20")
    return release


def duplicates(version: Path) -> list[dict[str, str]]:
    with (version / "duplicates.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))


def report(version: Path) -> dict:
    return json.loads((version / "build_report.json").read_text())


IMAGES = "Manually_Annotated_Images/1"

NEAR = [
    ("1", "near", "1", "train", f"{IMAGES}/copy0.jpg", "0"),
    ("1", "near", "1", "train", f"{IMAGES}/mirrored0.jpg", "1"),
    ("1", "near", "1", "train", f"{IMAGES}/train0.jpg", "0"),
    ("2", "near", "0", "train", f"{IMAGES}/copy20.jpg", "0"),
    ("2", "near", "0", "validation", f"{IMAGES}/validation20.jpg", "0"),
]
"""Group, kind, whether labels disagree, split, file and label of every planted copy."""


def named(version: Path) -> list[tuple[str, ...]]:
    keys = ("group", "kind", "labels_disagree", "split", "filename", "expression")
    return [tuple(row[key] for key in keys) for row in duplicates(version)]


def test_planted_copies_are_named_in_every_build(planted, job_config):
    built = test_main.run(job_config(input_dir=str(planted.write()), balance="none", image_size=64))
    assert named(built.version) == NEAR
    found = report(built.version)["duplicates"]
    assert found["near_duplicates"]["across_splits"] == [
        [f"train: {IMAGES}/copy20.jpg", f"validation: {IMAGES}/validation20.jpg"]
    ]
    assert found["labels_disagree"] == [
        [
            f"train: {IMAGES}/copy0.jpg (0)",
            f"train: {IMAGES}/mirrored0.jpg (1)",
            f"train: {IMAGES}/train0.jpg (0)",
        ]
    ]
    assert (found["scan"], found["images"], found["not_looked_at"]) == ("written", 17, 0)
    page = (built.version / "report.html").read_text()
    assert "Near duplicates in train and in another split: 1" in page
    assert page.count(f'alt="crop of {IMAGES}/mirrored0.jpg"') >= 1


def test_near_duplicates_are_dropped_from_train_and_never_from_validation(planted, job_config):
    root = str(planted.write())
    given = {"input_dir": root, "balance": "none", "image_size": 64}
    built = test_main.run(job_config(**given, drop_duplicates="near"))
    counts = {
        split: sum(line.written for line in built.account.lines if line.split == split)
        for split in ("train", "validation")
    }
    assert counts == {"train": 12, "validation": 2}
    assert named(built.version) == NEAR, "What was dropped is named too."
    assert report(built.version)["dropped_as_near_duplicate_of"] == {
        "training.csv row 14": ("Manually_Annotated/Manually_Annotated_Images/1/train0.jpg"),
        "training.csv row 13": ("Manually_Annotated/Manually_Annotated_Images/1/train0.jpg"),
        "training.csv row 15": ("Manually_Annotated/Manually_Annotated_Images/1/validation20.jpg"),
    }
    exact = test_main.run(job_config(**given, drop_duplicates=True, config_name="exact"))
    assert exact.account.num_examples == 17


def test_the_list_of_duplicates_leaves_the_copies_out_of_another_build(planted, job_config):
    given = {"input_dir": str(planted.write()), "balance": "none", "image_size": 64}
    version = test_main.run(job_config(**given)).version
    listed = test_main.run(
        job_config(**given, exclude=str(version / "duplicates.csv"), config_name="listed")
    )
    dropped = test_main.run(job_config(**given, drop_duplicates="near", config_name="dropped"))
    counts = [
        [(line.split, line.label, line.written) for line in built.account.lines]
        for built in (listed, dropped)
    ]
    assert counts[0] == counts[1]
    assert sum(written for *_, written in counts[0]) == 14


@pytest.mark.parametrize(("drop", "train"), [(False, 15), (True, 15), ("near", 12)])
def test_rows_without_a_face_are_rejects_and_not_copies(planted, job_config, drop, train):
    for name in ("1/empty1.jpg", "1/empty2.jpg"):
        (planted.images / name).write_bytes(b"")
        planted.add("training", 0, path=name, landmarks="")
    same = (planted.images / "1" / "train5.jpg").read_bytes()
    (planted.images / "1" / "outside.jpg").write_bytes(same)
    planted.add("validation", 1, path="1/outside.jpg", box=(900, 10, 70, 70), landmarks="")
    given = {"input_dir": str(planted.write()), "balance": "none", "image_size": 64}
    built = test_main.run(job_config(**given, drop_duplicates=drop, max_reject_frac=0.5))
    with (built.version / "rejects.csv").open(newline="") as file:
        reasons = sorted(reject["reason"] for reject in csv.DictReader(file))
    assert reasons == ["box outside the picture", "empty file", "empty file"]
    written = [line.written for line in built.account.lines if line.split == "train"]
    assert sum(written) == train, "The good row of the two with the same file stays."
    listed = (built.version / "duplicates.csv").read_text()
    assert "empty" not in listed and "outside" not in listed
    assert not report(built.version)["identical_files"]["within_split"]


def test_a_balanced_build_says_what_it_did_not_look_at_or_looks(planted, job_config):
    root = str(planted.write())
    given = {"input_dir": root, "balance": "1", "image_size": 64}
    passing = report(test_main.run(job_config(**given)).version)["duplicates"]
    assert (passing["scan"], passing["images"], passing["not_looked_at"]) == ("written", 4, 13)
    scanned = test_main.run(job_config(**given, scan="all", config_name="scanned"))
    found = report(scanned.version)["duplicates"]
    assert (found["scan"], found["images"], found["not_looked_at"]) == ("all", 17, 0)
    assert named(scanned.version) == NEAR
    assert scanned.account.num_examples == 4, "Nothing is dropped unless asked for."


def test_a_build_that_did_not_scan_is_not_taken_for_one_that_did(planted, job_config):
    root = str(planted.write())
    test_main.run(job_config(input_dir=root))
    with pytest.raises(errors.UserError, match=r"was built without --scan=all; build it again"):
        test_main.run(job_config(input_dir=root, scan="all"))


def test_groups_are_the_same_whatever_the_number_of_workers(planted, job_config):
    root = str(planted.write())
    written = []
    for workers in (1, 2):
        built = test_main.run(
            job_config(
                input_dir=root,
                image_size=64,
                scan="all",
                num_workers=workers,
                config_name=f"by_{workers}",
            )
        )
        names = ("duplicates.csv", "duplicate_pictures.json", "build_report.json", "sidecars.json")
        written.append([(built.version / name).read_bytes() for name in names])
    assert written[0] == written[1]


def test_a_word_that_the_flag_does_not_take_is_refused():
    with pytest.raises(errors.UserError, match="--drop_duplicates must be exact or near"):
        config.JobConfig(input_dir="x", drop_duplicates="all")
