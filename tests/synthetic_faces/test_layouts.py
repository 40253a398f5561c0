"""Layouts of drawn releases: each gives the same images the same annotations."""

import ast
import csv
import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from affectnet_tfds import labels
from synthetic_faces import release, settings
from synthetic_faces.examples import dataset_rows, scenes
from synthetic_faces.layouts import affectnet_plus, ferplus, registry, yolo

SPLITS = {"train": "train", "validation": "val"}


class Fields(dict):
    """Annotation of one image: code, box, landmarks, valence, arousal and split, if there."""


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def floats(text: str) -> list[float]:
    return [float(number) for number in text.split(";")]


def read_2017(root: Path) -> dict[str, Fields]:
    found = {}
    for name, split, images in (
        (
            "Manually_Annotated_file_lists/training.csv",
            "train",
            "Manually_Annotated/Manually_Annotated_Images",
        ),
        (
            "Manually_Annotated_file_lists/validation.csv",
            "val",
            "Manually_Annotated/Manually_Annotated_Images",
        ),
        (
            "Automatically_annotated_file_list/automatically_annotated.csv",
            "automatic",
            "Automatically_Annotated/Automatically_Annotated_Images",
        ),
    ):
        for row in csv.reader((root / name).read_text().splitlines()):
            if row[1] != "face_x":
                found[digest(root / images / row[0])] = Fields(
                    split=split, code=int(row[6]), box=[int(side) for side in row[1:5]],
                    landmarks=floats(row[5]), valence=float(row[7]), arousal=float(row[8]),
                )  # fmt: skip
    return found


def read_npy(root: Path) -> dict[str, Fields]:
    found = {}
    for split in ("train", "val"):
        for image in (root / f"{split}_set" / "images").iterdir():
            stem = root / f"{split}_set" / "annotations" / image.stem
            exp, val, aro, lnd = (
                np.load(f"{stem}_{name}.npy") for name in ("exp", "val", "aro", "lnd")
            )
            assert exp.dtype.kind == val.dtype.kind == aro.dtype.kind == "U" and lnd.shape == (136,)
            found[digest(image)] = Fields(
                split=split, code=int(exp.item()), valence=float(val.item()),
                arousal=float(aro.item()), landmarks=lnd.tolist(),
            )  # fmt: skip
    return found


def read_affectnetplus(root: Path) -> dict[str, Fields]:
    found = {}
    for folder, split in (
        ("human_annotated/train_set", "train"),
        ("human_annotated/validation_set", "val"),
        ("no_human_annotated", "automatic"),
    ):
        for path in (root / folder / "annotations").iterdir():
            record = json.loads(path.read_text())
            about = record["meta-data"]
            soft = record["soft-label"]
            assert (
                len(soft) == 8 and sum(soft) == pytest.approx(1) and record["subset"] in (0, 1, 2)
            )
            assert ("human-label" in record) == (split != "automatic")
            found[digest(root / folder / "images" / f"{path.stem}.jpg")] = Fields(
                split=split, code=record.get("human-label", soft.index(max(soft))),
                valence=about["valence"], arousal=about["arousal"],
                landmarks=np.ravel(about["landmark-68"]).tolist(),
            )  # fmt: skip
    return found


def read_folders(root: Path) -> dict[str, Fields]:
    names = {name.capitalize(): code for code, name in enumerate(labels.EXPRESSIONS)}
    return {
        digest(path): Fields(split=path.parts[-3], code=names[path.parent.name])
        for split in ("train", "val")
        for path in (root / split).rglob("*.*")
    }


def read_code_folders(root: Path) -> dict[str, Fields]:
    return {
        digest(path): Fields(split=path.parts[-3], code=int(path.parent.name))
        for split in ("train", "val")
        for path in (root / split).rglob("*.*")
    }


def read_yolo(root: Path) -> dict[str, Fields]:
    names = ast.literal_eval((root / "data.yaml").read_text().split("names: ")[1])
    assert names == ["Anger", "Contempt", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise"]
    codes = [6, 7, 5, 4, 1, 0, 2, 3]
    found = {}
    for split in ("train", "valid"):
        for image in (root / split / "images").iterdir():
            index, *box = (root / split / "labels" / f"{image.stem}.txt").read_text().split()
            assert all(0 <= float(number) <= 1 for number in box)
            found[digest(image)] = Fields(
                split=split[:5].replace("valid", "val"), code=codes[int(index)]
            )
    return found


def read_csv(root: Path) -> dict[str, Fields]:
    found = {}
    for row in csv.DictReader((root / "faces.csv").read_text().splitlines()):
        x, y, right, bottom = (int(row[name]) for name in ("x0", "y0", "x1", "y1"))
        found[digest(root / row["image"])] = Fields(
            split=SPLITS[row["split"]], code=labels.EXPRESSIONS.index(row["emotion"]),
            box=[x, y, right - x, bottom - y], landmarks=floats(row["points"]),
            valence=float(row["valence"]), arousal=float(row["arousal"]),
        )  # fmt: skip
    return found


READERS = {
    "2017": read_2017, "npy": read_npy, "affectnetplus": read_affectnetplus,
    "folders": read_folders, "code_folders": read_code_folders, "yolo": read_yolo, "csv": read_csv,
}  # fmt: skip

# What each layout leaves out of the release of 2017.
LEFT_OUT = {
    "2017": lambda fields: False,
    "affectnetplus": lambda fields: False,
    "csv": lambda fields: fields["split"] == "automatic",
} | dict.fromkeys(
    ["npy", "folders", "code_folders", "yolo"],
    lambda fields: fields["split"] == "automatic" or fields["code"] > 7,
)


def draw(folder: Path, layout: str) -> Path:
    release.make(settings.Settings(folder, 66, 4, layout), num_workers=1)
    return folder


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return read_2017(draw(tmp_path_factory.mktemp("layouts") / "2017", "2017"))


OTHERS = {"fer2013", "ferplus", "rafdb", "ckplus", "kdef", "jaffe", "afew", "caer"}
"""Layouts of other data sets: read back in tests/pipeline/sources/layouts/test_other_data.py."""


def test_every_layout_is_tested():
    assert READERS.keys() | OTHERS == registry.LAYOUTS.keys()
    assert READERS.keys() == LEFT_OUT.keys()


@pytest.mark.parametrize("layout", READERS)
def test_a_layout_gives_the_same_images_the_same_annotations(layout, original, tmp_path):
    found = READERS[layout](draw(tmp_path / layout, layout))
    assert found.keys() == {
        image for image, fields in original.items() if not LEFT_OUT[layout](fields)
    }
    for image, fields in found.items():
        assert fields == {name: original[image][name] for name in fields}


def test_yolo_boxes_are_those_of_2017_cut_off_at_the_edge(tmp_path):
    row = dataset_rows.Row(0, "train", "manual", 0, 3, "ab" * 28, ".jpg")
    annotation = scenes.Annotation(row, 200, 100, (-20, 10, 60, 40), np.zeros((68, 2)), 0.0, 0.0)
    (tmp_path / "train" / "labels").mkdir(parents=True)
    yolo.write_lists(tmp_path, [annotation])
    text = (tmp_path / "train" / "labels" / f"{row.name}.txt").read_text()
    assert text == "7 0.100000 0.300000 0.200000 0.400000\n"


def test_numbers_of_the_npy_release_have_gaps_and_both_splits_count_from_the_start(tmp_path):
    root = draw(tmp_path / "npy", "npy")
    train, val = (
        sorted(int(p.stem) for p in (root / s / "images").iterdir())
        for s in ("train_set", "val_set")
    )
    assert set(train) & set(val)
    assert val != list(range(len(val)))


def test_a_soft_label_favours_its_code_by_the_difficulty():
    probabilities = {}
    for index in range(12):
        row = dataset_rows.Row(0, "train", "manual", 0, 5, f"{index:056x}", ".jpg")
        probabilities[affectnet_plus.difficulty(row)] = affectnet_plus.soft_label(row)[5]
    assert probabilities == {0: 0.9, 1: 0.6, 2: 0.4}


@pytest.mark.parametrize(
    ("votes", "difficulty"), [((0, 0, 0, 1, 0, 9, 0, 0), 0), ((4, 0, 0, 0, 0, 6, 0, 0), 1)]
)
def test_votes_are_the_soft_label_and_say_how_difficult_a_face_is(votes, difficulty):
    row = dataset_rows.Row(0, "train", "manual", 0, 5, "ab" * 28, ".jpg", votes=votes)
    assert affectnet_plus.soft_label(row) == [count / 10 for count in votes]
    assert affectnet_plus.difficulty(row) == difficulty
    evenly = dataclasses.replace(row, votes=(5, 0, 0, 0, 0, 5, 0, 0))
    assert affectnet_plus.difficulty(evenly) == 2


def test_votes_are_in_the_columns_of_ferplus():
    votes = (1, 0, 2, 0, 3, 0, 4, 0)  # Neutral, sad, fear and anger.
    row = dataset_rows.Row(0, "train", "manual", 0, 6, "ab" * 28, ".jpg", votes=votes)
    assert ferplus.votes(row) == [1, 0, 0, 2, 4, 0, 3, 0, 0, 0]


def test_the_votes_of_ferplus_are_beside_the_pixels_of_fer2013_where_there_are_any(tmp_path):
    asked = settings.Settings(tmp_path / "votes", 66, 4, "fer2013", ambiguous_frac=0.5)
    annotations = release.make(asked, num_workers=1)
    header, *lines = (tmp_path / "votes" / "fer2013new.csv").read_text().splitlines()
    assert header.split(",")[2:6] == ["neutral", "happiness", "surprise", "sadness"]
    assert len(lines) == len(annotations)
    for number, (line, annotation) in enumerate(zip(lines, annotations, strict=True)):
        usage, name, *votes = line.split(",")
        assert (usage, name) == (
            "Training" if annotation.row.split == "train" else "PublicTest",
            f"fer{number:07d}.png",
        )
        assert int(votes[1]) == annotation.row.votes[1] and sum(map(int, votes)) == 10
    clear = settings.Settings(tmp_path / "clear", 66, 4, "fer2013")
    release.make(clear, num_workers=1)
    assert not (tmp_path / "clear" / "fer2013new.csv").exists()
