"""A model folder records how its faces were stored; older folders are still readable."""

import dataclasses
import json
import types

import numpy as np
import pytest
import tensorflow_datasets as tfds

from affectnet_tfds import image_codec
from runtime import errors
from tests.trainer import conftest
from trainer.data import dataset_version, examples
from trainer.run import data_provenance


@pytest.mark.parametrize("encoding", ["jpeg", "png", "raw"])
def test_the_encoding_of_a_build_is_read_from_its_features_and_kept_in_the_model_folder(
    encoding, tmp_path
):
    assert encoding in image_codec.ENCODINGS
    made = tmp_path / "affectnet_faces" / "affectnet8" / "1.0.0"
    conftest.write_version(made, encoding=encoding)
    version = dataset_version.open_version(made)
    assert version.encoding == encoding
    data_provenance.save(version, model_dir=tmp_path)
    assert json.loads((tmp_path / "data.json").read_text())["encoding"] == encoding
    assert data_provenance.load(tmp_path) == data_provenance.of(version)
    shown = (
        examples.read(version, split="validation", size_px=conftest.SIZE)
        .fetch(np.arange(3))
        .numpy()
    )
    assert shown.shape == (3, 32, 32, 3) and shown.std() > 20


def test_a_truncated_file_is_one_sentence_with_the_way_out(version, tmp_path):
    data_provenance.save(version, model_dir=tmp_path)
    path = tmp_path / "data.json"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(errors.UserError) as no:
        data_provenance.load(tmp_path)
    assert str(no.value).startswith(f"cannot read {path} as JSON (")
    assert str(no.value).endswith("; the same trainer.main command again writes it anew")


@pytest.mark.parametrize("content", ["{}", "[]", '{"class_names": 5}', '{"class_names": []}'])
def test_a_file_without_what_is_needed_is_one_sentence_too(tmp_path, content):
    (tmp_path / "data.json").write_text(content)
    with pytest.raises(errors.UserError, match="a part is missing|values by name were.*anew$"):
        data_provenance.load(tmp_path)


def test_a_peers_crops_are_kept_and_an_unknown_peer_is_refused(version, tmp_path):
    fields = dataclasses.asdict(data_provenance.of(version))
    crop = {"image_size": 112, "margin_frac": 0.0, "align": True, "like": "ddamfn"}
    path = tmp_path / "data.json"
    path.write_text(json.dumps({**fields, "crop": crop}))
    assert data_provenance.load(tmp_path).geometry() == (112, 0.0, True, "ddamfn")
    path.write_text(json.dumps({**fields, "crop": {**crop, "like": "nobody"}}))
    with pytest.raises(errors.UserError, match="crop: like must be one of hsemotion, dan, ddamfn"):
        data_provenance.load(tmp_path)


@pytest.mark.parametrize("like", ["none", "emonet", None])
def test_crop_settings_are_those_of_the_job(like, tmp_path):
    conftest.write_version(tmp_path / "affectnet_faces" / "affectnet8" / "1.0.0")
    made = tmp_path / "affectnet_faces" / "affectnet8" / "1.0.0"
    settings = {"seed": 0, "image_size": 256, "margin_frac": 0.0, "align": False, "like": like}
    if like is None:  # A build of an earlier release.
        del settings["like"]
    (made / "job_config.json").write_text(json.dumps(settings))
    crop = data_provenance.of(dataset_version.open_version(made)).crop
    wanted = {"image_size": 256, "margin_frac": 0.0, "align": False}
    assert crop == (wanted | {"like": like} if like == "emonet" else wanted)


@pytest.mark.parametrize(
    ("was", "encoding"), [({}, "jpeg"), ({"is_raw": False}, "jpeg"), ({"is_raw": True}, "raw")]
)
def test_a_run_from_before_the_encoding_was_kept_counts_as_jpeg_unless_it_was_raw(
    was, encoding, version, tmp_path
):
    fields = dataclasses.asdict(data_provenance.of(version))
    del fields["encoding"]
    (tmp_path / "data.json").write_text(json.dumps(fields | was))
    assert data_provenance.load(tmp_path).encoding == encoding


def test_faces_that_are_cropped_otherwise_than_in_training_are_warned_of(tmp_path):
    folder = tmp_path / "affectnet_faces" / "affectnet8" / "1.0.0"
    conftest.write_version(folder)
    made = {"image_size": 32, "margin_frac": 0.15, "align": False}
    (folder / "job_config.json").write_text(json.dumps(made))
    version = dataset_version.open_version(folder)
    here = data_provenance.of(version)
    other = dataclasses.replace(here, crop={**made, "margin_frac": 0.0})
    assert data_provenance.crop_warning(other, version=version) == (
        f"the faces of {version.name} are cropped otherwise than those of {version.name}, which "
        "costs accuracy: margin_frac=0.15, in training 0.0"
    )
    for same in (here, dataclasses.replace(here, crop=None)):
        assert data_provenance.crop_warning(same, version=version) == ""
    larger = dataclasses.replace(here, crop={**made, "image_size": 96})
    assert data_provenance.crop_warning(larger, version=version) == ""


def test_the_licence_of_the_data_is_kept_and_folders_from_before_have_none(version, tmp_path):
    info = tfds.core.DatasetInfo(builder=version.builder, license="For research.", homepage="a://b")
    builder = types.SimpleNamespace(info=info)
    here = data_provenance.of(dataclasses.replace(version, builder=builder))
    assert (here.license, here.homepage) == ("For research.", "a://b")
    fields = dataclasses.asdict(here)
    path = tmp_path / "data.json"
    path.write_text(json.dumps(fields))
    assert data_provenance.load(tmp_path) == here
    for name in ("license", "homepage"):
        del fields[name]
    path.write_text(json.dumps(fields))
    assert data_provenance.load(tmp_path).license == ""
