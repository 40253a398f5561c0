import pathlib

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from runtime import errors
from trainer.data import examples, pixel_cache, tfrecord_index


@pytest.mark.parametrize("cache", ["none", "ram", "disk"])
def test_a_split_has_the_examples_that_tfds_reads_in_file_order(version, cache, tmp_path):
    split = examples.read(version, split="train", size_px=32, cache=cache, cache_dir=tmp_path)
    config = tfds.ReadConfig(interleave_cycle_length=1)
    expected = list(version.builder.as_dataset(split="train", read_config=config))
    np.testing.assert_array_equal(split.labels, [example["label"] for example in expected])
    for _ in range(2):  # Decoded, then from the cache.
        np.testing.assert_array_equal(
            split.fetch(np.arange(62)), np.stack([e["image"] for e in expected])
        )
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


def test_auto_keeps_pixels_only_where_they_fit(version, monkeypatch):
    kept = []
    monkeypatch.setattr(examples, "_free_bytes", lambda: 100_000)
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


def test_an_image_is_found_at_all_of_its_bytes_and_not_at_its_first_ones_alone():
    image = bytes(range(100))
    within = b"name" + image[:40] + b"other" + image + b"label"
    assert tfrecord_index._find(image, within=within) == 49
    assert tfrecord_index._find(image[:3], within=within) == 4
