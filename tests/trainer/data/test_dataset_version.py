import dataclasses
import json
import os
import shutil

import pytest

from runtime import errors
from trainer.config import run_config
from trainer.data import dataset_version


@pytest.fixture
def root(tmp_path):
    """A function that adds an empty version to a data_dir, and returns the data_dir."""

    def add(*names, default=None):
        for name in names:
            folder = tmp_path / "affectnet_faces" / name
            folder.mkdir(parents=True)
            (folder / "features.json").touch()
        if default:
            (tmp_path / "affectnet_faces/.config").mkdir()
            text = json.dumps({"default_config_name": default})
            (tmp_path / "affectnet_faces/.config/metadata.json").write_text(text)
        return tmp_path

    return add


def located(root, **data):
    return str(
        dataset_version.locate(run_config.Data(data_dir=str(root), **data)).relative_to(
            root / "affectnet_faces"
        )
    )


def test_the_newest_version_is_taken_by_number_not_by_text(root):
    assert located(root("affectnet8/1.9.0", "affectnet8/1.10.0")) == "affectnet8/1.10.0"


def test_the_published_default_is_taken_and_a_name_overrides_it(root):
    data_dir = root("affectnet7/1.0.0", "affectnet8/1.0.0", default="affectnet8")
    assert located(data_dir) == "affectnet8/1.0.0"
    assert located(data_dir, config_name="affectnet7") == "affectnet7/1.0.0"


def test_several_without_a_default_have_to_be_named(root):
    with pytest.raises(
        errors.UserError, match="holds several configs: choose --config_name from a, b"
    ):
        located(root("a/1.0.0", "b/1.0.0"))


def test_an_unknown_config_lists_those_that_are_there(root):
    with pytest.raises(
        errors.UserError, match="--config_name=c is not in .*: choose --config_name from a, b"
    ):
        located(root("a/1.0.0", "b/1.0.0"), config_name="c")


def test_a_build_under_way_is_not_a_version(root):
    with pytest.raises(
        errors.UserError, match="holds no affectnet_faces; make it with 'make shards'"
    ):
        located(root("affectnet8/incomplete.x.1.0.0_"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_in_the_place_of_any_file_of_a_version_is_refused(root):
    data_dir = root("a/1.0.0")
    os.mkfifo(data_dir / "affectnet_faces" / "a" / "1.0.0" / "label.labels.txt")
    with pytest.raises(OSError, match="it is a named pipe, and only regular files are read"):
        located(data_dir)


def test_the_data_dir_is_found_as_tfds_finds_it(monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    assert dataset_version.data_dir(run_config.Data()) == tmp_path
    monkeypatch.delenv("TFDS_DATA_DIR")
    monkeypatch.setenv("HOME", "/home/ada")
    assert str(dataset_version.data_dir(run_config.Data())) == "/home/ada/tensorflow_datasets"


def test_a_data_dir_in_a_store_is_refused_with_the_command_that_copies_it():
    with pytest.raises(
        errors.UserError,
        match=r"fs\.copy_files\('s3://b/d/affectnet_faces', 'data/affectnet_faces'\)",
    ):
        dataset_version.locate(run_config.Data(data_dir="s3://b/d/"))


def test_a_version_knows_its_classes_size_and_counts(version):
    assert version.class_names[:2] == ("neutral", "happy")
    assert len(version.class_names) == 8
    assert version.stored_size == 32
    assert version.counts == {"train": 62, "validation": 37}
    assert version.name == "affectnet_faces/sample/1.0.0"


@pytest.mark.parametrize(
    ("config_name", "is_drawn"), [("sample", True), ("sample_png", True), ("affectnet8", False)]
)
def test_every_build_of_drawn_faces_is_known_by_its_name(config_name, is_drawn, version):
    path = version.path.parents[1] / config_name / "1.0.0"
    assert dataclasses.replace(version, path=path).is_drawn == is_drawn


def test_a_split_that_is_not_there_lists_those_that_are(version):
    with pytest.raises(
        errors.UserError,
        match="no examples in split test; it has train, validation: .*--validation_frac=0.2 there",
    ):
        dataset_version.check_split(version, split="test")


def test_the_fingerprint_changes_with_metadata_and_with_shards(version, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(version.path, copy)
    assert dataset_version.fingerprint(copy) == version.fingerprint
    next(copy.glob("*.tfrecord-*")).write_bytes(b"shorter")
    assert dataset_version.fingerprint(copy) != version.fingerprint


def test_the_fingerprint_does_not_change_with_the_reports_beside_the_data(version, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(version.path, copy)
    (copy / "report.html").write_text("written again by a later version")
    assert dataset_version.fingerprint(copy) == version.fingerprint
