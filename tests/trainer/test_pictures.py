import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from trainer import pictures


@pytest.mark.parametrize("cache", ["pixels", "jpeg"])
def test_a_split_has_the_examples_that_tfds_reads_in_file_order(version, cache):
    split = pictures.read(version, split="train", size_px=32, cache=cache)
    config = tfds.ReadConfig(interleave_cycle_length=1)
    expected = list(version.builder.as_dataset(split="train", read_config=config))
    np.testing.assert_array_equal(split.labels, [example["label"] for example in expected])
    np.testing.assert_array_equal(split.fetch(np.arange(62)), np.stack([e["image"] for e in expected]))
    assert np.isnan(split.valence).all()
    assert (split.arousal == 0.5).all()


@pytest.mark.parametrize("cache", ["pixels", "jpeg"])
def test_a_smaller_training_size_shrinks_the_pictures(version, cache):
    split = pictures.read(version, split="validation", size_px=16, cache=cache)
    images = split.fetch(tf.constant([[0, 3], [2, 1]], tf.int64))
    assert images.shape == (2, 2, 16, 16, 3)
    full = pictures.read(version, split="validation", size_px=32).fetch(np.array([3])).numpy()
    means = full.reshape(1, 16, 2, 16, 2, 3).mean(axis=(2, 4))
    assert np.abs(images[0, 1].numpy() - means[0]).mean() < 8  # Unrelated pictures: 13.


def test_auto_holds_jpeg_bytes_where_pixels_do_not_fit(version, monkeypatch):
    held = []
    monkeypatch.setattr(pictures, "_free_bytes", lambda: 100_000)
    monkeypatch.setattr(pictures, "_Jpeg", _recording(pictures._Jpeg, held))
    monkeypatch.setattr(pictures, "_Pixels", _recording(pictures._Pixels, held))
    pictures.read(version, split="train", size_px=32)  # 62 x 32 x 32 x 3 bytes are 190,464.
    pictures.read(version, split="validation", size_px=16)  # 37 x 16 x 16 x 3 bytes are 28,416.
    assert held == ["_Jpeg", "_Pixels"]


def _recording(store, held):
    def make(*args):
        held.append(store.__name__)
        return store(*args)

    return make
