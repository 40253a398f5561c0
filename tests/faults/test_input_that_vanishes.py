"""Input that is away for a moment: the build stops with a sentence, the same command ends it."""

import errno
import itertools
import json
import os
import pathlib

import pytest

from pipeline import build, config
from pipeline.files import storage
from pipeline.shards import image_files, shard_writer
from runtime import errors, program
from tests.pipeline import conftest, test_main

IMAGES = "Manually_Annotated/Manually_Annotated_Images"
BALANCE = "8"  # More than most classes have, so that rows have several copies.


@pytest.fixture
def asked(job_config):
    """The build that is asked for: every row with its copies, in 6 shards."""
    return job_config(balance=BALANCE, num_shards=6, max_reject_frac=0)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of an unbroken build of the same input, with the same flags."""
    folder = tmp_path_factory.mktemp("whole")
    return everything(
        test_main.run(
            config.JobConfig(
                input_dir=str(conftest.write_small_release(folder / "in")),
                data_dir=str(folder),
                config_name="tiny",
                image_size=32,
                balance=BALANCE,
                num_shards=6,
                num_workers=1,
            )
        )
    )


def everything(built: build.Build) -> dict[str, str]:
    report = json.loads((built.version / "build_report.json").read_text())
    shards = {shard["name"]: shard["sha256"] for shard in report["shards"]}
    assert shards == test_main.sums(built.version)
    return {**shards, "rejects": (built.version / "rejects.csv").read_text()}


def refusal(asked) -> errors.UserError:
    """Build, and return the sentence that ends it."""
    with pytest.raises((errors.UserError, OSError)) as raised:
        test_main.run(asked)
    sentence = program.refusal_for(raised.value)
    assert sentence and sentence.exit_code == errors.EXIT_CODE
    return sentence


def image_of_a_small_class(asked) -> pathlib.Path:
    """Return an image of a class that balancing writes whole, several times."""
    (image,) = pathlib.Path(asked.input_dir).rglob(f"{20:056x}.jpg")
    return image


class Disk:
    """Image files that can be made to fail: `fails` is asked before each is read."""

    def __init__(self, monkeypatch) -> None:
        self.reads = itertools.count()
        self.fails = lambda path, number: None
        read = pathlib.Path.read_bytes

        def read_or_fail(path):
            if path.suffix == ".jpg" and (error := self.fails(path, next(self.reads))):
                raise error
            return read(path)

        monkeypatch.setattr(pathlib.Path, "read_bytes", read_or_fail)


@pytest.fixture
def disk(monkeypatch) -> Disk:
    return Disk(monkeypatch)


def test_an_error_of_the_disk_stops_the_build_which_the_same_command_ends(asked, whole, disk):
    # As reading an open file fails: without its name.
    disk.fails = lambda path, n: OSError(errno.EIO, "Input/output error") if n >= 20 else None
    sentence = str(refusal(asked))
    assert sentence.startswith(f"cannot use {asked.input_dir}/{IMAGES}/")
    assert sentence.endswith("the same command continues")
    disk.fails = lambda path, n: None
    assert everything(test_main.run(asked)) == whole


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT])
def test_an_error_of_the_disk_is_no_property_of_the_image(tmp_path, disk, number):
    (tmp_path / "a.jpg").touch()
    disk.fails = lambda path, n: OSError(number, os.strerror(number))
    with pytest.raises(OSError, match="a.jpg") as raised:
        image_files.read(tmp_path, "a.jpg")
    assert str(program.refusal_for(raised.value)).endswith("the same command continues")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP])
def test_an_error_of_one_file_is_a_defect_of_it(tmp_path, disk, number):
    (tmp_path / "a.jpg").touch()
    disk.fails = lambda path, n: OSError(number, os.strerror(number))
    found = image_files.read(tmp_path, "a.jpg")
    assert (found.reason, str(found)) == ("unreadable file", f"{os.strerror(number)}: a.jpg")


def test_a_folder_that_goes_as_a_whole_stops_the_build(asked, whole, disk):
    place = pathlib.Path(asked.input_dir, IMAGES)
    away = place.with_name("away")

    def go(path, number):
        if number == 20:
            place.rename(away)
            place.mkdir()  # As the empty folder is that a disk was mounted on.

    disk.fails = go
    assert str(refusal(asked)) == (
        f"{place} is gone or empty, and held files when the build began; when it is back, the same "
        "command continues"
    )
    disk.fails = lambda path, n: None
    place.rmdir()
    away.rename(place)
    assert everything(test_main.run(asked)) == whole


def test_a_finished_shard_that_lacks_an_image_is_looked_at_again(asked, whole):
    image = image_of_a_small_class(asked)
    hidden = image.rename(image.with_suffix(".away"))
    assert "rows are rejected" in str(refusal(asked))
    hidden.rename(image)
    assert everything(test_main.run(asked)) == whole


def test_finished_shards_whose_images_stay_away_are_not_made_again(asked):
    image = image_of_a_small_class(asked)
    image.unlink()
    refusal(asked)
    staging = pathlib.Path(asked.data_dir, "affectnet_faces/tiny/.building-1.0.0")
    before = {path.name: path.stat().st_ino for path in staging.glob("*.tfrecord*[0-9]")}
    refusal(asked)
    assert before == {path.name: path.stat().st_ino for path in staging.glob("*.tfrecord*[0-9]")}
    assert len(before) == 8


def test_an_image_that_is_back_before_the_end_is_in_the_build(asked, whole, disk):
    disk.fails = lambda path, n: FileNotFoundError(errno.ENOENT, "no") if n in (3, 11) else None
    assert everything(test_main.run(asked)) == whole


def test_an_image_that_goes_for_good_between_its_copies_is_counted_once(job_config, disk):
    asked = job_config(balance=BALANCE, num_shards=6, max_reject_frac=1)
    seen = []

    def go(path, number):
        seen.append(path)
        if seen.count(path) == 2 and path.exists():
            path.unlink()
            seen.append("gone")

    disk.fails = lambda path, n: go(path, n) if "gone" not in seen else None
    built = test_main.run(asked)
    assert dict(built.account.reasons()) == {"no such file": 1}
    assert all(line.closes for line in built.account.lines)
    (reject,) = built.account.rejects
    name = pathlib.Path(reject.path).name.encode()
    assert not [f for f in built.version.glob("*.tfrecord*") if name in f.read_bytes()]


def test_an_input_that_never_comes_to_rest_is_refused(asked, monkeypatch):
    monkeypatch.setattr(shard_writer, "are_rejects_lasting", lambda spec, done: False)
    assert str(refusal(asked)).endswith("when it is at rest, the same command continues")


def test_overwrite_discards_unfinished_work_but_what_overwrite_began(job_config, monkeypatch):
    staging = interrupted(job_config(), monkeypatch)
    (staging / "of the first").touch()
    interrupted(job_config(overwrite=True), monkeypatch)
    assert not (staging / "of the first").exists()
    for name in ("of the second", "incomplete.3f.shard", "affectnet_faces-train.progress"):
        (staging / name).touch()
    interrupted(job_config(overwrite=True), monkeypatch)
    assert (staging / "of the second").exists()
    # What workers have left that died.
    assert not (staging / "incomplete.3f.shard").exists()
    assert not (staging / "affectnet_faces-train.progress").exists()


def interrupted(asked, monkeypatch) -> pathlib.Path:
    """Stop a build before it writes shards; return its staging folder."""
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):

        def stop(*_, **__):
            raise KeyboardInterrupt

        patched.setattr(build.write_shards, "write", stop)
        test_main.run(asked)
    return pathlib.Path(asked.data_dir, "affectnet_faces/tiny/.building-1.0.0")


def test_annotation_files_of_a_disk_that_fails_are_no_rejects(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "a.txt").write_text("1")
    contents = storage.contents(tmp_path / "here", ["a.txt", "b.txt"])
    assert next(contents) == b"1"
    assert isinstance(next(contents), FileNotFoundError)
    with pytest.raises(errors.UserError, match="is gone or empty"):
        list(storage.contents(tmp_path / "not here", ["a.txt"]))


def test_a_missing_image_is_asked_of_its_own_folders_only(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "x.txt").touch()
    found = image_files.read(tmp_path, "train/a.jpg", folders=("", "train", "validation"))
    assert found.reason == image_files.NO_SUCH_FILE
    with pytest.raises(errors.UserError, match="validation is gone"):
        image_files.read(tmp_path, "validation/a.jpg", folders=("", "train", "validation"))
