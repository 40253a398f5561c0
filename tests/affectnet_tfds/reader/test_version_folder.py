"""Version folder: found as TFDS finds it, and its metadata read without TFDS."""

import json

import pytest

from affectnet_tfds import dataset_paths
from affectnet_tfds.reader import version_folder
from runtime import errors
from tests.affectnet_tfds.reader import conftest


def test_the_newest_version_of_the_only_config_is_found_or_a_versions_own_folder(
    data_dir, monkeypatch
):
    config = data_dir / dataset_paths.config_folder("affectnet8")
    conftest.write_version(config / "1.10.0")
    conftest.write_version(config / "1.9.0")
    conftest.write_version(config / ".building-1")
    assert version_folder.find(str(data_dir)) == config / "1.10.0"
    assert version_folder.find(str(config / "1.9.0")) == config / "1.9.0"
    monkeypatch.setenv("TFDS_DATA_DIR", str(data_dir))
    assert version_folder.find(None) == config / "1.10.0"


def test_of_several_configs_the_default_one_is_meant_or_one_has_to_be_named(data_dir):
    root = data_dir / dataset_paths.DATASET_NAME
    conftest.write_version(root / "mine" / "1.0.0")
    with pytest.raises(errors.UserError, match="holds several configs: choose config_name from "):
        version_folder.find(str(data_dir))
    assert version_folder.find(str(data_dir), config_name="mine").parent.name == "mine"
    with pytest.raises(errors.UserError, match="config_name=her is not in .*: choose config_name"):
        version_folder.find(str(data_dir), config_name="her")
    default = root / dataset_paths.DEFAULT_CONFIG
    default.parent.mkdir()
    default.write_text(dataset_paths.default_config_text("mine"))
    assert version_folder.find(str(data_dir)).parent.name == "mine"


def test_a_folder_without_a_data_set_and_a_split_that_is_none_are_refused(data_dir, tmp_path):
    with pytest.raises(errors.UserError, match="data_dir must hold affectnet_faces, or be the"):
        version_folder.find(str(tmp_path / "nothing"))
    metadata = version_folder.read(version_folder.find(str(data_dir)))
    with pytest.raises(errors.UserError, match="has no split 'test': it has train, validation"):
        metadata.shards("test")


def test_a_folder_inside_of_a_data_set_is_refused_with_its_data_dir(data_dir, monkeypatch):
    root = data_dir / dataset_paths.DATASET_NAME
    for inside in (root, root / "affectnet8", root / "affectnet8" / "9.0.0"):
        with pytest.raises(errors.UserError) as refused:
            version_folder.find(str(inside))
        assert str(refused.value) == (
            "data_dir must hold affectnet_faces, or be the folder of a version of it (with "
            f"features.json): {inside} is a part of affectnet_faces; say data_dir={data_dir}"
        )
    monkeypatch.chdir(root)
    with pytest.raises(errors.UserError, match=f"; say data_dir={data_dir}$"):
        version_folder.find(".")


def test_a_version_without_its_features_is_named(data_dir):
    config = data_dir / dataset_paths.config_folder("affectnet8")
    (config / "1.0.0" / dataset_paths.FEATURES).unlink()
    wanted = (
        f"must have features.json: {config / '1.0.0'} has none; copy the version again from an "
        "intact copy, or build it anew"
    )
    for given in (data_dir, config.parent, config, config / "1.0.0"):
        with pytest.raises(errors.UserError, match=wanted):
            version_folder.find(str(given))
    conftest.write_version(config.parent / "mine" / "1.0.0")
    assert version_folder.find(str(data_dir)).parent.name == "mine"
    with pytest.raises(errors.UserError, match=wanted):
        version_folder.find(str(data_dir), config_name="affectnet8")


def test_a_url_is_refused_as_it_was_given(monkeypatch):
    said = "data_dir must be a folder on a disk, .*: got s3://x/y; copy affectnet_faces from there"
    with pytest.raises(errors.UserError, match=said):
        version_folder.find("s3://x/y")
    monkeypatch.setenv("TFDS_DATA_DIR", "s3://x/y")
    with pytest.raises(errors.UserError, match=said):
        version_folder.find(None)


@pytest.mark.parametrize("damaged", ["{", "[]", "{}", json.dumps({"splits": [{"name": "train"}]})])
def test_damaged_metadata_are_refused(damaged, data_dir):
    path = version_folder.find(str(data_dir))
    (path / "dataset_info.json").write_text(damaged)
    with pytest.raises(errors.UserError, match=r"cannot read the metadata in .*; copy the version"):
        version_folder.read(path)
