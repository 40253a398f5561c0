"""Files of hostile names, and what is no file: a build has each among its examples or rejects."""

import csv
import os

import pytest

from affectnet_tfds import example_codec, tfrecord
from pipeline import config, console, verify
from pipeline.data_report import build_files
from tests.pipeline import conftest, test_main

CLASSES = ("neutral", "happy", "sad", "anger")
NOT_UTF_8 = b"fr\xf6hlich.jpg"
ESCAPES = b"\x1b[2J\x1b[31mred.jpg"


@pytest.fixture
def source(tmp_path):
    """Class folders: 6 images of each class in train and 2 in val."""
    root = tmp_path / "in"
    for number, (split, name) in enumerate(
        (split, name)
        for split, count in (("train", 6), ("val", 2))
        for name in CLASSES
        for _ in range(count)
    ):
        folder = root / split / name
        folder.mkdir(parents=True, exist_ok=True)
        encoded = conftest.cv2.imencode(".jpg", conftest.picture(number))[1]
        (folder / f"{number}.jpg").write_bytes(encoded.tobytes())
    return root


def build(source, tmp_path, **flags):
    asked = config.JobConfig(
        input_dir=str(source),
        data_dir=str(tmp_path / "data"),
        config_name="tiny",
        image_size=32,
        num_workers=1,
        balance="none",
        max_reject_frac=0.5,
        **flags,
    )
    return asked, test_main.run(asked)


def file_names(version) -> set[str]:
    return {
        example_codec.parse(content).filename
        for shard in version.glob("*.tfrecord*")
        for content in tfrecord.records(shard.read_bytes())
    }


def rejects(version) -> dict[str, tuple[str, str]]:
    with (version / "rejects.csv").open(encoding="utf-8", newline="") as file:
        return {row["file"]: (row["reason"], row["detail"]) for row in csv.DictReader(file)}


def test_names_of_any_bytes_are_read_and_written_as_text_everywhere(source, tmp_path, capsys):
    happy = source / "train/happy"
    (happy / "7.jpg").rename(happy / os.fsdecode(NOT_UTF_8))
    (happy / "8.jpg").rename(happy / os.fsdecode(ESCAPES))
    for name in (b"\xff.jpg", b"\x1b]0;title\x07.jpg"):
        (happy / os.fsdecode(name)).write_bytes(b"no image: " + name)
    _, built = build(source, tmp_path, drop_duplicates=True)
    names = file_names(built.version)
    assert "train/happy/fr\\xf6hlich.jpg" in names
    assert "train/happy/\x1b[2J\x1b[31mred.jpg" in names
    assert len(names) == 32
    assert set(rejects(built.version)) == {
        "train/happy/\\xff.jpg",
        "train/happy/\\x1b]0;title\\x07.jpg",
    }
    assert verify.verify(built.version) == []
    for path in built.version.glob("*.*"):
        if "tfrecord" not in path.name and path.suffix != ".index":
            assert "\x1b" not in path.read_text(encoding="utf-8") or path.suffix == ".html"
    capsys.readouterr()
    console.Console().finished(built)
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize("folder", ["val/happy", "train/sad"])
def test_a_shard_whose_images_are_all_rejected_is_published_and_verified(source, tmp_path, folder):
    (first, *_) = sorted((source / folder).iterdir())
    first.write_bytes(b"no image")
    _, built = build(source, tmp_path, num_shards=24)
    empty = [path for path in built.version.glob("*.tfrecord*") if not path.stat().st_size]
    assert len(empty) == 1
    assert verify.verify(built.version) == []
    assert list(rejects(built.version)) == [f"{folder}/{first.name}"]
    assert len(file_names(built.version)) == 31


def test_what_is_no_file_or_leads_out_of_the_input_is_a_reject(source, tmp_path):
    happy = source / "train/happy"
    outside = (source / "train/sad/13.jpg").rename(tmp_path / "outside.jpg")
    os.mkfifo(happy / "fifo.jpg")
    (happy / "zero.jpg").symlink_to("/dev/zero")
    (happy / "self.jpg").symlink_to(happy / "self.jpg")
    (happy / "out.jpg").symlink_to(outside)
    (happy / "in.jpg").symlink_to(happy / "7.jpg")
    (happy / "sparse.jpg").touch()
    os.truncate(happy / "sparse.jpg", 8_000_000_000)
    asked, built = build(source, tmp_path)
    found = {name.removeprefix("train/happy/"): why for name, why in rejects(built.version).items()}
    assert {reason for reason, _ in found.values()} == {"unreadable file"}
    for name, part in {
        "fifo.jpg": "it is a named pipe",
        "zero.jpg": "a link leads out",
        "self.jpg": "Too many levels of symbolic links",
        "out.jpg": "a link leads out of the input folder, and is followed with --follow_links only",
        "sparse.jpg": "it has 8,000.0 MB",
    }.items():
        assert part in found.pop(name)[1]
    assert found == {}
    assert "train/happy/in.jpg" in file_names(built.version)
    _, followed = build(source, tmp_path, follow_links=True, retry_rejects=True)
    assert "train/happy/out.jpg" in file_names(followed.version)
    assert len(rejects(followed.version)) == 4
    assert build_files.load(followed.version).settings["follow_links"] is True


def test_formula_cells_are_quoted(source, tmp_path):
    table = source / "list.csv"
    table.write_text("image,label\n=1+1.jpg,1\n" + "".join(f"{n}.jpg,0\n" for n in range(6)))
    for number in range(6):
        (source / f"train/neutral/{number}.jpg").rename(source / f"{number}.jpg")
    _, built = build(source, tmp_path, csv="list.csv")
    assert list(rejects(built.version)) == ["'=1+1.jpg"]
