"""The data set as a notebook meets it: with our code imported, and without."""

import logging
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from absl import flags

from affectnet_tfds import features, labels
from pipeline import config, convert, verify
from runtime import errors, machine
from tests.pipeline import conftest, test_main

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def release(tmp_path_factory) -> Path:
    """6 neutral, 3 happy and 1 sad row in train, one of each in validation."""
    writer = conftest.ReleaseWriter(tmp_path_factory.mktemp("release"))
    for label, count in ((0, 6), (1, 3), (2, 1)):
        for _ in range(count):
            writer.add("training", label)
        writer.add("validation", label)
    return writer.write()


@pytest.fixture(scope="module")
def data_dir(release, tmp_path_factory) -> Path:
    """The standard build, affectnet8, and one of a user's own."""
    folder = tmp_path_factory.mktemp("data")
    for fields in ({"num_shards": 3}, {"config_name": "mine", "image_size": 48, "classes": 7}):
        test_main.run(
            config.JobConfig(input_dir=str(release), data_dir=str(folder), num_workers=1, **fields)
        )
    return folder


@pytest.fixture
def one_process(monkeypatch) -> None:
    """Builds that TFDS asks for start no worker processes."""
    monkeypatch.setattr(machine, "cpu_count", lambda: 1)


def python(code: str, *, cwd: Path, **environment: str) -> str:
    """Run code in a process that cannot see this project; return what it prints."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-I", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**kept, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_process_without_our_code_loads_what_the_job_published(data_dir, tmp_path):
    out = python(
        "import sys; import tensorflow_datasets as tfds\n"
        "assert not {'affectnet_tfds', 'pipeline'} & set(sys.modules)\n"
        "ds, info = tfds.load('affectnet_faces', with_info=True)\n"
        "print(info.full_name, {k: len(v) for k, v in ds.items()})\n"
        "part = tfds.load('affectnet_faces', split='train[1shard:]')\n"
        "print(len(part), info.features['label'].names)\n"
        "mine = tfds.load('affectnet_faces/mine', split='validation', as_supervised=True)\n"
        "print(mine.element_spec[0].shape)\n"
        "import matplotlib; matplotlib.use('Agg')\n"
        "ds = tfds.load('affectnet_faces', split='train')\n"
        "figure = tfds.show_examples(ds, info)\n"
        "print(tfds.as_dataframe(ds.take(2), info).shape, type(figure).__name__)\n",
        cwd=tmp_path,
        TFDS_DATA_DIR=str(data_dir),
    )
    assert out.splitlines() == [
        "affectnet_faces/affectnet8/1.0.0 {'train': 9, 'validation': 3}",
        f"6 {list(labels.EXPRESSIONS[:8])}",
        "(48, 48, 3)",
        "(2, 9) Figure",
    ]


def test_the_registered_builder_reads_the_same(data_dir):
    import tensorflow_datasets as tfds  # Slow; only these tests need it.

    import affectnet_tfds

    builder = tfds.builder("affectnet_faces", data_dir=data_dir)
    assert isinstance(builder, affectnet_tfds.AffectnetFaces)
    assert builder.info.splits["train"].num_examples == 9
    mine = tfds.load("affectnet_faces/mine", split="train", data_dir=data_dir)
    assert mine.element_spec["image"].shape == (48, 48, 3)


def test_tfds_build_makes_the_same_files_through_the_job(
    release, data_dir, tmp_path, monkeypatch, one_process
):
    import tensorflow_datasets as tfds  # Slow; only these tests need it.
    from tensorflow_datasets.scripts.cli import main as command

    monkeypatch.setattr(logging.root, "handlers", [])  # The command sets up its own.
    monkeypatch.setattr(flags, "FLAGS", flags.FlagValues())  # Those of other tests' programs.
    asked = (
        "tfds build affectnet_faces/affectnet8 --imports=affectnet_tfds --num_shards=3 "
        f"--manual_dir={release} --data_dir={tmp_path}"
    )
    command.main(command._parse_flags(asked.split()))
    made, ours = (
        folder / "affectnet_faces" / "affectnet8" / "1.0.0" for folder in (tmp_path, data_dir)
    )
    assert verify.verify(made) == []
    assert {path.name for path in made.iterdir()} == {path.name for path in ours.iterdir()}
    assert test_main.sums(made) == test_main.sums(ours)
    for name in ("dataset_info.json", "features.json", "LICENSE", "rejects.csv"):
        assert (made / name).read_bytes() == (ours / name).read_bytes()
    assert len(list(tfds.load("affectnet_faces", split="train", data_dir=tmp_path))) == 9
    assert not list(tmp_path.glob(".affectnet*"))


def test_tfds_knows_licence_release_notes_and_configs_with_and_without_our_code(data_dir):
    import tensorflow_datasets as tfds  # Slow; only these tests need it.

    with_code = tfds.builder("affectnet_faces/mine", data_dir=data_dir)
    without = tfds.builder_from_directory(data_dir / "affectnet_faces" / "mine" / "1.0.0")
    for builder in (with_code, without):
        assert builder.info.redistribution_info.license.startswith(
            "AffectNet is for non-commercial research"
        )
        assert builder.info.release_notes["1.0.0"].startswith("First version: image, label")
        assert builder.builder_config.description == builder.info.config_description
        assert builder.info.config_description == (
            "7 classes, manual annotations, train balanced to the median class, 48 px"
        )
        assert "mollahosseini2019affectnet" in builder.info.citation
        assert builder.info.homepage == features.HOMEPAGE


def test_before_anything_is_built_the_code_says_the_same(tmp_path):
    import affectnet_tfds

    builder = affectnet_tfds.AffectnetFaces(config="affectnetplus7_natural", data_dir=tmp_path)
    assert builder.builder_config.description == (
        "7 classes, manual annotations, soft labels, train as it is"
    )
    assert builder.info.redistribution_info.license == features.LICENSE
    assert "fard2024affectnetplus" in builder.info.citation


@pytest.mark.parametrize("ask", ["load", "read", "data_source"])
def test_no_data_is_said_with_the_folder_and_the_way_out(tmp_path, ask):
    import tensorflow_datasets as tfds  # Slow; only these tests need it.

    import affectnet_tfds

    builder = affectnet_tfds.AffectnetFaces(data_dir=tmp_path)
    asks = {
        "load": lambda: tfds.load("affectnet_faces", data_dir=tmp_path),
        "read": lambda: builder.as_dataset(split="train"),
        "data_source": lambda: builder.as_data_source(split="train"),
    }
    with pytest.raises(FileNotFoundError) as found:
        asks[ask]()
    said = str(found.value)
    assert said.startswith(f"no data: {tmp_path} (data_dir) holds no affectnet_faces/affectnet8;")
    assert f"python -m pipeline.main --input_dir=AFFECTNET --data_dir={tmp_path}'" in said
    assert "tfds build affectnet_faces/affectnet8 --imports=affectnet_tfds --manual_dir" in said
    assert "import affectnet_tfds" in said


def test_the_registered_builder_reads_by_index_what_was_converted(data_dir, tmp_path):
    import tensorflow_datasets as tfds  # Slow; only these tests need it.

    import affectnet_tfds

    shutil.copytree(data_dir / "affectnet_faces", tmp_path / "affectnet_faces")
    way_out = f"python -m pipeline.convert --data_dir={tmp_path} --config_name=affectnet8'"
    with pytest.raises(NotImplementedError, match=re.escape(way_out)):
        tfds.data_source("affectnet_faces", split="train", data_dir=tmp_path)
    convert.run(str(tmp_path))
    for name in ("affectnet_faces", "affectnet_faces/mine"):
        builder = tfds.builder(name, data_dir=tmp_path)
        wanted = builder.info.splits["train"].num_examples
        source = tfds.data_source(name, split="train", data_dir=tmp_path)
        assert len(source) == wanted and source[wanted - 1]["image"].dtype == np.uint8
        assert len(list(builder.as_dataset(split="train"))) == wanted
    assert isinstance(
        tfds.builder("affectnet_faces", data_dir=tmp_path), affectnet_tfds.AffectnetFaces
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"max_examples_per_split": 5},
            "max_examples_per_split=5.: give manual_dir a smaller copy",
        ),
        ({"min_shard_size": 1}, "min_shard_size=1.: num_shards says how many"),
        ({"max_shard_size": 1 << 20}, "max_shard_size=1048576.: num_shards says how many"),
        ({"nondeterministic_order": True}, "nondeterministic_order=True.: the order is always"),
        ({"beam_runner": "DirectRunner"}, "beam_runner='DirectRunner'.: beam_options name"),
    ],
)
def test_what_tfds_asks_for_and_the_job_does_not_do_is_refused(release, tmp_path, given, message):
    import tensorflow_datasets as tfds  # Slow; only these tests need it.

    import affectnet_tfds

    builder = affectnet_tfds.AffectnetFaces(data_dir=tmp_path)
    asked = tfds.download.DownloadConfig(manual_dir=str(release), **given)
    with pytest.raises(ValueError, match=message):
        builder.download_and_prepare(download_config=asked)
    assert not Path(str(builder.data_dir)).exists()


@pytest.mark.parametrize("where", ["builder", "call"])
@pytest.mark.parametrize("file_format", ["array_record", "riegeli"])
def test_another_format_than_tfrecord_is_refused_and_nothing_is_written(
    release, tmp_path, where, file_format
):
    import tensorflow_datasets as tfds  # Slow; only these tests need it.

    import affectnet_tfds

    asked = {"file_format": file_format}
    builder = affectnet_tfds.AffectnetFaces(
        data_dir=tmp_path, **(asked if where == "builder" else {})
    )
    with pytest.raises(ValueError, match=f"written as TFRecords: got file_format='{file_format}'"):
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(manual_dir=str(release)),
            **(asked if where == "call" else {}),
        )
    assert not Path(str(builder.data_dir)).exists()


def test_a_config_of_soft_labels_that_the_copy_lacks_is_refused(release, tmp_path, one_process):
    import tensorflow_datasets as tfds  # Slow; only these tests need it.

    import affectnet_tfds

    mine = affectnet_tfds.affectnet_faces.AffectnetFacesConfig(
        name="mine", image_size=32, soft_labels=True
    )
    builder = affectnet_tfds.AffectnetFaces(config=mine, data_dir=tmp_path)
    with pytest.raises(ValueError, match="has no soft labels: config mine must have soft_labels=F"):
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(manual_dir=str(release))
        )


def test_the_builder_does_not_take_drawn_faces_for_affectnet(tmp_path):
    import tensorflow_datasets as tfds  # Slow; only these tests need it.

    import affectnet_tfds

    writer = conftest.ReleaseWriter(tmp_path / "drawn")
    writer.add("training", 0)
    (writer.write() / "drawn_sample.json").write_text("{}")
    builder = affectnet_tfds.AffectnetFaces(data_dir=tmp_path / "data")
    with pytest.raises(errors.UserError, match="a build of the drawn sample is called sample"):
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(manual_dir=str(tmp_path / "drawn"))
        )


def test_the_record_is_what_the_contract_says():
    described = features.features(image_size=64, num_classes=7)
    assert sorted(described) == [
        "arousal", "bbox", "copy", "filename", "image", "label", "landmarks", "subset", "valence",
    ]  # fmt: skip
    assert described["label"].names == [
        "neutral",
        "happy",
        "sad",
        "surprise",
        "fear",
        "disgust",
        "anger",
    ]
    assert described["landmarks"].shape == (68, 2) and described["landmarks"].np_dtype == np.float32


def test_an_unknown_number_of_classes_is_refused():
    with pytest.raises(ValueError, match="classes must be 7, 8 or 11: got 9"):
        labels.class_names(9)


@pytest.mark.parametrize(
    "imports",
    [
        "import affectnet_tfds; import tensorflow_datasets as tfds",
        "import tensorflow_datasets as tfds; import affectnet_tfds",
        "from affectnet_tfds import features; import tensorflow_datasets as tfds",
        "import affectnet_tfds; affectnet_tfds.AffectnetFaces; import tensorflow_datasets as tfds",
    ],
)
def test_the_builder_is_registered_whichever_is_imported_first(imports):
    builders = "tfds.list_builders(with_community_datasets=False)"
    code = f"{imports}; print('affectnet_faces' in {builders}, tfds.__spec__.loader)"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout.startswith(
        "True <_frozen_importlib_external.SourceFileLoader"
    )  # As without us.


@pytest.mark.parametrize("config_name", ["affectnet8", "mine"])
def test_the_reader_without_tensorflow_gives_what_tfds_reads(data_dir, config_name):
    import tensorflow as tf  # Slow, as is the next; only these tests need them.
    import tensorflow_datasets as tfds

    import affectnet_tfds

    faces = affectnet_tfds.FaceDataset(data_dir, split="train", config_name=config_name)
    builder = tfds.builder(f"affectnet_faces/{config_name}", data_dir=data_dir)
    config = tfds.ReadConfig(interleave_cycle_length=1)
    expected = list(tfds.as_numpy(builder.as_dataset(split="train", read_config=config)))
    assert faces.class_names == tuple(builder.info.features["label"].names)
    assert len(faces) == len(expected) == 9
    for i, (found, wanted) in enumerate(zip(faces, expected, strict=True)):
        assert found.keys() == wanted.keys()
        # TFDS takes the fast, inexact inverse DCT.
        exact = tf.io.decode_jpeg(faces.stored(i).image, dct_method="INTEGER_ACCURATE")
        np.testing.assert_array_equal(found["image"], exact.numpy())
        assert np.abs(found.pop("image").astype(int) - wanted.pop("image")).mean() < 3
        assert found.pop("filename") == wanted.pop("filename").decode()
        for name, value in found.items():
            np.testing.assert_array_equal(value, wanted[name], err_msg=name)
            assert np.asarray(value).dtype == wanted[name].dtype, name
