import dataclasses
import pathlib
import resource
from concurrent import futures

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from affectnet_tfds import tfrecord
from affectnet_tfds.reader import open_files, shard_index
from runtime import errors, machine
from trainer.data import examples, pixel_cache, tfrecord_index


@pytest.mark.parametrize("cache", ["none", "ram", "disk"])
def test_a_split_has_the_examples_that_tfds_reads_in_file_order(version, cache, tmp_path):
    split = examples.read(version, split="train", size_px=32, cache=cache, cache_dir=tmp_path)
    stored = version.builder.as_dataset(
        split="train",
        read_config=tfds.ReadConfig(interleave_cycle_length=1),
        decoders={"image": tfds.decode.SkipDecoding()},
    )
    expected = list(stored)
    images = [tf.io.decode_jpeg(e["image"], dct_method="INTEGER_ACCURATE") for e in expected]
    np.testing.assert_array_equal(split.labels, [example["label"] for example in expected])
    for _ in range(2):  # Decoded, then from the cache.
        np.testing.assert_array_equal(split.fetch(np.arange(62)), np.stack(images))
    assert split.filenames.tolist() == [
        example["filename"].numpy().decode() for example in expected
    ]
    assert np.isnan(split.valence).all()
    assert (split.arousal == 0.5).all()
    assert (split.copies == 0).all()


@pytest.mark.parametrize("cache", ["none", "ram"])
def test_a_smaller_training_size_shrinks_the_images(version, cache):
    split = examples.read(version, split="validation", size_px=16, cache=cache)
    images = split.fetch(tf.constant([[0, 3], [2, 1]], tf.int64))
    assert images.shape == (2, 2, 16, 16, 3)
    full = examples.read(version, split="validation", size_px=32).fetch(np.array([3])).numpy()
    means = full.reshape(1, 16, 2, 16, 2, 3).mean(axis=(2, 4))
    assert np.abs(images[0, 1].numpy() - means[0]).mean() < 8  # Unrelated images: 13.


@pytest.mark.parametrize("cache", ["none", "ram"])
def test_a_split_read_for_training_gives_the_pixels_of_an_evaluation_too(version, cache):
    rows = np.array([5, 9])
    train = examples.read(version, split="train", size_px=12, for_training=True, cache=cache)
    evaluated = examples.read(version, split="train", size_px=12, cache=cache)
    exact = evaluated.fetch(rows).numpy()
    np.testing.assert_array_equal(train.fetch_exact(rows), exact)
    np.testing.assert_array_equal(evaluated.fetch_exact(rows), exact)
    off = np.abs(train.fetch(rows).numpy().astype(int) - exact)
    assert 0 < off.mean() < 8  # Of noise, whose chroma is stored at half resolution.


def test_disk_caches_of_training_and_evaluation_are_apart(version, tmp_path):
    for for_training in (False, True):
        split = examples.read(
            version,
            split="validation",
            size_px=12,
            for_training=for_training,
            cache="disk",
            cache_dir=str(tmp_path),
        )
        split.fetch(np.arange(37))
    assert sorted(path.name.split("-")[-1] for path in tmp_path.iterdir()) == [
        "exact.uint8",
        "training.uint8",
    ]


def test_auto_keeps_pixels_only_where_they_fit(version, monkeypatch):
    kept = []
    monkeypatch.setattr(machine, "free_bytes", lambda: 100_000)
    monkeypatch.setattr(
        pixel_cache, "in_memory", lambda *_, num_examples, size_px: kept.append(num_examples)
    )
    examples.read(version, split="train", size_px=32)  # 62 x 32 x 32 x 3 bytes are 190,464.
    examples.read(version, split="validation", size_px=16)  # 37 x 16 x 16 x 3 bytes are 28,416.
    assert kept == [37]


def test_a_damaged_shard_is_refused_with_its_name_and_record(tmp_path, version):
    whole = pathlib.Path(version.builder.info.splits["validation"].filepaths[0]).read_bytes()
    content = bytearray(whole)
    content[len(content) // 2] ^= 1
    (tmp_path / "shard").write_bytes(content)
    with pytest.raises(
        errors.UserError, match=r"shard, record 9: its checksum does not match \(byte \d+\)"
    ):
        tfrecord_index.read([tmp_path / "shard"])
    (tmp_path / "short").write_bytes(whole[:-2])
    with pytest.raises(errors.UserError, match=r"short, record 18: its checksum does not match"):
        tfrecord_index.read([tmp_path / "short"])


def test_a_shard_whose_images_were_all_rejected_is_read_as_no_example(tmp_path, version):
    whole = pathlib.Path(version.builder.info.splits["validation"].filepaths[0])
    (tmp_path / "empty").touch()
    alone = tfrecord_index.read([whole])
    beside = tfrecord_index.read([tmp_path / "empty", whole, tmp_path / "empty"])
    assert len(tfrecord_index.read([tmp_path / "empty"]).labels) == 0
    assert beside.labels.tolist() == alone.labels.tolist()
    assert bytes(beside.image_bytes(3)) == bytes(alone.image_bytes(3))


def _copied(version, folder, split="train"):
    """Copy the shards of a split and their indexes into a folder; return the shards."""
    shards = [pathlib.Path(file) for file in version.builder.info.splits[split].filepaths]
    for shard in shards:
        for file in (shard, shard_index.path(shard)):
            (folder / file.name).write_bytes(file.read_bytes())
    return [folder / shard.name for shard in shards]


def _columns(records):
    arrays = ("shard", "start", "length", "crc32c", "labels", "valence", "arousal", "copies")
    columns = {name: getattr(records, name).tolist() for name in arrays}
    return repr({**columns, "filenames": records.filenames.tolist()})  # NaN equals NaN as text.


def test_the_index_beside_the_shards_says_what_a_scan_of_them_says(version, tmp_path, capsys):
    shards = _copied(version, tmp_path)
    with_index = _columns(tfrecord_index.read(shards))
    compared = _columns(tfrecord_index.read(shards, verify=True))
    for shard in shards:
        shard_index.path(shard).unlink()
    scanned = tfrecord_index.read(shards)
    assert with_index == _columns(scanned) == compared
    assert len(scanned.labels) == 62
    assert capsys.readouterr().err == ""


def test_with_an_index_no_shard_is_read_before_its_images_are(version, tmp_path, monkeypatch):
    shards = _copied(version, tmp_path)
    expected = [bytes(tfrecord_index.read(shards).image_bytes(index)) for index in range(62)]
    monkeypatch.setattr(tfrecord_index, "_scan", None)
    records = tfrecord_index.read(shards)
    assert [bytes(records.image_bytes(index)) for index in range(62)] == expected
    assert expected[0][:3] == b"\xff\xd8\xff"


def test_a_damaged_image_is_refused_when_it_is_read_and_at_the_start_when_asked(version, tmp_path):
    shards = _copied(version, tmp_path)
    place = int(tfrecord_index.read(shards).start[7]) + 99
    content = bytearray(shards[0].read_bytes())
    content[place] ^= 1
    shards[0].write_bytes(content)
    records = tfrecord_index.read(shards)
    records.image_bytes(6)
    with pytest.raises(errors.UserError, match=r"record 7: its checksum does not match \(byte"):
        records.image_bytes(7)
    with pytest.raises(errors.UserError, match=r"record 7: its checksum does not match \(byte"):
        tfrecord_index.read(shards, verify=True)


def test_an_index_that_cannot_be_used_is_named_and_the_shard_is_scanned(version, tmp_path, capsys):
    shards = _copied(version, tmp_path)
    wanted = _columns(tfrecord_index.read(shards))
    index = shard_index.path(shards[0])
    content = bytearray(index.read_bytes())
    content[-3] ^= 1
    index.write_bytes(content)
    assert _columns(tfrecord_index.read(shards)) == wanted
    said = capsys.readouterr().err
    assert f"cannot use {index} (its SHA-256 is not the one in its second line): its" in said
    index.write_bytes(shard_index.path(shards[1]).read_bytes())  # Of a shard of another size.
    assert _columns(tfrecord_index.read(shards)) == wanted
    assert "bytes, and its shard has" in capsys.readouterr().err


def test_an_index_of_another_shard_of_the_same_size_is_refused_when_asked(version, tmp_path):
    shards = _copied(version, tmp_path)
    rows = shard_index.decode(shard_index.path(shards[0]).read_bytes()).copy()
    rows["label"][3] += 1
    shard_index.path(shards[0]).write_bytes(shard_index.encode(rows))
    with pytest.raises(errors.UserError, match="is not the index of its shard; copy the version"):
        tfrecord_index.read(shards, verify=True)


def test_file_names_are_read_when_they_are_asked_for(version, tmp_path):
    shards = _copied(version, tmp_path)
    records = tfrecord_index.read(shards)
    shard_index.path(shards[0]).unlink()
    with pytest.raises(errors.UserError, match="was replaced while it is read"):
        _ = records.filenames


def test_images_of_more_shards_than_files_may_be_open_are_read_with_few_descriptors(
    version, tmp_path, monkeypatch
):
    """Each record is a shard of its own, read in any order by several threads."""
    whole = pathlib.Path(version.builder.info.splits["train"].filepaths[0]).read_bytes()
    shards = []
    for number, content in enumerate(tfrecord.records(whole)):
        shards.append(tmp_path / f"shard-{number}")
        shards[-1].write_bytes(tfrecord.frame(content))
    monkeypatch.setattr(open_files, "_MOST_OPEN", 4)
    records = tfrecord_index.read(shards)
    assert len(records.labels) == len(shards) == 21

    def number_open() -> int:
        names = [path.readlink().name for path in pathlib.Path("/proc/self/fd").iterdir()
                 if path.is_symlink()]  # fmt: skip
        return sum(name.startswith("shard-") for name in names)

    assert number_open() == 0
    order = np.random.default_rng(0).permutation(np.repeat(np.arange(21), 9)).tolist()
    with futures.ThreadPoolExecutor(4) as threads:
        images = list(threads.map(records.image_bytes, order))
    assert number_open() == 4
    for index, image in zip(order, images, strict=True):
        assert bytes(image) in shards[index].read_bytes() and image[:3] == b"\xff\xd8\xff"


@pytest.mark.parametrize(("allowed", "most"), [(64, 9), (1024, 129), (10**6, 512), (-1, 512)])
def test_a_share_of_the_files_that_may_be_open_is_used(allowed, most, monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda what: (allowed, allowed))
    assert open_files._most_open() == most


def test_a_shard_that_is_replaced_while_it_is_used_is_refused(version, tmp_path):
    (tmp_path / "shard").write_bytes(
        pathlib.Path(version.builder.info.splits["train"].filepaths[0]).read_bytes()
    )
    records = tfrecord_index.read([tmp_path / "shard"])
    (tmp_path / "shard").write_bytes(b"of another build")
    with pytest.raises(errors.UserError, match="shard was replaced while it is read: wait"):
        records.image_bytes(3)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"no protobuf", "shard, record 0: it is no record of affectnet_faces (.*); build the"),
        (b"", "shard, record 0: it is no record of affectnet_faces (.*); build the"),
    ],
)
def test_an_intact_record_of_another_program_is_refused(content, sentence, tmp_path):
    (tmp_path / "shard").write_bytes(tfrecord.frame(content))
    with pytest.raises(errors.UserError, match=sentence.replace("(.*)", r"\(.*\)")):
        tfrecord_index.read([tmp_path / "shard"])


def test_numbers_and_labels_that_no_record_may_have_are_refused(version, tmp_path, monkeypatch):
    path = pathlib.Path(version.builder.info.splits["train"].filepaths[0])
    example = tf.train.Example.FromString(next(iter(tfrecord.records(path.read_bytes()))))
    example.features.feature["valence"].float_list.value[0] = np.inf
    (tmp_path / "shard").write_bytes(tfrecord.frame(example.SerializeToString()))
    with pytest.raises(errors.UserError, match="record 0: valence and arousal must be in -1..1"):
        tfrecord_index.read([tmp_path / "shard"])
    read = tfrecord_index.read
    monkeypatch.setattr(
        tfrecord_index,
        "read",
        lambda files, **given: dataclasses.replace(read(files, **given), labels=np.full(62, 9)),
    )
    with pytest.raises(errors.UserError, match=r"label must be 0\.\.7: got 9; build the data set"):
        examples.read(version, split="train", size_px=32)
