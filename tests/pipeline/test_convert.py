"""Conversion to ArrayRecord: the same examples, read by index, beside the TFRecords."""

import json
import shutil
import types
from pathlib import Path

import numpy as np
import pytest

from affectnet_tfds import dataset_paths, tfrecord
from pipeline import convert, verify
from pipeline.data_report import build_files
from pipeline.files import checksums, lock
from pipeline.shards import array_record
from runtime import errors
from tests.pipeline import conftest, test_main
from trainer.data import dataset_version

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """A build of three training shards and one of validation; tests work on copies."""
    root = tmp_path_factory.mktemp("convert")
    job = test_main.config_lib.JobConfig(
        input_dir=str(conftest.write_small_release(root / "in")),
        data_dir=str(root / "data"),
        config_name="tiny",
        image_size=32,
        encoding="png",  # Every decoder makes the same pixels of it.
        num_shards=3,
        num_workers=1,
    )
    return test_main.run(job).version


def copied(version: Path, folder: Path) -> Path:
    """Copy a version into a data_dir of its own."""
    return Path(shutil.copytree(version, folder / "affectnet_faces" / "tiny" / "1.0.0"))


@pytest.fixture
def version(published, tmp_path) -> Path:
    return copied(published, tmp_path / "data")


@pytest.fixture(scope="module")
def converted(published, tmp_path_factory) -> Path:
    """A converted copy, which tests only read."""
    version = copied(published, tmp_path_factory.mktemp("converted"))
    convert.convert(version)
    return version


def records(version: Path, split: str) -> list[bytes]:
    shards = sorted(version.glob(f"*-{split}.tfrecord-*"))
    return [record for shard in shards for record in tfrecord.records(shard.read_bytes())]


def array_shards(version: Path) -> list[Path]:
    return sorted(version.glob("*.array_record-*"))


def said(version: Path) -> list[str]:
    return [str(problem) for problem in verify.verify(version)]


def test_every_shard_has_its_records_again_in_their_order(converted):
    from array_record.python import array_record_module

    names = [path.name for path in array_shards(converted)]
    assert names[0] == "affectnet_faces-train.array_record-00000-of-00003"
    found = [
        record
        for path in array_shards(converted)
        if "-train." in path.name
        for record in array_record_module.ArrayRecordReader(str(path), "").read_all()
    ]
    assert found == records(converted, "train") and len(found) == 16
    assert checksums.read(converted).by_name.keys() >= set(names)
    assert said(converted) == []


def test_the_bytes_are_the_same_each_time(converted, version):
    convert.convert(version)
    for one, other in zip(array_shards(converted), array_shards(version), strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert (converted / "SHA256SUMS").read_bytes() == (version / "SHA256SUMS").read_bytes()


def test_tfds_reads_any_example_by_its_index_as_it_reads_tfrecords(converted):
    import tensorflow_datasets as tfds  # Slow; only these tests need it.

    data_dir = converted.parents[2]
    sources = [
        tfds.data_source("affectnet_faces/tiny", split="train", data_dir=data_dir),
        tfds.builder_from_directory(converted).as_data_source(split="train"),
    ]
    in_order = tfds.ReadConfig(interleave_cycle_length=1)
    read = tfds.load("affectnet_faces/tiny", split="train", data_dir=data_dir, read_config=in_order)
    wanted = list(tfds.as_numpy(read))
    for source in sources:
        assert len(source) == len(wanted) == 16
        for index in (15, 0, 7):
            found = source[index]
            assert found["filename"] == wanted[index]["filename"]
            np.testing.assert_array_equal(found["image"], wanted[index]["image"])
            assert found["label"] == wanted[index]["label"]


def test_a_loader_as_pytorchs_takes_shuffled_batches_of_indices(converted):
    import tensorflow_datasets as tfds  # Slow; only these tests need it.

    dataset = tfds.data_source("affectnet_faces/tiny", split="train", data_dir=converted.parents[2])
    order = np.random.default_rng(0).permutation(len(dataset))  # As a sampler does.
    batches = [
        np.stack([example["image"] for example in dataset.__getitems__(chosen.tolist())])
        for chosen in np.split(order, 4)
    ]
    assert [batch.shape for batch in batches] == [(4, 32, 32, 3)] * 4
    one = dataset[int(order[5])]["image"]
    np.testing.assert_array_equal(batches[1][1], one)


def test_grain_loads_batches_of_it(converted):
    import grain.python as grain
    import tensorflow_datasets as tfds  # Slow; only these tests need it.

    source = tfds.data_source("affectnet_faces/tiny", data_dir=converted.parents[2])["train"]
    sampler = grain.IndexSampler(
        num_records=len(source), shuffle=True, seed=1, num_epochs=1,
        shard_options=grain.NoSharding(),
    )  # fmt: skip
    loader = grain.DataLoader(
        data_source=source, sampler=sampler, operations=[grain.Batch(4)], worker_count=0
    )
    batches = list(loader)
    assert [batch["image"].shape for batch in batches] == [(4, 32, 32, 3)] * 4
    seen = sorted(
        (str(f), int(c)) for b in batches for f, c in zip(b["filename"], b["copy"], strict=True)
    )
    wanted = sorted((str(example["filename"]), int(example["copy"])) for example in source)
    assert seen == wanted


def test_tfrecords_stay_the_default_and_the_fingerprint_of_the_trainer_stays(published, converted):
    import tensorflow_datasets as tfds  # Slow; only these tests need it.

    assert dataset_version.fingerprint(published) == dataset_version.fingerprint(converted)
    info = tfds.builder_from_directory(converted).info
    assert info.file_format.value == "tfrecord"
    assert [each.value for each in info.alternative_file_formats] == ["array_record"]
    assert test_main.sums(published) == test_main.sums(converted)
    opened = dataset_version.open_version(converted)
    assert opened.counts == {"train": 16, "validation": 8}


def test_the_same_command_again_writes_nothing(version):
    convert.convert(version)
    before = {path.name: path.stat().st_mtime_ns for path in array_shards(version)}
    content = (version / "dataset_info.json").read_bytes()
    assert convert.run(str(version.parents[2])) == 0
    assert before == {path.name: path.stat().st_mtime_ns for path in array_shards(version)}
    assert (version / "dataset_info.json").read_bytes() == content


def test_what_is_printed_can_be_copied(version, capsys):
    assert convert.run(str(version.parents[2]), config_name="tiny") == 0
    converted, load = capsys.readouterr().out.splitlines()
    assert converted.startswith(f"converted     {version}: 5 ArrayRecord shards, ")
    assert load == (
        "load it       tfds.data_source('affectnet_faces/tiny', split='train', "
        f"data_dir='{version.parents[2]}')"
    )


def test_of_a_versions_folder_what_is_printed_reads_it(converted, tmp_path, monkeypatch, capsys):
    import tensorflow_datasets as tfds  # Slow; only these tests need it.

    by_name = (
        "tfds.data_source('affectnet_faces/tiny', split='train', "
        f"data_dir='{converted.parents[2]}')"
    )
    moved = Path(shutil.copytree(converted, tmp_path / "moved"))
    monkeypatch.chdir(converted)
    for given, wanted in (
        (str(converted), by_name),
        (".", by_name),
        (
            str(moved),
            f"tfds.builder_from_directory('{moved}').as_data_source(split='train')",
        ),
    ):
        assert convert.run(given) == 0
        call = capsys.readouterr().out.splitlines()[1].removeprefix("load it       ")
        assert call == wanted
        assert len(eval(call, {"tfds": tfds})) == 16  # As a person would copy it.


def test_a_conversion_that_was_killed_is_named_and_finished_by_the_same_command(
    version, monkeypatch
):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(convert, "_announce", killed)
        with pytest.raises(KeyboardInterrupt):
            convert.convert(version)
    unfinished = "a conversion was not finished; the same pipeline.convert command finishes it"
    assert said(version) == [f"{path.name}: {unfinished}" for path in array_shards(version)]
    array_shards(version)[1].write_bytes(b"half")
    convert.convert(version)
    assert said(version) == []


def test_sums_that_were_not_written_any_more_are_mended(version, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(checksums, "update", lambda folder, names: None)
        convert.convert(version)
    assert said(version)[0] == "dataset_info.json: its sha256 is not the one in SHA256SUMS"
    convert.convert(version)
    assert said(version) == []


@pytest.mark.parametrize("with_sums", [True, False])
def test_a_damaged_or_missing_file_is_named_and_written_again(version, with_sums):
    convert.convert(version)
    if not with_sums:  # As a version of an earlier release.
        (version / "SHA256SUMS").unlink()
    first, second, *_ = array_shards(version)
    image = records(version, "train")[0][200:240]
    content = first.read_bytes()
    assert content.count(image) == 1
    first.write_bytes(content.replace(image, image[::-1]))
    second.unlink()
    found = said(version)
    assert len(found) == (3 if with_sums else 2)  # The sum of the first, and its record.
    assert {line.partition(":")[0] for line in found} == {first.name, second.name}
    assert any(line.startswith(f"{first.name}: it cannot be read (") for line in found)
    assert any(line.startswith(f"{second.name}: ") and "is missing" in line for line in found)
    convert.convert(version)
    assert said(version) == []


def test_other_records_with_good_checksums_are_told_apart(version):
    convert.convert(version)
    (version / "SHA256SUMS").unlink()
    first = array_shards(version)[0]
    own = list(tfrecord.records(sorted(version.glob("*-train.tfrecord-*"))[0].read_bytes()))
    array_record.write(first, own[::-1])
    assert said(version) == [f"{first.name}: its record 0 is not the one of the TFRecord shard"]
    array_record.write(first, own[:-1])
    assert said(version) == [f"{first.name}: it has {len(own) - 1} records, not {len(own)}"]


def test_a_damaged_tfrecord_is_not_converted(version):
    shard = sorted(version.glob("*-train.tfrecord-*"))[0]
    shard.write_bytes(shard.read_bytes()[:-1] + b"\0")
    with pytest.raises(errors.UserError, match=f"{shard.name} is damaged"):
        convert.convert(version)
    info = json.loads((version / "dataset_info.json").read_text())
    assert dataset_paths.ALTERNATIVE_FORMATS not in info


def test_a_build_and_a_conversion_do_not_write_one_version_at_once(version):
    with (
        lock.held(version, lock=lock.of_version(version), way_out="wait"),
        pytest.raises(errors.UserError, match="convert it when that one has ended"),
    ):
        convert.convert(version)
    job = types.SimpleNamespace(data_dir=str(version.parents[2]), config_name="tiny")
    staging = test_main.build.publish.staging_folder(job)
    assert lock.of_version(version) == staging.with_name(f"{staging.name}.lock")  # As build.py.


def test_formats_of_damaged_metadata_are_none():
    assert build_files.alternative_formats({dataset_paths.ALTERNATIVE_FORMATS: 3}) == []
