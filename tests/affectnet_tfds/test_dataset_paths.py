import pytest

from affectnet_tfds import dataset_paths


def test_a_shard_is_named_as_tfds_names_it():
    name = dataset_paths.shard_name("train", 3, 16)
    assert name == "affectnet_faces-train.tfrecord-00003-of-00016"
    assert dataset_paths.parse_shard_name(name) == ("train", 3, 16)


def test_tfds_fills_in_the_template_with_the_same_name():
    tfds = pytest.importorskip("tensorflow_datasets")
    template = tfds.core.ShardedFileTemplate(
        dataset_name=dataset_paths.DATASET_NAME,
        data_dir="/",
        split="validation",
        filetype_suffix=dataset_paths.FILE_FORMAT,
        template=dataset_paths.SHARD_TEMPLATE,
    )
    path = template.sharded_filepath(shard_index=2, num_shards=100)
    assert path.name == dataset_paths.shard_name("validation", 2, 100)


@pytest.mark.parametrize(
    "name",
    [
        "affectnet_faces-train.tfrecord-00003-of-00016.json",
        "other-train.tfrecord-00003-of-00016",
        "affectnet_faces-train.tfrecord",
        "",
    ],
)
def test_another_name_is_refused_with_the_form_it_must_have(name):
    rule = "a shard must be named as affectnet_faces-SPLIT.tfrecord-00000-of-00001: got "
    with pytest.raises(ValueError, match=rule):
        dataset_paths.parse_shard_name(name)


def test_version_folders_are_ordered_by_number_and_other_folders_are_none():
    assert dataset_paths.version_folder("affectnet8") == "affectnet_faces/affectnet8/1.0.0"
    assert dataset_paths.version_number("1.10.0") > dataset_paths.version_number("1.9.3")
    for name in (".building-1.0.0", "1.0", "1.0.x", "incomplete.x.1.0.0_"):
        assert dataset_paths.version_number(name) == ()


def test_the_data_dir_is_the_one_given_else_that_of_the_environment_else_tfds_default(monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", "/data")
    assert dataset_paths.data_dir("/given") == "/given"
    assert dataset_paths.data_dir(None) == "/data"
    monkeypatch.delenv("TFDS_DATA_DIR")
    assert dataset_paths.data_dir("") == "~/tensorflow_datasets"
