"""Croissant metadata: valid for MLCommons' own library, and true of the files beside it."""

import json

import mlcroissant
import pytest

from affectnet_tfds import features
from pipeline.files import checksums
from pipeline.metadata import croissant, data_sets
from tests.pipeline import test_main
from tests.pipeline.metadata import conftest


@pytest.fixture
def written(tmp_path):
    """Write croissant.json of a version; return what mlcroissant makes of it."""

    def write(about, **settings):
        croissant.write(tmp_path, conftest.described(about, **settings))
        return mlcroissant.Dataset(jsonld=str(tmp_path / croissant.FILE))

    return write


def test_mlcroissant_finds_nothing_wrong_and_nothing_missing(written):
    found = written(data_sets.RAFDB).metadata
    assert found.ctx.issues.errors == found.ctx.issues.warnings == set()
    assert (found.name, found.version) == ("affectnet_faces_mine", "1.0.0")
    assert found.url == "http://www.whdeng.cn/raf/model1.html"
    assert "li2017reliable" in found.cite_as and found.date_published.year == 2017
    assert found.conforms_to == [
        "http://mlcommons.org/croissant/1.0",
        "http://mlcommons.org/croissant/RAI/1.0",
    ]


def test_the_fields_on_responsible_ai_tell_source_and_settings(written):
    found = written(data_sets.RAFDB, image_size=96, balance="50", align=True).metadata
    assert found.data_collection == "Photographs of faces that people had put on the web."
    assert found.data_annotation_protocol[0].startswith("About 40 annotators for each image")
    assert "aligned to a template" in found.data_preprocessing_protocol[0]
    assert "96 x 96 pixels" in found.data_preprocessing_protocol[0]
    for field in (
        "data_biases",
        "data_use_cases",
        "data_limitations",
        "data_social_impact",
        "personal_sensitive_information",
        "data_release_maintenance_plan",
        "data_imputation_protocol",
        "data_collection_missing_data",
    ):
        assert getattr(found, field), field


def test_balancing_is_told_under_the_name_of_the_specification():
    # mlcroissant 1.1 knows it as dataDataManipulationProtocol only.
    for balance, told in (("50", "train is balanced to 50 images a class"), ("none", "Nothing is")):
        content = croissant.content(conftest.described(data_sets.RAFDB, balance=balance))
        assert content["rai:dataManipulationProtocol"].startswith(told)


def test_splits_and_labels_can_be_read_with_mlcroissant(written):
    found = written(data_sets.AFFECTNET, classes=7)
    assert list(found.records("splits")) == [
        {"splits/name": "train", "splits/num_examples": 30},
        {"splits/name": "validation", "splits/num_examples": 4},
    ]
    labels = [record["labels/name"] for record in found.records("labels")]
    assert labels == ["neutral", "happy", "sad", "surprise", "fear", "disgust", "anger"]


@pytest.mark.parametrize("soft_labels", [False, True])
def test_the_fields_of_an_example_are_the_features(written, soft_labels):
    found = written(data_sets.AFFECTNET_PLUS, soft_labels=soft_labels)
    (examples,) = (each for each in found.metadata.record_sets if each.id == "examples")
    wanted = features.features(image_size=48, num_classes=8, soft_labels=soft_labels)
    assert {field.name for field in examples.fields} == {*wanted, "split"}


@pytest.mark.parametrize("about", [data_sets.LISTS, data_sets.DRAWN])
def test_data_without_a_page_or_a_paper_are_described_too(written, about):
    found = written(about).metadata
    assert found.ctx.issues.errors == set()
    assert found.url is None and found.cite_as is None


@pytest.mark.slow
def test_a_published_version_lists_its_shards_with_their_sums(job_config):
    version = test_main.run(job_config(balance="none")).version
    found = mlcroissant.Dataset(jsonld=str(version / croissant.FILE)).metadata
    assert found.ctx.issues.errors == set()
    files = {file.id: file for file in found.distribution if hasattr(file, "sha256")}
    shards = {path.name for path in version.glob("*.tfrecord*")}
    assert files.keys() == shards and len(shards) > 1
    for name in shards:
        assert files[name].sha256 == checksums.of_file(version / name)
        assert files[name].content_size == f"{(version / name).stat().st_size} B"
    assert {croissant.FILE, "README.md"} <= checksums.read(version).by_name.keys()
    info = json.loads((version / "dataset_info.json").read_text())
    assert info["redistributionInfo"]["license"] in found.license
